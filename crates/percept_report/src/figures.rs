//! Figures as inline SVG: curves, values with intervals, heat maps, and strips of pictures under maps.
//!
//! What is drawn comes as plain data ([`percept_core::figure`]); here it only gets a place, a colour and words. Text is text and
//! colours are those of the page, so that a figure follows light and dark and can be searched, read aloud and printed.

mod axis;
mod estimates;
mod lines;
mod matrix;
mod strip;

use std::fmt::Write;

use percept_core::figure::{Axis, Figure, Section};

use crate::markup::{escape, sentence};
use crate::page::ReportError;
use crate::words::{self, Unit};

/// Series get colours in this number; further ones begin again, with dashes.
const N_COLOURS: usize = 8;

/// Appends the figures of one section.
///
/// # Errors
/// [`ReportError`] when a picture cannot be had or is no PNG, or when a figure's parts do not fit together.
pub fn section(
    out: &mut String,
    section: &Section,
    picture: &mut dyn FnMut(&str) -> Result<Vec<u8>, ReportError>,
) -> Result<(), ReportError> {
    if !section.text.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", sentence(&section.text));
    }
    for figure in &section.figures {
        let _ = writeln!(
            out,
            "<figure class=\"drawing\"><figcaption><b>{}</b><span class=\"caption\">{}</span></figcaption>",
            sentence(figure.title()),
            sentence(figure.caption())
        );
        match figure {
            Figure::Lines(figure) => lines::draw(out, figure),
            Figure::Estimates(figure) => estimates::draw(out, figure),
            Figure::Matrix(figure) => matrix::draw(out, figure)?,
            Figure::Strip(figure) => strip::draw(out, figure, picture)?,
        }
        out.push_str("</figure>\n");
    }
    Ok(())
}

/// The name of an axis with its unit, in words; that of a metric as in the tables of scores.
fn axis_name(axis: &Axis) -> String {
    let label = words::label(&axis.label);
    match (axis.unit.as_str(), words::metric(&axis.label).unit) {
        ("", Unit::Percent) => format!("{label} (%)"),
        ("", Unit::Plain) => label.to_owned(),
        (unit, _) => format!("{label} ({unit})"),
    }
}

/// What values of `axis` are multiplied by before they are written.
fn factor(axis: &Axis) -> f64 {
    match words::metric(&axis.label).unit {
        Unit::Percent if axis.unit.is_empty() => 100.0,
        _ => 1.0,
    }
}

/// The class that gives series number `number` its colour.
fn colour(number: usize) -> String {
    let dashed = if (number / N_COLOURS).is_multiple_of(2) { "" } else { " dashed" };
    format!("s{}{dashed}", number % N_COLOURS)
}

/// The mark of series number `number` at (x, y): a shape of its own, so that colour is not all that tells series apart.
fn mark(out: &mut String, number: usize, x: f64, y: f64) {
    let _ = match number % 4 {
        0 => write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>"),
        1 => write!(out, "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\"/>", x - 4.0, y - 4.0),
        2 => write!(out, "<path d=\"M{:.1} {:.1}l5.2 9h-10.4z\"/>", x, y - 5.6),
        _ => write!(out, "<path d=\"M{:.1} {:.1}l5.5 5.5l-5.5 5.5l-5.5 -5.5z\"/>", x, y - 5.5),
    };
}

/// An entry of a legend: how something is drawn, and its name.
struct Entry<'a> {
    class: String,
    /// The number of the mark; a line otherwise.
    mark: Option<usize>,
    name: &'a str,
}

/// Appends a legend.
fn legend(out: &mut String, entries: &[Entry<'_>]) {
    out.push_str("<ul class=\"legend\">");
    for entry in entries {
        let _ = write!(
            out,
            "<li><svg class=\"swatch\" width=\"22\" height=\"12\" viewBox=\"0 0 22 12\" aria-hidden=\"true\"><g class=\"{}\">",
            entry.class
        );
        match entry.mark {
            Some(number) => mark(out, number, 11.0, 6.0),
            None => out.push_str("<line class=\"curve\" x1=\"1\" x2=\"21\" y1=\"6\" y2=\"6\"/>"),
        }
        let _ = write!(out, "</g></svg>{}</li>", escape(entry.name));
    }
    out.push_str("</ul>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_named_as_in_the_tables_and_other_labels_stay() {
        assert_eq!(axis_name(&Axis::plain("twoway_clip")), "2-way, CLIP (%)");
        assert_eq!(axis_name(&Axis::plain("step")), "step");
        let milliseconds = Axis { unit: "ms".to_owned(), ..Axis::plain("delay") };
        assert_eq!(axis_name(&milliseconds), "delay (ms)");
        assert_eq!((factor(&Axis::plain("twoway_clip")), factor(&milliseconds)), (100.0, 1.0));
    }

    #[test]
    fn colours_begin_again_with_dashes() {
        assert_eq!([colour(0), colour(9), colour(16)], ["s0", "s1 dashed", "s0"]);
    }
}
