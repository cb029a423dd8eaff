//! Methods side by side in numbers: all scores with their intervals in one table, and the paired differences between methods.

use std::fmt::Write;

use percept_core::{DifferenceRow, ScoreRow};

use crate::glossary::Glossary;
use crate::markup::{breakable, escape};

/// The metrics in the order in which most of them stand together: an arm that lacks some does not move them to the end.
pub fn metrics_in_order<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<&'a str> {
    let mut by_method: Vec<(&str, Vec<&str>)> = Vec::new();
    for (method, metric) in rows {
        match by_method.iter_mut().find(|(name, _)| *name == method) {
            Some((_, metrics)) => metrics.push(metric),
            None => by_method.push((method, vec![metric])),
        }
    }
    by_method.sort_by_key(|(_, metrics)| std::cmp::Reverse(metrics.len()));
    let mut order: Vec<&str> = Vec::new();
    for metric in by_method.into_iter().flat_map(|(_, metrics)| metrics) {
        if !order.contains(&metric) {
            order.push(metric);
        }
    }
    order
}

/// Splits whose tables all lie open.
pub const MOST_OPEN: usize = 3;

/// Appends one table for each split, under its name where there are several, those behind the first folded where there are many: methods
/// downwards, metrics to the right, in every cell the value with its interval beneath.
pub fn scores(out: &mut String, glossary: &Glossary<'_>, scores: &[ScoreRow]) {
    let mut splits: Vec<&str> = Vec::new();
    for row in scores {
        if !splits.contains(&row.split.as_str()) {
            splits.push(&row.split);
        }
    }
    for (number, split) in splits.iter().enumerate() {
        let is_folded = number > 0 && splits.len() > MOST_OPEN;
        let _ = match (is_folded, splits.len()) {
            (true, _) => writeln!(out, "<details><summary>{}</summary>", escape(split)),
            (false, 1) => Ok(()),
            (false, _) => writeln!(out, "<h3>{}</h3>", escape(split)),
        };
        let rows: Vec<&ScoreRow> = scores.iter().filter(|row| row.split == *split).collect();
        of_split(out, glossary, split, &rows);
        if is_folded {
            out.push_str("</details>\n");
        }
    }
}

