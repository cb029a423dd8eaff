//! Values with intervals: against numbers as points over an axis, against categories as rows, one below the other, where long
//! names have room.

use std::fmt::Write;

use percept_core::figure::{Axis, Estimate, Estimates, Level, Positions};

use super::axis::{Scale, short};
use super::lines::{grid, names_of_axes};
use super::marks::{Entry, colour, legend, mark};
use crate::glossary::Glossary;
use crate::markup::{end_of, escape};

const WIDTH: f64 = 640.0;
const RIGHT: f64 = 74.0;
const TOP: f64 = 14.0;
/// Width of a bold letter of a name.
const LETTER: f64 = 8.2;

/// Appends legend and chart.
pub(super) fn draw(out: &mut String, glossary: &Glossary<'_>, figure: &Estimates) {
    let mut entries: Vec<Entry> = Vec::new();
    if figure.series.len() > 1 || !figure.levels.is_empty() {
        for (number, series) in figure.series.iter().enumerate() {
            entries.push(Entry { class: colour(number), mark: Some(number), name: &series.name });
        }
    }
    for (number, level) in figure.levels.iter().enumerate() {
        entries.push(Entry { class: level_class(figure, number), mark: None, name: &level.name });
    }
    if !entries.is_empty() {
        legend(out, &entries);
    }
    match &figure.x {
        Positions::Categories { label, names } => rows(out, glossary, figure, label, names),
        Positions::Numbers { axis } => points(out, glossary, figure, axis),
    }
}

/// Levels have the colours that series have left.
fn level_class(figure: &Estimates, number: usize) -> String {
    if figure.levels[number].name == "chance" {
        return "by-chance dashed".to_owned();
    }
    format!("{} dashed", colour(figure.series.len() + number).trim_end_matches(" dashed"))
}

/// All that the axis of values must hold.
fn all_values(figure: &Estimates) -> impl Iterator<Item = f64> {
    let of = |value: f64, interval: Option<[f64; 2]>| {
        let [low, high] = interval.unwrap_or([value, value]);
        [value, low, high]
    };
    let points = figure.series.iter().flat_map(|series| &series.points);
    points
        .flat_map(move |point| of(point.value, point.interval))
        .chain(figure.levels.iter().flat_map(move |level| of(level.value, level.interval)))
}

/// A value with its interval, in words.
fn said(glossary: &Glossary<'_>, axis: &Axis, value: f64, interval: Option<[f64; 2]>) -> String {
    let text = |value: f64| short(value * glossary.factor(axis));
    match interval {
        Some([low, high]) => format!("{} ({} to {})", text(value), text(low), text(high)),
        None => text(value),
    }
}

fn described(glossary: &Glossary<'_>, figure: &Estimates, place: impl Fn(f64) -> String) -> String {
    let mut parts: Vec<String> = Vec::new();
    for series in &figure.series {
        for point in &series.points {
            let value = said(glossary, &figure.y, point.value, point.interval);
            parts.push(format!("{} at {}: {value}", series.name, place(point.x)));
        }
    }
    for level in &figure.levels {
        parts.push(format!("{}: {}", level.name, said(glossary, &figure.y, level.value, level.interval)));
    }
    escape(&format!("{}. {}", glossary.axis(&figure.y), parts.join("; ")))
}

/// Points over an axis of numbers.
fn points(out: &mut String, glossary: &Glossary<'_>, figure: &Estimates, axis: &Axis) {
    const HEIGHT: f64 = 340.0;
    let (right, top, bottom) = (WIDTH - 18.0, TOP, HEIGHT - 50.0);
    let y = Scale::new(all_values(figure), figure.y.log, glossary.factor(&figure.y), (bottom, top), 5);
    let left = y.room_for_ticks();
    let all_x = figure.series.iter().flat_map(|series| &series.points).map(|point| point.x);
    let x = Scale::new(all_x, axis.log, glossary.factor(axis), (left, right), 6);
    let place = |value: f64| format!("{} {}", short(value * glossary.factor(axis)), axis.label);
    let _ = writeln!(
        out,
        "<div class=\"chart\"><svg viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\" role=\"img\" aria-label=\"{}\">",
        described(glossary, figure, place)
    );
    grid(out, &x, &y, (left, right), (top, bottom));
    names_of_axes(out, &glossary.axis(axis), &glossary.axis(&figure.y), (left, right), (top, bottom));
    for (number, level) in figure.levels.iter().enumerate() {
        let Some(at) = y.place(level.value) else { continue };
        let _ = write!(out, "<g class=\"{}\">", level_class(figure, number));
        if let Some([low, high]) = band(&y, level) {
            let _ = write!(
                out,
                "<rect class=\"band\" x=\"{left:.1}\" width=\"{:.1}\" y=\"{high:.1}\" height=\"{:.1}\"/>",
                right - left,
                low - high
            );
        }
        let _ = writeln!(
            out,
            "<line class=\"curve\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"><title>{}</title></line></g>",
            escape(&format!("{}: {}", level.name, said(glossary, &figure.y, level.value, level.interval)))
        );
    }
    // Series that share places are set side by side, so that intervals do not hide each other.
    let shift = |number: usize| (number as f64 - (figure.series.len() as f64 - 1.0) / 2.0) * 5.0;
    for (number, series) in figure.series.iter().enumerate() {
        let _ = write!(out, "<g class=\"{}\">", colour(number));
        let placed: Vec<(f64, f64, &Estimate)> = series
            .points
            .iter()
            .filter_map(|point| Some((x.place(point.x)? + shift(number), y.place(point.value)?, point)))
            .collect();
        let path: Vec<String> = placed.iter().map(|(x, y, _)| format!("{x:.1} {y:.1}")).collect();
        if path.len() > 1 {
            let _ = write!(out, "<path class=\"curve thin\" d=\"M{}\"/>", path.join("L"));
        }
        for (at, value_at, point) in placed {
            if let Some([low, high]) = point.interval
                && let (Some(low), Some(high)) = (y.place(low), y.place(high))
            {
                let _ = write!(out, "<path class=\"interval\" d=\"M{at:.1} {low:.1}V{high:.1}\"/>");
            }
            out.push_str("<g class=\"mark\">");
            mark(out, number, at, value_at);
            let said = said(glossary, &figure.y, point.value, point.interval);
            let text = escape(&format!("{}, {}: {said}", series.name, place(point.x)));
            let _ = write!(out, "<title>{text}</title></g>");
        }
        out.push_str("</g>\n");
    }
    out.push_str("</svg></div>\n");
}

