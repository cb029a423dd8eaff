//! Sound files against libsndfile, round trips, and damaged files.

use ndarray::{Array2, s};
use percept_io::fs::Source;
use percept_io::npz;
use percept_io::sound::{self, SampleFormat, Sound};
use percept_testing::{Hostile, shared_data};

use crate::fixture;

/// Lossy formats leave their arithmetic to the decoder: f32 there, f32 here.
const LOSSY: f32 = 2e-6;

const FILES: [(&str, &str, u32, usize); 10] = [
    ("stereo_16.wav", "WAV", 8000, 2),
    ("mono_24.wav", "WAV", 8000, 1),
    ("mono_8.wav", "WAV", 8000, 1),
    ("stereo_float.wav", "WAV", 8000, 2),
    ("extensible_32.wav", "WAV", 8000, 1),
    ("stereo_16.flac", "FLAC", 16_000, 2),
    ("mono_24.flac", "FLAC", 8000, 1),
    ("stereo.mp3", "MP3", 44_100, 2),
    ("mono_8k.mp3", "MP3", 8000, 1),
    ("stereo.ogg", "Ogg Vorbis", 22_050, 2),
];

fn expected(name: &str) -> Array2<f32> {
    let mut values = npz::open(fixture::path("sound/values.npz")).expect("the fixture");
    let array = values.array(name).expect(name).read().expect(name);
    array.into_dimensionality().expect("channels and frames")
}

fn bytes(name: &str) -> Vec<u8> {
    fixture::bytes(&format!("sound/{name}"))
}

fn all(bytes: &[u8]) -> percept_io::Result<sound::Samples> {
    Sound::new(Source::from_bytes(bytes))?.read_all(60.0)
}

#[test]
fn every_coding_is_read_as_libsndfile_reads_it() {
    for (name, format, rate_hz, n_channels) in FILES {
        let file = sound::open(fixture::path(&format!("sound/{name}"))).expect(name);
        let facts = file.facts().clone();
        assert_eq!((facts.format, facts.rate_hz, facts.n_channels), (format, rate_hz, n_channels), "{name}");
        let (ours, truth) = (file.read_all(10.0).expect(name), expected(name));
        assert_eq!(ours.values.dim(), truth.dim(), "{name}");
        let worst = ours.values.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        let allowed = if format == "WAV" || format == "FLAC" { 0.0 } else { LOSSY };
        assert!(worst <= allowed, "{name} is off by {worst:.1e}");
    }
}

#[test]
fn blocks_of_any_size_are_the_whole() {
    for (name, _, _, n_channels) in FILES {
        let whole = all(&bytes(name)).expect(name).values;
        let mut file = sound::open(fixture::path(&format!("sound/{name}"))).expect(name);
        assert_eq!(file.skip(100).expect(name), 100);
        let mut rest = Vec::new();
        while file.read_into(37, &mut rest).expect(name) > 0 {}
        assert_eq!(file.position() as usize, whole.ncols(), "{name}");
        let whole: Vec<f32> = whole.slice(s![.., 100..]).t().iter().copied().collect();
        assert_eq!(rest, whole, "{name}");
        assert_eq!(rest.len() % n_channels, 0);
    }
}

