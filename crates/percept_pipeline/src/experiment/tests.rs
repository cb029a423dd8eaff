//! Tests of the experiment file.
