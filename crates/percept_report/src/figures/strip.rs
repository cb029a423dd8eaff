//! Rows of pictures, some under gray maps that keep what is white and darken what is black.

use std::fmt::Write;

use percept_core::figure::Strip;

use crate::error::{Pictures, ReportError, png};
use crate::markup::{data_address, escape};

/// Appends the pictures as a table.
///
/// # Errors
/// [`ReportError`] when a picture cannot be had or is no PNG, or a row has another number of cells than there are columns.
pub(super) fn draw(out: &mut String, figure: &Strip, pictures: &mut Pictures<'_>) -> Result<(), ReportError> {
    let n_columns = figure.columns.len();
    if let Some(row) = figure.rows.iter().find(|row| row.cells.len() != n_columns) {
        return Err(ReportError::Figure {
            title: figure.title.clone(),
            expected: format!("{n_columns} pictures per row"),
            got: format!("{} in row `{}`", row.cells.len(), row.label),
        });
    }
    let _ = write!(
        out,
        "<div class=\"scroll\"><table class=\"strip\" style=\"--columns:{n_columns}\"><caption>{}</caption><thead><tr><th scope=\"col\">Row</th>",
        escape(&figure.title)
    );
    for column in &figure.columns {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(column));
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in &figure.rows {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(&row.label));
        for (column, cell) in figure.columns.iter().zip(&row.cells) {
            let Some(cell) = cell else {
                out.push_str("<td><span class=\"none\">none</span></td>");
                continue;
            };
            let alt = match &cell.map {
                Some(_) => format!("{}, {column}: picture under its map", row.label),
                None => format!("{}, {column}", row.label),
            };
            let bytes = png(&cell.picture, pictures)?;
            let _ =
                write!(out, "<td><div class=\"laid\"><img alt=\"{}\" src=\"{}\">", escape(&alt), data_address(&bytes));
            if let Some(map) = &cell.map {
                let bytes = png(map, pictures)?;
                let _ = write!(out, "<img class=\"map\" alt=\"\" src=\"{}\">", data_address(&bytes));
            }
            out.push_str("</div>");
            if !cell.note.is_empty() {
                let _ = write!(out, "<span class=\"note\">{}</span>", escape(&cell.note));
            }
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    Ok(())
}