/// The places of a level's interval, lower value first.
fn band(scale: &Scale, level: &Level) -> Option<[f64; 2]> {
    let [low, high] = level.interval?;
    Some([scale.place(low)?, scale.place(high)?])
}

/// One row per category, one line per series in it.
fn rows(out: &mut String, glossary: &Glossary<'_>, figure: &Estimates, label: &str, names: &[String]) {
    const ROW: f64 = 24.0;
    const GAP: f64 = 8.0;
    let n_series = figure.series.len().max(1) as f64;
    let pitch = ROW * n_series + if n_series > 1.0 { GAP } else { 0.0 };
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0) as f64;
    let left = (longest * LETTER + 20.0).clamp(90.0, 280.0);
    let (right, top) = (WIDTH - RIGHT, TOP);
    let bottom = top + pitch * names.len() as f64;
    let height = bottom + 50.0;
    let x = Scale::new(all_values(figure), figure.y.log, glossary.factor(&figure.y), (left, right), 5);
    let place = |value: f64| names.get(value as usize).cloned().unwrap_or_default();
    let _ = writeln!(
        out,
        "<div class=\"chart\"><svg viewBox=\"0 0 {WIDTH:.0} {height:.0}\" role=\"img\" aria-label=\"by {}: {}\">",
        escape(label),
        described(glossary, figure, place)
    );
    for (value, text) in &x.ticks {
        let Some(at) = x.place(*value) else { continue };
        let class = if *value == 0.0 && x.crosses_zero() { "zero" } else { "grid" };
        let _ = write!(
            out,
            "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>",
            bottom + 18.0
        );
    }
    let _ = writeln!(
        out,
        "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        f64::midpoint(left, right),
        bottom + 38.0,
        escape(&glossary.axis(&figure.y))
    );
    for (number, level) in figure.levels.iter().enumerate() {
        let Some(at) = x.place(level.value) else { continue };
        let _ = write!(out, "<g class=\"{}\">", level_class(figure, number));
        if let Some([low, high]) = band(&x, level) {
            let _ = write!(
                out,
                "<rect class=\"band\" x=\"{low:.1}\" width=\"{:.1}\" y=\"{top:.1}\" height=\"{:.1}\"/>",
                high - low,
                bottom - top
            );
        }
        let _ = writeln!(
            out,
            "<line class=\"curve\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"><title>{}</title></line></g>",
            escape(&format!("{}: {}", level.name, said(glossary, &figure.y, level.value, level.interval)))
        );
    }
    for (row, name) in names.iter().enumerate() {
        let middle = top + pitch * (row as f64 + 0.5);
        let _ = write!(
            out,
            "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 12.0,
            middle + 4.5,
            escape(&clipped(name, left))
        );
    }
    for (number, series) in figure.series.iter().enumerate() {
        let _ = write!(out, "<g class=\"{}\">", colour(number));
        for point in &series.points {
            let row = top + pitch * point.x + (pitch - ROW * n_series) / 2.0;
            let at = row + ROW * (number as f64 + 0.5);
            let Some(value_at) = x.place(point.value) else { continue };
            if let Some([low, high]) = point.interval
                && let (Some(low), Some(high)) = (x.place(low), x.place(high))
            {
                let _ = write!(out, "<path class=\"interval\" d=\"M{low:.1} {at:.1}H{high:.1}\"/>");
            }
            out.push_str("<g class=\"mark\">");
            mark(out, number, value_at, at);
            let said = said(glossary, &figure.y, point.value, point.interval);
            let text = escape(&format!("{}, {}: {said}", series.name, place(point.x)));
            let _ = write!(
                out,
                "<title>{text}</title></g><text class=\"number\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - 2.0,
                at + 4.5,
                short(point.value * glossary.factor(&figure.y))
            );
        }
        out.push_str("</g>\n");
    }
    out.push_str("</svg></div>\n");
}

/// A name cut to what fits into `width` pixels.
fn clipped(name: &str, width: f64) -> String {
    end_of(name, ((width - 16.0) / LETTER) as usize)
}
