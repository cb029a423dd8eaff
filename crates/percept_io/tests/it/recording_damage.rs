//! Damaged recordings of every format: an error or samples, never a panic, and little memory.

use std::path::Path;

use percept_io::recording::{self, Options, WavStream};
use percept_testing::Hostile;

use crate::recording::{file, options};

/// Opens and reads all of `path` whose bytes are damaged in all ways; the files in `beside` stay whole.
pub(crate) fn survives(name: &str, beside: &[&str], options: &Options, n: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for other in beside {
        std::fs::copy(file(other), folder.path().join(other)).expect("copied");
    }
    let path = folder.path().join(Path::new(name).file_name().expect("a name"));
    let valid = std::fs::read(file(name)).expect("the fixture");
    let outcome =
        Hostile::new(&valid).prefixes(n).mutations(n).memory_limit(64 << 20).prefixes_may_pass().check(|bytes| {
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, bytes).expect("written");
            let recording = recording::open(&path, options)?;
            let mut n_values = 0;
            for block in recording.blocks(4096).take(64) {
                n_values += block?.len();
            }
            Ok::<_, percept_io::Error>(n_values)
        });
    assert!(outcome.n_refused > 0, "{name}: {outcome:?}");
}

#[test]
fn damaged_wav() {
    survives("wav_extensible_i24.wav", &[], &options(None), 600);
    survives("wav_rf64_i16.wav", &[], &options(None), 300);
    let valid = std::fs::read(file("wav_i16.wav")).expect("the fixture");
    Hostile::new(&valid).prefixes_may_pass().check(|bytes| {
        let mut stream = WavStream::new(bytes)?;
        let mut values = Vec::new();
        while stream.read_into(100, &mut values)? > 0 {}
        Ok::<_, percept_io::Error>(values.len())
    });
}

#[test]
fn damaged_axona() {
    survives("axona.set", &["axona.eeg", "axona.eeg2"], &options(None), 400);
    survives("axona.eeg", &["axona.set"], &options(None), 400);
    survives("axona.bin", &["axona.set"], &options(None), 300);
}

#[test]
fn damaged_tables() {
    survives("table.csv", &[], &options(None), 100);
}

#[test]
fn damaged_edf() {
    survives("edfplus.edf", &[], &options(None), 300);
    survives("bdfplus.bdf", &[], &options(None), 200);
}

#[test]
fn damaged_intan() {
    survives("intan_v3.rhd", &[], &options(None), 300);
    survives("intan.rhs", &[], &options(Some("dc")), 200);
}

#[test]
fn damaged_spikeglx() {
    survives("np1_g0_t0.imec0.ap.meta", &["np1_g0_t0.imec0.ap.bin"], &options(None), 600);
    survives("run_g0_t0.nidq.meta", &["run_g0_t0.nidq.bin"], &options(None), 300);
}

#[test]
fn damaged_nwb() {
    survives("small.nwb", &[], &options(Some("acquisition/raw")), 100);
}
