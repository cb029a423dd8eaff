//! Integration tests: whole data sets on the disk, read back.

mod watching;
