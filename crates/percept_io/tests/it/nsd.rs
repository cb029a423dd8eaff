//! The NSD tree against what published Python code reads from it: every pitfall of the data set, and every broken download.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, Array4, Axis};
use percept_core::Silent;
use percept_io::nsd::doctor::{Depth, Outcome, Recipe, Report, examine};
use percept_io::nsd::{BetaFile, BetaKind, Mask, NsdTree, Subject};
use percept_io::{Kind, hdf5, mat, nifti};
use serde::Deserialize;

const KIND: BetaKind = BetaKind::Denoised;
const BETAS: &str = "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR";
const FUNC: &str = "nsddata/ppdata/subj01/func1pt8mm";

#[derive(Deserialize)]
struct Expected {
    images_of_trials: Vec<usize>,
    shared: Vec<usize>,
    test_trials: Vec<usize>,
    first_shown: Vec<usize>,
    nsdgeneral: Region,
    unmeasured: [usize; 2],
    counts: std::collections::BTreeMap<String, Vec<usize>>,
    ncsnr: Vec<f32>,
    coco: Vec<u64>,
    split: Vec<String>,
    crop: Vec<[f64; 4]>,
    trials_of_image: Vec<Vec<usize>>,
    picture_sums: Vec<u64>,
    picture_corner: [u8; 3],
    n_missing_answers: usize,
    brain_zero_session2: usize,
}

#[derive(Deserialize)]
struct Region {
    voxels: Vec<usize>,
    responses: Vec<Vec<f32>>,
    z_fastest: Vec<f32>,
}

fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/nsd")
}

fn expected() -> Expected {
    let text = std::fs::read_to_string(data().join("expected.json")).expect("committed");
    serde_json::from_str(&text).expect("valid")
}

fn tree() -> NsdTree {
    NsdTree::open(data().join("tree")).expect("a tree")
}

fn subject() -> Subject {
    tree().subject(1).expect("subj01")
}

/// A copy of the tree that a test may damage.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        fn copy(from: &Path, to: &Path) {
            std::fs::create_dir_all(to).expect("created");
            for entry in std::fs::read_dir(from).expect("listed") {
                let entry = entry.expect("listed");
                let target = to.join(entry.file_name());
                if entry.file_type().expect("known").is_dir() {
                    copy(&entry.path(), &target);
                } else {
                    std::fs::copy(entry.path(), target).expect("copied");
                }
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        copy(&data().join("tree"), folder.path());
        Self(folder)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.path(file)).expect("it was there");
    }

    fn edit(&self, file: &str, edit: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.path(file)).expect("text");
        let edited = edit(text.clone());
        assert_ne!(text, edited, "the edit of {file} changes nothing");
        std::fs::write(self.path(file), edited).expect("written");
    }

    fn truncate(&self, file: &str, len: usize) {
        let bytes = std::fs::read(self.path(file)).expect("it is there");
        std::fs::write(self.path(file), &bytes[..len]).expect("written");
    }

    fn tree(&self) -> NsdTree {
        NsdTree::open(self.0.path()).expect("a tree")
    }

    fn subject(&self) -> Subject {
        self.tree().subject(1).expect("subj01")
    }

    fn examine(&self, depth: Depth) -> Report {
        let recipe = Recipe::named("mindeye").expect("built in").for_subjects(&[1]);
        examine(&self.tree(), &recipe, depth, &Silent)
    }
}

fn volume(path: PathBuf, volume: &Array3<i16>) {
    nifti::write(path, volume.view().insert_axis(Axis(3)), &nifti::Spec::default()).expect("written");
}

#[test]
fn the_tree_lists_its_subjects_sessions_and_atlases() {
    assert_eq!(tree().subjects(), [1]);
    let error = tree().subject(2).expect_err("not here").to_string();
    assert!(error.contains("there is no subject `subj02` (there is only `subj01`)"), "{error}");
    assert_eq!(subject().atlases(), ["MTL", "floc-faces", "lh.streams", "nsdgeneral", "prf-visualrois", "streams"]);
    assert_eq!(subject().betas(KIND).expect("here").sessions(), [1, 2, 3]);
    let error = subject().betas(BetaKind::FitHrf).expect_err("not here").to_string();
    assert!(error.contains("betas_fithrf_GLMdenoise_RR"), "{error}");
    assert_eq!("b3".parse::<BetaKind>().expect("known"), KIND);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("subj01")).expect("created");
    let error = NsdTree::open(folder.path()).expect_err("no tree").to_string();
    assert!(error.contains("name the folder that holds `nsddata`") && error.contains("`subj01`"), "{error}");
}

