//! `[data]` of kind `arrays`: matrices that any lab has, samples by units and samples by pixels.

use std::path::PathBuf;

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};

use super::NonFinite;
use crate::experiment::error::ExperimentError;
use crate::experiment::origin::Origin;
use crate::experiment::{ArrayRef, Groups};

section! {
    /// Arrays that any lab has, inside MAT, npy, npz or HDF5 files: samples by units, samples by pixels. An array is named
    /// by its file, or by `file:variable` where the file holds more than one.
    pub struct ArraysData
    requires {
        /// n_samples × n_units.
        responses: ArrayRef, such as "data.mat:responses";
        /// n_samples × pixels (or × height × width × channels), one per sample.
        stimuli: ArrayRef, such as "data.mat:images";
        /// Height, width and, for colour, 3.
        #[serde(deserialize_with = "height_and_width")]
        image_shape: Vec<usize>, in 1..=8192, such as "[28, 28]";
    }
    defaults {
        /// Responses of the test side, where the file has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        test_responses: Option<ArrayRef> = None;
        /// Stimuli of the test side.
        #[serde(skip_serializing_if = "Option::is_none")]
        test_stimuli: Option<ArrayRef> = None;
        /// Whether each image is stored column by column, as MATLAB flattens it.
        transpose: bool = false;
        /// The stored values that mean black and white. Without it values from 0 to 1 and whole numbers up to 255 are
        /// recognised, and others refused.
        #[serde(default, deserialize_with = "black_and_white", skip_serializing_if = "Option::is_none")]
        value_range: Option<[f64; 2]> = None, in -1e12..=1e12;
        /// One number per sample that names its stimulus: samples with the same number show the same picture, are averaged when
        /// tested, and never stand on both sides of a split.
        #[serde(skip_serializing_if = "Option::is_none")]
        stimulus_ids: Option<ArrayRef> = None;
        /// The same for the test side.
        #[serde(skip_serializing_if = "Option::is_none")]
        test_stimulus_ids: Option<ArrayRef> = None;
        /// Samples with equal pictures show the same stimulus.
        identify_stimuli: bool = false;
        /// One number per sample that names its session.
        #[serde(skip_serializing_if = "Option::is_none")]
        sessions: Option<ArrayRef> = None;
        /// The same for the test side.
        #[serde(skip_serializing_if = "Option::is_none")]
        test_sessions: Option<ArrayRef> = None;
        /// Which units predict `z`: n_units values, those above zero are taken. All without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        early: Option<ArrayRef> = None;
        /// Which units predict `c`, likewise.
        #[serde(skip_serializing_if = "Option::is_none")]
        ventral: Option<ArrayRef> = None;
        /// Captions, needed for `c`: a JSON file with one list per sample (training side first), such as
        /// `[["a dog"], ["a cat", "a kitten"]]`, or a table (.csv, .tsv) with the columns `sample`, counted from 0, and `caption`.
        #[serde(skip_serializing_if = "Option::is_none")]
        captions: Option<PathBuf> = None;
        /// What becomes of units with values that are not finite: an error that counts them, or they are left out of every
        /// sample.
        non_finite: NonFinite = NonFinite::Error;
        /// Parts of the units that some decoders treat apart: n_units values each, those above zero are taken.
        #[serde(default, skip_serializing_if = "Groups::is_empty")]
        groups: Groups<ArrayRef> = Groups::none();
    }
}

impl ArraysData {
    /// Refuses half a test side.
    pub(in crate::experiment) fn both_sides(&self, origin: &Origin<'_>) -> Result<(), ExperimentError> {
        match (&self.test_responses, &self.test_stimuli) {
            (Some(_), None) => Err(origin.missing("data.test_stimuli", "test_stimuli = \"data.mat:test_images\"")),
            (None, Some(_)) => Err(origin.missing("data.test_responses", "test_responses = \"data.mat:test\"")),
            _ => Ok(()),
        }
    }
}

fn height_and_width<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    let shape = Vec::<usize>::deserialize(deserializer)?;
    if !matches!(shape.as_slice(), [_, _] | [_, _, 1 | 3]) {
        let expected = "height and width, and 3 for colour, such as [28, 28] or [64, 64, 3]";
        return Err(D::Error::invalid_value(Unexpected::Other(&format!("{shape:?}")), &expected));
    }
    Ok(shape)
}

fn black_and_white<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[f64; 2]>, D::Error> {
    let range = Vec::<f64>::deserialize(deserializer)?;
    match range.as_slice() {
        &[black, white] if black != white => Ok(Some([black, white])),
        other => {
            let expected = "two different numbers, what is stored for black and for white, such as [0, 255]";
            Err(D::Error::invalid_value(Unexpected::Other(&format!("{other:?}")), &expected))
        }
    }
}
