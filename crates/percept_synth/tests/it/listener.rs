//! A listener on the disk, and what its regions follow.

use std::collections::BTreeMap;
use std::path::Path;

use percept_core::{Seed, Silent};
use percept_io::{fs, nifti, sound, table};
use percept_stats::correlation::pearson;
use percept_synth::listener::{Auditory, Listener, ListenerParams, Session};

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

fn hashes(root: &Path) -> BTreeMap<String, String> {
    let of = |path: std::path::PathBuf| {
        let hash = fs::content_hash(&path).expect("readable");
        (path.strip_prefix(root).expect("below").to_string_lossy().into_owned(), hash)
    };
    fs::files_below(root).expect("a tree").into_iter().map(of).collect()
}

#[test]
fn a_listener_is_written_in_the_layout_of_ds003720_and_finished_when_it_was_killed() {
    let listener = Listener::new(params(), Seed::new(2)).expect("fits");
    let (whole, cut) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    listener.write(whole.path(), &Silent).expect("written");
    listener.write(cut.path(), &Silent).expect("written");
    for gone in ["sub-001/func/sub-001_task-Test_run-02_bold.nii.gz", "tags.csv"] {
        fs::remove_file(cut.path().join(gone)).expect("there");
    }
    listener.write(cut.path(), &Silent).expect("finished");
    assert_eq!(hashes(whole.path()), hashes(cut.path()));
    let other = Listener::new(params(), Seed::new(3)).expect("fits");
    let error = other.write(whole.path(), &Silent).expect_err("another listener").to_string();
    assert!(error.contains("sub-001.json") && error.contains("another phantom"), "{error}");

    let func = whole.path().join("sub-001/func");
    let events = table::open(func.join("sub-001_task-Training_run-02_events.tsv")).expect("events");
    assert_eq!(events.columns(), ["onset", "duration", "genre", "track", "start", "end"]);
    assert_eq!(events.n_rows(), 21);
    let genre = events.texts("genre").expect("genres")[1];
    assert!(genre.starts_with('\'') && genre.ends_with('\''), "{genre}");
    let name = format!("{}.{:05}", genre.trim_matches('\''), events.integers("track").expect("numbers")[1]);
    let track = sound::read(whole.path().join(format!("genres/{}/{name}.wav", genre.trim_matches('\''))), 60.0);
    assert_eq!(track.expect("a track").values.ncols(), 6 * 16_000 + 8_000);
    let bold = nifti::open(func.join("sub-001_task-Training_run-02_bold.nii.gz")).expect("images");
    assert_eq!((bold.header().n_frames, bold.header().tr_secs), (21 * 4, Some(1.5)));
    let names = table::open(whole.path().join("derivatives/atlas/sub-001/sub-001_atlas.tsv")).expect("names");
    assert_eq!(names.n_rows(), 150);
}

#[test]
fn runs_begin_with_a_dummy_and_no_excerpt_is_on_both_sides() {
    let listener = Listener::new(params(), Seed::new(2)).expect("fits");
    let of = |session: Session| listener.runs().iter().filter(move |run| run.session == session).collect::<Vec<_>>();
    let (training, test) = (of(Session::Training), of(Session::Test));
    assert_eq!((training.len(), test.len()), (2, 2));
    for (number, run) in training.iter().enumerate() {
        let before = training[(number + training.len() - 1) % training.len()];
        assert_eq!(run.excerpts.first(), before.excerpts.last());
    }
    for run in &test {
        assert_eq!((run.excerpts.first(), run.excerpts.len()), (run.excerpts.last(), 11));
        assert_eq!(run.excerpts[1..6], run.excerpts[6..11]);
    }
    let tracks = |runs: &[&percept_synth::listener::Run]| -> std::collections::BTreeSet<usize> {
        runs.iter().flat_map(|run| run.excerpts.iter().map(|excerpt| excerpt.track)).collect()
    };
    assert!(tracks(&training).is_disjoint(&tracks(&test)));
    assert_eq!((tracks(&training).len(), tracks(&test).len()), (40, 10));
}

#[test]
fn voxels_of_heschls_gyrus_answer_alike_to_their_neighbours_and_less_to_those_far_away() {
    // Tuned from low to high along the region: neighbours follow overlapping bands.
    let clean = ListenerParams { median_ceiling: 0.85, drift: 0.0, ..params() };
    let listener = Listener::new(clean, Seed::new(2)).expect("fits");
    let bold = listener.bold(0);
    let mut of: Vec<(usize, usize)> = listener
        .voxels()
        .iter()
        .enumerate()
        .filter(|(_, voxel)| voxel.planted.region == Some(Auditory::Heschl as usize) && voxel.planted.index[0] < 7)
        .map(|(number, voxel)| (voxel.planted.index[1], number))
        .collect();
    of.sort_unstable();
    assert!(of.len() >= 6, "{}", of.len());
    let r = |a: usize, b: usize| pearson(bold.column(of[a].1), bold.column(of[b].1)).expect("varies");
    let last = of.len() - 1;
    let near = (0..last).map(|a| r(a, a + 1)).sum::<f64>() / last as f64;
    let far = (r(0, last) + r(1, last) + r(0, last - 1)) / 3.0;
    assert!(near > far + 0.1, "{near} {far}");
    let silent = listener.voxels().iter().filter(|voxel| voxel.planted.region.is_none()).count();
    assert!(silent > listener.voxels().len() / 2, "most of cortex hears nothing: {silent}");
}

#[test]
fn designs_that_cannot_be_are_named() {
    for (wrong, said) in [
        (ListenerParams { n_training: 45, ..params() }, "`n_training`"),
        (ListenerParams { clip_secs: 6.4, ..params() }, "`clip_secs`"),
        (ListenerParams { track_secs: 3.0, ..params() }, "`track_secs`"),
        (ListenerParams { n_repeats: 0, ..params() }, "`n_repeats`"),
    ] {
        let error = Listener::new(wrong, Seed::new(1)).err().expect(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}
