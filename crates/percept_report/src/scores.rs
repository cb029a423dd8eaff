//! Scores: a summary of the main arm, all methods in one table, one interval plot per metric, and the full list. Every value
//! stands beside its interval and its chance level.

use std::fmt::Write;

use percept_core::ScoreRow;
use percept_core::outcome::Unit;

use crate::comparison::{self, MOST_OPEN, metrics_in_order};
use crate::glossary::Glossary;
use crate::markup::{count, decimal, end_of, escape, table};

const WIDTH: f64 = 480.0;
/// Room for names, at least; longer names get more.
const LEFT: f64 = 76.0;
/// Width of a bold letter of a name.
const LETTER: f64 = 8.6;
const RIGHT: f64 = 66.0;
const TOP: f64 = 8.0;
const ROW: f64 = 26.0;
const AXIS: f64 = 30.0;
/// Room of a number on the axis.
const TICK: f64 = 40.0;

/// The rows of one metric on one split, in their order.
struct Panel<'a> {
    split: &'a str,
    metric: &'a str,
    rows: Vec<&'a ScoreRow>,
}

/// Appends the cards on top: the score of the arm `main` by every metric.
pub fn summary(out: &mut String, glossary: &Glossary<'_>, main: &str, scores: &[ScoreRow]) {
    if !scores.iter().any(|row| row.method == main) {
        return;
    }
    let _ = writeln!(out, "<div class=\"cards\" role=\"group\" aria-label=\"Scores of {} in short\">", escape(main));
    let panels = panels(scores);
    // Many metrics do not make a summary: then those whose chance level is known are enough.
    let is_many = panels.len() > 6;
    for panel in panels {
        let Some(row) = panel.rows.iter().find(|row| row.method == main) else { continue };
        if is_many && glossary.metric(panel.metric).is_none_or(|facts| facts.chance.is_none()) {
            continue;
        }
        let written = |value| glossary.written(panel.metric, value);
        let chance = row.chance.map_or_else(String::new, |chance| format!("chance {} · ", written(chance)));
        // Above is good, whichever way the metric points.
        let (better, worse) =
            if glossary.lower_is_better(panel.metric) { ("below", "above") } else { ("above", "below") };
        let verdict = match row.chance {
            Some(chance) if row.low > chance => better,
            Some(chance) if row.high < chance => worse,
            Some(_) => "at",
            None => "",
        };
        let _ = writeln!(
            out,
            "<div class=\"card {verdict}\"><div class=\"metric\">{}</div><div class=\"value\">{}</div>\
             <div class=\"range\">{}</div><div class=\"who\">{chance}{} · {}</div></div>",
            escape(glossary.label(panel.metric)),
            written(row.value),
            glossary.interval(row),
            escape(main),
            escape(panel.split),
        );
    }
    out.push_str("</div>\n");
}

/// Appends the interval plots and the table of all scores.
pub fn section(out: &mut String, glossary: &Glossary<'_>, scores: &[ScoreRow]) {
    if scores.is_empty() {
        out.push_str("<p>Nothing was scored.</p>\n");
        return;
    }
    comparison::scores(out, glossary, scores);
    out.push_str("<div class=\"plots\">\n");
    let panels = panels(scores);
    let first = panels.first().map_or("", |panel| panel.split);
    let mut splits: Vec<&str> = panels.iter().map(|panel| panel.split).collect();
    splits.dedup();
    // Of many splits all but the first are folded as tables, and not drawn.
    for panel in panels.iter().filter(|panel| splits.len() <= MOST_OPEN || panel.split == first) {
        plot(out, glossary, panel);
    }
    out.push_str("</div>\n");
    let rows: Vec<Vec<String>> = scores
        .iter()
        .map(|row| {
            let written = |value| glossary.written(&row.metric, value);
            vec![
                escape(&row.method),
                escape(glossary.label(&row.metric)),
                escape(&row.split),
                format!("<b>{}</b>", written(row.value)),
                glossary.interval(row),
                row.chance.map_or_else(|| "not known".to_owned(), written),
                if row.n_undefined == 0 {
                    count(row.n)
                } else {
                    format!("{} of {}", count(row.n), count(row.n + row.n_undefined))
                },
            ]
        })
        .collect();
    let _ = writeln!(out, "<details><summary>All {} scores as a table</summary>", scores.len());
    table(
        out,
        "numbers",
        "Scores with 95 % intervals by bootstrap over stimuli",
        &["Method", "Metric", "Split", "Value", "95 % interval", "Chance", "Stimuli"],
        &rows,
    );
    out.push_str("</details>\n");
}

