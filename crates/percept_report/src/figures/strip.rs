//! Rows of pictures, some under gray maps that keep what is white and darken what is black.

use std::fmt::Write;

use percept_core::figure::Strip;

use super::table::Table;
use crate::error::{Pictures, ReportError, png};
use crate::markup::{data_address, escape};

/// Appends the pictures as a table.
///
/// # Errors
/// [`ReportError`] when a picture cannot be had or is no PNG, or a row has another number of cells than there are columns.
pub(super) fn draw(out: &mut String, figure: &Strip, pictures: &mut Pictures<'_>) -> Result<(), ReportError> {
    let table = Table {
        title: &figure.title,
        attributes: &format!("class=\"strip\" style=\"--columns:{}\"", figure.columns.len()),
        columns: &figure.columns,
        cells: "pictures",
    };
    table.begin(out, figure.rows.iter().map(|row| (&row.label, row.cells.len())))?;
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
