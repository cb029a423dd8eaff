//! MAT files against SciPy: classes, nesting, byte orders, damage, real recordings, and what we write ourselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{ArrayD, IxDyn, array};
use percept_io::mat::{self, File, Value, Writer};
use percept_testing::{Hostile, shared_data};
use serde::Deserialize;
use serde_json::Value as Json;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/mat").join(name)
}

fn open(name: &str) -> File {
    mat::open(data(name)).expect("a valid file")
}

fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&std::fs::read_to_string(data(name)).expect("committed")).expect("valid JSON")
}

#[derive(Deserialize)]
struct Expected {
    shape: Vec<usize>,
    values: Vec<Json>,
}

#[test]
fn numbers_of_every_class_read_as_scipy_reads_them() {
    let expected: BTreeMap<String, Expected> = json("expected.json");
    for file in ["plain.mat", "packed.mat"] {
        let mat = open(file);
        for (name, want) in &expected {
            let got = mat.array::<f64>(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(got.shape(), want.shape, "{file}:{name}");
            // Iteration is in C order whatever the memory order, as in the JSON.
            for (got, want) in got.iter().zip(&want.values) {
                match want {
                    Json::Null => assert!(got.is_nan(), "{file}:{name}"),
                    Json::String(_) => assert_eq!(*got, f64::INFINITY, "{file}:{name}"),
                    want => assert_eq!(Some(*got), want.as_f64(), "{file}:{name}"),
                }
            }
            assert_eq!(got.len(), want.values.len());
        }
    }
}

#[test]
fn text_cells_and_structures_are_reached_by_path() {
    for file in ["plain.mat", "packed.mat"] {
        let mat = open(file);
        assert_eq!(mat.text("words").expect("text"), "Straße");
        assert_eq!(mat.text("latin").expect("text"), "plain");
        assert_eq!(mat.value("rows").expect("text").to_texts().expect("two rows"), ["ab", "cde"]);
        assert_eq!(mat.text("runs{2}").expect("text"), "second");
        assert_eq!(mat.array::<u8>("runs{1}").expect("numbers"), array![[1u8, 2]].into_dyn());
        assert_eq!(mat.array::<f64>("design.inner.deep").expect("numbers"), array![[0.0, 1.0, 2.0]].into_dyn());
        assert_eq!(mat.text("design.name").expect("text"), "nsd");
        assert_eq!(mat.text("people(2).tag").expect("text"), "bc");
        let error = mat.array::<i32>("people(2).age").expect_err("no such field").to_string();
        assert!(error.contains("there are `num`, `tag`"), "{error}");
        assert_eq!(mat.value("design").expect("a structure").field_names(), ["subject", "inner", "name"]);
    }
}

#[test]
fn listings_give_names_dimensions_and_classes_without_reading_the_data() {
    let plain = open("plain.mat").entries().expect("listed");
    assert_eq!(plain, open("packed.mat").entries().expect("listed"));
    let find = |name: &str| plain.iter().find(|entry| entry.name == name).expect("listed");
    assert_eq!((find("cube").dims.as_slice(), find("cube").class.as_str()), ([2, 3, 4].as_slice(), "double"));
    assert_eq!(find("flag").class, "logical");
    assert_eq!(find("runs").class, "cell");
    assert_eq!(find("design").class, "struct");
    assert_eq!(find("words").class, "char");
}

#[test]
fn a_wrong_name_lists_the_right_ones_at_every_level() {
    let mat = open("damage_packed.mat");
    let error = mat.array::<f64>("X").expect_err("the case differs").to_string();
    assert!(error.contains("there is no variable `X` (there are `x`, `s`)"), "{error}");
    let error = mat.array::<f64>("s.c").expect_err("no such field").to_string();
    assert!(error.contains("there is no field `c`") && error.contains("`a`, `b`"), "{error}");
    let error = mat.array::<f64>("s.b{4}").expect_err("three cells").to_string();
    assert!(error.contains("MATLAB counts from 1"), "{error}");
    let error = mat.array::<f64>("x.y").expect_err("no structure").to_string();
    assert!(error.contains("only structures have fields"), "{error}");
}

#[test]
fn both_byte_orders_and_small_storage_types_give_the_same_doubles() {
    for file in ["matlab_little.mat", "matlab_big.mat"] {
        let mat = open(file);
        let tiny = mat.array::<f64>("tiny").expect("doubles stored as bytes");
        assert_eq!(tiny, array![[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]].into_dyn());
        let Value::Numeric(numeric) = mat.value("tiny").expect("numeric") else { panic!("it is numeric") };
        assert_eq!(numeric.class().name(), "float64");
        assert_eq!(mat.array::<f32>("shorts").expect("a small element"), array![[-5.0f32, 300.0]].into_dyn());
        assert_eq!(mat.text("text").expect("UTF-16"), "aßc");
        let error = mat.array::<f64>("cplx").expect_err("complex").to_string();
        assert!(error.contains("complex is not supported") && error.contains("real(x)"), "{error}");
        let error = mat.array::<f64>("sparse").expect_err("sparse").to_string();
        assert!(error.contains("sparse is not supported") && error.contains("full(x)"), "{error}");
    }
}

#[test]
fn numbers_that_do_not_fit_are_refused_not_cut() {
    let error = open("matlab_little.mat").array::<u8>("shorts").expect_err("-5 and 300").to_string();
    assert!(error.contains("-5"), "{error}");
}

#[test]
fn version_seven_three_has_the_dimensions_of_matlab() {
    let path = data("../hdf5/matlab73.mat");
    let mat = mat::open(&path).expect("HDF5 behind a user block");
    let entries = mat.entries().expect("listed");
    assert_eq!(entries[1].name, "responses");
    assert_eq!((entries[1].dims.as_slice(), entries[1].class.as_str()), ([4, 3].as_slice(), "double"));
    let stored = percept_io::hdf5::open(&path).and_then(|f| f.dataset("responses")?.read::<f64>()).expect("read");
    let got = mat.array::<f64>("responses").expect("read");
    assert_eq!((got.shape(), got[[3, 1]]), ([4, 3].as_slice(), stored[[1, 3]]));
    let error = mat.array::<f64>("response").expect_err("no such name").to_string();
    assert!(error.contains("there are `betas`, `responses`"), "{error}");
}

#[test]
fn damage_is_an_error_and_never_a_panic_or_a_large_allocation() {
    for (file, prefixes_fail) in [("damage_plain.mat", false), ("damage_packed.mat", false)] {
        let valid = std::fs::read(data(file)).expect("committed");
        let trial = Hostile::new(&valid).mutations(6000);
        let trial = if prefixes_fail { trial } else { trial.prefixes_may_pass() };
        let outcome = trial.check(|bytes| {
            let mat = File::from_bytes(bytes.to_vec())?;
            // A file cut between two variables is whole: only the names tell.
            mat.array::<f64>("x")?;
            mat.value("s.b{3}").map(|_| ())
        });
        assert!(outcome.n_refused > outcome.n_tried / 3, "{outcome:?}");
    }
}

#[test]
fn every_prefix_is_refused_where_variables_are_asked_for() {
    for file in ["damage_plain.mat", "damage_packed.mat"] {
        let valid = std::fs::read(data(file)).expect("committed");
        Hostile::new(&valid).mutations(0).check(|bytes| {
            let mat = File::from_bytes(bytes.to_vec())?;
            mat.value("x").and_then(|_| mat.value("s"))
        });
    }
}

#[derive(Deserialize)]
struct Real {
    shape: Vec<usize>,
    sum: f64,
    first: f64,
    last: f64,
    blake3: String,
}

#[test]
fn real_recordings_load_as_scipy_loads_them() {
    let files: BTreeMap<String, BTreeMap<String, Real>> = json("real.json");
    for (name, variables) in files {
        let Some(path) = shared_data(&name) else { return };
        let mat = mat::open(path).expect("a valid file");
        for (variable, want) in variables {
            let got = mat.array::<f64>(&variable).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(got.shape(), want.shape, "{name}:{variable}");
            let values: Vec<f64> = got.iter().copied().collect();
            assert_eq!((values[0], values[values.len() - 1]), (want.first, want.last), "{name}:{variable}");
            // Another order of summation: equal but for rounding.
            let sum: f64 = values.iter().filter(|value| !value.is_nan()).sum();
            let scale: f64 = values.iter().filter(|value| !value.is_nan()).map(|value| value.abs()).sum();
            assert!((sum - want.sum).abs() <= 1e-12 * scale.max(1.0), "{name}:{variable}: {sum} and {}", want.sum);
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            assert_eq!(percept_core::provenance::content_hash(&bytes), want.blake3, "{name}:{variable}");
        }
    }
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("design.mat");
    let order = ArrayD::from_shape_fn(IxDyn(&[1, 60]), |i| (i[1] % 12) as f64 + 1.0);
    let images = ArrayD::from_shape_fn(IxDyn(&[2, 3, 4]), |i| (i[0] * 100 + i[1] * 10 + i[2]) as i16);
    let row = ndarray::arr1(&[1.5f32, f32::NAN]).into_dyn();
    Writer::new()
        .array("masterordering", &order.view())
        .and_then(|w| w.array("images", &images.view()))
        .and_then(|w| w.array("row", &row.view()))
        .and_then(|w| w.text("note", "Größe"))
        .and_then(|w| w.write(&path))
        .expect("written");
    let mat = mat::open(&path).expect("valid");
    assert_eq!(mat.array::<f64>("masterordering").expect("read"), order);
    assert_eq!(mat.array::<i16>("images").expect("read"), images);
    let got = mat.array::<f32>("row").expect("read");
    assert_eq!((got.shape(), got[[0, 0]], got[[0, 1]].is_nan()), ([1, 2].as_slice(), 1.5, true));
    assert_eq!(mat.text("note").expect("read"), "Größe");
}
