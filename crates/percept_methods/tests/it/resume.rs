//! A run that is killed anywhere, damaged, or spread over another number of threads ends in the same bytes.

use std::collections::BTreeMap;
use std::path::Path;

use percept_methods::{Experiment, PipelineError};

use crate::study;

/// Every file below `folder` by its relative path.
fn bytes_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).expect("list") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
                found.insert(name, std::fs::read(&path).expect("read"));
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right));
    for (name, bytes) in left {
        assert!(right[name] == *bytes, "`{name}` differs");
    }
}

struct Reference {
    data: tempfile::TempDir,
    experiment: Experiment,
    whole: BTreeMap<String, Vec<u8>>,
}

fn reference() -> Reference {
    let data = tempfile::tempdir().expect("temporary folder");
    study::write(data.path());
    let experiment = study::experiment(data.path(), &[]);
    let out = tempfile::tempdir().expect("temporary folder");
    study::run(&experiment, out.path(), None).expect("whole run");
    let whole = bytes_below(out.path());
    Reference { data, experiment, whole }
}

#[test]
fn a_run_stopped_after_every_stage_in_turn_ends_in_the_same_bytes() {
    let reference = reference();
    let out = tempfile::tempdir().expect("temporary folder");
    let mut n_stops = 0;
    while let Err(error) = study::run(&reference.experiment, out.path(), Some(1)) {
        assert!(matches!(error, PipelineError::Stopped { made: 1 }), "{error}");
        n_stops += 1;
        assert!(n_stops < 200, "the run does not advance");
    }
    assert!(n_stops > 20, "only {n_stops} stages");
    same(&reference.whole, &bytes_below(out.path()));
}

#[test]
fn missing_and_damaged_artefacts_are_made_again() {
    let reference = reference();
    for (every, damage) in [(3, false), (4, true)] {
        let out = tempfile::tempdir().expect("temporary folder");
        study::run(&reference.experiment, out.path(), None).expect("first run");
        for name in bytes_below(out.path()).keys().step_by(every) {
            let path = out.path().join(name);
            if damage {
                let mut bytes = std::fs::read(&path).expect("read");
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x5a;
                std::fs::write(&path, bytes).expect("write");
            } else {
                std::fs::remove_file(path).expect("remove");
            }
        }
        study::run(&reference.experiment, out.path(), None).expect("second run");
        same(&reference.whole, &bytes_below(out.path()));
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let reference = reference();
    for n_threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads");
        let out = tempfile::tempdir().expect("temporary folder");
        pool.install(|| study::run(&reference.experiment, out.path(), None)).expect("run");
        same(&reference.whole, &bytes_below(out.path()));
    }
}

#[test]
fn another_setting_makes_only_what_depends_on_it() {
    let reference = reference();
    let out = tempfile::tempdir().expect("temporary folder");
    study::run(&reference.experiment, out.path(), None).expect("first run");
    let other = study::experiment(reference.data.path(), &["generate.guidance=2.5"]);
    // Only generated pictures and what follows from them depend on guidance: nothing up to the decoders is made again.
    let before = bytes_below(out.path());
    let error = study::run(&other, out.path(), Some(0)).expect_err("pictures must be made again");
    assert!(matches!(error, PipelineError::Stopped { made: 0 }));
    let after = bytes_below(out.path());
    for (name, bytes) in &before {
        if name.starts_with("features/") || name.starts_with("decoders/") || name.starts_with("images/z/") {
            assert!(after[name] == *bytes, "`{name}` changed");
        }
    }
    let changed = study::run(&other, out.path(), None).expect("second run");
    assert_eq!(changed.experiment, other.resolved());
}

#[test]
fn the_memory_that_is_granted_does_not_matter() {
    use ndarray::{Array2, Array4};
    use percept_core::Seed;
    use percept_models::{DiffusionPack, Generation, weights::PackFiles};
    let pack = DiffusionPack::load(&PackFiles::Embedded(percept_pocket::FILES)).expect("the built-in pack");
    let little = pack.within(pack.bytes_per_picture()).expect("one picture");
    assert!(pack.within(pack.bytes_per_picture() - 1).is_err());
    let n = 11;
    let side = pack.image_size();
    let pictures =
        Array4::from_shape_fn((n, side, side, 3), |(i, y, x, c)| ((i + 3 * y + 5 * x + c) % 17) as f32 / 16.0);
    let latents = pack.encode(pictures.view()).expect("latents");
    assert!(latents == little.encode(pictures.view()).expect("latents"), "encoding");
    assert!(pack.decode(latents.view()).expect("pictures") == little.decode(latents.view()).expect("pictures"));
    let captions: Vec<String> = (0..n).map(|i| format!("a drawing of {i} red balls")).collect();
    let contexts: Array2<f32> = pack.embed_text(&captions).expect("contexts");
    assert!(contexts == little.embed_text(&captions).expect("contexts"), "captions");
    let ids: Vec<u64> = (0..n as u64).collect();
    let request = Generation {
        context: contexts.view(),
        init: None,
        strength: 1.0,
        steps: 3,
        guidance: 3.0,
        seed: Seed::new(1),
        image_ids: &ids,
        sample: 0,
    };
    let made = pack.generate_latents(&request).expect("latents");
    assert!(made == little.generate_latents(&request).expect("latents"), "denoising");
}
