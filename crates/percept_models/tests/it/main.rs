//! The integration tests of `percept_models`, one binary.

mod fixture;
mod pack;
mod parity;
mod preprocess;
mod scheduler;
mod tiny;
mod tokenizer;
