//! What is known of NSD from the outside: shapes, sessions and sizes, to judge a download before it is made.

use crate::fs;
use crate::nsd::kind::{BetaFile, BetaKind};
use crate::nsd::tree::Subject;

/// Voxels of the 1.8 mm volumes, sessions, and voxels of nsdgeneral, by subject.
const KNOWN: [([usize; 3], usize, usize); 8] = [
    ([81, 104, 83], 40, 15_724),
    ([82, 106, 84], 40, 14_278),
    ([81, 106, 82], 32, 15_226),
    ([85, 99, 80], 30, 13_153),
    ([79, 97, 78], 40, 13_039),
    ([85, 113, 83], 32, 17_907),
    ([78, 95, 81], 40, 12_682),
    ([80, 103, 78], 30, 14_386),
];

/// Trials of a session of NSD.
const TRIALS: u64 = 750;

/// What the chunk index adds to a session in HDF5: measured on a file of NSD's shape, 1,102,210,872 of 1,048,788,000 bytes.
const INDEX_FACTOR: f64 = 1.051;

/// What gzip leaves of a session: 0.47 of 1.05 GB.
const GZIP_FACTOR: f64 = 0.45;

/// 73,000 pictures of 425 × 425 × 3 bytes, and a header.
pub(super) const STIMULI_BYTES: u64 = 73_000 * 425 * 425 * 3 + 2048;

/// COCO's files of captions.
pub(super) const CAPTION_BYTES: [(&str, u64); 2] = [("train2017", 92_000_000), ("val2017", 3_900_000)];

/// The shape of NSD's volumes of subject `number`.
pub(super) fn known_shape(number: usize) -> Option<[usize; 3]> {
    KNOWN.get(number.checked_sub(1)?).map(|known| known.0)
}

/// How many sessions subject `number` of NSD completed.
pub(super) fn known_sessions(number: usize) -> Option<usize> {
    KNOWN.get(number.checked_sub(1)?).map(|known| known.1)
}

/// How many voxels `nsdgeneral` of subject `number` of NSD has.
pub(super) fn known_nsdgeneral(number: usize) -> Option<usize> {
    KNOWN.get(number.checked_sub(1)?).map(|known| known.2)
}

/// The size of a missing session and whether it is an estimate: that of its neighbours if any is here, else from the shape.
pub(super) fn session_bytes(
    subject: &Subject,
    kind: BetaKind,
    file: BetaFile,
    shape: Option<[usize; 3]>,
) -> Option<(u64, bool)> {
    let ending = if file == BetaFile::Nifti { ".nii.gz" } else { ".hdf5" };
    let folder = subject.tree().path(&subject.beta_file(kind, ""));
    let neighbours: Vec<u64> = fs::list(folder)
        .unwrap_or_default()
        .iter()
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.starts_with("betas_session") && name.ends_with(ending)
        })
        .filter_map(|path| fs::open(path).ok())
        .map(|source| source.len())
        .collect();
    // A truncated neighbour is shorter, so the longest tells most.
    if let Some(&largest) = neighbours.iter().max() {
        return Some((largest, file == BetaFile::Nifti));
    }
    let shape = shape.or_else(|| known_shape(subject.number()))?;
    let raw = shape.iter().map(|&length| length as u64).product::<u64>() * TRIALS * 2;
    let factor = if file == BetaFile::Nifti { GZIP_FACTOR } else { INDEX_FACTOR };
    Some(((raw as f64 * factor) as u64, true))
}