/// Splits in the order of their first row, metrics as in the tables.
fn panels(scores: &[ScoreRow]) -> Vec<Panel<'_>> {
    let mut out: Vec<Panel> = Vec::new();
    let order = metrics_in_order(scores.iter().map(|row| (row.method.as_str(), row.metric.as_str())));
    let first_of_split = |split: &str| scores.iter().position(|row| row.split == split);
    for row in scores {
        match out.iter_mut().find(|panel| panel.split == row.split && panel.metric == row.metric) {
            Some(panel) => panel.rows.push(row),
            None => out.push(Panel { split: &row.split, metric: &row.metric, rows: vec![row] }),
        }
    }
    out.sort_by_key(|panel| (first_of_split(panel.split), order.iter().position(|metric| *metric == panel.metric)));
    out
}

/// One metric: methods downwards, value and interval across, chance as a dashed line.
fn plot(out: &mut String, glossary: &Glossary<'_>, panel: &Panel) {
    let (unit, written) = (glossary.unit(panel.metric), |value| glossary.written(panel.metric, value));
    let height = TOP + ROW * panel.rows.len() as f64 + AXIS;
    let bottom = height - AXIS;
    let longest = panel.rows.iter().map(|row| row.method.chars().count()).max().unwrap_or(0) as f64;
    let left = (longest * LETTER + 18.0).clamp(LEFT, WIDTH / 2.0);
    let (low, high, step) = axis(&panel.rows, (WIDTH - left - RIGHT) / TICK);
    let x = |value: f64| left + (value.clamp(low, high) - low) / (high - low) * (WIDTH - left - RIGHT);
    let described: Vec<String> =
        panel.rows.iter().map(|row| format!("{} {}", row.method, written(row.value))).collect();
    let _ = writeln!(
        out,
        "<figure><figcaption><b>{}</b> <span>{}</span></figcaption>\
         <svg viewBox=\"0 0 {WIDTH:.0} {height:.0}\" role=\"img\" aria-label=\"{} by method: {}\">",
        escape(glossary.label(panel.metric)),
        escape(panel.split),
        escape(glossary.label(panel.metric)),
        escape(&described.join(", "))
    );
    let n_ticks = ((high - low) / step).round() as usize;
    for i in 0..=n_ticks {
        let value = low + step * i as f64;
        let text = match unit {
            Unit::Percent => format!("{:.0}", value * 100.0),
            Unit::Plain if step < 0.1 => decimal(value).trim_end_matches('0').to_owned(),
            Unit::Plain => decimal(value).replace("00", ""),
        };
        let text = if text.ends_with('.') { format!("{text}0") } else { text };
        let at = x(value);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>",
            bottom + 18.0
        );
    }
    for (i, row) in panel.rows.iter().enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        if let Some(chance) = row.chance {
            let (at, half) = (x(chance), ROW / 2.0);
            let _ = writeln!(
                out,
                "<line class=\"chance\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"><title>chance {}</title></line>",
                y - half,
                y + half,
                written(chance)
            );
        }
        let class = glossary.class(&row.method);
        let _ = writeln!(
            out,
            "<g class=\"{class}\"><text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}<title>{}</title></text>\
             <line class=\"interval\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4.5\"/><text class=\"number\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            left - 12.0,
            y + 4.5,
            escape(&end_of(&row.method, ((left - 18.0) / LETTER) as usize)),
            escape(&row.method),
            x(row.low),
            x(row.high),
            x(row.value),
            WIDTH - 2.0,
            y + 4.5,
            written(row.value)
        );
    }
    out.push_str("</svg></figure>\n");
}

/// Ends and step of an axis that holds all intervals and the chance level, on round numbers, in at most about `most` steps.
fn axis(rows: &[&ScoreRow], most: f64) -> (f64, f64, f64) {
    let values = rows.iter().flat_map(|row| [row.low, row.high, row.value, row.chance.unwrap_or(row.value)]);
    let (mut low, mut high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        (low, high) = (0.0, 1.0);
    }
    let span = (high - low).max(0.02);
    let step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|step| span / step <= most.clamp(2.0, 6.0))
        .unwrap_or(span / 5.0);
    let mut from = (low / step + 1e-9).floor();
    let mut to = (high / step - 1e-9).ceil();
    if to <= from {
        (from, to) = (from - 1.0, from + 1.0);
    }
    (from * step, to * step, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(method: &str, value: f64, low: f64, high: f64) -> ScoreRow {
        ScoreRow {
            method: method.to_owned(),
            split: "test".to_owned(),
            metric: "twoway_clip".to_owned(),
            value,
            low,
            high,
            chance: Some(0.5),
            n: 100,
            n_undefined: 0,
        }
    }

    #[test]
    fn the_axis_holds_every_interval_and_chance() {
        let rows = [row("z", 0.61, 0.58, 0.64), row("z+c", 0.93, 0.91, 0.95)];
        let (low, high, step) = axis(&rows.iter().collect::<Vec<_>>(), 6.0);
        assert!(low <= 0.5 && high >= 0.95 && step > 0.0);
        assert!((high - low) / step <= 8.0, "few enough ticks to read");
        let same = row("mean", 0.5, 0.5, 0.5);
        let (low, high, _) = axis(&[&same], 6.0);
        assert!(low < 0.5 && high > 0.5, "a single point still has an axis");
    }
}
