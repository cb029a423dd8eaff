//! `[planted]`: what the regions of a simulated subject follow, in the names of the experiment's own spaces.
//!
//! `V1 = "clip@layer=0"`; alternatives, of which each voxel takes one, are parted by `|`; what shares a voxel's variance is joined by
//! `+`, with a share before it where the shares differ: `ventral = "0.7 objects + 0.3 story@layer=2 | story@layer=2"`.

use percept_synth::phantom::Area;
use toml::Value;

use super::data::EncodingData;
use crate::experiment::Groups;
use crate::experiment::error::ExperimentError;
use crate::experiment::nearest::quoted;
use crate::experiment::origin::Origin;
use crate::experiment::vocabulary::KeyTable;

const EXPECTED: &str = "a space such as `clip@layer=2`, several with shares such as `0.7 clip@layer=2 + 0.3 words`, or alternatives \
                        parted by `|`";

/// One of the sets of features that a voxel follows.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantedTerm {
    /// Its share of the signal's variance, while the sets of a voxel are not correlated.
    pub share: f32,
    /// The space.
    pub space: String,
    /// Which of the space's sets: axes and their values, as they are written; none where it has one.
    pub at: Vec<(String, String)>,
}

/// What the voxels of one region follow.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantedText {
    /// The region, such as `V1` or `lateral`.
    pub region: String,
    /// Its areas.
    pub areas: Vec<Area>,
    /// Each voxel takes one of these, with equal chances.
    pub mixtures: Vec<Vec<PlantedTerm>>,
}

/// The section as it is written: a text for each region.
pub(super) fn read(value: Value, origin: &Origin<'_>) -> Result<Groups<String>, ExperimentError> {
    let Value::Table(table) = value else {
        return Err(origin.wrong_type("planted", "a section", &value, "[planted]"));
    };
    let mut regions = Vec::new();
    for (region, text) in &table {
        let Value::String(text) = text else {
            return Err(origin.wrong_type(&format!("planted.{region}"), "text", text, "lateral = \"clip@layer=2\""));
        };
        regions.push((region.as_str(), text.clone()));
    }
    Ok(regions.into_iter().collect())
}

/// Reads what one region follows.
///
/// # Errors
/// What was expected.
pub fn planted_terms(text: &str) -> Result<Vec<Vec<PlantedTerm>>, String> {
    text.split('|').map(mixture).collect::<Option<_>>().ok_or_else(|| EXPECTED.to_owned())
}

fn mixture(text: &str) -> Option<Vec<PlantedTerm>> {
    let parts: Vec<&str> = text.split('+').map(str::trim).collect();
    let mut terms = parts.iter().map(|part| term(part, 1.0 / parts.len() as f32)).collect::<Option<Vec<_>>>()?;
    let total: f32 = terms.iter().map(|term| term.share).sum();
    for term in &mut terms {
        term.share /= total;
    }
    Some(terms)
}

fn term(text: &str, equal: f32) -> Option<PlantedTerm> {
    let (share, place) = match text.split_once(char::is_whitespace) {
        Some((share, place)) => {
            (share.parse::<f32>().ok().filter(|share| *share > 0.0 && *share <= 1.0)?, place.trim())
        }
        None => (equal, text),
    };
    let (space, at) = place.split_once('@').map_or((place, None), |(space, at)| (space, Some(at)));
    let at = at.map_or(Some(Vec::new()), |at| {
        let pair = |pair: &str| {
            let (axis, value) = pair.split_once('=')?;
            (!axis.trim().is_empty() && !value.trim().is_empty())
                .then(|| (axis.trim().to_owned(), value.trim().to_owned()))
        };
        at.split(',').map(pair).collect()
    })?;
    let is_name = !space.is_empty() && !space.contains(|letter: char| letter.is_whitespace() || "=,".contains(letter));
    is_name.then(|| PlantedTerm { share, space: space.to_owned(), at })
}

/// What every region of `planted` follows; empty where nothing was planted.
pub(super) fn regions(planted: &Groups<String>) -> Vec<PlantedText> {
    let read = |(region, text): (&str, &String)| PlantedText {
        region: region.to_owned(),
        areas: Area::of_region(region).unwrap_or_default().to_vec(),
        mixtures: planted_terms(text).unwrap_or_default(),
    };
    planted.iter().map(read).collect()
}

/// Refuses regions and spaces that there are not, and planting where nobody is simulated.
pub(super) fn check(
    planted: &Groups<String>,
    data: &EncodingData,
    spaces: &[&str],
    origin: &Origin<'_>,
) -> Result<(), ExperimentError> {
    match (data, planted.is_empty()) {
        (EncodingData::Watcher(_), true) => {
            return Err(origin.missing("planted", "[planted]\nlateral = \"NAME\", with a space `[spaces.NAME]`"));
        }
        (EncodingData::Watcher(_) | EncodingData::Phantom(_), _) | (_, true) => {}
        (_, false) => {
            return Err(origin.value(
                "planted",
                "`data.kind` to be `phantom` or `watcher`",
                "regions that follow features in data that are not simulated",
            ));
        }
    }
    for (region, text) in planted.iter() {
        let path = format!("planted.{region}");
        if Area::of_region(region).is_none() {
            let known: Vec<&str> = Area::regions().collect();
            return Err(origin.value("planted", quoted(&known), format!("`{region}`")));
        }
        let mixtures = planted_terms(text).map_err(|expected| origin.value(&path, expected, format!("`{text}`")))?;
        for term in mixtures.iter().flatten() {
            if !spaces.contains(&term.space.as_str()) {
                let expected = format!("names of spaces out of {}", quoted(spaces));
                return Err(origin.value(&path, expected, format!("`{}`", term.space)));
            }
        }
    }
    Ok(())
}

/// The table of the reference.
pub(super) fn table() -> KeyTable {
    let known: Vec<&str> = Area::regions().collect();
    KeyTable {
        heading: "`[planted]`".to_owned(),
        doc: format!(
            "What the regions of a simulated subject (`data.kind` `phantom` or `watcher`) follow instead of what they are tuned to: a key \
             for each region out of {}, with the name of one of the spaces of this file. `clip@layer=2` is one of its sets, `@` followed by \
             its axes as they stand in the columns of `units.parquet`. `a | b`: each voxel follows one of the two; `0.7 a + 0.3 b`: both, with \
             these shares of the variance (equal without numbers). The report says how much of it was found.",
            quoted(&known)
        ),
        keys: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_mixtures_and_shares_are_read() {
        let read = planted_terms("clip@layer=2 | 0.7 unet@block=up.1,step=50 + 0.3 words").expect("valid");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0][0].at, [("layer".to_owned(), "2".to_owned())]);
        assert_eq!((read[1][0].share, read[1][0].at.len()), (0.7, 2));
        assert_eq!((read[1][1].share, read[1][1].space.as_str()), (0.3, "words"));
        let equal = planted_terms("a + b").expect("valid");
        assert!(equal[0].iter().all(|term| (term.share - 0.5).abs() < 1e-6));
        for wrong in ["", "a |", "2.0 a + b", "a@layer", "a b", "-1 a"] {
            assert!(planted_terms(wrong).is_err(), "{wrong}");
        }
    }
}
