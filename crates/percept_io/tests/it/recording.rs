//! Recordings against independent readers: small files with the values that others read from them, and real recordings.

use std::path::Path;

use ndarray::Array2;
use percept_io::recording::{self, Axis, Options, Recording, WavStream};
use percept_io::{array, npy};
use percept_testing::shared_data;
use serde_json::Value;

use crate::fixture;

/// Both sides round to single precision; they may take scale and offset in another order.
const ROUNDING: f32 = 4e-7;

pub(crate) fn options(stream: Option<&str>) -> Options {
    Options { stream: stream.map(str::to_owned), ..Options::default() }
}

pub(crate) fn file(name: &str) -> std::path::PathBuf {
    fixture::path("recording").join(name)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Opens `path`, and compares all that `expected.json` and `expected.npy` say, whole and in blocks of odd lengths.
fn equals(path: &Path, options: &Options, expected: &str) -> Recording {
    let recording = recording::open(path, options).unwrap_or_else(|error| panic!("{expected}: {error}"));
    let facts = fixture::json(&format!("recording/{expected}.json"));
    let names: Vec<&str> = recording.channels().iter().map(|channel| channel.name.as_str()).collect();
    let units: Vec<&str> = recording.channels().iter().map(|channel| channel.unit.as_str()).collect();
    assert_eq!(names, texts(&facts["channels"]), "{expected}");
    assert_eq!(units, texts(&facts["units"]), "{expected}");
    assert_eq!(Some(recording.n_samples() as u64), facts["n_samples"].as_u64(), "{expected}");
    let rate = facts["rate_hz"].as_f64().expect("a rate");
    assert!((recording.rate_hz() - rate).abs() <= 1e-9 * rate, "{expected}: {} Hz", recording.rate_hz());
    if let Some(date_time) = facts.get("date_time") {
        assert_eq!(recording.facts().start.date_time.as_deref(), date_time.as_str(), "{expected}");
    }
    if let Some(secs) = facts.get("clock_secs") {
        let (got, secs) = (recording.facts().start.clock_secs, secs.as_f64().expect("seconds"));
        assert!((got - secs).abs() < 1e-6, "{expected}: {got}");
    }
    if let Some(gaps) = facts.get("gaps") {
        let gaps: Vec<(u64, f64)> = serde_json::from_value(gaps.clone()).expect("gaps");
        let got: Vec<(u64, f64)> =
            recording.facts().gaps.iter().map(|gap| (gap.sample_idx as u64, gap.missing_secs)).collect();
        assert_eq!(got.len(), gaps.len(), "{expected}: {got:?}");
        for (got, gap) in got.iter().zip(&gaps) {
            assert!(got.0 == gap.0 && (got.1 - gap.1).abs() < 1e-6, "{expected}: {got:?} {gap:?}");
        }
    }
    if let Some(annotations) = facts.get("annotations") {
        let annotations: Vec<(f64, Option<f64>, String)> = serde_json::from_value(annotations.clone()).expect("texts");
        assert_eq!(recording.facts().annotations.len(), annotations.len(), "{expected}");
        for (got, (onset, duration, text)) in recording.facts().annotations.iter().zip(&annotations) {
            assert!((got.onset_secs - onset).abs() < 1e-6, "{expected}: {got:?} {onset}");
            assert_eq!((got.duration_secs, &got.text), (*duration, text), "{expected}");
        }
    }
    let values = array::read::<f32>(&file(&format!("{expected}.npy")).display().to_string()).expect("the values").data;
    let values = values.into_dimensionality().expect("a matrix");
    close(&whole(&recording), &values, expected);
    for step in [1, 7, 64] {
        let blocks: Vec<Array2<f32>> = recording.blocks(step).collect::<Result<_, _>>().expect("blocks");
        let views: Vec<_> = blocks.iter().map(|block| block.view()).collect();
        close(&ndarray::concatenate(ndarray::Axis(0), &views).expect("blocks"), &values, expected);
    }
    recording
}

fn whole(recording: &Recording) -> Array2<f32> {
    recording.read(0..recording.n_samples()).expect("read")
}

fn close(got: &Array2<f32>, expected: &Array2<f32>, name: &str) {
    assert_eq!(got.dim(), expected.dim(), "{name}");
    for ((index, got), expected) in got.indexed_iter().zip(expected) {
        let largest = expected.abs().max(got.abs());
        let is_same = (got.is_nan() && expected.is_nan()) || (got - expected).abs() <= ROUNDING * largest;
        assert!(is_same, "{name} at {index:?}: {got} and {expected}");
    }
}

#[test]
fn every_kind_of_wav_equals_soundfile() {
    for name in ["wav_u8", "wav_i16", "wav_i24", "wav_i32", "wav_f32", "wav_f64", "wav_extensible_i24", "wav_rf64_i16"]
    {
        let path = file(&format!("{name}.wav"));
        let recording = equals(&path, &options(None), name);
        // The same from a pipe, in pieces, with the length and without it.
        let mut bytes = std::fs::read(&path).expect("read");
        for is_known in [true, false] {
            let data = bytes.windows(4).position(|four| four == b"data").expect("a chunk of samples") + 4;
            if !is_known {
                bytes[data..data + 4].fill(0xff);
                // RF64 has its length elsewhere.
                if let Some(long) = bytes.windows(4).position(|four| four == b"ds64") {
                    bytes[long + 16..long + 24].fill(0);
                }
            }
            let mut stream = WavStream::new(bytes.as_slice()).expect("a header");
            assert_eq!((stream.rate_hz(), stream.channels().len()), (8000.0, 3));
            let mut values = Vec::new();
            while stream.read_into(7, &mut values).expect("samples") > 0 {}
            assert_eq!(values, whole(&recording).into_raw_vec_and_offset().0, "{name}");
        }
    }
}

#[test]
fn axona_equals_its_own_counts_and_neo() {
    equals(&file("axona.set"), &options(Some("eeg")), "axona_eeg");
    equals(&file("axona.set"), &options(Some("egf")), "axona_egf");
    equals(&file("axona.egf"), &options(None), "axona_egf");
    equals(&file("axona.bin"), &options(None), "axona_raw");
    let recording = equals(&file("axona.set"), &options(Some("raw")), "axona_raw");
    assert_eq!(recording.facts().other_streams, ["eeg", "egf"]);
    let words = recording::open(file("axona.set"), &options(None)).expect_err("three streams").to_string();
    assert!(words.contains("name one of `eeg`, `egf`, `raw`"), "{words}");
}

#[test]
fn edf_and_bdf_equal_pyedflib() {
    let recording = equals(&file("edfplus.edf"), &options(None), "edfplus");
    assert_eq!(
        (recording.facts().format.as_str(), recording.facts().other_streams.as_slice()),
        ("EDF+", &["10 Hz".to_owned()][..])
    );
    equals(&file("edfplus.edf"), &options(Some("10 Hz")), "edfplus_slow");
    equals(&file("plain.edf"), &options(None), "plain");
    equals(&file("bdfplus.bdf"), &options(None), "bdfplus");
}

#[test]
fn records_that_do_not_follow_each_other_are_gaps() {
    let recording = equals(&file("discontinuous.edf"), &options(None), "discontinuous");
    assert_eq!((recording.time_secs(99), recording.time_secs(100), recording.time_secs(250)), (1.98, 3.5, 106.5));
}

#[test]
fn open_ephys_equals_neo_in_both_layouts() {
    equals(&file("open_ephys_04/structure.oebin"), &options(None), "open_ephys_04");
    equals(&file("open_ephys_06"), &options(None), "open_ephys_06");
    let words = recording::open(file("open_ephys_06"), &options(Some("Other"))).expect_err("another").to_string();
    assert!(words.contains("there is no stream `Other` (there is only `Rhythm-100.0`)"), "{words}");
    let words = recording::open(file("."), &options(None)).expect_err("two").to_string();
    assert!(words.contains("the number of recordings is 2"), "{words}");
}

#[test]
fn intan_equals_neo_in_all_versions_and_layouts() {
    equals(&file("intan_v1.rhd"), &options(None), "intan_v1");
    let recording = equals(&file("intan_v3.rhd"), &options(None), "intan_v3");
    assert_eq!(recording.facts().other_streams, ["auxiliary", "adc"]);
    equals(&file("intan_v3.rhd"), &options(Some("auxiliary")), "intan_v3_auxiliary");
    equals(&file("intan_v3.rhd"), &options(Some("adc")), "intan_v3_adc");
    equals(&file("intan.rhs"), &options(None), "intan_rhs");
    equals(&file("intan.rhs"), &options(Some("dc")), "intan_rhs_dc");
    equals(&file("intan.rhs"), &options(Some("adc")), "intan_rhs_adc");
    equals(&file("intan_signal"), &options(None), "intan_signal");
    equals(&file("intan_channel/info.rhd"), &options(None), "intan_channel");
}

#[test]
fn spikeglx_equals_neo_for_each_kind_of_device() {
    for name in ["np1_g0_t0.imec0.ap", "np1_g0_t0.imec0.lf", "np2_g0_t0.imec0.ap", "run_g0_t0.nidq"] {
        equals(&file(&format!("{name}.bin")), &options(None), name);
        equals(&file(&format!("{name}.meta")), &options(None), name);
    }
}

#[test]
fn nwb_equals_pynwb() {
    let recording = equals(&file("small.nwb"), &options(Some("acquisition/raw")), "nwb_raw");
    assert_eq!(recording.facts().start.date_time.as_deref(), Some("2020-01-02T03:04:05+00:00"));
    equals(&file("small.nwb"), &options(Some("processing/ecephys/LFP/lfp")), "nwb_lfp");
    equals(&file("small.nwb"), &options(Some("acquisition/speed")), "nwb_speed");
    let words = recording::open(file("small.nwb"), &options(None)).expect_err("three").to_string();
    assert!(words.contains("name one of `acquisition/raw`, `acquisition/speed`, `processing/"), "{words}");
}

#[test]
fn a_table_equals_pandas_and_its_time_column_gives_the_rate() {
    equals(&file("table.csv"), &options(None), "table");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("bare.csv");
    std::fs::write(&path, "1;2\n3;4.5\n").expect("written");
    let words = recording::open(&path, &options(None)).expect_err("no rate").to_string();
    assert!(words.contains("the sampling rate is absent") && words.contains("--rate 1000"), "{words}");
    let given = Options { rate_hz: Some(10.0), unit: Some("mV".into()), ..Options::default() };
    let recording = recording::open(&path, &given).expect("opened");
    assert_eq!(whole(&recording), ndarray::array![[1e-3, 2e-3], [3e-3, 4.5e-3]]);
    assert_eq!((recording.channels()[1].unit.as_str(), recording.time_secs(1)), ("V", 0.1));
    std::fs::write(&path, "time,a\n0,1\n0.1,x\n").expect("written");
    let recording = recording::open(&path, &options(None)).expect("the texts are met when they are read");
    let words = recording.read(0..2).expect_err("a word").to_string();
    assert!(words.contains("column 2 in line 3 is `x`"), "{words}");
    std::fs::write(&path, "time,a\n0,1\n0.1,2\n0.3,2\n").expect("written");
    let words = recording::open(&path, &options(None)).expect_err("uneven").to_string();
    assert!(words.contains("the step of the time column"), "{words}");
}

#[test]
fn arrays_have_the_longer_axis_in_time_and_the_users_rate_and_unit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.npy");
    let values = Array2::from_shape_fn((3, 50), |(channel, sample)| (100 * channel + sample) as i16);
    npy::write(&path, values.view().into_dyn()).expect("written");
    let given = Options { rate_hz: Some(250.0), unit: Some("uV".into()), scale: Some(2.0), ..Options::default() };
    let recording = recording::open(&path, &given).expect("opened");
    assert_eq!((recording.n_samples(), recording.channels().len(), recording.held_bytes()), (50, 3, 0));
    assert_eq!(recording.read(7..9).expect("read"), ndarray::array![[14e-6, 214e-6, 414e-6], [16e-6, 216e-6, 416e-6]]);
    let other = Options { time_axis: Axis::First, ..given };
    assert_eq!(recording::open(&path, &other).expect("opened").n_samples(), 3);
    let words = recording.read(0..51).expect_err("too many").to_string();
    assert!(words.contains("50 samples long"), "{words}");
}

