//! What phantoms promise, checked on files and on decoding.

mod decoding;
mod films;
mod tree;
