//! Evaluation: from what was made to scores with intervals, and to differences between methods.
//!
//! - [`metric`]: what a metric is; [`metrics`]: those that percept knows
//! - [`mod@score`]: every arm by every metric; [`mod@differences`]: methods against each other
//! - [`caption_files`]: anybody's captions, from files
//! - [`stimuli`]: the pictures that were shown, as they are scored; [`mod@items`]: items as a report shows them
//! - [`words`]: captions, word by word

pub mod caption_files;
pub mod differences;
pub mod items;
pub mod metric;
pub mod metrics;
pub mod score;
pub mod stimuli;
mod tables;
pub mod words;

pub use caption_files::{CaptionFiles, CaptionImages, CaptionRow, CaptionScores, score_caption_files};
pub use differences::differences;
pub use items::items;
pub use metric::{Look, Metric, Reads};
pub use score::{Scored, Scoring, mean_row, score};
pub use stimuli::{StimulusPictures, stimulus_pictures};
