//! What phantoms promise, checked on files and on decoding.

mod decoding;
mod tree;
