//! Reading every beta of a session inside a mask, in bounded memory, to count what is wrong with it.

use super::SessionReport;
use crate::nsd::betas::{Betas, SessionFile};
use crate::nsd::roi::Mask;
use crate::{Error, Result};

/// Voxels read at a time from HDF5: 150 MB for NSD's 750 trials.
const BATCH_VOXELS: usize = 50_000;

/// The ends of the range of 16-bit integers.
const LOWEST: f32 = -32768.0;
const HIGHEST: f32 = 32767.0;

/// What is seen of one voxel.
#[derive(Clone, Copy, Default)]
struct Seen {
    is_measured: bool,
    is_saturated: bool,
}

/// Reads session `number` of `betas` inside `mask`.
pub(super) fn read(betas: &Betas, number: usize, mask: &Mask, path: String) -> Result<SessionReport> {
    let file_path = betas.file(number)?;
    let attempt = || -> Result<SessionReport> {
        let file = SessionFile::open(file_path)?;
        let (n_trials, shape) = file.shape()?;
        mask.check_shape(shape)?;
        let mut seen = vec![Seen::default(); mask.n_voxels()];
        let (mut n_saturated_values, mut n_nan_values) = (0, 0);
        let mut look = |seen: &mut Seen, value: f32| {
            let is_saturated = value <= LOWEST || value >= HIGHEST;
            // A comparison with NaN is false, so a voxel of nothing but NaN counts as not measured.
            seen.is_measured |= value != 0.0 && !value.is_nan();
            seen.is_saturated |= is_saturated;
            n_saturated_values += u64::from(is_saturated);
            n_nan_values += u64::from(value.is_nan());
        };
        match &file {
            SessionFile::Hdf5(dataset) => {
                for (voxels, seen) in mask.voxels().chunks(BATCH_VOXELS).zip(seen.chunks_mut(BATCH_VOXELS)) {
                    let columns = dataset.read_columns::<f32>(voxels)?;
                    for (column, seen) in columns.columns().into_iter().zip(seen) {
                        column.iter().for_each(|&value| look(seen, value));
                    }
                }
            }
            SessionFile::Nifti(nifti) => {
                let mut frames = nifti.frames()?;
                let mut values: Vec<f32> = Vec::new();
                while frames.advance()? {
                    values.clear();
                    frames.append(mask.voxels(), &mut values)?;
                    seen.iter_mut().zip(&values).for_each(|(seen, &value)| look(seen, value));
                }
            }
        }
        Ok(SessionReport {
            session: number,
            path,
            n_trials,
            n_voxels: seen.len(),
            n_unmeasured_voxels: seen.iter().filter(|seen| !seen.is_measured).count(),
            n_saturated_voxels: seen.iter().filter(|seen| seen.is_saturated).count(),
            n_saturated_values,
            n_nan_values,
        })
    };
    attempt().map_err(|error: Error| error.in_file(file_path))
}
