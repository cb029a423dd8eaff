//! An NSD tree, made by a phantom: a whole run, and what is said when the tree is damaged.

use std::path::Path;
use std::sync::Arc;

use ndarray::Array4;
use percept_core::Outcome;
use percept_core::{Seed, Silent};
use percept_methods::Registry;
use percept_methods::reconstruct::reconstruct;
use percept_methods::{Experiment, PipelineError, RunFolder, experiment};
use percept_pipeline::data;
use percept_synth::phantom::{BetaFormat, Phantom, PhantomParams};

use crate::double::Double;

fn params() -> PhantomParams {
    PhantomParams {
        shape: [16, 18, 12],
        n_nsdgeneral: 800,
        n_sessions: 3,
        trials_per_session: 90,
        n_shared: 12,
        n_unseen: 3,
        betas: BetaFormat::Hdf5,
        ..PhantomParams::default()
    }
}

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("temporary folder");
    Phantom::new(params(), Seed::new(4)).expect("valid").write(folder.path(), &Silent).expect("written");
    folder
}

fn experiment(root: &Path, overrides: &[&str]) -> Experiment {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    let text = "[data]\nkind = \"nsd\"\nroot = \".\"\n[evaluate]\ndraws = 200";
    experiment::parse(text, &root.join("e.toml"), &overrides).expect("valid")
}

fn refusal(root: &Path, overrides: &[&str]) -> PipelineError {
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    match data::open(&experiment(root, overrides), &run, &Silent) {
        Ok(_) => panic!("must be refused"),
        Err(error) => error,
    }
}

fn run(experiment: &Experiment, out: &Path) -> Outcome {
    let run = RunFolder::open(out, None).expect("open");
    let dataset = data::open(experiment, &run, &Silent).expect("open");
    reconstruct(experiment, &Registry::default(), &dataset, Arc::new(Double), &run, &Silent).expect("run")
}

#[test]
fn a_phantom_is_written_read_and_reconstructed() {
    let text = "[data]\nkind = \"phantom\"\nshape = [16, 18, 12]\nvoxels = 800\nsessions = 3\ntrials_per_session = 90\n\
                test_images = 12\nseed = 4\n[evaluate]\ndraws = 200";
    let phantom = experiment::parse(text, Path::new("/anywhere/e.toml"), &[]).expect("valid");
    let out = tempfile::tempdir().expect("temporary folder");
    let outcome = run(&phantom, out.path());
    assert_eq!(outcome.data.subject, "phantom subj01");
    assert_eq!((outcome.data.n_test_stimuli, outcome.data.n_test_samples), (12, 36));
    assert_eq!((outcome.data.n_train_stimuli, outcome.data.n_train_samples), (78, 234));
    for region in &outcome.data.regions {
        let (ncsnr, ceiling) = (region.ncsnr_median.expect("repeats"), region.ceiling_median.expect("repeats"));
        assert!(region.n_units > 50 && ncsnr > 0.1 && ncsnr < 1.0 && ceiling > 0.03 && ceiling < 0.8, "{region:?}");
    }
    assert!(outcome.items.iter().all(|item| !item.caption.is_empty() && item.id.starts_with("nsd")));
    let arms: Vec<&str> = outcome.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(arms, ["z", "c", "z+c", "shuffled", "mean", "true"]);

    // The same tree read as NSD gives the same numbers: nothing about the phantom is known beyond its files.
    let overrides = ["data.root=phantom"];
    let again = tempfile::tempdir().expect("temporary folder");
    assert_eq!(run(&experiment(out.path(), &overrides), again.path()).scores, outcome.scores);
}

#[test]
fn a_missing_session_is_named() {
    let tree = tree();
    let folder = tree.path().join("nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR");
    std::fs::remove_file(folder.join("betas_session02.hdf5")).expect("remove");
    for overrides in [&[][..], &["data.sessions=[1, 2]"]] {
        let message = refusal(tree.path(), overrides).to_string();
        assert!(message.contains('2') && message.contains("session"), "{message}");
    }
    // Naming the sessions that are here goes on without it.
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    let dataset = data::open(&experiment(tree.path(), &["data.sessions=[1, 3]"]), &run, &Silent).expect("two sessions");
    assert_eq!(dataset.responses.n_samples(), 180);
}

