//! The page: head, sections in reading order, foot. Everything the browser needs is inside; a content policy forbids it
//! to ask anybody else.

use std::fmt::Write;

use crate::markup::{escape, sentence};
use crate::model::ReportModel;
use crate::{comparison, facts, figures, gallery, scores};

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A picture that the model names could not be had.
    #[error("picture `{path}` of the report cannot be read: {reason} (run the experiment again to write it)")]
    Picture {
        /// Its path inside the run's directory.
        path: String,
        /// What went wrong.
        reason: String,
    },
    /// A picture is not in the one format that reports embed.
    #[error("picture `{path}` of the report is no PNG file (write pictures as PNG)")]
    NotPng {
        /// Its path inside the run's directory.
        path: String,
    },
    /// A run's outcome is not in the form that this version writes.
    #[error("`{path}` is no outcome of this version of percept: {reason} (run the experiment again)")]
    Outcome {
        /// The file.
        path: String,
        /// What does not fit.
        reason: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] percept_io::Error),
    /// A figure's values do not fit its names.
    #[error("the figure `{title}` has {got}, expected {expected} (give one entry per row and column)")]
    Figure {
        /// Its heading.
        title: String,
        /// What its names ask for.
        expected: String,
        /// What it has.
        got: String,
    },
    /// A row of a gallery has another number of entries than the gallery's heads.
    #[error(
        "gallery row `{id}` has {n_pictures} pictures and {n_scores} scores, expected {n_columns} and {n_keys} (give one picture per column and one score per sort key)"
    )]
    Row {
        /// The row's stimulus.
        id: String,
        /// Pictures it has.
        n_pictures: usize,
        /// Columns of the gallery.
        n_columns: usize,
        /// Scores it has.
        n_scores: usize,
        /// Sort keys of the gallery.
        n_keys: usize,
    },
}

/// The report as one HTML file. `picture` hands over the bytes of a PNG by its path inside the run's directory; the same
/// model and pictures give the same bytes.
///
/// # Errors
/// [`ReportError`] when a picture is missing or no PNG, or the parts of a gallery or figure do not fit its heads.
pub fn render(
    model: &ReportModel,
    mut picture: impl FnMut(&str) -> std::io::Result<Vec<u8>>,
) -> Result<String, ReportError> {
    let mut picture = |path: &str| {
        picture(path).map_err(|error| ReportError::Picture { path: path.to_owned(), reason: error.to_string() })
    };
    let mut out = String::new();
    head(&mut out, model);
    if !model.galleries.is_empty() {
        open(&mut out, "pictures", "Pictures");
        for (i, one) in model.galleries.iter().enumerate() {
            gallery::section(&mut out, i, one, &mut picture)?;
        }
        close(&mut out);
    }
    open(&mut out, "scores", "Scores");
    scores::section(&mut out, &model.scores);
    comparison::differences(&mut out, &model.differences);
    close(&mut out);
    for (i, section) in model.sections.iter().enumerate() {
        open(&mut out, &section_id(i), &escape(&section.title));
        figures::section(&mut out, section, &mut picture)?;
        close(&mut out);
    }
    open(&mut out, "data", "Data");
    facts::data(&mut out, &model.data);
    close(&mut out);
    if !model.decoders.is_empty() {
        open(&mut out, "decoders", "Decoders");
        facts::decoders(&mut out, &model.decoders);
        close(&mut out);
    }
    if !model.experiment.is_empty() {
        open(&mut out, "settings", "Settings");
        facts::experiment(&mut out, &model.experiment);
        close(&mut out);
    }
    open(&mut out, "provenance", "Provenance");
    facts::provenance(&mut out, model);
    close(&mut out);
    open(&mut out, "reading", "How to read this page");
    facts::notes(&mut out, model);
    close(&mut out);
    let _ = write!(
        out,
        "</main>\n<footer>Written by {}. This file needs no network and holds everything it shows.</footer>\n\
         <script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&model.provenance.program)
    );
    Ok(out)
}

fn head(out: &mut String, model: &ReportModel) {
    let title = escape(&model.title);
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · percept</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<div class=\"bar\"><span class=\"mark\">percept</span>\n<nav aria-label=\"Sections\">"
    );
    let sections = [
        ("pictures", "Pictures", !model.galleries.is_empty()),
        ("scores", "Scores", true),
        ("data", "Data", true),
        ("decoders", "Decoders", !model.decoders.is_empty()),
        ("settings", "Settings", !model.experiment.is_empty()),
        ("provenance", "Provenance", true),
        ("reading", "How to read", true),
    ];
    for (id, name, _) in sections.iter().filter(|(.., present)| *present) {
        let _ = write!(out, "<a href=\"#{id}\">{name}</a>");
        if *id == "scores" {
            for (i, section) in model.sections.iter().enumerate() {
                let _ = write!(out, "<a href=\"#{}\">{}</a>", section_id(i), escape(&section.title));
            }
        }
    }
    let _ = write!(
        out,
        "</nav>\n<button type=\"button\" id=\"theme\" hidden>Theme</button></div>\n</header>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"lead\">{}</p>\n",
        sentence(&model.lead)
    );
    if !model.warnings.is_empty() {
        out.push_str("<section class=\"warnings\" aria-labelledby=\"warnings\">\n<h2 id=\"warnings\">Before you believe the numbers</h2>\n<ul>\n");
        for warning in &model.warnings {
            let _ = writeln!(out, "<li>{}</li>", sentence(warning));
        }
        out.push_str("</ul>\n</section>\n");
    }
    scores::summary(out, &model.scores);
}

/// The bytes of the PNG at `path`.
pub(crate) fn png(
    path: &str,
    picture: &mut dyn FnMut(&str) -> Result<Vec<u8>, ReportError>,
) -> Result<Vec<u8>, ReportError> {
    let bytes = picture(path)?;
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") { Ok(bytes) } else { Err(ReportError::NotPng { path: path.to_owned() }) }
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