#[test]
fn everything_that_counts_from_one_is_counted_from_zero() {
    let (expected, design) = (expected(), tree().design().expect("valid"));
    assert_eq!(design.image_of_trial(1).expect("known"), expected.images_of_trials);
    assert_eq!(design.shared_images(), expected.shared);
    let (train, test) = design.split(design.n_trials());
    assert_eq!(test, expected.test_trials);
    assert_eq!(train.len() + test.len(), 36);
    let error = design.image_of_trial(3).expect_err("two subjects").to_string();
    assert!(error.contains("subject 3") && error.contains("nsd_expdesign.mat"), "{error}");
    let behaviour = subject().behaviour().expect("valid");
    assert_eq!(behaviour.stimulus, expected.images_of_trials);
    assert_eq!(behaviour.session, (0..36).map(|trial| trial / 12).collect::<Vec<_>>());
    assert_eq!(behaviour.is_correct.iter().filter(|answer| answer.is_none()).count(), expected.n_missing_answers);
    assert_eq!(behaviour.reaction_ms.iter().filter(|ms| ms.is_nan()).count(), expected.n_missing_answers);
    let table = tree().stimulus_table().expect("valid");
    for (image, trials) in expected.trials_of_image.iter().enumerate() {
        let listed: Vec<usize> = table.trials(1, image).expect("known").into_iter().flatten().collect();
        assert_eq!(&listed, trials);
    }
    assert_eq!(table.shared_images(), expected.shared);
}

#[test]
fn a_design_that_counts_from_zero_is_refused() {
    let copy = Copy::new();
    let path = copy.path("nsddata/experiments/nsd/nsd_expdesign.mat");
    let old = mat::open(&path).expect("valid");
    let shift = |name: &str| old.array::<f64>(name).expect("there").mapv(|value| value - 1.0);
    mat::Writer::new()
        .array("masterordering", &shift("masterordering").view())
        .and_then(|w| w.array("subjectim", &shift("subjectim").view()))
        .and_then(|w| w.array("sharedix", &shift("sharedix").view()))
        .and_then(|w| w.write(&path))
        .expect("written");
    let error = copy.tree().design().expect_err("zeros").to_string();
    assert!(error.contains("expected 1 or more") && error.contains("NSD counts from 1"), "{error}");
}

#[test]
fn only_positive_values_of_a_region_are_voxels() {
    let expected = expected();
    let mask = subject().mask("nsdgeneral").expect("voxels");
    assert_eq!(mask.voxels(), expected.nsdgeneral.voxels);
    let roi = subject().roi("nsdgeneral").expect("valid");
    assert!(roi.volume().iter().filter(|&&value| value == -1).count() > 0);
    for (atlas, counts) in &expected.counts {
        let roi = subject().roi(atlas).expect("valid");
        for (index, &count) in counts.iter().enumerate() {
            let found = roi.labels().into_iter().find(|label| label.value == index as i32 + 1);
            assert_eq!(found.map_or(0, |label| label.n_voxels), count, "{atlas} {}", index + 1);
        }
    }
}

