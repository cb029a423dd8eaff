//! A matrix as a heat map: one hue, stronger for larger values, and a second hue below 0 where there are such values.

use std::fmt::Write;

use percept_core::figure::Matrix;

use super::axis::short;
use crate::error::ReportError;
use crate::glossary::Glossary;
use crate::markup::escape;

const ROOM: f64 = 1040.0;
const TOP: f64 = 8.0;

/// Appends map and scale.
///
/// # Errors
/// [`ReportError::Figure`] when the values are not as many as rows and columns ask for.
pub(super) fn draw(out: &mut String, glossary: &Glossary<'_>, figure: &Matrix) -> Result<(), ReportError> {
    let n_columns = figure.columns.len();
    if figure.values.len() != figure.rows.len() || figure.values.iter().any(|row| row.len() != n_columns) {
        let lengths: Vec<usize> = figure.values.iter().map(Vec::len).collect();
        return Err(ReportError::Figure {
            title: figure.title.clone(),
            expected: format!("{} rows of {n_columns} values", figure.rows.len()),
            got: format!("{} rows of {lengths:?}", lengths.len()),
        });
    }
    let scale = glossary.factor(&figure.quantity);
    let finite = || figure.values.iter().flatten().copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(0.0, f64::min), finite().fold(0.0, f64::max));
    let most = high.max(-low);
    let longest = figure.rows.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64;
    let left = (longest * 8.2 + 16.0).clamp(50.0, 340.0);
    let width = ((ROOM - left) / n_columns.max(1) as f64).clamp(9.0, 64.0).floor();
    let height = if width >= 40.0 { 34.0 } else { 24.0 };
    let longest_column = figure.columns.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64 * 7.0;
    // Names that do not fit beside each other are turned, or only every so many are written.
    let turned = longest_column > width - 4.0 && width >= 18.0;
    let every = if turned { 1 } else { ((longest_column + 6.0) / width).ceil().max(1.0) as usize };
    let below = if turned { longest_column * 0.72 + 14.0 } else { 20.0 };
    let right = left + width * n_columns as f64;
    let bottom = TOP + height * figure.rows.len() as f64;
    // Turned names reach to the left of their column; the last plain one may reach beyond the last column.
    let (total_width, total_height) = (right + 18.0, bottom + below + 26.0);
    let named =
        |row: usize, column: usize| format!("{}, {} {}", figure.rows[row], figure.column_label, figure.columns[column]);
    let largest = figure
        .values
        .iter()
        .enumerate()
        .flat_map(|(row, values)| values.iter().enumerate().map(move |(column, value)| (row, column, *value)))
        .filter(|(.., value)| value.is_finite())
        .max_by(|a, b| a.2.abs().total_cmp(&b.2.abs()));
    let told = largest.map_or_else(String::new, |(row, column, value)| {
        format!("; largest at {}: {}", named(row, column), short(value * scale))
    });
    let quantity = glossary.axis(&figure.quantity);
    let _ = writeln!(
        out,
        "<div class=\"chart wide\"><svg style=\"width:{total_width:.0}px\" viewBox=\"0 0 {total_width:.0} {total_height:.0}\" role=\"img\" aria-label=\"{}\">",
        escape(&format!(
            "{quantity} by {} ({}) and {} ({n_columns}){told}",
            figure.row_label,
            figure.rows.join(", "),
            figure.column_label
        ))
    );
    for (row, values) in figure.values.iter().enumerate() {
        let y = TOP + height * row as f64;
        let _ = write!(
            out,
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 10.0,
            y + height / 2.0 + 4.5,
            escape(&figure.rows[row])
        );
        for (column, &value) in values.iter().enumerate() {
            let x = left + width * column as f64;
            let share = if most > 0.0 && value.is_finite() { (value.abs() / most).min(1.0) } else { 0.0 };
            let class = if !value.is_finite() {
                "hole"
            } else if value < 0.0 {
                "below"
            } else {
                "above"
            };
            let _ = write!(
                out,
                "<g class=\"cell\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\
                 <rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill-opacity=\"{share:.3}\">\
                 <title>{}: {}</title></rect>",
                escape(&named(row, column)),
                short(value * scale)
            );
            if width >= 40.0 {
                let _ = write!(
                    out,
                    "<text class=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    if share > 0.6 { "value strong" } else { "value" },
                    x + width / 2.0,
                    y + height / 2.0 + 4.0,
                    short(value * scale)
                );
            }
            out.push_str("</g>");
        }
        out.push('\n');
    }
    for (column, name) in figure.columns.iter().enumerate().step_by(every) {
        let x = left + width * (column as f64 + 0.5);
        if turned {
            let y = bottom + 12.0;
            let _ = write!(
                out,
                "<text class=\"tick side\" x=\"{:.1}\" y=\"{y:.1}\" transform=\"rotate(-45 {:.1} {y:.1})\">{}</text>",
                x + 4.0,
                x + 4.0,
                escape(name)
            );
        } else {
            let _ = write!(out, "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>", bottom + 16.0, escape(name));
        }
    }
    let _ = writeln!(
        out,
        "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\">{}</text></svg></div>",
        f64::midpoint(left, right),
        bottom + below + 18.0,
        escape(&figure.column_label)
    );
    key(out, &quantity, low, high, scale);
    Ok(())
}

/// The scale of colours, in five steps to each side of 0.
fn key(out: &mut String, quantity: &str, low: f64, high: f64, scale: f64) {
    const STEP: f64 = 14.0;
    let most = high.max(-low);
    let mut steps: Vec<(&str, f64)> = Vec::new();
    if low < 0.0 {
        steps.extend((1..=5).rev().map(|step| ("below", f64::from(step) / 5.0)));
    }
    steps.push(("above", 0.0));
    if high > 0.0 {
        steps.extend((1..=5).map(|step| ("above", f64::from(step) / 5.0)));
    }
    let width = STEP * steps.len() as f64;
    let from = if low < 0.0 { -most } else { 0.0 };
    let to = if high > 0.0 { most } else { 0.0 };
    let _ = write!(
        out,
        "<div class=\"key\">{} <span>{}</span><svg class=\"swatch\" width=\"{width:.0}\" height=\"12\" viewBox=\"0 0 {width:.0} 12\" aria-hidden=\"true\">",
        escape(quantity),
        short(from * scale)
    );
    for (i, (class, share)) in steps.iter().enumerate() {
        let x = STEP * i as f64;
        let _ = write!(
            out,
            "<g class=\"cell\"><rect x=\"{x:.0}\" y=\"0\" width=\"{STEP:.0}\" height=\"12\"/>\
             <rect class=\"{class}\" x=\"{x:.0}\" y=\"0\" width=\"{STEP:.0}\" height=\"12\" fill-opacity=\"{share:.1}\"/></g>"
        );
    }
    let _ = writeln!(out, "</svg><span>{}</span></div>", short(to * scale));
}
