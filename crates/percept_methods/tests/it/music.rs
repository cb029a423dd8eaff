//! Music: the events of the real data set where they are at hand, phantom listeners in their layout, an index that is killed, and a whole
//! run.

use std::path::Path;

use ndarray::Array2;
use percept_core::{Seed, Silent};
use percept_io::sound::{SampleFormat, write_wav};
use percept_io::{fs, npy};
use percept_methods::RunOptions;
use percept_methods::music::{self, index};
use percept_models::weights::PackFiles;
use percept_pipeline::data::listening::doctor::examine;
use percept_pipeline::data::listening::{Listening, ListeningFiles, Schedule, Windows};
use percept_pipeline::experiment::music::MusicExperiment;
use percept_synth::listener::{Listener, ListenerParams};
use percept_synth::tunes::{RATE_HZ, Tune};
use percept_testing::shared_data;

fn params() -> ListenerParams {
    ListenerParams {
        shape: [14, 16, 12],
        n_training: 40,
        n_test: 10,
        per_training_run: 20,
        per_test_run: 5,
        n_repeats: 2,
        clip_secs: 6.0,
        track_secs: 6.5,
        ..ListenerParams::default()
    }
}

fn files(root: &Path) -> ListeningFiles {
    ListeningFiles {
        root: root.to_owned(),
        subject: "001".to_owned(),
        audio: root.join("genres"),
        mask: None,
        atlas: Some(root.join("derivatives/atlas/sub-001/sub-001_atlas.nii.gz")),
        captions: Some(root.join("captions.csv")),
        tags: Some(root.join("tags.csv")),
        detrend_secs: 60.0,
    }
}

#[test]
fn the_schedule_of_the_real_data_set_is_read_and_what_does_not_match_is_named() {
    let Some(folder) = shared_data("music_ds003720") else { return };
    let captions = folder.join("brain2music-captions.csv");
    let finding = examine(&folder, &[], None, Some(&captions)).expect("events");
    assert_eq!(finding.subjects.len(), 5);
    for subject in &finding.subjects {
        assert_eq!((subject.n_runs, subject.n_clips), ([12, 6], [480, 60]), "sub-{}", subject.subject);
        // There are no images here, and nothing else is wrong.
        assert_eq!(subject.problems.len(), 1, "{:?}", subject.problems);
        assert!(subject.problems[0].starts_with("18 of 18 runs have no images"), "{:?}", subject.problems);
    }
    assert!(finding.is_one_schedule);
    assert_eq!((finding.n_clips, finding.genres.len(), finding.n_captions), (540, 10, Some(539)));
    assert_eq!(finding.without_caption, ["disco.00011"]);
    assert_eq!(finding.captions_of_nothing, ["disco.000011"]);
}

#[test]
fn clips_of_the_real_data_set_are_matched_to_an_audio_folder() {
    let Some(folder) = shared_data("music_ds003720") else { return };
    let audio = tempfile::tempdir().expect("a folder");
    let schedule = Schedule::read(&folder, "003").expect("events");
    for (number, clip) in schedule.clips.iter().enumerate() {
        // Names are all that the doctor looks at; one track is missing, others have another ending.
        if number != 7 {
            let end = if number % 2 == 0 { "wav" } else { "mp3" };
            fs::write_bytes(audio.path().join(format!("{}/{}.{end}", clip.genre, clip.name())), b"a track")
                .expect("written");
        }
    }
    let finding = examine(&folder, &["003".to_owned()], Some(audio.path()), None).expect("events");
    assert_eq!((finding.n_sounds, finding.n_captions), (Some(539), None));
    assert_eq!(finding.without_sound, [schedule.clips[7].name()]);
}

