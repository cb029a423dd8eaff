//! The grid of pictures: one table per gallery, a row per stimulus, with a choice of order that needs no script to be read.

use std::fmt::Write;

use crate::markup::{breakable, data_address, escape};
use crate::model::{Gallery, GalleryRow};
use crate::page::{ReportError, png};
use crate::words::{self, Role};

/// Appends one gallery. `picture` hands over the bytes of a PNG by its path.
///
/// # Errors
/// [`ReportError`] when a picture cannot be had or is no PNG, or when a row does not fit the gallery's columns.
pub fn section(
    out: &mut String,
    index: usize,
    gallery: &Gallery,
    picture: &mut dyn FnMut(&str) -> Result<Vec<u8>, ReportError>,
) -> Result<(), ReportError> {
    let _ = writeln!(out, "<h3 id=\"gallery-{index}\">{}</h3>", escape(&gallery.title));
    controls(out, index, gallery);
    let _ = write!(
        out,
        "<div class=\"scroll\"><table class=\"gallery\" data-gallery=\"{index}\" style=\"--columns:{}\">\
         <caption>{}: {} stimuli, {} pictures each</caption><thead><tr><th scope=\"col\" class=\"what\">{}</th>",
        gallery.columns.len(),
        escape(&gallery.title),
        gallery.rows.len(),
        gallery.columns.len(),
        if gallery.rows.iter().any(|row| !row.caption.is_empty()) { "Caption" } else { "Name" },
    );
    for column in &gallery.columns {
        let words = words::method(column);
        let _ = write!(
            out,
            "<th scope=\"col\" class=\"{}\"><b>{}</b><span>{}</span></th>",
            class(words.role),
            breakable(column),
            escape(words.short)
        );
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in &gallery.rows {
        one_row(out, gallery, row, picture)?;
    }
    out.push_str("</tbody></table></div>\n");
    Ok(())
}

fn controls(out: &mut String, index: usize, gallery: &Gallery) {
    let _ = write!(out, "<div class=\"controls\" data-for=\"{index}\" hidden>");
    if !gallery.sort_keys.is_empty() {
        out.push_str(
            "<label>Order <select data-role=\"order\"><option value=\"plain\">as presented</option>\
             <option value=\"best\">best first</option><option value=\"median\">nearest the median first</option>\
             <option value=\"worst\">worst first</option></select></label>\
             <label>by <select data-role=\"key\">",
        );
        for (i, key) in gallery.sort_keys.iter().enumerate() {
            let _ = write!(out, "<option value=\"{i}\">{}</option>", escape(key));
        }
        out.push_str("</select></label>");
    }
    out.push_str(
        "<label>Show <select data-role=\"show\"><option>8</option><option>24</option>\
         <option value=\"1000000\">all</option></select></label><span class=\"shown\" aria-live=\"polite\"></span></div>\n",
    );
}

fn one_row(
    out: &mut String,
    gallery: &Gallery,
    row: &GalleryRow,
    picture: &mut dyn FnMut(&str) -> Result<Vec<u8>, ReportError>,
) -> Result<(), ReportError> {
    if row.pictures.len() != gallery.columns.len() || row.scores.len() != gallery.sort_keys.len() {
        return Err(ReportError::Row {
            id: row.id.clone(),
            n_pictures: row.pictures.len(),
            n_columns: gallery.columns.len(),
            n_scores: row.scores.len(),
            n_keys: gallery.sort_keys.len(),
        });
    }
    let scores: Vec<String> = row.scores.iter().map(|score| format!("{score:.6}")).collect();
    let _ = write!(
        out,
        "<tr data-scores=\"{}\"><th scope=\"row\" class=\"what\"><span>{}</span>{}</th>",
        scores.join(" "),
        escape(&row.caption),
        escape(&row.id)
    );
    for (column, path) in gallery.columns.iter().zip(&row.pictures) {
        let _ = write!(out, "<td class=\"{}\">", class(words::method(column).role));
        match path {
            Some(path) => {
                let bytes = png(path, picture)?;
                let alt = match words::method(column).role {
                    Role::Stimulus if row.caption.is_empty() => format!("stimulus {}", row.id),
                    Role::Stimulus => format!("stimulus {}: {}", row.id, row.caption),
                    _ => format!("reconstruction of {} by {column}", row.id),
                };
                let _ = write!(out, "<img alt=\"{}\" src=\"{}\">", escape(&alt), data_address(&bytes));
            }
            None => out.push_str("<span class=\"none\">none</span>"),
        }
        out.push_str("</td>");
    }
    out.push_str("</tr>\n");
    Ok(())
}

fn class(role: Role) -> &'static str {
    match role {
        Role::Stimulus => "stimulus",
        Role::Method => "method",
        Role::Control => "control",
    }
}
