//! `.npy` and `.npz` against NumPy, round trips, and damaged files.

use ndarray::{Array1, Array2, ArrayD, IxDyn, Slice};
use percept_io::fs::Source;
use percept_io::npy::{self, Npy};
use percept_io::npz::{self, Npz};
use percept_io::number::Number;
use percept_io::{Kind, Result};
use percept_testing::Hostile;
use serde_json::Value;

use crate::fixture;

fn slice_of<'a>(blob: &'a [u8], place: &Value) -> &'a [u8] {
    let number = |key: &str| place[key].as_u64().expect("a count") as usize;
    &blob[number("offset")..number("offset") + number("len")]
}

fn open(bytes: &[u8]) -> Result<Npy> {
    Npy::from_source(Source::from_bytes(bytes))
}

#[test]
fn every_type_and_order_equals_numpy_whole_and_by_rows() {
    let blob = fixture::bytes("npy/cases.bin");
    let index = fixture::json("npy/cases.json");
    for case in index["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let npy = open(slice_of(&blob, case)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let shape: Vec<usize> =
            case["shape"].as_array().expect("a shape").iter().map(|n| n.as_u64().expect("a length") as usize).collect();
        assert_eq!(npy.shape(), shape, "{name}");
        assert_eq!(npy.number().name(), case["dtype"], "{name}");
        let whole = npy.read::<f64>().unwrap_or_else(|error| panic!("{name}: {error}"));
        let values: Vec<f64> = case["values"].as_array().expect("values").iter().filter_map(Value::as_f64).collect();
        assert_eq!(whole, ArrayD::from_shape_vec(IxDyn(&shape), values).expect("the shape fits"), "{name}");
        if let Some(&n_rows) = shape.first() {
            for range in [0..n_rows, 0..n_rows.min(1), n_rows / 2..n_rows] {
                let rows = npy.rows::<f64>(range.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(rows, whole.slice_axis(ndarray::Axis(0), Slice::from(range)), "{name}");
            }
        }
    }
}

#[test]
fn what_holds_no_numbers_is_named() {
    let blob = fixture::bytes("npy/cases.bin");
    let index = fixture::json("npy/cases.json");
    for (name, place) in index["unsupported"].as_object().expect("an object") {
        let words = open(slice_of(&blob, place)).expect_err(name).to_string();
        assert!(words.starts_with(&format!("an array of {name} is not supported, at byte 10 (save ")), "{words}");
    }
}

#[test]
fn rows_that_do_not_exist_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.npy");
    npy::write(&path, Array2::<f32>::zeros((4, 3)).view().into_dyn()).expect("written");
    let words = npy::open(&path).expect("opened").rows::<f32>(2..5).expect_err("4 rows").to_string();
    assert!(words.ends_with("the array is of shape [4, 3], but rows 2 to 5 was asked for (ask for rows that it has)"));
    assert_eq!(words.matches("x.npy").count(), 1, "{words}");
}

#[test]
fn what_is_written_reads_back_and_is_what_numpy_writes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.npy");
    macro_rules! round_trip {
        ($($type:ty),*) => {$(
            let array = Array2::from_shape_fn((5, 7), |(row, column)| (row * 7 + column) as $type);
            npy::write(&path, array.view().into_dyn()).expect("written");
            assert_eq!(npy::open(&path).expect("opened").read::<$type>().expect("read"), array.clone().into_dyn());
            npy::write(&path, array.t().into_dyn()).expect("written");
            assert_eq!(npy::open(&path).expect("opened").read::<$type>().expect("read"), array.t().into_dyn());
        )*};
    }
    round_trip!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);
    // NumPy's own bytes for the same array.
    let blob = fixture::bytes("npy/cases.bin");
    let index = fixture::json("npy/cases.json");
    let cases = index["cases"].as_array().expect("cases");
    let case = |name: &str| slice_of(&blob, cases.iter().find(|case| case["name"] == name).expect("the case"));
    let matrix = Array2::from_shape_fn((2, 3), |(row, column)| (row * 3 + column) as f32);
    npy::write(&path, matrix.view().into_dyn()).expect("written");
    assert_eq!(std::fs::read(&path).expect("read"), case("version 1"));
    npy::write(&path, Array1::from_iter(0..5i32).view().into_dyn()).expect("written");
    assert_eq!(std::fs::read(&path).expect("read"), case("one axis"));
    npy::write(&path, ArrayD::<f32>::zeros(IxDyn(&[0, 7])).view()).expect("written");
    assert_eq!(std::fs::read(&path).expect("read"), case("no rows"));
}

