//! Matrices by rows and columns from every format, and files written piece by piece.

use std::collections::BTreeMap;

use ndarray::{Array, Array2, Array3, ShapeBuilder, array, s};
use percept_io::array::Reference;
use percept_io::hdf5::{DatasetSpec, Writer};
use percept_io::matrix::Matrix;
use percept_io::number::Number;
use percept_io::pieces::{Found, Pieces, Planned};
use percept_io::{mat, npy, safetensors};

fn values() -> Array2<f32> {
    Array::from_shape_fn((7, 5), |(i, j)| (i * 10 + j) as f32)
}

fn check(path: &str) {
    let reference: Reference = path.parse().expect("a reference");
    let matrix = Matrix::<f32>::open(&reference).expect("opens");
    assert_eq!(matrix.dim(), (7, 5), "{path}");
    assert_eq!(matrix.rows(2..5).expect("rows"), values().slice(s![2..5, ..]), "{path}");
    assert_eq!(matrix.columns(1..4).expect("columns"), values().slice(s![.., 1..4]), "{path}");
    assert_eq!(matrix.columns(0..5).expect("columns"), values(), "{path}");
    assert_eq!(matrix.rows(0..0).expect("no rows").dim(), (0, 5), "{path}");
    assert!(matrix.rows(5..8).is_err() && matrix.columns(0..6).is_err(), "{path}");
}

#[test]
fn every_format_gives_the_same_rows_and_columns() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    npy::write(path("c.npy"), values().view().into_dyn()).expect("writes");
    check(&path("c.npy"));
    let mut fortran = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    fortran.extend(format!("{:<117}\n", "{'descr': '<f4', 'fortran_order': True, 'shape': (7, 5), }").bytes());
    values().t().iter().for_each(|value| fortran.extend(value.to_le_bytes()));
    std::fs::write(path("f.npy"), fortran).expect("writes");
    check(&path("f.npy"));
    let (x, other) = (values(), array![1.0f64]);
    let mut writer = safetensors::Writer::new();
    writer.add("x", x.view().into_dyn()).add("other", other.view().into_dyn());
    writer.write(path("x.safetensors")).expect("writes");
    check(&format!("{}:x", path("x.safetensors")));
    for (name, spec) in [("whole.h5", DatasetSpec::contiguous()), ("chunked.h5", DatasetSpec::chunked(&[3, 2]))] {
        let writer = Writer::new().dataset("g/x", &values().view().into_dyn(), &spec).expect("fits");
        writer.write(path(name)).expect("writes");
        check(&format!("{}:g/x", path(name)));
    }
    mat::Writer::new().array("x", &values().view().into_dyn()).expect("fits").write(path("x.mat")).expect("writes");
    check(&path("x.mat"));
}

#[test]
fn axes_after_the_second_lie_side_by_side() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.npy");
    let cube = Array3::from_shape_fn((4, 2, 3), |(i, j, k)| (i * 6 + j * 3 + k) as f64);
    npy::write(&path, cube.view().into_dyn()).expect("writes");
    let matrix = Matrix::<f64>::open(&path.display().to_string().parse().expect("a path")).expect("opens");
    assert_eq!(matrix.dim(), (4, 6));
    assert_eq!(matrix.columns(4..6).expect("columns").row(1), array![10.0, 11.0]);
    let by_columns = Array2::<f64>::zeros((2, 3).f());
    assert!(!by_columns.is_standard_layout());
}

#[test]
fn a_file_written_in_pieces_over_two_runs_is_the_file_written_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, pieced) = (folder.path().join("whole.safetensors"), folder.path().join("pieced.safetensors"));
    let (x, v) = (values(), array![1.0f64, 2.0]);
    let mut writer = safetensors::Writer::new();
    writer.add("x", x.view().into_dyn()).add("v", v.view().into_dyn()).add_text("made", "by us");
    writer.write(&whole).expect("writes");

    let plan = [
        Planned { name: "x".to_owned(), number: Number::F32, shape: vec![7, 5] },
        Planned { name: "v".to_owned(), number: Number::F64, shape: vec![2] },
    ];
    let metadata = BTreeMap::from([("made".to_owned(), "by us".to_owned())]);
    let (pieces, found) = Pieces::safetensors(&pieced, &plan, &metadata, true).expect("begins");
    assert_eq!(found, Found::Nothing);
    pieces.put_columns("x", 0..3, x.slice(s![.., ..3])).expect("writes");
    pieces.put("v", 0, v.view()).expect("writes");
    pieces.flush().expect("flushes");
    drop(pieces);
    assert!(!pieced.exists(), "an unfinished file does not have the final name");
    let (pieces, found) = Pieces::safetensors(&pieced, &plan, &metadata, true).expect("goes on");
    assert_eq!(found, Found::Partial);
    pieces.put_columns("x", 3..5, x.slice(s![.., 3..])).expect("writes");
    pieces.finish().expect("finishes");
    assert_eq!(std::fs::read(&whole).expect("reads"), std::fs::read(&pieced).expect("reads"));

    // Another plan begins anew.
    let other = [Planned { name: "x".to_owned(), number: Number::F32, shape: vec![7, 6] }];
    let (_, found) = Pieces::safetensors(folder.path().join("again"), &other, &metadata, true).expect("begins");
    assert_eq!(found, Found::Nothing);
}

#[test]
fn a_piece_that_was_not_planned_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pieces, _) = Pieces::npy(folder.path().join("p.npy"), Number::F32, &[7, 5], false).expect("begins");
    assert!(pieces.put_columns("array", 4..6, values().slice(s![.., ..2])).is_err());
    assert!(pieces.put_columns("array", 0..2, values().slice(s![..3, ..2])).is_err());
    assert!(pieces.put_columns("array", 0..1, Array2::<f64>::zeros((7, 1)).view()).is_err());
    assert!(pieces.put("other", 0, array![1f32].view()).is_err());
    pieces.put_columns("array", 0..5, values().view()).expect("writes");
    pieces.finish().expect("finishes");
    let read = npy::open(folder.path().join("p.npy")).expect("opens").read::<f32>().expect("reads");
    assert_eq!(read, values().into_dyn());
}

#[test]
fn a_file_larger_than_the_disk_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("huge.npy");
    let error = Pieces::npy(&path, Number::F64, &[1 << 30, 1 << 20], false).err();
    // Only file systems that can reserve space know in advance.
    if let Some(error) = error {
        assert!(error.to_string().contains("9007199254741120 bytes are needed"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 0, "nothing is left behind");
    }
}