#[test]
fn regions_are_called_by_name() {
    let subject = subject();
    let count = |expression: &str| subject.mask(expression).map(|mask| mask.n_voxels()).expect("voxels");
    let counts = expected().counts;
    let (streams, prf) = (&counts["streams"], &counts["prf-visualrois"]);
    assert_eq!(count("streams.early"), streams[0]);
    assert_eq!(count("streams.midparietal"), streams[3]);
    assert_eq!(count("streams.4"), streams[3]);
    assert_eq!(count("prf-visualrois.V1v+V1d"), prf[0] + prf[1]);
    assert_eq!(count("prf-visualrois.V1"), prf[0] + prf[1]);
    assert_eq!(count("prf-visualrois.hV4"), prf[6]);
    assert_eq!(count("streams.early|streams.ventral"), streams[0] + streams[4]);
    assert_eq!(count("floc-faces.OFA"), counts["floc-faces"][0]);
    let both = count("nsdgeneral & streams.early");
    assert_eq!(count("nsdgeneral & !streams.early") + both, count("nsdgeneral"));
    assert_eq!(count("streams.early | nsdgeneral"), count("nsdgeneral") + streams[0] - both);
    assert_eq!(count("nsdgeneral & (streams.early | streams.ventral)"), both + count("nsdgeneral&streams.ventral"));
    assert!(count("lh.streams") < count("streams"));
    assert_eq!(
        subject.mask("lh.streams.early").expect("voxels").check_shape([5, 4, 3]).map_err(|e| e.to_string()),
        Ok(())
    );
}

#[test]
fn wrong_regions_are_named_with_what_there_is() {
    let subject = subject();
    let text = |expression: &str| subject.mask(expression).expect_err("wrong").to_string();
    assert!(text("nsdgenral").contains("there is no atlas `nsdgenral`") && text("nsdgenral").contains("`nsdgeneral`"));
    let error = text("streams.erly");
    assert!(error.contains("there is no label `erly`") && error.contains("`early`, `midventral`"), "{error}");
    let error = text("MTL");
    assert!(error.contains("the region `MTL` is empty") && error.contains("only values above 0"), "{error}");
    let error = text("streams.early & streams.ventral");
    assert!(error.contains("is empty"), "{error}");
    for expression in ["", "nsdgeneral |", "(nsdgeneral", "nsdgeneral streams", "& nsdgeneral", "nsdgeneral)"] {
        let error = text(expression);
        assert!(error.contains("a region or an operator was asked for"), "{expression}: {error}");
    }
    assert!(text(&"!".repeat(5000)).contains("at most 4096 characters"));
}

#[test]
fn both_files_give_the_responses_that_published_code_reads() {
    let (expected, subject) = (expected(), subject());
    let (mask, design) = (subject.mask("nsdgeneral").expect("voxels"), tree().design().expect("valid"));
    let want = Array2::from_shape_fn((36, mask.n_voxels()), |(row, unit)| expected.nsdgeneral.responses[row][unit]);
    let read = |file| subject.betas_in(KIND, file).expect("here").read(&mask, &[], &design).expect("read");
    let (from_hdf5, from_nifti) = (read(BetaFile::Hdf5), read(BetaFile::Nifti));
    assert_eq!(from_hdf5, from_nifti);
    // int16 / 300 in single precision, bit for bit what NumPy computes.
    assert_eq!(from_hdf5.responses.data, want);
    assert_eq!(from_hdf5.responses.stimulus_of_sample, expected.images_of_trials);
    assert_eq!(from_hdf5.responses.session_of_sample, (0..36).map(|trial| trial / 12).collect::<Vec<_>>());
    assert_eq!(from_hdf5.trial_of_sample, (0..36).collect::<Vec<_>>());
    assert_eq!(subject.betas(KIND).and_then(|betas| betas.bytes(&mask, &[])).expect("known"), want.len() as u64 * 4);
    // Saturated values are kept as they are.
    assert!(want.iter().any(|&value| value == 32767.0 / 300.0) && want.iter().any(|&value| value == -32768.0 / 300.0));
}

#[test]
fn voxels_that_were_not_measured_are_reported_and_kept_as_zeros() {
    let (expected, subject) = (expected(), subject());
    let (mask, design) = (subject.mask("nsdgeneral").expect("voxels"), tree().design().expect("valid"));
    let extracted = subject.betas(KIND).and_then(|betas| betas.read(&mask, &[], &design)).expect("read");
    let found: Vec<(usize, usize)> = extracted.invalid.indexed_iter().filter(|(_, v)| **v).map(|(at, _)| at).collect();
    assert_eq!(found, [(expected.unmeasured[0], expected.unmeasured[1])]);
    assert!(extracted.responses.data.slice(ndarray::s![12..24, expected.unmeasured[1]]).iter().all(|&v| v == 0.0));
}

