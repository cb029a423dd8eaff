//! The tree on the disk: what NSD's readers expect, the same bytes after interruption and on any number of threads, and the
//! signal-to-noise ratio measured anew from the files.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array2, Array3, Array4, Ix2, Ix4};
use percept_core::{Seed, Silent};
use percept_io::nsd::NsdTree;
use percept_io::nsd::doctor::{self, Depth, Recipe};
use percept_io::{fs, hdf5, mat, nifti, table};
use percept_synth::phantom::{BETA_TYPE, BetaFormat, Error, Phantom, PhantomParams};

fn small() -> PhantomParams {
    PhantomParams {
        shape: [16, 18, 12],
        n_nsdgeneral: 800,
        n_sessions: 2,
        trials_per_session: 90,
        n_shared: 10,
        n_unseen: 3,
        betas: BetaFormat::Both,
        ..PhantomParams::default()
    }
}

fn beta_dir(root: &Path) -> std::path::PathBuf {
    root.join("nsddata_betas/ppdata/subj01/func1pt8mm").join(BETA_TYPE)
}

/// Content hash of every file below `dir`, by path.
fn hashes(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(folder) = open.pop() {
        for path in fs::list(&folder).expect("the folder can be listed") {
            if fs::is_dir(&path) {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("it lies below").display().to_string();
                found.insert(name, fs::content_hash(&path).expect("the file can be read"));
            }
        }
    }
    found
}

fn written(params: PhantomParams, seed: u64) -> (Phantom, tempfile::TempDir) {
    let phantom = Phantom::new(params, Seed::new(seed)).expect("the parameters are valid");
    let dir = tempfile::tempdir().expect("a temporary directory");
    phantom.write(dir.path(), &Silent).expect("the tree is written");
    (phantom, dir)
}

#[test]
fn both_kinds_of_betas_hold_what_was_simulated() {
    let (phantom, dir) = written(small(), 1);
    let [nx, ny, nz] = phantom.params().shape;
    for session in 0..2 {
        let path = beta_dir(dir.path()).join(format!("betas_session{:02}", session + 1));
        let file = hdf5::open(path.with_extension("hdf5")).expect("HDF5 opens");
        let dataset = file.dataset("betas").expect("it is named as in NSD");
        assert_eq!(dataset.shape(), [90, nz, ny, nx]);
        assert_eq!(dataset.chunk_shape(), Some(vec![90, 1, 1, 1]));
        let hdf5: Array4<i16> = dataset.read().expect("it is read").into_dimensionality::<Ix4>().expect("four axes");
        let nifti = nifti::open(path.with_extension("nii.gz")).expect("NIfTI opens");
        let nifti: Array4<i16> = nifti.read().expect("it is read");
        assert_eq!(nifti.reversed_axes(), hdf5);

        let betas = phantom.betas(session);
        let mut n_zero = 0;
        for (position, &offset) in phantom.cortex().brain.iter().enumerate() {
            let (x, y, z) = (offset % nx, offset / nx % ny, offset / nx / ny);
            let column = hdf5.slice(ndarray::s![.., z, y, x]);
            assert_eq!(column, betas.column(position));
            n_zero += usize::from(column.iter().all(|&value| value == 0));
        }
        assert!(n_zero < 8, "only single voxels are missing from a session");
        assert!(hdf5.iter().any(|&value| value == i16::MAX), "voxels on vessels saturate");
        assert_eq!(hdf5[[0, 0, 0, 0]], 0, "outside of the brain there is nothing");
    }
}

