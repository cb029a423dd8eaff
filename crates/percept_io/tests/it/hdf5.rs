//! HDF5 against h5py: every layout, type and chunk index; damage; and what we write ourselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array2, ArrayD, Axis, IxDyn, Slice};
use percept_io::hdf5::{self, DatasetSpec, Dtype, File, Writer};
use percept_io::{Kind, number::Number};
use percept_testing::Hostile;
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    dtype: String,
    values: Vec<f64>,
}

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/hdf5").join(name)
}

fn expected() -> BTreeMap<String, BTreeMap<String, Expected>> {
    let text = std::fs::read_to_string(data("expected.json")).expect("the expected values are committed");
    serde_json::from_str(&text).expect("valid JSON")
}

fn open(stem: &str) -> File {
    let name = if stem == "matlab73" { "matlab73.mat".to_owned() } else { format!("{stem}.h5") };
    hdf5::open(data(&name)).expect("a valid file")
}

#[test]
fn every_data_set_reads_as_h5py_reads_it() {
    let mut n_sets = 0;
    for (stem, sets) in expected() {
        let file = open(&stem);
        for (name, want) in sets {
            let dataset = file.dataset(&name).expect("it exists");
            assert_eq!(dataset.shape(), want.shape, "{stem}:{name}");
            assert_eq!(dataset.dtype().to_string(), want.dtype, "{stem}:{name}");
            let got = dataset.read::<f64>().unwrap_or_else(|error| panic!("{stem}:{name}: {error}"));
            assert_eq!(got.shape(), want.shape, "{stem}:{name}");
            assert_eq!(got.iter().copied().collect::<Vec<_>>(), want.values, "{stem}:{name}");
            n_sets += 1;
        }
    }
    assert!(n_sets > 90, "only {n_sets} data sets were compared");
}

#[test]
fn slabs_and_columns_agree_with_the_whole() {
    for (stem, sets) in expected() {
        let file = open(&stem);
        for (name, want) in sets {
            if want.shape.len() < 2 || want.values.is_empty() {
                continue;
            }
            let dataset = file.dataset(&name).expect("it exists");
            let whole = ArrayD::from_shape_vec(IxDyn(&want.shape), want.values).expect("the right number");
            let ranges: Vec<_> = want.shape.iter().map(|&length| length / 3..length.div_ceil(2).max(1)).collect();
            let mut slab = whole.view();
            for (axis, range) in ranges.iter().enumerate() {
                slab.slice_axis_inplace(Axis(axis), Slice::from(range.clone()));
            }
            let got = dataset.read_slab::<f64>(&ranges).expect("inside");
            assert_eq!(got, slab, "{stem}:{name} {ranges:?}");

            let n_rows = want.shape[0];
            let flat = whole.to_shape((n_rows, whole.len() / n_rows)).expect("C order");
            // Out of order, with a repeat.
            let columns: Vec<usize> = (0..flat.ncols()).rev().step_by(2).chain([0, flat.ncols() - 1]).collect();
            let got = dataset.read_columns::<f64>(&columns).expect("inside");
            assert_eq!(got, flat.select(Axis(1), &columns), "{stem}:{name} {columns:?}");
        }
    }
}

#[test]
fn listings_name_every_data_set_once_even_when_groups_contain_themselves() {
    let entries = open("v110").entries().expect("sound");
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert!(names.contains(&"le_i2/filtered") && names.contains(&"betas") && names.contains(&"words"), "{names:?}");
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
    let betas = entries.iter().find(|entry| entry.name == "betas").expect("listed");
    assert_eq!((betas.shape.as_slice(), &betas.dtype), ([4, 3, 2, 2].as_slice(), &Dtype::Number(Number::I16)));
}

#[test]
fn text_and_attributes_are_read() {
    for stem in ["v0", "v110", "v200"] {
        let file = open(stem);
        let words = file.dataset("words").expect("it exists").read_text().expect("text");
        assert_eq!(words, ["first", "zweites", "dritte Straße"]);
        assert_eq!(file.dataset("fixed_words").expect("it exists").read_text().expect("text"), ["ab", "cde"]);
        let betas = file.dataset("/betas").expect("a leading slash is allowed");
        assert_eq!(betas.text_attribute("unit").as_deref(), Some("percent"));
        assert_eq!(betas.attribute("scale"), Some(vec![300.0, 1.0]));
        assert_eq!(betas.text_attribute("nothing"), None);
    }
    let class = open("matlab73").text_attribute("responses", "MATLAB_class").expect("it exists");
    assert_eq!(class.as_deref(), Some("double"));
}

