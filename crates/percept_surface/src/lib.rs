//! The cortex, drawn: from values on voxels or vertices to pictures and an interactive page, with nothing else installed.
//!
//! A stranger can use this crate alone. [`surfaces`] opens what is in a folder (FreeSurfer, GIFTI, an NSD tree, pycortex's store);
//! [`values`] opens maps of any format and brings them onto its vertices; [`sheet`] draws, [`page`] makes one HTML file in which
//! the cortex can be turned and unfolded; [`maps`] does all of it in one call. The parts are there as well:
//!
//! - [`geometry`]: normals, areas, neighbours; [`nearest`]: the nearest of many points
//! - [`volume`]: from voxels to vertices between white matter and pia; [`transfer`]: from one sphere to another
//! - [`weights`]: sparse matrices that know missing values; [`smooth`], [`clusters`]: along the surface
//! - [`colour`]: colours that are uniform for the eye and safe for the colour-blind; [`font`], [`canvas`]: letters and lines
//! - [`view`], [`raster`], [`outline`], [`paint`]: from triangles to pixels; [`mosaic`]: slices of a volume
//! - [`bundle`]: surfaces and maps as compact binary data for the page
//!
//! It knows no models and computes no statistics: what a value means is the caller's business. All pictures are the same bytes on
//! any number of threads.

pub mod bundle;
pub mod canvas;
pub mod clusters;
pub mod colour;
pub mod error;
pub mod font;
pub mod geometry;
pub mod maps;
pub mod mosaic;
pub mod nearest;
pub mod outline;
pub mod page;
pub mod paint;
pub mod raster;
pub mod sheet;
pub mod smooth;
pub mod surfaces;
pub mod transfer;
pub mod values;
pub mod view;
pub mod volume;
pub mod weights;

pub use error::{Error, Result};
