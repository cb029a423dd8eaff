//! Readers and writers for the files of the field; the only place that touches the disk.
//!
//! One module per format. Every reader checks what a file claims against what the file can hold before it allocates, so
//! a damaged or hostile file ends in an [`Error`] that names file, position and remedy. Readers return what is stored,
//! with explicit axes and units; they never mask, smooth or resample.
//!
//! - [`open`]: which format is this? By magic bytes, never by the name alone
//! - [`mod@array`]: any array of any file by one reference such as `x.mat:fmriTrn`
//! - [`matrix`]: any array by rows or columns, without holding it; [`pieces`]: large files written piece by piece
//! - [`nifti`]: volumes and series of volumes, NIfTI-1 and NIfTI-2, streamed
//! - [`gifti`], [`freesurfer`], [`mgh`], [`cifti`]: surfaces, and maps and labels on them
//! - [`mapper`]: the matrices that take voxels to vertices and pixels, in HDF5; [`pycortex`]: a subject in pycortex's store
//! - [`npy`], [`npz`]: NumPy's arrays and archives of arrays
//! - [`hdf5`]: data sets whole, by hyperslab or by scattered columns; writing
//! - [`mat`]: MATLAB's files, versions 5 and 7.3
//! - [`recording`]: signals in time: WAV, EDF, XDF, Open Ephys, Intan, Axona, SpikeGLX, NWB, arrays, tables
//! - [`table`]: TSV and CSV with typed columns
//! - [`nsd`]: the Natural Scenes Dataset: betas, regions, design, stimuli, and a check of a download
//! - [`safetensors`]: named tensors
//! - [`picture`]: PNG and JPEG
//! - [`film`]: AVI of JPEG, animated PNG, folders of frames, and by the user's ffmpeg anything else; frames by their times; writing
//! - [`sound`]: WAV, FLAC, MP3 and Ogg Vorbis by blocks; WAV, written
//! - [`hub`]: the Hugging Face cache of models on this machine
//! - [`parquet`]: tables of results
//! - [`fs`]: opening, bounded reading, atomic writing, hashing
//! - [`number`]: the number types that files store
//! - [`limits`]: what a file may claim
//! - [`lock`]: one process at a time in a folder
//! - [`machine`]: what the machine has and what this process took
//! - [`error`]: the one error type

pub mod array;
mod big_endian;
pub mod cifti;
pub mod error;
pub mod film;
pub mod freesurfer;
pub mod fs;
pub mod gifti;
pub mod hdf5;
pub mod hub;
mod inflated;
pub mod limits;
pub mod lock;
pub mod machine;
pub mod mapper;
pub mod mat;
pub mod matrix;
pub mod mgh;
pub mod nifti;
pub mod npy;
pub mod npz;
pub mod nsd;
pub mod number;
pub mod open;
pub mod parquet;
pub mod picture;
pub mod pieces;
pub mod pycortex;
pub mod recording;
pub mod safetensors;
pub mod sound;
pub mod table;
mod xml;

pub use error::{Error, Kind, Result};