#[test]
fn a_wrong_name_lists_the_right_ones() {
    let error = open("matlab73").dataset("beta").expect_err("the name is `betas`");
    assert!(matches!(error.kind(), Kind::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("matlab73.mat") && text.contains("there is no data set `beta`"), "{text}");
    assert!(text.ends_with("(there are `betas`, `responses`)"), "{text}");
}

#[test]
fn what_cannot_be_read_is_refused_with_a_remedy() {
    let file = open("v110");
    let dataset = file.dataset("betas").expect("it exists");
    for (error, words) in [
        (dataset.read_slab::<f32>(&[0..1, 0..1]).expect_err("four axes"), "one range per axis"),
        (dataset.read_slab::<f32>(&[0..1, 0..9, 0..1, 0..1]).expect_err("three long"), "axis 1 is 3"),
        (dataset.read_columns::<f32>(&[12]).expect_err("twelve places"), "column 12"),
        (file.dataset("words").expect("it exists").read::<f32>().map(|_| ()).expect_err("text"), "text"),
        (dataset.read_text().map(|_| ()).expect_err("numbers"), "read it as numbers"),
        (file.dataset("le_f4/contiguous").expect("exists").read::<u8>().map(|_| ()).expect_err("not whole"), "float"),
    ] {
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("v110.h5"), "{text}");
    }
    let empty = file.dataset("empty").expect("it exists").read::<f32>().expect("nothing to read");
    assert_eq!(empty.shape(), [0, 3]);
}

#[test]
fn damage_is_an_error_and_never_a_panic_or_a_large_allocation() {
    for stem in ["damage_v0", "damage_v110"] {
        let valid = std::fs::read(data(&format!("{stem}.h5"))).expect("committed");
        let outcome = Hostile::new(&valid).memory_limit(96 << 20).check(|bytes| {
            let file = File::from_bytes(bytes.to_vec())?;
            let entries = file.entries()?;
            for entry in &entries {
                let dataset = file.dataset(&entry.name)?;
                match entry.dtype {
                    Dtype::Number(_) => {
                        dataset.read::<f32>()?;
                        if entry.shape.len() > 1 {
                            dataset.read_columns::<f32>(&[0])?;
                        }
                    }
                    _ => drop(dataset.read_text()?),
                }
            }
            Ok::<_, percept_io::Error>(entries.len())
        });
        assert!(outcome.n_refused > outcome.n_tried / 2, "{outcome:?}");
    }
}

#[test]
fn what_is_written_is_read_back_and_chunks_are_found_by_column() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("session.hdf5");
    let betas = ArrayD::from_shape_fn(IxDyn(&[6, 3, 4, 5]), |i| (i[0] * 60 + i[1] * 20 + i[2] * 5 + i[3]) as i16 - 99);
    let image = ArrayD::from_shape_fn(IxDyn(&[5, 7, 7, 3]), |i| (i[0] * 31 + i[1] * 7 + i[2] * 3 + i[3]) as u8);
    let floats = Array2::from_shape_fn((9, 4), |(i, j)| i as f32 / (j as f32 + 1.0)).into_dyn();
    Writer::new()
        .dataset("betas", &betas.view(), &DatasetSpec::chunked(&[6, 1, 1, 1]))
        .and_then(|w| w.dataset("stimuli/imgBrick", &image.view(), &DatasetSpec::chunked(&[2, 7, 7, 3]).deflated(4)))
        .and_then(|w| w.dataset("floats", &floats.view(), &DatasetSpec::contiguous()))
        .and_then(|w| w.text("captions", &["a red disc", "ein Würfel"]))
        .and_then(|w| w.write(&path))
        .expect("written");
    let file = hdf5::open(&path).expect("valid");
    assert_eq!(file.dataset("betas").and_then(|d| d.read::<i16>()).expect("read"), betas);
    assert_eq!(file.dataset("stimuli/imgBrick").and_then(|d| d.read::<u8>()).expect("read"), image);
    assert_eq!(file.dataset("floats").and_then(|d| d.read::<f32>()).expect("read"), floats);
    assert_eq!(file.dataset("captions").and_then(|d| d.read_text()).expect("read"), ["a red disc", "ein Würfel"]);
    let columns = file.dataset("betas").and_then(|d| d.read_columns::<i16>(&[59, 7])).expect("read");
    assert_eq!(
        columns.column(0).to_vec(),
        betas.slice_each_axis(|axis| last(axis.axis)).iter().copied().collect::<Vec<_>>()
    );
    assert_eq!(columns[[5, 1]], betas[[5, 0, 1, 2]]);
}

fn last(axis: Axis) -> Slice {
    if axis.index() == 0 { Slice::from(..) } else { Slice::from(-1..) }
}
