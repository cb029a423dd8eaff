//! Curves in small panels, such as the terms of a loss over the steps of a training.

use std::fmt::Write;

use percept_core::figure::{Lines, Panel};

use super::axis::Scale;
use super::marks::{Entry, colour, legend};
use crate::glossary::Glossary;
use crate::markup::escape;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 250.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

/// Appends legend and panels.
pub(super) fn draw(out: &mut String, glossary: &Glossary<'_>, figure: &Lines) {
    let mut names: Vec<&str> = Vec::new();
    for curve in figure.panels.iter().flat_map(|panel| &panel.series) {
        if !names.contains(&curve.name.as_str()) {
            names.push(&curve.name);
        }
    }
    let entries: Vec<Entry> =
        names.iter().enumerate().map(|(number, name)| Entry { class: colour(number), mark: None, name }).collect();
    if names.len() > 1 {
        legend(out, &entries);
    }
    out.push_str("<div class=\"panels\">\n");
    for panel in &figure.panels {
        one(out, glossary, figure, panel, &names);
    }
    out.push_str("</div>\n");
}

fn one(out: &mut String, glossary: &Glossary<'_>, figure: &Lines, panel: &Panel, names: &[&str]) {
    let points = || panel.series.iter().flat_map(|curve| &curve.points);
    let y =
        Scale::new(points().map(|point| point[1]), panel.y.log, glossary.factor(&panel.y), (HEIGHT - BOTTOM, TOP), 5);
    let left = y.room_for_ticks();
    // The same stretch of x in all panels.
    let all_x =
        figure.panels.iter().flat_map(|panel| &panel.series).flat_map(|curve| &curve.points).map(|point| point[0]);
    let x = Scale::new(all_x, figure.x.log, glossary.factor(&figure.x), (left, WIDTH - RIGHT), 4);
    let described: Vec<String> = panel
        .series
        .iter()
        .filter_map(|curve| {
            let (first, last) = (curve.points.first()?, curve.points.last()?);
            let text = |value: f64| super::axis::short(value * glossary.factor(&panel.y));
            Some(format!("{} from {} to {}", curve.name, text(first[1]), text(last[1])))
        })
        .collect();
    let _ = writeln!(
        out,
        "<div class=\"panel\"><h4>{}</h4><svg viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\" role=\"img\" aria-label=\"{}: {} over {}: {}\">",
        escape(&panel.title),
        escape(&panel.title),
        escape(&glossary.axis(&panel.y)),
        escape(&glossary.axis(&figure.x)),
        escape(&described.join(", ")),
    );
    grid(out, &x, &y, (left, WIDTH - RIGHT), (TOP, HEIGHT - BOTTOM));
    names_of_axes(
        out,
        &glossary.axis(&figure.x),
        &glossary.axis(&panel.y),
        (left, WIDTH - RIGHT),
        (TOP, HEIGHT - BOTTOM),
    );
    for curve in &panel.series {
        let number = names.iter().position(|name| *name == curve.name).unwrap_or(0);
        let placed: Vec<Option<(f64, f64)>> =
            curve.points.iter().map(|point| x.place(point[0]).zip(y.place(point[1]))).collect();
        let (mut path, mut alone) = (String::new(), String::new());
        // A value that is none leaves a gap; a value between two gaps is a dot, since a line of one point is not seen.
        for piece in placed.split(Option::is_none) {
            for (i, (x, y)) in piece.iter().flatten().enumerate() {
                let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
            }
            if let [Some((x, y))] = piece {
                let _ = write!(alone, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
            }
        }
        let _ = writeln!(
            out,
            "<g class=\"{}\">{alone}<path class=\"curve\" d=\"{path}\"><title>{}</title></path></g>",
            colour(number),
            escape(&curve.name)
        );
    }
    out.push_str("</svg></div>\n");
}

/// Grid lines and the texts of ticks.
pub(super) fn grid(out: &mut String, x: &Scale, y: &Scale, (left, right): (f64, f64), (top, bottom): (f64, f64)) {
    for (value, text) in &y.ticks {
        let Some(at) = y.place(*value) else { continue };
        let class = if *value == 0.0 && y.crosses_zero() { "zero" } else { "grid" };
        let _ = write!(
            out,
            "<line class=\"{class}\" x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"tick side\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            left - 7.0,
            at + 4.0
        );
    }
    for (value, text) in &x.ticks {
        let Some(at) = x.place(*value) else { continue };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top:.1}\" y2=\"{:.1}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>",
            bottom + 4.0,
            bottom + 18.0
        );
    }
    out.push('\n');
}

/// What runs to the right, below; what runs upwards, at the left.
pub(super) fn names_of_axes(out: &mut String, x: &str, y: &str, (left, right): (f64, f64), (top, bottom): (f64, f64)) {
    let (middle, height) = (f64::midpoint(left, right), f64::midpoint(top, bottom));
    let _ = writeln!(
        out,
        "<text class=\"axis\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>\
         <text class=\"axis\" x=\"12\" y=\"{height:.1}\" transform=\"rotate(-90 12 {height:.1})\">{}</text>",
        bottom + 38.0,
        escape(x),
        escape(y)
    );
}