#[test]
fn a_phantom_listener_is_read_as_the_real_data_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = Listener::new(params(), Seed::new(2)).expect("fits");
    listener.write(folder.path(), &Silent).expect("written");
    let finding =
        examine(folder.path(), &[], Some(&folder.path().join("genres")), Some(&folder.path().join("captions.csv")));
    let finding = finding.expect("events");
    assert_eq!((finding.n_clips, finding.n_sounds, finding.n_captions), (50, Some(50), Some(50)));
    assert!(finding.subjects[0].problems.is_empty(), "{:?}", finding.subjects[0].problems);

    let data = Listening::open(&files(folder.path())).expect("read");
    assert_eq!((data.schedule.n_clips(false), data.schedule.n_clips(true), data.regions.len()), (40, 10, 150));
    assert!(data.warnings.is_empty(), "{:?}", data.warnings);
    let kinds: Vec<&str> = data.tags.iter().map(|tags| tags.kind.as_str()).collect();
    assert_eq!(kinds, ["genre", "instrument", "tempo", "mood"]);
    let windows = Windows { secs: 3.0, step_secs: 1.5, lag_secs: 4.5 };
    let clips = data.clips_of(true);
    let rows = windows.of(&data, &clips).expect("scans");
    assert_eq!(rows.responses.nrows(), 10 * 3);
    // The first window of a clip is the mean of its two showings, dummies apart.
    let run = data.schedule.runs.iter().position(|run| run.is_test).expect("a test run");
    let of_clip =
        |clip: usize| data.schedule.runs[run].playings.iter().filter(move |one| one.clip == clip && !one.is_dummy);
    let clip = data.schedule.runs[run].playings[1].clip;
    let scans: Vec<usize> = of_clip(clip)
        .flat_map(|playing| {
            let first = ((playing.onset_secs + 4.5) / 1.5).round() as usize;
            [first, first + 1].map(|scan| data.starts[run] + scan)
        })
        .collect();
    assert_eq!(scans.len(), 4);
    let mean = scans.iter().map(|&scan| data.responses[(scan, 5)]).sum::<f32>() / 4.0;
    let row = rows.clip.iter().position(|&other| other == clip).expect("a row");
    assert!((rows.responses[(row, 5)] - mean).abs() < 1e-5);
}

#[test]
fn damaged_events_and_tracks_on_both_sides_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |task: &str, text: &str| {
        let name = format!("sub-001/func/sub-001_task-{task}_run-01_events.tsv");
        fs::write_bytes(folder.path().join(name), text.as_bytes()).expect("written");
    };
    let head = "onset\tduration\tgenre\ttrack\tstart\tend\n";
    let read = || Schedule::read(folder.path(), "001").expect_err("damaged").to_string();
    write("Training", &format!("{head}0\t15\t'pop'\t3\t1\t16\n15\t15\t'../x'\t3\t1\t16\n"));
    assert!(read().contains("row 2 names no part of a track"), "{}", read());
    write("Training", &format!("{head}15\t15\t'pop'\t3\t1\t16\n0\t15\t'pop'\t4\t1\t16\n"));
    assert!(read().contains("row 2 begins before"), "{}", read());
    write("Training", &format!("{head}0\t15\t'pop'\t3\t1\t16\n15\t15\t'pop'\t4\t1\t16\n"));
    write("Test", &format!("{head}0\t15\t'pop'\t5\t1\t16\n15\t15\t'pop'\t4\t1\t16\n"));
    assert!(read().contains("`pop.00004` was played both for training and for the test"), "{}", read());
}

/// A corpus of `n` tunes and a file that is none.
fn corpus(folder: &Path, n: u64) {
    for number in 0..n {
        let sound = Tune::random(Seed::new(11).at(number)).play(5.0);
        let one = Array2::from_shape_vec((1, sound.len()), sound).expect("one channel");
        let path = folder.join(format!("album{}/tune.{number:05}.wav", number % 3));
        write_wav(path, one.view(), RATE_HZ, SampleFormat::Int16).expect("written");
    }
    fs::write_bytes(folder.join("album0/cut.wav"), b"RIFF\x10\0\0\0WAVE").expect("written");
}

