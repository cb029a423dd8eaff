//! Arrays whose sampling rate the user gives: npy, npz, MAT, HDF5 and safetensors, by [`crate::matrix`].
//!
//! The longer axis is time unless the user says otherwise. npy, safetensors, HDF5 and MAT 7.3 are read in place; npz and older
//! MAT files are compressed and held whole.

use std::ops::Range;

use super::facts::{Channel, Facts, Recording, Samples};
use super::options::{Axis, Options};
use crate::array::Reference;
use crate::matrix::Matrix;
use crate::{Error, Result};

/// A matrix, and which of its axes is time.
#[derive(Debug)]
struct Arrays {
    matrix: Matrix<f32>,
    time_first: bool,
    scale: f64,
}

/// Opens the array that `reference` names.
pub(super) fn open(reference: &Reference, options: &Options) -> Result<Recording> {
    let rate_hz = options.required_rate().map_err(|error| error.in_file(&reference.path))?;
    let matrix = Matrix::<f32>::open(reference)?;
    let (n_rows, n_columns) = matrix.dim();
    let time_first = match options.time_axis {
        Axis::First => true,
        Axis::Second => false,
        Axis::Longer => n_rows >= n_columns,
    };
    let (n_samples, n_channels) = if time_first { (n_rows, n_columns) } else { (n_columns, n_rows) };
    if n_channels == 0 || n_samples == 0 {
        let got = format!("{n_rows} × {n_columns}");
        let error = Error::mismatch("the array", "samples × channels", got, "name an array that has samples");
        return Err(error.in_file(&reference.path));
    }
    let unit = options.unit.as_deref().unwrap_or_default();
    let scale = options.scale.unwrap_or(1.0);
    let channels: Vec<Channel> = (0..n_channels).map(|i| Channel::new(i.to_string(), unit, scale, 0.0)).collect();
    let arrays = Arrays { matrix, time_first, scale: channels[0].scale };
    let mut facts = Facts::new("array", channels, rate_hz, n_samples);
    facts.stream.clone_from(&reference.name);
    Recording::new(facts, arrays)
}

impl Samples for Arrays {
    fn read(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let values =
            if self.time_first { self.matrix.rows(range)? } else { self.matrix.columns(range)?.reversed_axes() };
        if self.scale == 1.0 {
            out.extend(values.iter());
        } else {
            out.extend(values.iter().map(|&value| (f64::from(value) * self.scale) as f32));
        }
        Ok(())
    }

    fn held_bytes(&self) -> u64 {
        self.matrix.held_bytes()
    }
}
