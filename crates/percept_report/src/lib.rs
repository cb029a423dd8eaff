//! Results as one self-contained HTML page; computes no statistics.
//!
//! A [`ReportModel`] says what to show; [`render`] turns it into one file without any reference to the network:
//! pictures are embedded, styles and the few lines of script are inline, light and dark follow the reader's system.
//! The same model and the same pictures give the same bytes.
//!
//! - [`model`]: what a report says
//! - [`outcome`]: from a run's outcome to that
//! - [`write`](mod@write): the report file in a run's folder
//! - [`page`]: the page around it
//! - [`gallery`], [`scores`], [`comparison`], [`figures`], [`facts`]: its sections
//! - [`markup`]: escaping, numbers and base64

pub mod comparison;
pub mod facts;
pub mod figures;
pub mod gallery;
pub mod markup;
pub mod model;
pub mod outcome;
pub mod page;
pub mod scores;
pub mod words;
pub mod write;

pub use model::{AlphaCount, DataFacts, DecoderFacts, Gallery, GalleryRow, MethodFacts, ReportModel, RoiFacts};
pub use page::{ReportError, render};
pub use write::{write, write_again};