#[test]
fn regions_hold_minus_one_zero_and_labels() {
    let (phantom, dir) = written(small(), 1);
    let roi = dir.path().join("nsddata/ppdata/subj01/func1pt8mm/roi");
    for (name, n_labels) in [("nsdgeneral", 1), ("streams", 7), ("prf-visualrois", 7)] {
        let read = |prefix: &str| -> Array3<i16> {
            let nifti = nifti::open(roi.join(format!("{prefix}{name}.nii.gz"))).expect("the volume opens");
            assert!((nifti.header().affine[0][0] - 1.8).abs() < 1e-5);
            nifti.read_volume().expect("one volume")
        };
        let [both, left, right] = ["", "lh.", "rh."].map(read);
        for label in -1..=n_labels {
            assert!(both.iter().any(|&value| value == label), "{name} has no {label}");
        }
        assert!(both.iter().all(|value| (-1..=n_labels).contains(value)));
        for ((index, &value), (&left, &right)) in both.indexed_iter().zip(left.iter().zip(&right)) {
            assert_eq!(value, left.max(right), "hemispheres and the whole agree at {index:?}");
            assert!(left == -1 || right == -1);
        }
        let n_cortex = both.iter().filter(|&&value| value >= 0).count();
        assert_eq!(n_cortex, phantom.cortex().voxels.len());
    }
    let names = fs::read_text(dir.path().join("nsddata/freesurfer/fsaverage/label/streams.mgz.ctab"), 1 << 16);
    assert!(names.expect("label names").contains("5 ventral\n"));
}

#[test]
fn design_table_and_behaviour_tell_the_same_story() {
    let (phantom, dir) = written(small(), 1);
    let folder = dir.path().join("nsddata/experiments/nsd");
    let design = mat::open(folder.join("nsd_expdesign.mat")).expect("the design opens");
    let read = |name: &str| -> Array2<u32> {
        design.array(name).expect("the variable is there").into_dimensionality::<Ix2>().expect("a matrix")
    };
    let (order, subjects, shared) = (read("masterordering"), read("subjectim"), read("sharedix"));
    assert_eq!((order.dim(), subjects.dim(), shared.dim()), ((1, 180), (8, 60), (1, 10)));
    assert_eq!(design.array::<u8>("stimpattern").expect("the pattern").sum_axis(ndarray::Axis(2))[[0, 0]], 8);
    assert_eq!(read("basiccnt")[[2, 1]], 60, "at the end every image was shown three times");

    let stimuli = table::open(folder.join("nsd_stim_info_merged.csv")).expect("the stimulus table opens");
    let identifiers = stimuli.integers("nsdId").expect("numbers");
    let is_shared = stimuli.booleans("shared1000").expect("truth values");
    assert_eq!(stimuli.texts("cropBox").expect("texts")[0], "(0, 0, 0, 0)");
    let of_table: Vec<u32> =
        identifiers.iter().zip(is_shared).filter(|(_, shared)| *shared).map(|(&id, _)| id as u32 + 1).collect();
    assert_eq!(of_table, shared.iter().copied().collect::<Vec<_>>());
    for subject in [1, 4] {
        for repeat in 0..3 {
            let trials = stimuli.integers(&format!("subject{subject}_rep{repeat}")).expect("trial numbers");
            for (&id, &trial) in identifiers.iter().zip(&trials) {
                if trial > 0 {
                    let image = order[[0, trial as usize - 1]] as usize;
                    assert_eq!(i64::from(subjects[[subject - 1, image - 1]]), id + 1);
                }
            }
            assert_eq!(trials.iter().filter(|&&trial| trial > 0).count(), 60);
        }
    }

    let behaviour = table::open(dir.path().join("nsddata/ppdata/subj01/behav/responses.tsv")).expect("it opens");
    assert_eq!((behaviour.columns().len(), behaviour.n_rows()), (19, 180));
    for (trial, (&id, &image)) in
        behaviour.integers("73KID").expect("ids").iter().zip(&behaviour.integers("10KID").expect("ids")).enumerate()
    {
        assert_eq!(image, i64::from(order[[0, trial]]));
        assert_eq!(id, i64::from(subjects[[0, image as usize - 1]]));
    }
    assert!(behaviour.optional_integers("MEMORYFIRST").expect("numbers").contains(&None));

    let file = hdf5::open(dir.path().join("nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5")).expect("stimuli open");
    let brick: Array4<u8> = file
        .dataset("imgBrick")
        .expect("named so")
        .read()
        .expect("read")
        .into_dimensionality::<Ix4>()
        .expect("four axes");
    assert_eq!(brick.dim(), (63, 64, 64, 3));
    assert_eq!(brick.index_axis(ndarray::Axis(0), 17), phantom.picture(17));

    let annotations = dir.path().join("nsddata_stimuli/stimuli/nsd/annotations");
    let captions: Vec<serde_json::Value> = ["train2017", "val2017"]
        .iter()
        .map(|split| fs::read_text(annotations.join(format!("captions_{split}.json")), 1 << 24).expect("captions"))
        .map(|text| serde_json::from_str(&text).expect("JSON"))
        .collect();
    let coco = stimuli.integers("cocoId").expect("ids");
    let splits = stimuli.texts("cocoSplit").expect("texts");
    for (stimulus, (&id, split)) in coco.iter().zip(splits).enumerate() {
        let file = &captions[usize::from(split == "val2017")];
        let annotations = file["annotations"].as_array().expect("a list");
        let of_image = annotations.iter().filter(|entry| entry["image_id"] == id);
        let texts: Vec<&str> = of_image.filter_map(|entry| entry["caption"].as_str()).collect();
        assert_eq!(texts, phantom.captions(stimulus));
    }
}