#[test]
fn what_is_written_is_read_by_every_width() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.wav");
    let truth = expected("stereo_float.wav");
    for (format, step) in
        [(SampleFormat::Float32, 0.0), (SampleFormat::Int16, 0.5f32.powi(16)), (SampleFormat::Int24, 0.5f32.powi(24))]
    {
        sound::write_wav(&path, truth.view(), 44_100, format).expect("written");
        let back = sound::read(&path, 1.0).expect("read");
        assert_eq!((back.rate_hz, back.values.dim()), (44_100, truth.dim()));
        let worst = back.values.iter().zip(&truth).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        assert!(worst <= step, "{format:?}: {worst:e}");
    }
    let loud = Array2::from_shape_vec((1, 3), vec![2.0, -2.0, 0.25]).expect("three");
    sound::write_wav(&path, loud.view(), 8000, SampleFormat::Int16).expect("written");
    let back = sound::read(&path, 1.0).expect("read").values;
    assert_eq!(back.row(0).to_vec(), [32_767.0 / 32_768.0, -1.0, 0.25]);
    let odd = Array2::from_elem((1, 3), 0.5);
    sound::write_wav(&path, odd.view(), 8000, SampleFormat::Int24).expect("a chunk of odd length");
    assert_eq!(sound::read(&path, 1.0).expect("read").values, odd);
    for (values, words) in [
        (Array2::zeros((0, 4)), "0 × 4"),
        (Array2::zeros((1, 0)), "1 × 0"),
        (Array2::from_elem((1, 2), f32::NAN), "sample 0 of channel 0"),
    ] {
        let error = sound::write_wav(&path, values.view(), 8000, SampleFormat::Int16).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn silence_is_sound_and_what_is_none_is_named() {
    let silent = sound::wav_bytes(Array2::zeros((1, 80)).view(), 8000, SampleFormat::Int16).expect("bytes");
    assert_eq!(all(&silent).expect("silence").mono(), vec![0.0; 80]);

    let words = sound::read(fixture::path("sound/make.py"), 1.0).expect_err("a script").to_string();
    assert!(
        words.contains("make.py`: the start is") && words.contains("a WAV, FLAC, MP3 or Ogg Vorbis file"),
        "{words}"
    );
    let words = all(b"").expect_err("nothing").to_string();
    assert!(words.contains("the start is"), "{words}");

    let words = sound::read(fixture::path("sound/mono_24.wav"), 0.05).expect_err("too long").to_string();
    assert!(words.contains("at most 0.05 s was asked for") && words.contains("0.1 s long"), "{words}");

    let whole = bytes("stereo_16.flac");
    let words = all(&whole[..whole.len() - 700]).expect_err("cut short").to_string();
    assert!(words.contains("at 0.0"), "{words}");
    let whole = bytes("stereo_16.wav");
    all(&whole[..whole.len() - 400]).expect_err("cut short");

    let mut wild = bytes("stereo_float.wav");
    let end = wild.len();
    wild[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let words = all(&wild).expect_err("not a number").to_string();
    assert!(words.contains("the sample at 0.080 s is not finite"), "{words}");

    let mut changed = bytes("stereo_16.flac");
    // The checksum of the samples lies at the end of the first block of metadata.
    changed[8 + 18] ^= 1;
    let words = all(&changed).expect_err("another checksum").to_string();
    assert!(words.contains("checksum"), "{words}");
}

#[test]
fn damaged_files_are_refused_or_read_in_little_memory() {
    for (name, ..) in FILES {
        let whole = bytes(name);
        let trial = Hostile::new(&whole).prefixes(300).mutations(200).memory_limit(48 << 20).prefixes_may_pass();
        trial.check(all);
    }
}

/// Rate, channels and frames, mean square, and the first channel at a third, at half and 100 frames before the end, all by
/// libsndfile (soundfile 0.14.0).
const REAL: [(&str, u32, usize, usize, f64, [f32; 3]); 5] = [
    ("sir_duke_fast.ogg", 44_100, 1, 230_378, 2.481_884_480e-3, [-9.562_070_5e-4, 8.298_989e-4, -5.809_587_7e-5]),
    ("sir_duke_slow.ogg", 44_100, 1, 315_624, 1.676_072_550e-3, [0.083_448_08, 2.784_869_4e-3, -5.733_778_4e-5]),
    ("snare-accelerate.ogg", 22_050, 1, 661_500, 6.821_515_648e-3, [0.0, 0.0, -0.236_469_48]),
    ("test_audio.flac", 44_100, 2, 229_021, 4.133_085_799e-3, [-0.025_146_484, 0.027_160_645, -7.934_570_3e-4]),
    ("test_audio.ogg", 44_100, 2, 229_021, 4.133_082_677e-3, [-0.025_160_76, 0.027_145_49, -7.940_731e-4]),
];

#[test]
fn real_music_is_read_as_libsndfile_reads_it() {
    let Some(folder) = shared_data("audio_librosa") else { return };
    for (name, rate_hz, channels, frames, square, places) in REAL {
        let samples = sound::read(folder.join(name), 60.0).expect(name);
        assert_eq!((samples.rate_hz, samples.values.dim()), (rate_hz, (channels, frames)), "{name}");
        let own = samples.values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / (channels * frames) as f64;
        assert!((own / square - 1.0).abs() < 1e-6, "{name}: {own:e}");
        for (at, value) in [frames / 3, frames / 2, frames - 100].into_iter().zip(places) {
            let own = samples.values[(0, at)];
            assert!((own - value).abs() <= LOSSY, "{name} at {at}: {own:e}, not {value:e}");
        }
    }
}

#[test]
fn two_hours_are_read_in_the_memory_of_a_block() {
    const FRAMES: usize = 2 * 60 * 60 * 8000;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("long.wav");
    // 24-bit samples at 8 kHz; all but the first are a hole in the file.
    let first = Array2::from_elem((1, 1), 0.5);
    let mut head = sound::wav_bytes(first.view(), 8000, SampleFormat::Int24).expect("bytes");
    let data = head.windows(4).position(|word| word == b"data").expect("a chunk of samples") + 8;
    head.truncate(data + 3);
    let n_bytes = (3 * FRAMES) as u32;
    head[data - 4..data].copy_from_slice(&n_bytes.to_le_bytes());
    head[4..8].copy_from_slice(&(n_bytes + data as u32 - 8).to_le_bytes());
    std::fs::write(&path, &head).expect("written");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("a file");
    file.set_len(data as u64 + u64::from(n_bytes)).expect("a sparse file");

    let mut block = Vec::new();
    let used = allocation_counter::measure(|| {
        let mut file = sound::open(&path).expect("a WAV");
        assert_eq!(file.facts().n_frames, Some(FRAMES as u64));
        assert_eq!(file.read_into(2, &mut block).expect("samples"), 2);
        assert_eq!(file.skip(FRAMES as u64 - 3).expect("samples"), FRAMES as u64 - 3);
        assert_eq!(file.read_into(9, &mut block).expect("samples"), 1);
    });
    assert_eq!(block, [0.5, 0.0, 0.0]);
    assert!(used.bytes_max < 4 << 20, "{} bytes at once", used.bytes_max);
    let words = sound::read(&path, 600.0).expect_err("two hours").to_string();
    assert!(words.contains("7200.0 s long") && words.contains("at most 600 s"), "{words}");
}
