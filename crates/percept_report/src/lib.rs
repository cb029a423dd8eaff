//! Results as one self-contained HTML page; computes no statistics and knows no method by its name.
//!
//! A [`percept_core::Outcome`] says what there is to show; [`render`] turns it into one file without any reference to the
//! network: pictures are embedded, styles and the few lines of script are inline, light and dark follow the reader's system.
//! The same outcome and the same pictures give the same bytes.
//!
//! - [`write`](mod@write): the report file in a run's folder
//! - [`page`]: the page
//! - [`gallery`], [`scores`], [`comparison`], [`figures`], [`facts`]: its sections
//! - [`glossary`]: what the outcome says its arms and metrics are
//! - [`markup`]: escaping, numbers and base64

pub mod comparison;
pub mod error;
pub mod facts;
pub mod figures;
pub mod gallery;
pub mod glossary;
pub mod markup;
pub mod page;
pub mod scores;
pub mod write;

pub use error::{Pictures, ReportError};
pub use page::render;
pub use write::{write, write_again};
