//! Maps on the cortex: the interactive view of `percept_surface` as a part of the page.

use percept_core::figure::{Cortex, Figure, Section};
use percept_surface::page::{SCRIPT, STYLE, fragment};

use crate::error::{Pictures, ReportError, png};

/// Appends the view. Its name in addresses is that of its bundle, so that a link to a place leads to the right one.
///
/// # Errors
/// [`ReportError`] when the bundle or the picture cannot be had.
pub(super) fn draw(out: &mut String, figure: &Cortex, pictures: &mut Pictures<'_>) -> Result<(), ReportError> {
    let still = png(&figure.still, pictures)?;
    let missing =
        |error: std::io::Error| ReportError::Picture { path: figure.bundle.clone(), reason: error.to_string() };
    let bundle = pictures(&figure.bundle).map_err(missing)?;
    let id: String = figure.bundle.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    out.push_str(&fragment(&id, &bundle, &[(still, figure.alt.clone())]));
    Ok(())
}

/// The style and the script of the views, where the sections have one.
pub(super) fn assets(sections: &[Section]) -> Option<(&'static str, &'static str)> {
    let has_one =
        sections.iter().flat_map(|section| &section.figures).any(|figure| matches!(figure, Figure::Cortex(_)));
    has_one.then_some((STYLE, SCRIPT))
}