#[test]
fn the_check_of_nsd_trees_finds_the_phantom_whole() {
    let (_, dir) = written(small(), 1);
    let tree = NsdTree::open(dir.path()).expect("the tree is recognised");
    for name in ["takagi2023", "mindeye"] {
        let recipe = Recipe::named(name).expect("it is built in").for_subjects(&[1]);
        let report = doctor::examine(&tree, &recipe, Depth::Values, &Silent);
        assert!(report.is_usable, "{name}: {report:#?}");
    }
}

#[test]
fn an_interrupted_run_ends_in_the_same_bytes() {
    let (phantom, dir) = written(small(), 5);
    let whole = hashes(dir.path());
    assert!(whole.len() > 25, "{} files", whole.len());
    // What a killed run leaves: some files are missing, in every part of the tree.
    for (number, name) in whole.keys().enumerate() {
        if number % 3 == 0 || name.contains("ncsnr") || name.contains("session02.hdf5") {
            fs::remove_file(dir.path().join(name)).expect("it can be removed");
        }
    }
    phantom.write(dir.path(), &Silent).expect("the tree is completed");
    assert_eq!(hashes(dir.path()), whole);

    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    let again = tempfile::tempdir().expect("a temporary directory");
    alone.install(|| {
        let phantom = Phantom::new(small(), Seed::new(5)).expect("the parameters are valid");
        phantom.write(again.path(), &Silent).expect("the tree is written");
    });
    assert_eq!(hashes(again.path()), whole);

    let other = Phantom::new(small(), Seed::new(6)).expect("the parameters are valid");
    assert!(matches!(other.write(dir.path(), &Silent), Err(Error::OtherPhantom { .. })));
    let second = Phantom::new(PhantomParams { subject: 2, ..small() }, Seed::new(5)).expect("valid");
    second.write(dir.path(), &Silent).expect("a second subject of the same world joins the tree");
    let both = hashes(dir.path());
    assert!(whole.iter().all(|(name, hash)| both.get(name) == Some(hash)), "what the subjects share stays as it was");
    assert!(both.len() > whole.len() + 10);
}

