//! References such as `x.mat:fmriTrn` over every format, and their errors.

use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD, IxDyn};
use percept_io::array::{self, Reference};
use percept_io::hdf5::{self, DatasetSpec};
use percept_io::{Kind, mat, npy, npz, safetensors};

fn matrix() -> ArrayD<f64> {
    let mut data = Array2::from_shape_fn((3, 4), |(i, j)| (i * 4 + j) as f64 / 2.0);
    data[[1, 2]] = f64::NAN;
    data.into_dyn()
}

fn folder() -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let data = matrix();
    let view = data.view();
    let layout = DatasetSpec::contiguous();
    npy::write(at("a.npy"), data.view()).expect("written");
    npz::write(at("a.npz"), |w| w.add("x", data.view()).and_then(|()| w.add("y", data.view()))).expect("written");
    mat::Writer::new().array("x", &view).and_then(|w| w.text("note", "n")?.write(at("a.mat"))).expect("written");
    hdf5::Writer::new().dataset("g/x", &view, &layout).and_then(|w| w.write(at("a.h5"))).expect("written");
    let mut tensors = safetensors::Writer::new();
    tensors.add("x", data.view());
    tensors.write(at("a.safetensors")).expect("written");
    let names = ["a.npy", "a.npz:y", "a.mat:x", "a.h5:g/x", "a.h5", "a.safetensors"];
    let references = names.iter().map(|name| at(name).display().to_string()).collect();
    (folder, references)
}

#[test]
fn every_format_gives_the_same_array_with_its_nan() {
    let (_folder, references) = folder();
    for reference in references {
        let loaded = array::read::<f64>(&reference).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(loaded.n_nan(), 1, "{reference}");
        let (got, want) = (loaded.data, matrix());
        assert_eq!(got.shape(), want.shape(), "{reference}");
        assert!(got.iter().zip(&want).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())), "{reference}");
        let single = array::read::<f32>(&reference).expect("f32");
        assert_eq!((single.n_nan(), single.data[[2, 3]]), (1, 5.5), "{reference}");
    }
}

#[test]
fn the_array_of_a_mat_file_of_version_seven_three_has_matlabs_axes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hdf5/matlab73.mat");
    let loaded = array::read::<f64>(&format!("{}:responses", path.display())).expect("read");
    assert_eq!(loaded.data.shape(), [4, 3]);
}

#[test]
fn a_wrong_name_lists_those_that_exist() {
    let (folder, _) = folder();
    for (reference, names) in
        [("a.npz:z", "`x`, `y`"), ("a.mat:z", "`x`, `note`"), ("a.h5:z", "`g/x`"), ("a.safetensors:z", "`x`")]
    {
        let reference: Reference = reference.parse().expect("valid");
        let error = reference.below(folder.path()).read::<f32>().expect_err("no `z`");
        assert!(matches!(error.kind(), Kind::Missing { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(names) && text.contains("`z`") && text.contains("/a."), "{text}");
    }
}

#[test]
fn without_a_name_a_file_of_several_arrays_asks_for_one() {
    let (folder, _) = folder();
    let reference = Reference { path: folder.path().join("a.npz"), name: None };
    let text = reference.read::<f32>().expect_err("two arrays").to_string();
    assert!(text.contains("the number of arrays is 2, but one was asked for") && text.contains("`x`, `y`"), "{text}");
    let reference = Reference { path: folder.path().join("a.npy"), name: Some("x".to_owned()) };
    assert!(reference.read::<f32>().expect_err("no names").to_string().contains("leave the name out"));
    let reference = Reference { path: PathBuf::from("absent.npy"), name: None };
    assert!(reference.read::<f32>().expect_err("absent").to_string().contains("absent.npy"));
}

#[test]
fn a_matrix_is_asked_for_by_its_axes() {
    let (folder, _) = folder();
    let path = folder.path().join("cube.npy");
    npy::write(&path, ArrayD::<f32>::zeros(IxDyn(&[2, 3, 4])).view()).expect("written");
    let text = Reference { path, name: None }.read_matrix::<f32>().expect_err("three axes").to_string();
    assert!(text.contains("[2, 3, 4]") && text.contains("samples × units"), "{text}");
    let path = folder.path().join("t.csv");
    std::fs::write(&path, "a,b\n1,NaN\n2.5,3\n").expect("written");
    let column = Reference { path, name: Some("b".to_owned()) }.read_matrix::<f64>().expect("one column");
    assert_eq!((column.shape(), column[[1, 0]]), ([2, 1].as_slice(), 3.0));
}
