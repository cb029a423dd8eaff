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
            read_all(&path, options)
        });
    assert!(outcome.n_refused > 0, "{name}: {outcome:?}");
}

/// Damages `valid`, the content of `at` in the folder `whole`, whose other files stay as they are.
fn survives_in(whole: &Path, at: &str, options: &Options, n: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for entry in walk(whole) {
        let to = folder.path().join(entry.strip_prefix(whole).expect("inside"));
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        std::fs::copy(&entry, to).expect("copied");
    }
    let damaged = folder.path().join(at);
    let valid = std::fs::read(&damaged).expect("the fixture");
    let outcome =
        Hostile::new(&valid).prefixes(n).mutations(n).memory_limit(64 << 20).prefixes_may_pass().check(|bytes| {
            std::fs::write(&damaged, bytes).expect("written");
            read_all(folder.path(), options)
        });
    assert!(outcome.n_refused > 0, "{at}: {outcome:?}");
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

fn read_all(path: &Path, options: &Options) -> percept_io::Result<usize> {
    let recording = recording::open(path, options)?;
    let mut n_values = 0;
    for block in recording.blocks(4096).take(64) {
        n_values += block?.len();
    }
    Ok(n_values)
}

#[test]
fn damaged_open_ephys() {
    let recording = "experiment1/recording1";
    let inside = format!("{recording}/continuous/Rhythm-100.0");
    let whole = file("open_ephys_06");
    survives_in(&whole, &format!("{recording}/structure.oebin"), &options(None), 400);
    survives_in(&whole, &format!("{inside}/sample_numbers.npy"), &options(None), 300);
    let whole = file("open_ephys_04");
    survives_in(&whole, "structure.oebin", &options(None), 300);
    survives_in(&whole, "continuous/Rhythm-100.0/timestamps.npy", &options(None), 300);
}

/// A chunk of an XDF file: bytes of its length, the length, a tag and the content.
fn chunk(out: &mut Vec<u8>, tag: u16, content: &[u8]) {
    let length = (content.len() + 2) as u32;
    out.push(4);
    out.extend(length.to_le_bytes());
    out.extend(tag.to_le_bytes());
    out.extend(content);
}

/// The content of a boundary chunk.
const BOUNDARY: &[u8] = b"C\xa5F\xdc\xf5\x22O\x1e\xb9\x8d\x0e\xdb\x98\x8e\xd7+";

/// Two streams, a float and an integer one, with time stamps, clock offsets and footers, as the specification has them.
fn xdf() -> Vec<u8> {
    let mut out = b"XDF:".to_vec();
    chunk(&mut out, 1, b"<?xml version=\"1.0\"?><info><version>1.0</version></info>");
    for (id, name, cell, rate) in [(1u32, "lfp", "float32", 100.0), (2, "steps", "int16", 10.0)] {
        let head = format!(
            "<?xml version=\"1.0\"?><info><name>{name}</name><type>EEG</type><channel_count>2</channel_count>\
             <nominal_srate>{rate}</nominal_srate><channel_format>{cell}</channel_format></info>"
        );
        chunk(&mut out, 2, &[&id.to_le_bytes(), head.as_bytes()].concat());
    }
    for (id, n, step) in [(1u32, 40usize, 0.01), (2, 4, 0.1)] {
        let offset = [&id.to_le_bytes()[..], &5.0f64.to_le_bytes(), &(-0.25f64).to_le_bytes()].concat();
        chunk(&mut out, 4, &offset);
        let mut samples = id.to_le_bytes().to_vec();
        samples.extend([1, n as u8]);
        for i in 0..n {
            samples.push(8);
            samples.extend((5.0 + step * i as f64).to_le_bytes());
            for channel in 0..2 {
                let value = (i * 2 + channel) as i16;
                if id == 1 {
                    samples.extend(f32::from(value).to_le_bytes());
                } else {
                    samples.extend(value.to_le_bytes());
                }
            }
        }
        chunk(&mut out, 3, &samples);
        chunk(&mut out, 5, BOUNDARY);
        chunk(&mut out, 6, &[&id.to_le_bytes()[..], b"<info><sample_count>4</sample_count></info>"].concat());
    }
    out
}

#[test]
fn damaged_xdf() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("two.xdf");
    let valid = xdf();
    for (stream, n_values) in [("lfp", 80), ("steps", 8)] {
        std::fs::write(&path, &valid).expect("written");
        assert_eq!(read_all(&path, &options(Some(stream))).expect("a whole file"), n_values, "{stream}");
        let outcome =
            Hostile::new(&valid).prefixes(600).mutations(600).memory_limit(64 << 20).prefixes_may_pass().check(
                |bytes| {
                    std::fs::write(&path, bytes).expect("written");
                    read_all(&path, &options(Some(stream)))
                },
            );
        assert!(outcome.n_refused > 0, "{stream}: {outcome:?}");
    }
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
