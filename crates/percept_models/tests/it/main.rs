//! The integration tests of `percept_models`, one binary.

mod caption;
mod composed;
mod context;
mod film;
mod fixture;
mod frozen;
mod language;
mod motion;
mod pack;
mod parity;
mod parts;
mod preprocess;
mod scheduler;
mod sound;
mod taps;
mod tiny;
mod tokenizer;
mod training;
mod unets;
mod vit;
