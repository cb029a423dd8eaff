//! What phantoms promise, checked on files and on decoding.

mod decoding;
mod films;
mod listener;
mod spectator;
mod tree;