#[test]
fn xdf_equals_pyxdf_on_real_files() {
    let Some(folder) = shared_data("xdf_examples") else { return };
    for (name, stream, expected) in [
        ("minimal", None, "xdf_minimal"),
        ("clock_resets", None, "xdf_clock_resets"),
        ("empty_streams", None, "xdf_empty_streams"),
    ] {
        real(&folder.join(format!("{name}.xdf")), &options(stream), expected);
    }
    let empty = options(Some("Empty data stream: test stream 0 counter"));
    let words = recording::open(folder.join("empty_streams.xdf"), &empty).expect_err("no samples").to_string();
    assert!(words.contains("the stream is empty, but samples was asked for"), "{words}");
}

#[test]
fn real_edf_and_bdf_equal_pyedflib() {
    let Some(folder) = shared_data("edf_pyedflib") else { return };
    for name in ["test_generator.edf", "test_generator.bdf", "test_subsecond.edf", "test_utf8.edf"] {
        real(&folder.join(name), &options(None), &format!("real_{}", name.replace('.', "_")));
    }
}

#[test]
fn real_open_ephys_and_intan_equal_neo() {
    if let Some(folder) = shared_data("lfp_openephys_hippocampus16") {
        real(&folder, &options(None), "real_open_ephys");
    }
    if let Some(folder) = shared_data("intan_rhd") {
        real(&folder.join("sampledata.rhd"), &options(None), "real_rhd");
        real(&folder.join("sampledata.rhd"), &options(Some("auxiliary")), "real_rhd_auxiliary");
        real(&folder.join("qwerty_210205_153318.rhs"), &options(None), "real_rhs");
    }
}

