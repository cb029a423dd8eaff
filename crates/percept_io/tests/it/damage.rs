//! Damaged files by the way that users take: by path, through a reference such as `x.mat:name`, and tables by column.

use std::path::PathBuf;

use ndarray::{Array2, Array4};
use percept_io::table::{Separator, Table};
use percept_io::{Error, array, hdf5, mat, nifti, npy, npz, safetensors};
use percept_testing::Hostile;

/// One small file of every format that a reference can name, and the reference's end.
fn references(folder: &tempfile::TempDir) -> Vec<(PathBuf, &'static str)> {
    let at = |name: &str| folder.path().join(name);
    let matrix = Array2::from_shape_fn((4, 3), |(row, column)| (row * 3 + column) as f32 / 2.0);
    let view = matrix.view().into_dyn();
    let volume = Array4::from_shape_fn((3, 2, 2, 2), |(x, y, z, t)| (x + 3 * y + 6 * z + 12 * t) as i16);
    npy::write(at("a.npy"), view.view()).expect("written");
    npz::write(at("a.npz"), |archive| archive.add("x", view.view())).expect("written");
    nifti::write(at("a.nii"), volume.view(), &nifti::Spec::default()).expect("written");
    nifti::write(at("a.nii.gz"), volume.view(), &nifti::Spec::default()).expect("written");
    let mut tensors = safetensors::Writer::new();
    tensors.add("x", view.view()).write(at("a.safetensors")).expect("written");
    mat::Writer::new().array("x", &view).and_then(|writer| writer.write(at("a.mat"))).expect("written");
    let spec = hdf5::DatasetSpec::contiguous();
    hdf5::Writer::new().dataset("x", &view, &spec).and_then(|writer| writer.write(at("a.h5"))).expect("written");
    let names = [
        ("a.npy", ""),
        ("a.npz", ":x"),
        ("a.nii", ""),
        ("a.nii.gz", ""),
        ("a.safetensors", ":x"),
        ("a.mat", ":x"),
        ("a.h5", ":x"),
    ];
    names.map(|(name, end)| (at(name), end)).to_vec()
}

#[test]
fn a_damaged_file_of_any_format_is_named_by_its_path_once() {
    // The HDF5 reader takes a cache and blocks of a fixed size whatever the file.
    const MEMORY: u64 = 96 << 20;
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, end) in references(&folder) {
        let valid = std::fs::read(&path).expect("read");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let reference = format!("{}{end}", path.display());
        let outcome =
            Hostile::new(&valid).prefixes(1000).mutations(500).memory_limit(MEMORY).prefixes_may_pass().check(
                |bytes| {
                    // Overwriting in place makes some file systems flush to the disk each time; a new file does not.
                    std::fs::remove_file(&path).expect("removed");
                    std::fs::write(&path, bytes).expect("written");
                    let answer = array::read::<f64>(&reference);
                    if let Err(error) = &answer {
                        let words = error.to_string();
                        assert_eq!(words.matches(&name).count(), 1, "{words}");
                        assert!(words.ends_with(')') && words.contains(" ("), "no remedy: {words}");
                    }
                    answer.map(|loaded| loaded.data.len())
                },
            );
        assert!(outcome.n_refused > valid.len().min(1000) * 9 / 10, "{name}: {outcome:?}");
    }
}

#[test]
fn a_damaged_table_never_panics_in_any_column() {
    let mut text = String::from("SUBJECT\tSESSION\t73KID\tRT\tISOLD\tNOTE\n");
    let rows = (0..40).map(|row| {
        let (session, image, time, old) = (row / 8 + 1, row * 1700 + 3, row * 30, row % 2);
        format!("1\t{session}\t{image}\t{time}.25\t{old}\t\"a \"\"note\"\" {row}\"\n")
    });
    text.extend(rows);
    text += "1\tNaN\t9.0\tNaN\tTrue\tn/a\n";
    let outcome = Hostile::new(text.as_bytes()).prefixes_may_pass().check(|bytes| {
        let table = Table::parse(&String::from_utf8_lossy(bytes), Separator::Tab)?;
        for name in table.columns() {
            // Any of these may refuse; none may panic.
            let refused = [
                table.texts(name).is_err(),
                table.floats(name).is_err(),
                table.integers(name).is_err(),
                table.optional_integers(name).is_err(),
                table.booleans(name).is_err(),
            ];
            assert!(!refused[0], "a column that exists has texts");
        }
        table.floats("RT").map(|values| values.len())
    });
    assert!(outcome.n_refused > 500, "{outcome:?}");
}

#[test]
fn a_format_that_holds_no_array_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("picture.npy");
    std::fs::write(&path, b"\x89PNG\r\n\x1a\n").expect("written");
    let error: Error = array::read::<f32>(&path.display().to_string()).expect_err("a picture");
    assert!(error.to_string().contains("PNG"), "{error}");
}