/// The measured ratio must be that of real data: a median of 0.40 to 0.50 over `nsdgeneral`.
#[test]
fn the_measured_signal_to_noise_ratio_is_that_of_nsd() {
    let params = PhantomParams { n_sessions: 3, ..PhantomParams::default() };
    let (phantom, dir) = written(params, 2);
    let roi: Array3<i16> = nifti::open(dir.path().join("nsddata/ppdata/subj01/func1pt8mm/roi/nsdgeneral.nii.gz"))
        .and_then(|nifti| nifti.read_volume())
        .expect("the region is read");
    let design = mat::open(dir.path().join("nsddata/experiments/nsd/nsd_expdesign.mat")).expect("the design opens");
    let order: Vec<usize> =
        design.array::<u32>("masterordering").expect("the order").iter().map(|&image| image as usize - 1).collect();
    // Columns of (t, z, y, x) where `nsdgeneral` is 1; the region volume is (x, y, z).
    let turned = roi.reversed_axes();
    let columns: Vec<usize> = turned.iter().enumerate().filter(|(_, label)| **label == 1).map(|(at, _)| at).collect();
    assert!(columns.len().abs_diff(3_300) < 5, "{}", columns.len());
    let sessions: Vec<Array2<f32>> = (1..=3)
        .map(|session| {
            let file = hdf5::open(beta_dir(dir.path()).join(format!("betas_session{session:02}.hdf5"))).expect("opens");
            file.dataset("betas").expect("named so").read_columns(&columns).expect("the columns are read")
        })
        .collect();

    let n_images = order.len() / 3;
    let mut ratios: Vec<f64> = (0..columns.len())
        .map(|voxel| {
            let mut values = Vec::with_capacity(order.len());
            for session in &sessions {
                let column = session.column(voxel);
                let mean = column.mean().expect("trials");
                let deviation = column.std(1.0);
                values.extend(column.iter().map(|value| f64::from((value - mean) / deviation)));
            }
            let mut repeats = vec![Vec::new(); n_images];
            order.iter().zip(&values).for_each(|(&image, &value)| repeats[image].push(value));
            let noise = repeats
                .iter()
                .map(|values| {
                    let mean = values.iter().sum::<f64>() / 3.0;
                    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 2.0
                })
                .sum::<f64>()
                / n_images as f64;
            ((1.0 - noise).max(0.0) / noise).sqrt()
        })
        .collect();

    // The file beside the betas says the same.
    let stored: Array3<f32> = nifti::open(beta_dir(dir.path()).join("ncsnr.nii.gz"))
        .and_then(|nifti| nifti.read_volume())
        .expect("the ratios are read");
    let stored = stored.reversed_axes();
    for (&column, ratio) in columns.iter().zip(&ratios) {
        let stored = f64::from(*stored.iter().nth(column).expect("inside the volume"));
        assert!((stored - ratio).abs() < 5e-3, "stored {stored}, measured {ratio}");
    }
    // And both agree with the truth, voxel by voxel.
    let general = phantom.tuning().iter().filter(|tuning| tuning.voxel.area.nsdgeneral() == 1);
    let (mut sum, mut n) = (0.0, 0);
    for (tuning, ratio) in general.zip(&ratios) {
        sum += (f64::from(tuning.ncsnr) - ratio).abs();
        n += 1;
    }
    assert_eq!(n, ratios.len());
    let deviation = sum / n as f64;
    assert!(deviation < 0.06, "mean deviation {deviation}");

    ratios.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| ratios[(share * (ratios.len() - 1) as f64) as usize];
    assert!((0.40..=0.50).contains(&at(0.5)), "median {}", at(0.5));
    assert!(at(0.02) < 0.2 && at(0.98) > 0.9 && at(1.0) < 1.5, "spread {} to {}, {}", at(0.02), at(0.98), at(1.0));
}

#[test]
fn impossible_parameters_are_refused_with_a_remedy() {
    let refuse = |params: PhantomParams| match Phantom::new(params, Seed::new(1)) {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    };
    let message = refuse(PhantomParams { trials_per_session: 100, n_sessions: 1, ..small() });
    assert!(message.contains("multiple of 3"), "{message}");
    assert!(refuse(PhantomParams { n_shared: 61, ..small() }).contains("share fewer"));
    assert!(refuse(PhantomParams { n_nsdgeneral: 9_000, ..small() }).contains("enlarge `shape`"));
    assert!(refuse(PhantomParams { subject: 0, ..small() }).contains("1 to 8"));
    assert!(refuse(PhantomParams { median_ncsnr: 0.0, ..small() }).contains("median_ncsnr"));
}