#[test]
fn the_real_laminar_recording_is_read_from_its_mat_file() {
    let Some(folder) = shared_data("lfp_rat_barrel_laminar23") else { return };
    let given =
        Options { rate_hz: Some(1000.0), unit: Some("uV".into()), stream: Some("pot1".into()), ..Options::default() };
    real(&folder.join("test_data.mat"), &given, "real_mat");
}

/// What an independent reader sees of a real recording, of which only sums and a few rows are here.
fn real(path: &Path, options: &Options, expected: &str) {
    let all = fixture::json("recording/real.json");
    let facts = &all[expected];
    let recording = recording::open(path, options).unwrap_or_else(|error| panic!("{expected}: {error}"));
    let names: Vec<&str> = recording.channels().iter().map(|channel| channel.name.as_str()).collect();
    assert_eq!(names, texts(&facts["channels"]), "{expected}");
    assert_eq!(Some(recording.n_samples() as u64), facts["n_samples"].as_u64(), "{expected}");
    let number = |value: &Value| value.as_f64().expect("a number");
    assert!(
        (recording.rate_hz() / number(&facts["rate_hz"]) - 1.0).abs() < 1e-9,
        "{expected}: {}",
        recording.rate_hz()
    );
    if let Some(clock) = facts.get("clock_secs") {
        // A plain line through the offsets in place of a robust one.
        let got = recording.facts().start.clock_secs;
        assert!((got - number(clock)).abs() < 0.02, "{expected}: {got} {clock}");
    }
    if let Some(gaps) = facts.get("gaps") {
        let got: Vec<usize> = recording.facts().gaps.iter().map(|gap| gap.sample_idx).collect();
        assert_eq!(got, serde_json::from_value::<Vec<usize>>(gaps.clone()).expect("gaps"), "{expected}");
    }
    let values = whole(&recording);
    for (column, expected_sum) in values.columns().into_iter().zip(facts["squares"].as_array().expect("sums")) {
        let sum: f64 = column.iter().map(|&value| f64::from(value).powi(2)).sum();
        let expected_sum = number(expected_sum);
        assert!((sum - expected_sum).abs() <= 1e-6 * expected_sum, "{expected}: {sum} {expected_sum}");
    }
    for (row, expected_row) in facts["rows"].as_object().expect("rows") {
        let row: usize = row.parse().expect("a row");
        for (&got, wanted) in values.row(row).iter().zip(expected_row.as_array().expect("a row")) {
            let wanted = number(wanted) as f32;
            assert!((got - wanted).abs() <= ROUNDING * wanted.abs(), "{expected} row {row}: {got} {wanted}");
        }
    }
}

