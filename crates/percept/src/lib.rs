//! percept: from recorded brain activity to what was seen, heard or meant.
//!
//! This crate holds no code of its own: it gives one name to the parts. A program needs only this one; a program that
//! needs one part only may depend on that crate alone.
//!
//! - [`core`]: responses, splits, seeds, scores, provenance, progress
//! - [`io`]: files of the field
//! - [`signal`]: z-scores of responses, delays of features within runs
//! - [`regress`]: ridge regression with exact leave-one-group-out selection
//! - [`linear`]: the same on files larger than memory: streamed, resumable, in shards
//! - [`stats`]: image metrics, identification, bootstrap, noise ceilings
//! - [`models`]: diffusion models, autoencoders, CLIP, captioners; [`pocket`], [`pocket_captions`], [`pocket_music`],
//!   [`pocket_words`]: tiny packs of them inside the program
//! - [`hub`]: model packs from the Hugging Face hub, the only part that reaches the network
//! - [`surface`]: the cortex, drawn: meshes, projections, pictures, an interactive page
//! - [`synth`]: drawings with captions, phantom subjects
//! - [`pipeline`]: the stages of every system: an experiment file, data, decoding, generation, evaluation
//! - [`methods`]: the published systems, each a folder over those stages
//! - [`stream`]: live signals to pictures; [`serve`]: pages and sockets on this machine
//! - [`judge`]: people compare the results of two methods on a local page
//! - [`report`]: results as one HTML file

pub use percept_core as core;
pub use percept_hub as hub;
pub use percept_io as io;
pub use percept_judge as judge;
pub use percept_linear as linear;
pub use percept_methods as methods;
pub use percept_models as models;
pub use percept_pipeline as pipeline;
pub use percept_pocket as pocket;
pub use percept_pocket_captions as pocket_captions;
pub use percept_pocket_motion as pocket_motion;
pub use percept_pocket_music as pocket_music;
pub use percept_pocket_words as pocket_words;
pub use percept_regress as regress;
pub use percept_report as report;
pub use percept_serve as serve;
pub use percept_signal as signal;
pub use percept_stats as stats;
pub use percept_stream as stream;
pub use percept_surface as surface;
pub use percept_synth as synth;
