//! Which format is this recording? By magic bytes, then by the file or folder that belongs to it.

use std::path::Path;

use super::facts::Recording;
use super::options::Options;
use super::{arrays, axona, edf, intan, nwb, open_ephys, rows, spikeglx, wav, xdf};
use crate::array::Reference;
use crate::open::{Format, sniff};
use crate::{Error, Result, fs};

/// Enough to see any magic.
const START_BYTES: u64 = 1024;

/// Opens the recording at `path`.
///
/// # Errors
/// If it is none that is known, is damaged, or `options` ask for what it does not have; if the rate is missing for a format
/// that does not know it.
pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Recording> {
    let path = path.as_ref();
    open_any(path, options).map_err(|error| error.in_file(path))
}

fn open_any(path: &Path, options: &Options) -> Result<Recording> {
    if fs::is_dir(path) {
        return open_folder(path, options);
    }
    if path.file_name().is_some_and(|name| name == open_ephys::NAME) {
        return known("Open Ephys", options, open_ephys::open(path, options)?);
    }
    if spikeglx::is_spikeglx(path) {
        return known("SpikeGLX", options, spikeglx::open(path)?);
    }
    let source = fs::open(path)?;
    let start = source.bytes_at("the start of the file", 0, source.len().min(START_BYTES))?;
    if wav::is_wav(&start) {
        return known("WAV", options, wav::open(source)?);
    }
    if edf::is_edf(&start) {
        return known("EDF", options, edf::open(source, options)?);
    }
    if xdf::is_xdf(&start) {
        return known("XDF", options, xdf::open(source, options)?);
    }
    if intan::is_intan(&start) {
        return known("Intan", options, intan::open(path, &source, options)?);
    }
    if axona::is_axona(&start) || axona::is_raw(&start) {
        return known("Axona", options, axona::open(path, &source, options)?);
    }
    let format = sniff(&source)?;
    if format == Format::Hdf5
        && let Some(file) = nwb::sniff(&source)?
    {
        return known("NWB", options, nwb::open(&file, options)?);
    }
    match format {
        Format::Text => rows::open(source, options),
        Format::Npy | Format::Zip | Format::Mat | Format::Hdf5 | Format::SafeTensors => {
            let reference = Reference { path: path.to_owned(), name: options.stream.clone() };
            arrays::open(&reference, options)
        }
        other => {
            let remedy =
                "name a recording: WAV, EDF, XDF, Open Ephys, Intan, Axona, SpikeGLX, NWB, npy, MAT or a table";
            Err(Error::unsupported("a recording in", other, remedy))
        }
    }
}

/// A folder that holds one recording.
fn open_folder(path: &Path, options: &Options) -> Result<Recording> {
    for name in ["info.rhd", "info.rhs"] {
        if fs::is_file(path.join(name)) {
            return open_any(&path.join(name), options);
        }
    }
    if let Some(found) = open_ephys::find(path)? {
        return open_any(&found, options).map_err(|error| error.in_file(&found));
    }
    let expected = format!("one with `{}`, `info.rhd` or `info.rhs`", open_ephys::NAME);
    Err(Error::mismatch("the folder", expected, "without", "name the recording's file"))
}

/// A recording whose format leaves nothing to say.
fn known(format: &str, options: &Options, recording: Recording) -> Result<Recording> {
    options.refuse_what_is_known(format, recording.rate_hz())?;
    if options.stream.is_some() && recording.facts().stream.is_none() {
        let error = Error::mismatch("the name after the file", "a stream", "one recording only", "leave the name out");
        return Err(error);
    }
    Ok(recording)
}
