//! Integration tests: files made by other programs, damaged files, and whole round trips through the disk.

mod array;
mod damage;
mod file_system;
mod film;
mod film_programs;
mod fixture;
mod hdf5;
mod mat;
mod matrix;
mod nifti;
mod npy;
mod nsd;
mod open;
mod parquet;
mod picture;
mod recording;
mod recording_damage;
mod safetensors;
mod sound;
mod surfaces;