#[test]
fn the_voxel_order_of_other_programs_is_a_permutation() {
    let (expected, subject) = (expected(), subject());
    let mask = subject.mask("nsdgeneral").expect("voxels");
    let session = subject.betas(KIND).and_then(|betas| betas.session(1, &mask)).expect("read");
    let order = mask.z_fastest();
    let row: Vec<f32> = order.iter().map(|&unit| session.data[[0, unit]]).collect();
    assert_eq!(row, expected.nsdgeneral.z_fastest);
    assert_eq!(mask.coordinates()[0].len(), 3);
    assert_eq!(subject.ncsnr(KIND, &mask).expect("read"), expected.ncsnr);
    let early = subject.mask("nsdgeneral & streams.early").expect("voxels");
    let units = mask.units_in(&early).expect("inside");
    assert_eq!(units.iter().map(|&unit| mask.voxels()[unit]).collect::<Vec<_>>(), early.voxels());
}

#[test]
fn sessions_can_be_chosen_and_gaps_are_refused_unless_named() {
    let copy = Copy::new();
    for ending in ["hdf5", "nii.gz"] {
        copy.remove(&format!("{BETAS}/betas_session02.{ending}"));
    }
    let (subject, design) = (copy.subject(), copy.tree().design().expect("valid"));
    let mask = subject.mask("nsdgeneral").expect("voxels");
    let betas = subject.betas(KIND).expect("two sessions");
    let error = betas.read(&mask, &[], &design).expect_err("a gap");
    assert!(matches!(error.kind(), Kind::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("there is no session `2`") && text.contains("name the sessions to use"), "{text}");
    assert!(text.contains("`1`, `3`") && text.contains("betas_fithrf_GLMdenoise_RR"), "{text}");
    let chosen = betas.read(&mask, &[3, 1], &design).expect("named");
    assert_eq!(chosen.trial_of_sample, (0..12).chain(24..36).collect::<Vec<_>>());
    assert_eq!(chosen.responses.session_of_sample, [vec![0; 12], vec![2; 12]].concat());
    let images = expected().images_of_trials;
    assert_eq!(chosen.responses.stimulus_of_sample[12], images[24]);
    assert!(betas.read(&mask, &[2], &design).expect_err("absent").to_string().contains("there is no session `2`"));
}

#[test]
fn averages_are_those_of_all_trials_in_order_of_first_presentation() {
    let (subject, design) = (subject(), tree().design().expect("valid"));
    let mask = subject.mask("nsdgeneral").expect("voxels");
    let betas = subject.betas(KIND).expect("here");
    let all = betas.read(&mask, &[], &design).expect("read").responses.average_repeats();
    let streamed = betas.average(&mask, &[], &design, |_| ()).expect("read");
    assert_eq!(streamed.responses.stimulus_of_sample, expected().first_shown);
    assert_eq!(streamed.responses.stimulus_of_sample, all.stimulus_of_sample);
    assert_eq!(streamed.responses.session_of_sample, all.session_of_sample);
    // Three terms of at most 110 %, summed in single precision.
    const TOLERANCE: f32 = 5e-5;
    for (a, b) in streamed.responses.data.iter().zip(&all.data) {
        assert!((a - b).abs() <= TOLERANCE, "{a} and {b}");
    }
    let doubled = betas.average(&mask, &[], &design, |session| session.data *= 2.0).expect("read");
    assert!((doubled.responses.data[[0, 0]] - 2.0 * streamed.responses.data[[0, 0]]).abs() <= TOLERANCE);
}

#[test]
fn a_region_of_another_shape_is_refused_with_both_shapes() {
    let copy = Copy::new();
    volume(copy.path(&format!("{FUNC}/roi/nsdgeneral.nii.gz")), &Array3::ones((5, 4, 4)));
    let (subject, design) = (copy.subject(), copy.tree().design().expect("valid"));
    let mask = subject.mask("nsdgeneral").expect("voxels");
    for file in [BetaFile::Hdf5, BetaFile::Nifti] {
        let error = subject.betas_in(KIND, file).and_then(|betas| betas.read(&mask, &[], &design)).expect_err("shape");
        let text = error.to_string();
        assert!(text.contains("[5, 4, 3]") && text.contains("[5, 4, 4] as in the region `nsdgeneral`"), "{text}");
        assert!(text.contains("betas_session01"), "{text}");
    }
    let error = subject.mask("nsdgeneral & streams").expect_err("shapes differ").to_string();
    assert!(error.contains("the shape of a region"), "{error}");
}

#[test]
fn an_empty_mask_is_an_error_not_an_empty_matrix() {
    let copy = Copy::new();
    volume(copy.path(&format!("{FUNC}/roi/nsdgeneral.nii.gz")), &Array3::from_elem((5, 4, 3), -1));
    let error = copy.subject().mask("nsdgeneral").expect_err("empty").to_string();
    assert!(error.contains("the region `nsdgeneral` is empty, but at least one voxel was asked for"), "{error}");
    let none = Mask::from_volume("none", &Array3::<u8>::zeros((2, 2, 2)).view(), |&value| value > 0);
    assert!(none.is_err());
}

#[test]
fn nan_voxels_are_kept_and_counted() {
    let copy = Copy::new();
    for session in 1..=3 {
        copy.remove(&format!("{BETAS}/betas_session{session:02}.hdf5"));
    }
    let mut floats = Array4::<f32>::from_elem((5, 4, 3, 12), 300.0);
    let voxel = copy.subject().mask("nsdgeneral").expect("voxels").coordinates()[2];
    floats[[voxel[0], voxel[1], voxel[2], 4]] = f32::NAN;
    let path = copy.path(&format!("{BETAS}/betas_session01.nii.gz"));
    nifti::write(path, floats.view(), &nifti::Spec::default()).expect("written");
    let subject = copy.subject();
    let mask = subject.mask("nsdgeneral").expect("voxels");
    let session = subject.betas(KIND).and_then(|betas| betas.session(1, &mask)).expect("read");
    assert!(session.data[[4, 2]].is_nan() && session.data[[3, 2]] == 1.0 && !session.invalid[2]);
    let report = copy.examine(Depth::Values);
    assert_eq!(report.subjects[0].sessions[0].n_nan_values, 1);
}

#[test]
fn pictures_captions_and_crops_belong_to_the_same_image() {
    let (expected, tree) = (expected(), tree());
    let (table, stimuli) = (tree.stimulus_table().expect("valid"), tree.stimuli().expect("valid"));
    for (image, row) in table.rows().iter().enumerate() {
        assert_eq!(
            (row.coco_id, &row.coco_split, row.crop),
            (expected.coco[image], &expected.split[image], expected.crop[image])
        );
    }
    // Any order, with repeats: what h5py's own indexing refuses.
    let wanted = [7, 0, 19, 7, 3];
    let pictures = stimuli.read(&wanted).expect("read");
    for (picture, &image) in pictures.axis_iter(Axis(0)).zip(&wanted) {
        assert_eq!(picture.iter().map(|&v| u64::from(v)).sum::<u64>(), expected.picture_sums[image]);
    }
    let corner = pictures.slice(ndarray::s![0, 1, 2, ..]);
    assert_eq!(corner.to_vec(), expected.picture_corner);
    let error = stimuli.read(&[20]).expect_err("twenty pictures").to_string();
    assert!(error.contains("picture 20") && error.contains("nsd_stimuli.hdf5"), "{error}");
    let captions = tree.captions(&table).expect("valid");
    for image in 0..20 {
        let texts = captions.of(image);
        assert_eq!(texts.len(), 5);
        assert_eq!(texts[0], format!("„Bild“ {image}"));
        assert_eq!(texts[4], format!("Caption 4 of picture {image}."));
    }
}

#[test]
fn captions_are_looked_for_in_the_file_of_each_pictures_split() {
    let copy = Copy::new();
    let table = copy.tree().stimulus_table().expect("valid");
    copy.edit("nsddata/experiments/nsd/nsd_stim_info_merged.csv", |text| text.replacen("train2017", "val2017", 1));
    let swapped = copy.tree().stimulus_table().expect("valid");
    assert!(copy.tree().captions(&table).is_ok());
    let error = copy.tree().captions(&swapped).expect_err("in the other file").to_string();
    assert!(error.contains("captions_val2017.json") && error.contains("picture"), "{error}");
}

#[test]
fn a_whole_download_passes_every_check() {
    let copy = Copy::new();
    for depth in [Depth::Headers, Depth::Values] {
        let report = copy.examine(depth);
        let failed: Vec<_> = report.checks.iter().filter(|check| check.outcome == Outcome::Failed).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        assert!(report.is_usable && report.missing.is_empty());
        assert_eq!(report.subjects[0].sessions_present, [1, 2, 3]);
    }
    let report = copy.examine(Depth::Values);
    let sessions = &report.subjects[0].sessions;
    let numbers: Vec<_> =
        sessions.iter().map(|s| (s.n_unmeasured_voxels, s.n_saturated_voxels, s.n_saturated_values)).collect();
    assert_eq!(numbers, [(0, 2, 2), (expected().brain_zero_session2, 0, 0), (0, 0, 0)]);
    // The report survives the way through JSON.
    let text = serde_json::to_string(&report).expect("serialised");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("parsed"), report);
}

