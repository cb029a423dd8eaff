//! Recordings in time: channels, rate, gaps and samples on demand, from the formats of electrophysiology and of sound.
//!
//! [`open`] tells the format by the bytes of the file (by its folder or its companion where there is no other way), and gives
//! a [`Recording`], whose samples are read block by block as they are asked for, in volts where the file knows volts.
//!
//! | format | what is opened | streams |
//! |---|---|---|
//! | WAV | `.wav`, also [`WavStream`] from a pipe | |
//! | EDF, EDF+, BDF, BDF+ | `.edf`, `.bdf` | one for each rate, such as `200 Hz` |
//! | XDF | `.xdf` | by name |
//! | Open Ephys binary | `structure.oebin`, or a folder above it | by name |
//! | Intan | `.rhd`, `.rhs` | `amplifier`, `auxiliary`, `adc`, … |
//! | Axona | `.set`, `.eeg`, `.egf`, `.bin` | `eeg`, `egf` |
//! | SpikeGLX | `.meta` or its `.bin` | |
//! | NWB | `.nwb` | by path |
//! | npy, npz, MAT, HDF5, safetensors | with the rate from the user | by name |
//! | tables | `.csv`, `.tsv` | |
//!
//! Samples that are missing are named ([`Gap`]), never filled: what is read are the samples that are there, one after another.

mod arrays;
mod axona;
mod edf;
mod facts;
mod intan;
mod nwb;
mod open;
mod open_ephys;
mod options;
mod records;
mod rows;
mod spikeglx;
mod stamps;
pub(crate) mod wav;
mod xdf;

pub use facts::{Annotation, Channel, Facts, Gap, Recording, Start};
pub use open::open;
pub use options::{Axis, Options};
pub use wav::WavStream;
