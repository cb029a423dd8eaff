//! Tests of the whole page on an invented run.

mod outcome;
mod page;
mod sample;
