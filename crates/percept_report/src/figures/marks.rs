//! What tells series apart: a colour, a mark and an entry in the legend.

use std::fmt::Write;

use crate::markup::escape;

/// Series get colours in this number; further ones begin again, with dashes.
const N_COLOURS: usize = 8;

/// The class that gives series number `number` its colour.
pub(super) fn colour(number: usize) -> String {
    let dashed = if (number / N_COLOURS).is_multiple_of(2) { "" } else { " dashed" };
    format!("s{}{dashed}", number % N_COLOURS)
}

/// The mark of series number `number` at (x, y): a shape of its own, so that colour is not all that tells series apart.
pub(super) fn mark(out: &mut String, number: usize, x: f64, y: f64) {
    let _ = match number % 4 {
        0 => write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>"),
        1 => write!(out, "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\"/>", x - 4.0, y - 4.0),
        2 => write!(out, "<path d=\"M{:.1} {:.1}l5.2 9h-10.4z\"/>", x, y - 5.6),
        _ => write!(out, "<path d=\"M{:.1} {:.1}l5.5 5.5l-5.5 5.5l-5.5 -5.5z\"/>", x, y - 5.5),
    };
}

/// An entry of a legend: how something is drawn, and its name.
pub(super) struct Entry<'a> {
    /// The class of its colour.
    pub(super) class: String,
    /// The number of the mark; a line otherwise.
    pub(super) mark: Option<usize>,
    /// What it is.
    pub(super) name: &'a str,
}

/// Appends a legend.
pub(super) fn legend(out: &mut String, entries: &[Entry<'_>]) {
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
    fn colours_begin_again_with_dashes() {
        assert_eq!([colour(0), colour(9), colour(16)], ["s0", "s1 dashed", "s0"]);
    }
}