#[test]
fn an_index_goes_on_where_it_was_killed_and_finds_what_is_nearest() {
    let (music, whole, cut) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    corpus(music.path(), 70);
    let pack = PackFiles::Embedded(percept_pocket_music::FILES);
    let make = |out: &Path| index::make(music.path(), out, &pack, 4.08, &Silent);
    let found = make(whole.path()).expect("an index");
    assert_eq!(found.len(), 70);
    let read = |folder: &Path, name: &str| fs::read_to_limit(folder.join(name), 1 << 20).expect("there");
    assert_eq!(read(whole.path(), "left_out.txt"), b"album0/cut.wav\n");

    // A run that was killed behind its first block: what is there is kept as it is.
    make(cut.path()).expect("an index");
    for name in ["index.json", "vectors.npy", "names.txt"] {
        fs::remove_file(cut.path().join(name)).expect("there");
    }
    let vectors: Array2<f32> = npy::open(whole.path().join("vectors.npy"))
        .expect("there")
        .read()
        .expect("numbers")
        .into_dimensionality()
        .expect("a matrix");
    let names = String::from_utf8(read(whole.path(), "names.txt")).expect("words");
    // The first block holds 64 files, of which one was left out.
    let mut first = Array2::<f32>::from_elem((64, vectors.ncols()), f32::NAN);
    first.slice_mut(ndarray::s![1.., ..]).assign(&vectors.slice(ndarray::s![..63, ..]));
    first[(1, 0)] += 1.0;
    npy::write(cut.path().join("blocks/000000.npy"), first.view().into_dyn()).expect("written");
    assert!(index::Index::open(cut.path()).expect_err("not finished").to_string().contains("no finished index"));
    let resumed = make(cut.path()).expect("finished").vectors().expect("vectors");
    assert_eq!(resumed.slice(ndarray::s![1.., ..]), vectors.slice(ndarray::s![1.., ..]));
    assert!((resumed[(0, 0)] - vectors[(0, 0)] - 1.0).abs() < 1e-6, "the block that was there is used");
    assert_eq!(read(cut.path(), "names.txt"), names.as_bytes());

    let other = tempfile::tempdir().expect("a folder");
    corpus(other.path(), 2);
    let error = index::make(other.path(), whole.path(), &pack, 4.08, &Silent).expect_err("another corpus").to_string();
    assert!(error.contains("another corpus"), "{error}");

    let query = music.path().join("album1/tune.00004.wav");
    let nearest = found.search(&query, &pack, 3, false).expect("found");
    assert_eq!(nearest[0].0, "album1/tune.00004.wav");
    assert!((nearest[0].1 - 1.0).abs() < 1e-4, "{nearest:?}");
    let others = found.search(&query, &pack, 2, true).expect("found");
    assert_eq!(others[..], nearest[1..]);
    assert!(found.search(&music.path().join("album0/cut.wav"), &pack, 1, false).is_err());
}

#[test]
fn a_run_of_music_ends_in_scores_sounds_and_the_table_and_resumes() {
    let text = "[data]\nkind = \"listener\"\ntraining = 40\ntest = 10\nper_training_run = 20\nper_test_run = 5\nrepeats = 2\n\
                clip_secs = 6\ntrack_secs = 6\nceiling = 0.8\ndetrend_secs = 120\n[targets.clap]\nwindow_secs = 4.08\n\
                [targets.words]\nspace = \"clap.text\"\nwindow_secs = 6\n[music]\nsteps = 2\nseconds = 2\n";
    let experiment = MusicExperiment::parse(text, Path::new("heard.toml"), &[]).expect("an experiment");
    let out = tempfile::tempdir().expect("a folder");
    let stopped = RunOptions { stop_after: Some(3), memory: None };
    music::run(&experiment, out.path(), stopped, &Silent).expect_err("stopped");
    let outcome = music::run(&experiment, out.path(), RunOptions::default(), &Silent).expect("an outcome");
    let row = |method: &str, split: &str, metric: &str| {
        let is_it = |row: &&percept_core::ScoreRow| row.method == method && row.split == split && row.metric == metric;
        outcome.scores.iter().find(is_it).unwrap_or_else(|| panic!("{method} {split} {metric}"))
    };
    for metric in ["identification", "correlation", "ten_way"] {
        for split in ["training, held out", "test"] {
            let row = row("clap", split, metric);
            assert!(row.low <= row.value && row.value <= row.high, "{row:?}");
        }
    }
    assert!(row("clap", "test", "identification").value > 0.6, "{:?}", row("clap", "test", "identification"));
    assert_eq!(row("clap", "genres left out", "identification").n, 10);
    for arm in
        ["retrieval", "retrieval.true", "retrieval.shuffled", "retrieval.mean", "music", "music.true", "music.mean"]
    {
        assert_eq!(row(arm, "test", "clap_similarity").n, 10);
        assert!(row(arm, "test", "tag_instrument").chance.is_some_and(|chance| (chance - 0.125).abs() < 1e-9));
    }
    // The nearest piece to the true vector is nearer than that to any other.
    let nearest = row("retrieval.true", "test", "clap_similarity").value;
    assert!(nearest >= row("retrieval.shuffled", "test", "clap_similarity").value, "{nearest}");
    let table = music::table(out.path()).expect("a table");
    assert_eq!(table.iter().filter(|row| row.is_published).count(), 4);
    assert_eq!(table.iter().filter(|row| !row.is_published && row.identification.is_some()).count(), 4);
    let sounds = fs::files_below(out.path().join("sounds/music")).expect("sounds");
    assert_eq!(sounds.len(), 10);
    let again = music::run(&experiment, out.path(), RunOptions::default(), &Silent).expect("an outcome");
    assert_eq!(again, outcome);
}
