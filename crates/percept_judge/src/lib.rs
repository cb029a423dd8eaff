//! People compare the results of two methods: a local page, their answers in a table, and what they say.
//!
//! A rater sees a stimulus and what two methods made of it, on sides and in an order that the seed and the rater's name decide,
//! and says which is closer. Each answer is on the disk before the next question appears. This is the rating experiment of
//! the caption papers (two alternatives, forced choice), for any two methods of any run.
//!
//! - [`candidates`]: what there is to compare, from `captions.csv`, `pictures.csv` or the outcome of a run
//! - [`plan`]: which items, in which order, on which sides
//! - [`answers`]: `judgements.csv`, only ever appended to
//! - [`session`]: raters, progress, the next question
//! - [`page`]: the page and its server
//! - [`score`]: shares of wins with intervals, agreement of raters
//!
//! It does not know what the methods are, and no model.

pub mod answers;
pub mod candidates;
pub mod error;
pub mod page;
pub mod plan;
pub mod score;
pub mod session;

pub use error::JudgeError;
