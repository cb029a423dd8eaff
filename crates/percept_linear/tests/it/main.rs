//! Integration tests: fits and predictions of files.

mod bad_input;
mod files;
mod fit;
mod methods;
mod resume;
mod stories;
mod together;