#[test]
fn archives_are_read_by_name_stored_or_deflated() {
    for name in ["npy/stored.npz", "npy/deflated.npz"] {
        let mut npz = npz::open(fixture::path(name)).expect("opened");
        assert_eq!(npz.names(), ["responses", "labels", "mask", "folder/nested"]);
        let responses = npz.array("responses").expect("there").read::<f32>().expect("read");
        assert_eq!(
            responses,
            Array2::from_shape_fn((10, 6), |(row, column)| (row * 6 + column) as f32 / 4.0).into_dyn()
        );
        let labels = npz.array("labels").expect("there").read::<i64>().expect("read");
        assert_eq!(labels, Array1::from_iter((0..10i64).map(|i| i % 3)).into_dyn());
        let mask = npz.array("mask").expect("there");
        assert_eq!((mask.number(), mask.shape()), (Number::Bool, [2, 3, 4].as_slice()));
        assert_eq!(mask.read::<u8>().expect("read")[[1, 0, 2]], 1);
    }
}

#[test]
fn a_wrong_name_lists_the_names_there_are() {
    let mut npz = npz::open(fixture::path("npy/deflated.npz")).expect("opened");
    let error = npz.array("response").expect_err("a letter is missing");
    assert!(matches!(error.kind(), Kind::Missing { .. }));
    assert!(
        error.to_string().ends_with(
            "deflated.npz`: there is no array `response` \
             (there are `responses`, `labels`, `mask`, `folder/nested`)"
        ),
        "{error}"
    );
}

#[test]
fn a_written_archive_reads_back_and_has_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let big = Array2::from_shape_fn((300, 50), |(row, column)| (row * column) as f32);
    let write = |name: &str| {
        let path = folder.path().join(name);
        npz::write(&path, |archive| {
            archive.add("big", big.view().into_dyn())?;
            archive.add("small", Array1::from_vec(vec![7i32]).view().into_dyn())
        })
        .expect("written");
        path
    };
    let (first, second) = (write("first.npz"), write("second.npz"));
    assert_eq!(std::fs::read(&first).expect("read"), std::fs::read(&second).expect("read"));
    let mut npz = npz::open(&first).expect("opened");
    assert_eq!(npz.names(), ["big", "small"]);
    assert_eq!(npz.array("big").expect("there").read::<f32>().expect("read"), big.into_dyn());
}

#[test]
fn damaged_arrays_are_refused_in_little_memory() {
    let blob = fixture::bytes("npy/cases.bin");
    let index = fixture::json("npy/cases.json");
    for number in [10, 35, 45, 49] {
        let bytes = slice_of(&blob, &index["cases"][number]);
        let outcome = Hostile::new(bytes).check(|bytes| {
            let npy = open(bytes)?;
            npy.rows::<f64>(0..1)?;
            npy.read::<f32>()
        });
        assert!(outcome.n_refused > bytes.len(), "{outcome:?}");
    }
    // A claim of 8 TB in a file of 128 bytes.
    let mut bytes = slice_of(&blob, &index["cases"][0]).to_vec();
    let text = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }";
    bytes[10..10 + text.len()].copy_from_slice(text.as_bytes());
    let words = open(&bytes).expect_err("too short").to_string();
    assert!(words.contains("the data, [1000000, 1000000] of float64: 8000000000000 bytes needed, 24 left"), "{words}");
}

#[test]
fn damaged_archives_are_refused_in_little_memory() {
    for name in ["npy/stored.npz", "npy/deflated.npz"] {
        let bytes = fixture::bytes(name);
        let outcome = Hostile::new(&bytes).check(|bytes| {
            let mut npz = Npz::from_source(Source::from_bytes(bytes))?;
            for name in ["responses", "labels", "mask", "folder/nested"] {
                npz.array(name)?.read::<f64>()?;
            }
            Ok::<_, percept_io::Error>(())
        });
        assert!(outcome.n_refused * 10 > outcome.n_tried * 6, "{outcome:?}");
    }
}
