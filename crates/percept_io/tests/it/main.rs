//! Integration tests: files made by other programs, damaged files, and whole round trips through the disk.

mod file_system;
mod fixture;
mod hdf5;
mod nifti;
mod npy;
mod open;
mod parquet;
mod picture;
mod safetensors;