/// The first failed check whose name holds `words`.
fn failed<'r>(report: &'r Report, words: &str) -> &'r str {
    assert!(!report.is_usable);
    let check = report.checks.iter().find(|check| check.outcome == Outcome::Failed && check.name.contains(words));
    &check.unwrap_or_else(|| panic!("no failed check `{words}` in {:#?}", report.checks)).detail
}

#[test]
fn missing_files_are_listed_with_their_sizes() {
    let copy = Copy::new();
    copy.remove(&format!("{BETAS}/betas_session02.hdf5"));
    copy.remove(&format!("{BETAS}/betas_session02.nii.gz"));
    copy.remove("nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5");
    copy.remove("nsddata_stimuli/stimuli/nsd/annotations/captions_train2017.json");
    copy.remove(&format!("{FUNC}/roi/nsdgeneral.nii.gz"));
    let report = copy.examine(Depth::Headers);
    assert!(!report.is_usable);
    let find = |name: &str| report.missing.iter().find(|file| file.path.ends_with(name)).expect("listed");
    let session = find("betas_session02.hdf5");
    assert_eq!((session.bytes, session.is_estimate), (Some(6496), false), "as long as its neighbours");
    assert_eq!(session.source, format!("s3://natural-scenes-dataset/{BETAS}/betas_session02.hdf5"));
    assert_eq!(find("nsd_stimuli.hdf5").bytes, Some(39_556_877_048));
    assert!(find("captions_train2017.json").source.contains("cocodataset.org"));
    assert_eq!((find("nsdgeneral.nii.gz").bytes, report.n_unknown_sizes), (None, 1));
    assert_eq!(report.missing.len(), 4);
    assert_eq!(report.missing_bytes, 6496 + 39_556_877_048 + 92_000_000);
    assert_eq!(report.subjects[0].sessions_present, [1, 3]);
    // A subject of whom there is nothing: everything is missing, with the size of the real one.
    let recipe = Recipe::named("takagi2023").expect("built in").for_subjects(&[2]);
    let report = examine(&copy.tree(), &recipe, Depth::Headers, &Silent);
    let sessions =
        report.missing.iter().filter(|file| file.path.contains("subj02") && file.path.contains("betas_session"));
    assert_eq!(sessions.clone().count(), 37);
    assert!(sessions.clone().all(|file| file.is_estimate && file.bytes > Some(1_000_000_000)));
}