#[test]
fn a_region_of_another_shape_is_refused_with_both_shapes() {
    let tree = tree();
    let path = tree.path().join("nsddata/ppdata/subj01/func1pt8mm/roi/streams.nii.gz");
    let volume = Array4::<i16>::ones((5, 6, 7, 1));
    percept_io::nifti::write(&path, volume.view(), &percept_io::nifti::Spec::default()).expect("write");
    let overrides = ["data.early=streams.1", "data.ventral=streams.1"];
    let message = refusal(tree.path(), &overrides).to_string();
    assert!(message.contains("[5, 6, 7]") && message.contains("16"), "{message}");
}

#[test]
fn an_unknown_region_lists_those_there_are_and_an_empty_one_is_refused() {
    let tree = tree();
    let message = refusal(tree.path(), &["data.early=streams.erly"]).to_string();
    assert!(message.contains("erly") && message.contains("early"), "{message}");
    let message = refusal(tree.path(), &["data.early=stream.early"]).to_string();
    assert!(message.contains("`stream`") && message.contains("`streams`"), "{message}");
    let message = refusal(tree.path(), &["data.early=streams.early & streams.ventral"]).to_string();
    assert!(message.contains("at least one voxel"), "{message}");
    let message = refusal(tree.path(), &["data.betas=betas_fithrf_GLM"]).to_string();
    assert!(message.contains("betas_fithrf_GLMdenoise_RR"), "{message}");
}

#[test]
fn the_four_groups_are_a_partition_of_nsdgeneral() {
    let tree = tree();
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    let overrides = ["methods=[\"c\", \"b2c\"]", "decoder=trained"];
    let dataset = data::open(&experiment(tree.path(), &overrides), &run, &Silent).expect("open");
    let names: Vec<&str> = dataset.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["V1", "V2-4", "higher visual", "other"]);
    assert!(dataset.groups.iter().all(|group| group.units.len() > 20 && group.units.is_sorted()));
    let mut units: Vec<usize> = dataset.groups.iter().flat_map(|group| group.units.iter().copied()).collect();
    units.sort_unstable();
    units.dedup();
    let n_general = percept_io::nsd::NsdTree::open(tree.path())
        .and_then(|tree| tree.subject(1)?.mask("nsdgeneral"))
        .expect("the mask")
        .n_voxels();
    assert_eq!(units.len(), n_general, "every voxel belongs to one group");
    assert_eq!(dataset.groups.iter().map(|group| group.units.len()).sum::<usize>(), n_general);
    // The groups reach further than the two regions; these are what they were.
    let plain = data::open(&experiment(tree.path(), &[]), &run, &Silent).expect("open");
    assert!(plain.groups.is_empty() && plain.responses.n_units() < dataset.responses.n_units());
    for (before, after) in plain.regions.iter().zip(&dataset.regions) {
        let left = plain.responses.select_units(&before.units);
        let right = dataset.responses.select_units(&after.units);
        assert!(left == right, "{:?}", before.region);
    }

    let own = [&overrides[..], &["data.groups.early=streams.early", "data.groups.V1=prf-visualrois.V1"]].concat();
    let message = refusal(tree.path(), &own).to_string();
    assert!(message.starts_with("the groups `early` and `V1` share"), "{message}");
}

#[test]
fn the_units_of_a_region_are_its_own_voxels() {
    let tree = tree();
    let out = tempfile::tempdir().expect("temporary folder");
    let run = RunFolder::open(out.path(), None).expect("open");
    let dataset = data::open(&experiment(tree.path(), &[]), &run, &Silent).expect("open");
    let nsd = percept_io::nsd::NsdTree::open(tree.path()).expect("a tree");
    let (subject, design) = (nsd.subject(1).expect("the subject"), nsd.design().expect("the design"));
    let betas = subject.betas("betas_fithrf_GLMdenoise_RR".parse().expect("a known form")).expect("the betas");
    for region in &dataset.regions {
        let mask = subject.mask(&region.selector).expect("the mask");
        let alone = betas.read(&mask, &[], &design).expect("its betas");
        let ours = dataset.responses.select_units(&region.units);
        assert!(ours.data == alone.responses.data, "{:?} reads voxels of another region", region.region);
    }
}