#[test]
fn what_a_format_knows_cannot_be_told_otherwise() {
    let open = |given: &Options| recording::open(file("wav_i16.wav"), given).map(|_| ()).map_err(|e| e.to_string());
    open(&Options { rate_hz: Some(8000.0), ..Options::default() }).expect("the same rate");
    let words = open(&Options { rate_hz: Some(44100.0), ..Options::default() }).expect_err("another");
    assert!(words.contains("the rate is 8000 Hz, but 44100.0 Hz was asked for (leave it out"), "{words}");
    assert!(open(&Options { scale: Some(2.0), ..Options::default() }).is_err());
    assert!(open(&options(Some("x"))).expect_err("no streams").contains("leave the name out"));
}

#[test]
fn the_real_rat_is_read_in_volts() {
    let Some(folder) = shared_data("lfp_rat_axona32") else { return };
    let given = Options { rate_hz: Some(250.0), unit: Some("uV".into()), scale: Some(3.90625), ..Options::default() };
    let recording = recording::open(folder.join("lfp_int8_32x225000_250Hz.npy"), &given).expect("opened");
    assert_eq!((recording.n_samples(), recording.channels().len()), (225_000, 32));
    let block = recording.read(1000..1250).expect("read");
    let raw =
        array::read::<f32>(&folder.join("lfp_int8_32x225000_250Hz.npy").display().to_string()).expect("read").data;
    for ((sample, channel), &value) in block.indexed_iter() {
        assert_eq!(value, (f64::from(raw[[channel, 1000 + sample]]) * 3.90625e-6) as f32);
    }
}