#[test]
fn damage_is_found_where_it_is() {
    let copy = Copy::new();
    copy.truncate(&format!("{BETAS}/betas_session03.hdf5"), 6000);
    let detail = failed(&copy.examine(Depth::Headers), "sessions open").to_owned();
    assert!(detail.contains("betas_session03.hdf5") && detail.contains("6496 bytes needed, 6000 left"), "{detail}");

    // A compressed file whose end is missing opens; only reading finds it.
    let copy = Copy::new();
    for session in 1..=3 {
        copy.remove(&format!("{BETAS}/betas_session{session:02}.hdf5"));
    }
    copy.truncate(&format!("{BETAS}/betas_session02.nii.gz"), 1000);
    assert!(copy.examine(Depth::Headers).is_usable);
    let detail = failed(&copy.examine(Depth::Values), "every value can be read").to_owned();
    assert!(detail.contains("betas_session02.nii.gz"), "{detail}");

    let copy = Copy::new();
    volume(copy.path(&format!("{FUNC}/roi/nsdgeneral.nii.gz")), &Array3::ones((4, 4, 3)));
    let detail = failed(&copy.examine(Depth::Headers), "`nsdgeneral`").to_owned();
    assert!(detail.contains("[4, 4, 3]") && detail.contains("[5, 4, 3]"), "{detail}");

    let copy = Copy::new();
    std::fs::write(copy.path("nsddata/experiments/nsd/nsd_expdesign.mat"), b"<html>access denied</html>")
        .expect("written");
    let detail = failed(&copy.examine(Depth::Headers), "design").to_owned();
    assert!(detail.contains("nsd_expdesign.mat"), "{detail}");
}

