//! The `percept` command line.
fn main() {}
