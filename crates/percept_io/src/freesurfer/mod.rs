//! FreeSurfer's own files of a surface: geometry, values per vertex, annotations, labels and flat patches.
//!
//! - [`geometry`]: `lh.white`, `lh.pial`, `lh.inflated`, `lh.sphere.reg` (triangles)
//! - [`curv`]: `lh.curv`, `lh.sulc`, `lh.thickness`, both versions
//! - [`annot`]: a region for each vertex, both versions of the colour table
//! - [`label`]: a list of vertices, as text
//! - [`patch`]: a cut and flattened part of a surface; not a mesh by itself
//!
//! All are big-endian, but labels. Coordinates are as stored: surface RAS in millimetres ("tkRAS"); the footer of a geometry
//! file says where that lies in the scanner. The crate `neuroformats` reads some of these, but no patch.
//!
//! # Numerics
//! Values equal those of nibabel bit for bit (`tests/data/surfaces`).
//!
//! # References
//! FreeSurfer's `mrisurf.c` and `annotation.cpp`; <https://surfer.nmr.mgh.harvard.edu/fswiki/FileFormats>.

pub mod annot;
pub mod curv;
pub mod geometry;
pub mod label;
pub mod patch;