fn of_split(out: &mut String, glossary: &Glossary<'_>, split: &str, rows: &[&ScoreRow]) {
    let metrics = metrics_in_order(rows.iter().map(|row| (row.method.as_str(), row.metric.as_str())));
    let mut methods: Vec<&str> = Vec::new();
    for row in rows {
        if !methods.contains(&row.method.as_str()) {
            methods.push(&row.method);
        }
    }
    open(
        out,
        glossary,
        &format!("Scores of all methods on the split {split}, with 95 % intervals"),
        "Method",
        &metrics,
    );
    for method in methods {
        let of = |metric: &&str| rows.iter().find(|row| row.method == method && row.metric == **metric);
        let role = if glossary.class(method) == "control" { " class=\"control\"" } else { "" };
        let _ = write!(out, "<tr{role}><th scope=\"row\">{}</th>", breakable(method));
        for metric in &metrics {
            match of(metric) {
                Some(row) => {
                    let _ = write!(
                        out,
                        "<td><b>{}</b><span>{}</span></td>",
                        glossary.written(metric, row.value),
                        glossary.interval(row)
                    );
                }
                None => out.push_str("<td class=\"absent\"><span aria-label=\"does not apply\">–</span></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    let chance = |metric: &&str| chance_of(rows, metric);
    if metrics.iter().any(|metric| chance(metric).is_some()) {
        out.push_str("<tr class=\"chance-row\"><th scope=\"row\">chance</th>");
        for metric in &metrics {
            match chance(metric) {
                Some((low, high)) => {
                    let [low, high] = [low, high].map(|value| glossary.written(metric, value));
                    let range = if low == high { low } else { format!("{low} to {high}") };
                    let _ = write!(out, "<td>{range}</td>");
                }
                None => out.push_str("<td class=\"absent\"><span aria-label=\"not known\">–</span></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// The least and the largest chance of the arms by a metric; they differ where chance is measured on each arm's pictures.
pub fn chance_of(rows: &[&ScoreRow], metric: &str) -> Option<(f64, f64)> {
    let all = rows.iter().filter(|row| row.metric == metric).filter_map(|row| row.chance);
    all.fold(None, |range, chance| {
        let (low, high) = range.unwrap_or((chance, chance));
        Some((chance.min(low), chance.max(high)))
    })
}

/// Appends the differences: those to the method that most are compared with, the others behind a fold.
pub fn differences(out: &mut String, glossary: &Glossary<'_>, rows: &[DifferenceRow]) {
    let Some(reference) = rows.first().map(|row| row.reference.as_str()) else { return };
    let (main, others): (Vec<&DifferenceRow>, Vec<&DifferenceRow>) =
        rows.iter().partition(|row| row.reference == reference);
    let _ = writeln!(
        out,
        "<h3 id=\"differences\">Compared with {}</h3>\n<p>Stimulus by stimulus, the score of a method minus that of \
         <code>{}</code>, with the 95 % interval of a paired bootstrap. Only differences whose interval excludes 0 are marked, \
         as better or worse; one in twenty such intervals excludes 0 by chance. Percentages differ by percentage points.</p>",
        escape(reference),
        escape(reference)
    );
    table(out, glossary, &format!("Paired differences to {reference}"), &main, false);
    if !others.is_empty() {
        let _ = writeln!(out, "<details><summary>Differences among the other methods</summary>");
        table(out, glossary, "Paired differences among the other methods", &others, true);
        out.push_str("</details>\n");
    }
}

fn table(out: &mut String, glossary: &Glossary<'_>, caption: &str, rows: &[&DifferenceRow], with_reference: bool) {
    let pair = |row: &DifferenceRow| (row.method.clone(), row.reference.clone());
    let mut pairs: Vec<(String, String)> = Vec::new();
    for row in rows {
        if !pairs.contains(&pair(row)) {
            pairs.push(pair(row));
        }
    }
    let named: Vec<(String, &str)> =
        rows.iter().map(|row| (format!("{}\n{}", row.method, row.reference), row.metric.as_str())).collect();
    let metrics = metrics_in_order(named.iter().map(|(pair, metric)| (pair.as_str(), *metric)));
    open(out, glossary, caption, "Method", &metrics);
    for pair_of_row in &pairs {
        let minus = if with_reference {
            format!(" <span class=\"minus\">− {}</span>", breakable(&pair_of_row.1))
        } else {
            String::new()
        };
        let _ = write!(out, "<tr><th scope=\"row\">{}{minus}</th>", breakable(&pair_of_row.0));
        for metric in &metrics {
            match rows.iter().find(|row| pair(row) == *pair_of_row && row.metric == *metric) {
                Some(row) => difference(out, glossary, row),
                None => out.push_str("<td class=\"absent\"><span aria-label=\"does not apply\">–</span></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

fn difference(out: &mut String, glossary: &Glossary<'_>, row: &DifferenceRow) {
    let (class, verdict) = match (row.excludes_zero(), (row.value > 0.0) != glossary.lower_is_better(&row.metric)) {
        (false, _) => ("", ""),
        (true, true) => ("better", "better"),
        (true, false) => ("worse", "worse"),
    };
    let _ = write!(
        out,
        "<td class=\"{class}\"><b>{}</b><span>{} to {}</span>",
        glossary.difference(&row.metric, row.value),
        glossary.difference(&row.metric, row.low),
        glossary.difference(&row.metric, row.high)
    );
    if !verdict.is_empty() {
        let _ = write!(out, "<em>{verdict}</em>");
    }
    out.push_str("</td>");
}

/// A scrolling table with metrics as heads.
fn open(out: &mut String, glossary: &Glossary<'_>, caption: &str, first: &str, metrics: &[&str]) {
    let _ = write!(
        out,
        "<div class=\"scroll\"><table class=\"numbers comparison\"><caption>{}</caption><thead><tr><th scope=\"col\">{first}</th>",
        escape(caption)
    );
    for metric in metrics {
        let note = if glossary.lower_is_better(metric) { "<span>lower is better</span>" } else { "" };
        let _ = write!(out, "<th scope=\"col\">{}{note}</th>", escape(glossary.label(metric)));
    }
    out.push_str("</tr></thead><tbody>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_without_contexts_does_not_disturb_the_order() {
        let rows = [("z", "mse"), ("z", "clip"), ("c", "mse"), ("c", "context"), ("c", "clip"), ("x", "new")];
        assert_eq!(metrics_in_order(rows.into_iter()), ["mse", "context", "clip", "new"]);
    }

    #[test]
    fn tables_of_several_splits_have_their_names() {
        let row = |split: &str| ScoreRow {
            method: "z".to_owned(),
            split: split.to_owned(),
            metric: "r".to_owned(),
            value: 0.5,
            low: 0.4,
            high: 0.6,
            chance: None,
            n: 10,
            n_undefined: 0,
        };
        let drawn = |rows: &[ScoreRow]| {
            let mut out = String::new();
            scores(&mut out, &Glossary::default(), rows);
            out
        };
        let both = drawn(&[row("V1"), row("hV4")]);
        assert!(both.contains("<h3>V1</h3>") && both.contains("<h3>hV4</h3>"), "{both}");
        assert!(!drawn(&[row("test")]).contains("<h3>"));
    }
}
