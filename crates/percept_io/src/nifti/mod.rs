//! NIfTI-1 and NIfTI-2: volumes and series of volumes, as `.nii`, `.nii.gz`, or a pair `.hdr` and `.img`.
//!
//! [`open`] reads the header and checks that the file can hold what it claims. The data then come whole ([`Nifti::read`]),
//! as chosen voxels of all frames ([`Nifti::select`]), or frame by frame ([`Nifti::frames`]) in the memory of one frame,
//! compressed or not.
//!
//! On disk x varies fastest, then y, z and time. Arrays come with the axes (x, y, z, t) in this order; a *voxel index* counts
//! in the order of the disk: `x + X·(y + Y·z)`. Values are `scl_slope · stored + scl_inter`, computed in double precision; a
//! slope of 0 or not a number means no scaling.
//!
//! This is our own code because the crate `nifti` has neither NIfTI-2 nor frame-wise reading of compressed files.
//! Not handled: complex, colour and 128-bit types (an error names the type), header extensions (skipped), and Analyze 7.5.
//!
//! # Units
//! Millimetres and seconds, whatever `xyzt_units` says; unknown units are taken as these.
//!
//! # Numerics
//! Values and stored affines equal those of nibabel bit for bit, affines made from a quaternion to 1e-12
//! (`tests/data/nifti`); nibabel leaves affines in metres or micrometres as they are.
//!
//! # References
//! `nifti1.h` and `nifti2.h` of the NIfTI Data Format Working Group, <https://nifti.nimh.nih.gov>.

mod header;
mod read;
mod write;

pub use header::{AffineSource, Header, Version};
pub use read::{Frames, Nifti, open};
pub use write::{Spec, Voxel, write, write_frames};
