//! The feature store: what it holds, and that a run that was killed ends in the same bytes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::{Array2, Array3};
use percept_core::{Progress, Silent};
use percept_io::sound::{SampleFormat, write_wav};
use percept_io::{npy, picture};
use percept_models::probe::Pool;
use percept_pipeline::experiment::Pack;
use percept_pipeline::spaces::store::{Models, Request, StimulusFiles, run};

/// Dies at the first shard after `left` stimuli.
struct Killed {
    left: u64,
    done: AtomicU64,
}

impl Progress for Killed {
    fn begin(&self, _stage: &str, _total: u64) {}
    fn advance(&self, steps: u64) {
        let done = self.done.fetch_add(steps, Ordering::Relaxed) + steps;
        assert!(done < self.left, "killed by the test");
    }
    fn end(&self, _note: &str) {}
    fn warn(&self, _message: &str) {}
}

/// Pictures of two sizes, so that both ways of preparing them are used.
fn pictures(folder: &Path, n: usize) {
    for i in 0..n {
        let side = if i % 7 == 0 { 40 } else { 64 };
        let drawing = Array3::from_shape_fn((side, side, 3), |(y, x, c)| (x * (i + 1) + y * (c + 2) * 3) as u8);
        picture::write_png(folder.join(format!("drawing {i:03}.png")), drawing.view()).expect("writable");
    }
}

fn request(images: &Path, out: &Path) -> Request {
    Request {
        models: Models::Pack(Pack::Pocket),
        spaces: ["sd.z", "unet.mid@t600", "clip.image.layer01"].map(str::to_owned).into(),
        pool: Pool::Mean,
        source: StimulusFiles::Pictures(images.to_owned()),
        out: out.to_owned(),
        batch: Some(8),
        memory_bytes: 1 << 30,
        seed: 1,
    }
}

/// Every file of a store with its bytes.
fn contents(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(store).expect("a store").map(|entry| entry.expect("readable").path());
    files
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("readable"))
        })
        .collect()
}

#[test]
fn a_killed_run_ends_in_the_bytes_of_one_that_was_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let images = folder.path().join("images");
    std::fs::create_dir(&images).expect("a folder");
    pictures(&images, 150);
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let store = run(&request(&images, &whole), &Silent).expect("the run ends");
    assert_eq!((store.stimuli.len(), store.spaces["sd.z"].n_features), (150, 1024));
    assert_eq!(store.stimuli[7], "drawing 007");

    let death = Killed { left: 100, done: AtomicU64::new(0) };
    let outcome = std::panic::catch_unwind(|| run(&request(&images, &killed), &death));
    assert!(outcome.is_err() && !killed.join("index.json").exists(), "the run was killed");
    let n_parts = std::fs::read_dir(killed.join("parts")).expect("parts").count();
    assert_eq!(n_parts, 2 * 3, "two shards of three spaces are there");
    // Whoever goes on need not remember the batch.
    let resumed = Request { batch: None, ..request(&images, &killed) };
    assert_eq!(run(&resumed, &Silent).expect("the run ends"), store);
    assert_eq!(contents(&killed), contents(&whole));

    let other = Request { spaces: vec!["sd.z".into()], ..request(&images, &whole) };
    let words = run(&other, &Silent).expect_err("the store holds something else").to_string();
    assert!(words.contains("features of other models"), "{words}");
}

#[test]
fn a_row_is_the_stimulus_of_its_name_whatever_stands_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (many, one) = (folder.path().join("many"), folder.path().join("one"));
    for (place, n) in [(&many, 5), (&one, 1)] {
        std::fs::create_dir(place).expect("a folder");
        pictures(place, n);
    }
    let rows = |images: &Path, out: &str| {
        let out = folder.path().join(out);
        let store = run(&request(images, &out), &Silent).expect("the run ends");
        let file = &store.spaces["unet.mid@t600"].file;
        npy::open(out.join(file)).expect("a file").rows::<f32>(0..1).expect("a row")
    };
    for (a, b) in rows(&many, "a").iter().zip(rows(&one, "b").iter()) {
        assert!((a - b).abs() <= 1e-4 * b.abs().max(1.0), "{a} {b}");
    }
}

/// Tones of several rates, lengths and numbers of channels.
fn tones(folder: &Path, n: usize) {
    for i in 0..n {
        let (rate, channels) = (4000 + 1000 * (i as u32 % 5), 1 + i % 2);
        let shape = (channels, 1500 + 100 * i);
        let tone = Array2::from_shape_fn(shape, |(c, t)| {
            (t as f32 * (100 + 37 * i + 50 * c) as f32 * std::f32::consts::TAU / rate as f32).sin() * 0.3
        });
        write_wav(folder.join(format!("tone {i:03}.wav")), tone.view(), rate, SampleFormat::Int16).expect("writable");
    }
}

#[test]
fn sounds_become_rows_and_a_killed_run_ends_in_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let sounds = folder.path().join("sounds");
    std::fs::create_dir(&sounds).expect("a folder");
    tones(&sounds, 70);
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../percept_models/tests/data/parity/music_pack");
    let request = |out: &str| Request {
        models: Models::Pack(Pack::Folder(pack.clone())),
        spaces: vec!["clap.audio".into()],
        source: StimulusFiles::Sounds(sounds.clone()),
        batch: Some(2),
        ..request(&sounds, &folder.path().join(out))
    };
    let store = run(&request("whole"), &Silent).expect("the run ends");
    assert_eq!((store.stimuli.len(), store.spaces["clap.audio"].n_features), (70, 10));
    let rows = npy::open(folder.path().join("whole/clap.audio.npy")).expect("a file").rows::<f32>(0..70).expect("rows");
    for row in rows.to_shape((70, 10)).expect("a matrix").outer_iter() {
        assert!((row.dot(&row) - 1.0).abs() < 1e-5, "{row}");
    }
    let death = Killed { left: 66, done: AtomicU64::new(0) };
    let outcome = std::panic::catch_unwind(|| run(&request("killed"), &death));
    assert!(outcome.is_err() || folder.path().join("killed/index.json").exists());
    assert_eq!(run(&request("killed"), &Silent).expect("the run ends"), store);
    assert_eq!(contents(&folder.path().join("killed")), contents(&folder.path().join("whole")));

    let wrong = Request { spaces: vec!["clap.text".into()], ..request("texts") };
    let words = run(&wrong, &Silent).expect_err("a space of texts").to_string();
    assert!(words.contains("made from texts, not from sounds"), "{words}");
}
