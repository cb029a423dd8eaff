//! Tests of the whole page on an invented run.

mod page;
mod sample;
