//! Places inside models that an experiment names, and the pack that each lies in.

use percept_models::probe::Space;
use percept_models::weights::PackFiles;

use crate::error::PipelineError;
use crate::experiment::encoding::{TapSpace, expand};
use crate::packs::files_of;

/// The places of a space inside models, and the files that these are opened from.
///
/// # Errors
/// Lists in braces that are not closed, places that there are not.
pub(super) fn tapped_in(settings: &TapSpace) -> Result<(Vec<String>, Vec<Space>, PackFiles), PipelineError> {
    let mut places = Vec::new();
    for pattern in &settings.places {
        let names =
            expand(pattern).map_err(|expected| PipelineError::data(format!("`{pattern}`: {expected}"), "mend it"))?;
        places.extend(names.into_iter().map(|(place, _)| place));
    }
    let spaces = places.iter().map(|place| Space::parse(place)).collect::<Result<Vec<_>, _>>()?;
    let files = files_of(&settings.pack, &spaces);
    Ok((places, spaces, files))
}
