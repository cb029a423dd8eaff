//! Streams from samples to pictures.
