//! The Natural Scenes Dataset as it lies on disk, whole or in part.
//!
//! [`NsdTree`] finds the files; what is in them comes from one module per kind:
//!
//! - [`design`]: which image was shown in which trial, and which images every subject saw
//! - [`stimuli`]: the pictures; [`table`]: their COCO origin; [`captions`]: what people wrote about them
//! - [`roi`]: regions by name, such as `nsdgeneral` or `streams.early | prf-visualrois.V1`
//! - [`betas`]: responses of a region over all sessions, in bounded memory
//! - [`surface`]: meshes, flat patches, and the transforms between vertices and voxels
//! - [`doctor`]: which files a recipe needs, and whether those that are here are whole
//!
//! Nothing is normalised here. Everything that NSD counts from 1 (trials, sessions, the images in the design file and in
//! `responses.tsv`) counts from 0 in this crate, except the numbers by which people call subjects and sessions (`subj01`,
//! session 1), which stay as they are written. Sizes come from the files: a phantom is read by the same code.
//!
//! A *voxel index* is `x + X·(y + Y·z)`, NIfTI's and MATLAB's linear order (from 0) and the C order of the HDF5 betas. Units
//! are voxels in ascending order of this index, as in Takagi & Nishimoto's code; [`roi::Mask::z_fastest`] gives the order of
//! Brain-Diffuser and MindEye, which flatten the NIfTI volume in C order.
//!
//! # References
//! Allen et al. 2022, <https://doi.org/10.1038/s41593-021-00962-x>, and the data set's manual, <https://cvnlab.slite.page>.

pub mod betas;
pub mod captions;
pub mod design;
pub mod doctor;
pub mod kind;
mod labels;
pub mod roi;
pub mod stimuli;
pub mod surface;
pub mod table;
mod tree;

pub use betas::{Betas, Session};
pub use captions::Captions;
pub use design::Design;
pub use kind::{BetaFile, BetaKind};
pub use labels::of as label_names;
pub use roi::{Mask, Roi};
pub use stimuli::Stimuli;
pub use table::StimulusTable;
pub use tree::{NsdTree, Subject};
