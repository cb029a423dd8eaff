//! Tests of the whole page on an invented run.

mod figures;
mod many;
mod outcome;
mod page;
mod sample;