#[test]
fn tables_that_contradict_each_other_are_found() {
    let copy = Copy::new();
    // The row of a trial is lost.
    copy.edit("nsddata/ppdata/subj01/behav/responses.tsv", |text| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.remove(6);
        lines.join("\n") + "\n"
    });
    let detail = failed(&copy.examine(Depth::Headers), "73KID").to_owned();
    assert!(detail.contains("first in line 7"), "{detail}");

    let copy = Copy::new();
    let shared = expected().shared[0];
    copy.edit("nsddata/experiments/nsd/nsd_stim_info_merged.csv", |text| {
        let lines = text.lines().map(|line| {
            let is_row = line.starts_with(&format!("{shared},"));
            // `shared1000` is the only `True` behind `flagged`, which is `False` everywhere.
            if is_row { line.replacen(",True,1,", ",False,1,", 1) } else { line.to_owned() }
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    });
    let detail = failed(&copy.examine(Depth::Headers), "sharedix").to_owned();
    assert!(detail.contains(&format!("picture {shared}")), "{detail}");

    let copy = Copy::new();
    let data = ndarray::ArrayD::<u8>::zeros(ndarray::IxDyn(&[19, 6, 6, 3]));
    hdf5::Writer::new()
        .dataset("imgBrick", &data.view(), &hdf5::DatasetSpec::contiguous())
        .and_then(|w| w.write(copy.path("nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5")))
        .expect("written");
    let detail = failed(&copy.examine(Depth::Headers), "equally long").to_owned();
    assert!(detail.contains("19 pictures but 20 rows"), "{detail}");
}

#[test]
fn sessions_of_different_lengths_are_not_mixed() {
    let copy = Copy::new();
    let short = ndarray::ArrayD::<i16>::ones(ndarray::IxDyn(&[11, 3, 4, 5]));
    hdf5::Writer::new()
        .dataset("betas", &short.view(), &hdf5::DatasetSpec::chunked(&[11, 1, 1, 1]))
        .and_then(|w| w.write(copy.path(&format!("{BETAS}/betas_session02.hdf5"))))
        .expect("written");
    let (subject, design) = (copy.subject(), copy.tree().design().expect("valid"));
    let mask = subject.mask("nsdgeneral").expect("voxels");
    let error =
        subject.betas(KIND).and_then(|betas| betas.read(&mask, &[], &design)).expect_err("11 of 12").to_string();
    assert!(
        error.contains("the number of trials is 11, but 12 was asked for") && error.contains("session02"),
        "{error}"
    );
    failed(&copy.examine(Depth::Headers), "sessions open");
}

#[test]
fn recipes_are_known_by_name() {
    let error = Recipe::named("takagi").expect_err("the year is missing").to_string();
    assert!(error.contains("`takagi2023`, `b2c`, `mindeye`"), "{error}");
    let names: Vec<String> = Recipe::all().into_iter().map(|recipe| recipe.name).collect();
    assert!(names.iter().all(|name| Recipe::named(name).is_ok()));
}
