//! What was measured and what was seen, in memory or ready to be read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use percept_core::Responses;
use percept_core::provenance::content_hash;

use super::alike::Alike;
use super::stimuli::Stimuli;
use super::units::{self, Places, RegionUnits, UnitGroup};
use crate::error::PipelineError;
use crate::experiment::Region;

/// What was measured and what was seen.
pub struct Dataset {
    /// Subject or data set, such as `phantom subj01`.
    pub subject: String,
    /// Where the responses came from, in words.
    pub source: String,
    /// n_samples × n_units; units of all regions and groups.
    pub responses: Responses,
    /// Which samples the data themselves put on the test side.
    pub is_test: Vec<bool>,
    /// Where each unit lies in the recording.
    pub places: Places,
    /// The surfaces of the subject, where the data come with some.
    pub surfaces: Option<SurfaceFolder>,
    /// Which units belong to which region.
    pub regions: Vec<RegionUnits>,
    /// Disjoint parts of the units under names, in the order of the experiment; none unless it has a method that reads them.
    pub groups: Vec<UnitGroup>,
    /// The pictures.
    pub stimuli: Stimuli,
    /// Which of them are the same picture under several numbers.
    pub alike: Alike,
    /// All captions of each stimulus, where there are any.
    pub captions: Option<Vec<Vec<String>>>,
    /// What the user should know about the data.
    pub warnings: Vec<String>,
}

/// Surfaces that belong to the voxels of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurfaceFolder {
    /// The root of the NSD tree.
    pub root: PathBuf,
    /// The subject's name in it, such as `subj01`.
    pub subject: String,
}

impl Dataset {
    /// The columns of the responses that `region` reads, ascending.
    ///
    /// # Errors
    /// When the data have no such region.
    pub fn units_of(&self, region: Region) -> Result<Vec<usize>, PipelineError> {
        units::units_of(&self.regions, region)
    }

    /// Content hashes of everything that was read, by what it is.
    ///
    /// # Errors
    /// When a stimulus file cannot be read.
    pub fn inputs(&self) -> Result<BTreeMap<String, String>, PipelineError> {
        let mut bytes = Vec::with_capacity(self.responses.data.len() * 4);
        bytes.extend_from_slice(&(self.responses.n_units() as u64).to_le_bytes());
        for value in &self.responses.data {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        let mut design = Vec::new();
        for sample in 0..self.responses.n_samples() {
            design.extend_from_slice(&(self.responses.stimulus_of_sample[sample] as u64).to_le_bytes());
            design.extend_from_slice(&(self.responses.session_of_sample[sample] as u64).to_le_bytes());
            design.push(u8::from(self.is_test[sample]));
        }
        for region in &self.regions {
            for &unit in &region.units {
                design.extend_from_slice(&(unit as u64).to_le_bytes());
            }
        }
        let mut inputs = BTreeMap::from([
            ("responses".to_owned(), content_hash(&bytes)),
            ("design".to_owned(), content_hash(&design)),
            ("stimuli".to_owned(), self.stimuli.content()?),
        ]);
        if !self.groups.is_empty() {
            let mut bytes = Vec::new();
            for group in &self.groups {
                bytes.extend_from_slice(group.name.as_bytes());
                bytes.push(0);
                bytes.extend_from_slice(&(group.units.len() as u64).to_le_bytes());
                for &unit in &group.units {
                    bytes.extend_from_slice(&(unit as u64).to_le_bytes());
                }
            }
            inputs.insert("groups".to_owned(), content_hash(&bytes));
        }
        if let Some(captions) = &self.captions {
            let mut text = Vec::new();
            for list in captions {
                for caption in list {
                    text.extend_from_slice(caption.as_bytes());
                    text.push(0);
                }
                text.push(1);
            }
            inputs.insert("captions".to_owned(), content_hash(&text));
        }
        Ok(inputs)
    }
}
