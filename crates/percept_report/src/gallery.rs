//! The grid of pictures: a row per item, a column per arm, with a choice of order that needs no script to be read.

use std::fmt::Write;

use percept_core::Outcome;
use percept_core::outcome::{ItemResult, SaidWord};

use crate::error::{Pictures, ReportError, png};
use crate::glossary::Glossary;
use crate::markup::{breakable, data_address, escape};

/// What an item without a score is sorted by.
const LAST: f64 = -1e9;

/// The arm by whose scores the reader may sort, and its metrics.
struct Order<'a> {
    /// The arm's place in [`Outcome::arms`].
    arm: usize,
    metrics: Vec<&'a str>,
}

/// Appends the grid of pictures of `outcome`.
///
/// # Errors
/// [`ReportError`] when a picture cannot be had or is no PNG, or when an item does not fit the outcome's arms.
pub fn section(
    out: &mut String,
    glossary: &Glossary<'_>,
    outcome: &Outcome,
    pictures: &mut Pictures<'_>,
) -> Result<(), ReportError> {
    out.push_str("<h3 id=\"gallery-0\">Test stimuli</h3>\n");
    let order = order(outcome);
    controls(out, glossary, outcome, &order);
    let n_columns = outcome.arms.len() + 1;
    let _ = write!(
        out,
        "<div class=\"scroll\"><table class=\"gallery\" data-gallery=\"0\" style=\"--columns:{n_columns}\">\
         <caption>Test stimuli: {} stimuli, {n_columns} pictures each</caption><thead><tr><th scope=\"col\" class=\"what\">{}</th>\
         <th scope=\"col\" class=\"stimulus\"><b>stimulus</b><span>what was shown</span></th>",
        outcome.items.len(),
        if outcome.items.iter().any(|item| !item.caption.is_empty()) { "Caption" } else { "Name" },
    );
    for arm in &outcome.arms {
        let _ = write!(
            out,
            "<th scope=\"col\" class=\"{}\"><b>{}</b><span>{}</span></th>",
            glossary.class(&arm.name),
            breakable(&arm.name),
            escape(&arm.short)
        );
    }
    out.push_str("</tr></thead><tbody>\n");
    for item in &outcome.items {
        row(out, glossary, outcome, &order, item, pictures)?;
    }
    out.push_str("</tbody></table></div>\n");
    Ok(())
}

/// The reader sorts by the main arm, or by the first.
fn order(outcome: &Outcome) -> Order<'_> {
    let main = outcome.main.as_deref();
    let arm = outcome.arms.iter().position(|arm| Some(arm.name.as_str()) == main).unwrap_or(0);
    let name = outcome.arms.get(arm).map(|arm| arm.name.as_str());
    let rows = outcome.scores.iter().filter(|row| Some(row.method.as_str()) == name);
    Order { arm, metrics: rows.map(|row| row.metric.as_str()).collect() }
}

fn controls(out: &mut String, glossary: &Glossary<'_>, outcome: &Outcome, order: &Order<'_>) {
    out.push_str("<div class=\"controls\" data-for=\"0\" hidden>");
    if !order.metrics.is_empty() {
        out.push_str(
            "<label>Order <select data-role=\"order\"><option value=\"plain\">as presented</option>\
             <option value=\"best\">best first</option><option value=\"median\">nearest the median first</option>\
             <option value=\"worst\">worst first</option></select></label>\
             <label>by <select data-role=\"key\">",
        );
        let arm = outcome.arms.get(order.arm).map_or("", |arm| arm.name.as_str());
        for (i, metric) in order.metrics.iter().enumerate() {
            let key = format!("{} of {arm}", glossary.label(metric));
            let _ = write!(out, "<option value=\"{i}\">{}</option>", escape(&key));
        }
        out.push_str("</select></label>");
    }
    out.push_str(
        "<label>Show <select data-role=\"show\"><option>8</option><option>24</option>\
         <option value=\"1000000\">all</option></select></label><span class=\"shown\" aria-live=\"polite\"></span></div>\n",
    );
}

fn row(
    out: &mut String,
    glossary: &Glossary<'_>,
    outcome: &Outcome,
    order: &Order<'_>,
    item: &ItemResult,
    pictures: &mut Pictures<'_>,
) -> Result<(), ReportError> {
    let scores = ranks(glossary, outcome, order, item)?;
    let _ = write!(
        out,
        "<tr data-scores=\"{}\"><th scope=\"row\" class=\"what\"><span>{}</span>{}</th>",
        scores.join(" "),
        escape(&item.caption),
        escape(&item.id)
    );
    let said = if item.caption.is_empty() { String::new() } else { format!(": {}", item.caption) };
    picture(out, "stimulus", &format!("stimulus {}{said}", item.id), Some(&item.stimulus), &[], pictures)?;
    for (arm, made) in outcome.arms.iter().zip(&item.arms) {
        let alt = format!("reconstruction of {} by {}", item.id, arm.name);
        picture(out, glossary.class(&arm.name), &alt, made.pictures.first(), &made.said, pictures)?;
    }
    out.push_str("</tr>\n");
    Ok(())
}

/// One cell: a picture, a caption, or a picture above its caption.
fn picture(
    out: &mut String,
    class: &str,
    alt: &str,
    path: Option<&String>,
    said: &[SaidWord],
    pictures: &mut Pictures<'_>,
) -> Result<(), ReportError> {
    let _ = write!(out, "<td class=\"{class}\">");
    match path {
        Some(path) => {
            let bytes = png(path, pictures)?;
            let _ = write!(out, "<img alt=\"{}\" src=\"{}\">", escape(alt), data_address(&bytes));
        }
        None if said.is_empty() => out.push_str("<span class=\"none\">none</span>"),
        None => {}
    }
    if !said.is_empty() {
        caption(out, said);
    }
    out.push_str("</td>");
    Ok(())
}

/// A decoded caption; words that people used too are marked, and so, otherwise, are those that they did not.
fn caption(out: &mut String, said: &[SaidWord]) {
    out.push_str("<span class=\"said\">");
    for (i, SaidWord { word, is_right }) in said.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        let word = escape(word);
        let _ = match is_right {
            Some(true) => write!(out, "{space}<mark>{word}</mark>"),
            Some(false) => write!(out, "{space}<s>{word}</s>"),
            None => write!(out, "{space}{word}"),
        };
    }
    out.push_str("</span>");
}

/// By what an item is sorted: scores of the order's arm. Where less is better, "best first" needs the other sign.
fn ranks(
    glossary: &Glossary<'_>,
    outcome: &Outcome,
    order: &Order<'_>,
    item: &ItemResult,
) -> Result<Vec<String>, ReportError> {
    let wrong =
        |what: String, got: usize, expected: usize| ReportError::Item { id: item.id.clone(), what, got, expected };
    if item.arms.len() != outcome.arms.len() {
        return Err(wrong("arms".to_owned(), item.arms.len(), outcome.arms.len()));
    }
    let scores = &item.arms[order.arm].scores;
    if scores.len() != order.metrics.len() {
        let what = format!("scores of {}", outcome.arms[order.arm].name);
        return Err(wrong(what, scores.len(), order.metrics.len()));
    }
    let sign = |metric: &str| if glossary.lower_is_better(metric) { -1.0 } else { 1.0 };
    // Where a metric is not defined, the item comes last of the best.
    let rank = |score: Option<f64>, metric: &str| score.map_or(LAST, |score| sign(metric) * score);
    Ok(scores.iter().zip(&order.metrics).map(|(&score, metric)| format!("{:.6}", rank(score, metric))).collect())
}
