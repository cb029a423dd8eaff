//! Live signals to pictures: any time series in, a picture thirty times a second out, with known latency (after Yamashiro,
//! Matsumoto & Ikegaya 2024, PLOS ONE, doi 10.1371/journal.pone.0309709).
//!
//! It knows samples, models and browsers, but nothing of scanners or experiments. Sources are threads that hand over
//! [`Event`]s; what a live source does wrong is an event too, so that nothing stops the pictures.
//!
//! - [`session`]: a stream from request to summary, and its replay
//! - [`source`]: what a source is, and what it says; [`sources`]: those there are, chosen by a word such as
//!   `openephys:HOST:PORT`
//! - [`settings`]: everything that can be chosen
//! - [`chain`], [`ring`], [`latent`], [`permutation`], [`state`], [`signal`]: from samples to latents and states, the same bits
//!   however they come
//! - [`picture`]: from latents to pictures
//! - [`engine`], [`controls`], [`clock`]: what is drawn when
//! - [`page`], [`sinks`]: where pictures go
//! - [`measure`]: how pictures follow signals, against surrogates

pub mod chain;
pub mod clock;
pub mod controls;
pub mod engine;
pub mod error;
pub mod latent;
pub mod measure;
pub mod page;
pub mod permutation;
pub mod picture;
pub mod ring;
pub mod session;
pub mod settings;
pub mod signal;
pub mod sinks;
pub mod source;
pub mod sources;
pub mod state;

pub use error::{Result, StreamError};
pub use source::{Block, ChannelFacts, Event, Source, SourceError, SourceFacts};
