//! Results as one self-contained HTML page; computes no statistics.

pub mod markup;
pub mod model;

pub use model::{AlphaCount, DataFacts, DecoderFacts, Gallery, GalleryRow, ReportModel, RoiFacts};
