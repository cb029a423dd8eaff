//! The page: head, sections in reading order, foot. Everything the browser needs is inside; a content policy forbids it
//! to ask anybody else.

use std::fmt::Write;

use percept_core::Outcome;

use crate::error::ReportError;
use crate::glossary::Glossary;
use crate::markup::{escape, sentence};
use crate::{comparison, facts, figures, gallery, scores};

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

/// The report as one HTML file. `pictures` hands over the bytes of a PNG by its path inside the run's folder; the same
/// outcome and pictures give the same bytes.
///
/// # Errors
/// [`ReportError`] when a picture is missing or no PNG, or when the parts of an item or figure do not fit its heads.
pub fn render(
    outcome: &Outcome,
    mut pictures: impl FnMut(&str) -> std::io::Result<Vec<u8>>,
) -> Result<String, ReportError> {
    let glossary = Glossary::new(outcome);
    let mut out = String::new();
    head(&mut out, &glossary, outcome);
    if has_pictures(outcome) {
        open(&mut out, "pictures", "Pictures");
        gallery::section(&mut out, &glossary, outcome, &mut pictures)?;
        close(&mut out);
    }
    open(&mut out, "scores", "Scores");
    scores::section(&mut out, &glossary, &outcome.scores);
    comparison::differences(&mut out, &glossary, &outcome.differences);
    close(&mut out);
    for (i, section) in outcome.sections.iter().enumerate() {
        open(&mut out, &section_id(i), &escape(&section.title));
        figures::section(&mut out, &glossary, section, &mut pictures)?;
        close(&mut out);
    }
    open(&mut out, "data", "Data");
    facts::data(&mut out, &outcome.data);
    close(&mut out);
    if !outcome.decoders.is_empty() {
        open(&mut out, "decoders", "Decoders");
        facts::decoders(&mut out, &outcome.decoders);
        close(&mut out);
    }
    if !outcome.experiment.is_empty() {
        open(&mut out, "settings", "Settings");
        facts::experiment(&mut out, &outcome.experiment);
        close(&mut out);
    }
    open(&mut out, "provenance", "Provenance");
    facts::provenance(&mut out, &outcome.provenance);
    close(&mut out);
    open(&mut out, "reading", "How to read this page");
    facts::notes(&mut out, &glossary, outcome);
    close(&mut out);
    let (_, more) = figures::assets(&outcome.sections);
    let _ = write!(
        out,
        "</main>\n<footer>Written by {}. This file needs no network and holds everything it shows.</footer>\n\
         <script>\n{SCRIPT}{more}</script>\n</body>\n</html>\n",
        escape(&outcome.provenance.program)
    );
    Ok(out)
}

fn head(out: &mut String, glossary: &Glossary<'_>, outcome: &Outcome) {
    let title = escape(&outcome.name);
    let (more, _) = figures::assets(&outcome.sections);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · percept</title>\n<style>\n{STYLE}{more}</style>\n</head>\n<body>\n\
         <header>\n<div class=\"bar\"><span class=\"mark\">percept</span>\n<nav aria-label=\"Sections\">"
    );
    let sections = [
        ("pictures", "Pictures", has_pictures(outcome)),
        ("scores", "Scores", true),
        ("data", "Data", true),
        ("decoders", "Decoders", !outcome.decoders.is_empty()),
        ("settings", "Settings", !outcome.experiment.is_empty()),
        ("provenance", "Provenance", true),
        ("reading", "How to read", true),
    ];
    for (id, name, _) in sections.iter().filter(|(.., present)| *present) {
        let _ = write!(out, "<a href=\"#{id}\">{name}</a>");
        if *id == "scores" {
            for (i, section) in outcome.sections.iter().enumerate() {
                let _ = write!(out, "<a href=\"#{}\">{}</a>", section_id(i), escape(&section.title));
            }
        }
    }
    let _ = write!(
        out,
        "</nav>\n<button type=\"button\" id=\"theme\" hidden>Theme</button></div>\n</header>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"lead\">{}</p>\n",
        sentence(&outcome.lead)
    );
    if !outcome.warnings.is_empty() {
        out.push_str("<section class=\"warnings\" aria-labelledby=\"warnings\">\n<h2 id=\"warnings\">Before you believe the numbers</h2>\n<ul>\n");
        for warning in &outcome.warnings {
            let _ = writeln!(out, "<li>{}</li>", sentence(warning));
        }
        out.push_str("</ul>\n</section>\n");
    }
    if let Some(main) = &outcome.main {
        scores::summary(out, glossary, main, &outcome.scores);
    }
}

/// Whether anything was made for any item.
fn has_pictures(outcome: &Outcome) -> bool {
    !outcome.arms.is_empty() && !outcome.items.is_empty()
}

fn section_id(number: usize) -> String {
    format!("section-{}", number + 1)
}

/// Opens a section; `title` is HTML.
fn open(out: &mut String, id: &str, title: &str) {
    let _ = write!(out, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n");
}

fn close(out: &mut String) {
    out.push_str("</section>\n");
}
