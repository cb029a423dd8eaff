//! Live signals to pictures: any time series in, a picture thirty times a second out, with known latency.
//!
//! It knows samples, models and browsers, but nothing of scanners or experiments. Sources are threads that hand over
//! [`Event`](source::Event)s; what a live source does wrong is an event too, so that nothing stops the pictures.
//!
//! - [`source`]: what a source is, and what it says
//! - [`sources`]: the sources there are, chosen by a word such as `openephys:HOST:PORT`

pub mod source;
pub mod sources;

pub use source::{Block, ChannelFacts, Event, Source, SourceError, SourceFacts};
