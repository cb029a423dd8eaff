//! Figures as inline SVG: curves, values with intervals, heat maps, strips of pictures under maps, maps on the cortex, sounds and films.
//!
//! What is drawn comes as plain data ([`percept_core::figure`]); here it only gets a place, a colour and words. Text is text and
//! colours are those of the page, so that a figure follows light and dark and can be searched, read aloud and printed.

mod axis;
mod cortex;
mod estimates;
mod films;
mod lines;
mod marks;
mod matrix;
mod sounds;
mod strip;
mod table;

use std::fmt::Write;

use percept_core::figure::{Figure, Section};

use crate::error::{Pictures, ReportError};
use crate::glossary::Glossary;
use crate::markup::sentence;

/// Appends the figures of one section.
///
/// # Errors
/// [`ReportError`] when a picture cannot be had or is no PNG, or when a figure's parts do not fit together.
pub fn section(
    out: &mut String,
    glossary: &Glossary<'_>,
    section: &Section,
    pictures: &mut Pictures<'_>,
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
            Figure::Lines(figure) => lines::draw(out, glossary, figure),
            Figure::Estimates(figure) => estimates::draw(out, glossary, figure),
            Figure::Matrix(figure) => matrix::draw(out, glossary, figure)?,
            Figure::Strip(figure) => strip::draw(out, figure, pictures)?,
            Figure::Cortex(figure) => cortex::draw(out, figure, pictures)?,
            Figure::Sounds(figure) => sounds::draw(out, figure, pictures)?,
            Figure::Films(figure) => films::draw(out, glossary, figure, pictures)?,
        }
        out.push_str("</figure>\n");
    }
    Ok(())
}

/// The style and the script that the figures of these sections need beside those of the page.
pub(crate) fn assets(sections: &[Section]) -> (String, String) {
    let parts = [cortex::assets(sections), sounds::assets(sections), films::assets(sections)];
    parts.into_iter().flatten().fold(Default::default(), |(style, script), (more_style, more_script)| {
        (style + more_style, script + more_script)
    })
}
