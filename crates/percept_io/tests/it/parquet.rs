//! Parquet tables: read back by the reference reader of the format, and byte for byte the file that pyarrow opened.

use std::fs::File;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use percept_io::parquet::{Column, write};

/// The table in `tests/data/parquet/scores.parquet`.
fn scores() -> Vec<(&'static str, Column)> {
    let words = |words: &[&str]| Column::Text(words.iter().map(|&word| word.to_owned()).collect());
    vec![
        ("method", words(&["z", "z+c", "vérité"])),
        ("value", Column::Float(vec![0.125, -1.5, 1e300])),
        ("chance", Column::OptionalFloat(vec![Some(0.5), None, Some(0.0)])),
        ("n", Column::Integer(vec![100, 0, i64::MAX])),
    ]
}

#[test]
fn what_was_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scores.parquet");
    write(&path, &scores()).expect("a sound table");
    let reader = SerializedFileReader::new(File::open(&path).expect("the file")).expect("Parquet");
    let rows: Vec<Vec<Field>> = reader
        .get_row_iter(None)
        .expect("rows")
        .map(|row| row.expect("a row").into_columns().into_iter().map(|(_, field)| field).collect())
        .collect();
    let row = |method: &str, value, chance, n| {
        vec![Field::Str(method.to_owned()), Field::Double(value), chance, Field::Long(n)]
    };
    assert_eq!(
        rows,
        [
            row("z", 0.125, Field::Double(0.5), 100),
            row("z+c", -1.5, Field::Null, 0),
            row("vérité", 1e300, Field::Double(0.0), i64::MAX),
        ]
    );
}

#[test]
fn a_table_without_rows_is_a_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("empty.parquet");
    write(&path, &[("n", Column::Integer(vec![])), ("chance", Column::OptionalFloat(vec![]))]).expect("sound");
    let reader = SerializedFileReader::new(File::open(&path).expect("the file")).expect("Parquet");
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    assert_eq!(reader.metadata().file_metadata().schema_descr().num_columns(), 2);
}

/// Other bytes may be as good, but nobody has opened them with another program yet: see the folder's README.
#[test]
fn the_bytes_are_those_that_pyarrow_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scores.parquet");
    write(&path, &scores()).expect("a sound table");
    let written = std::fs::read(&path).expect("the file");
    assert!(written == include_bytes!("../data/parquet/scores.parquet"), "the written table changed");
}

#[test]
fn our_own_reader_gives_the_columns_back_and_survives_damage() {
    use percept_io::parquet::read::{Values, columns, from_bytes};
    let path = crate::fixture::path("parquet/scores.parquet");
    let found = columns(&path).expect("readable");
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["method", "value", "chance", "n"]);
    assert_eq!(found[0].1, Values::Text(vec!["z".to_owned(), "z+c".to_owned(), "vérité".to_owned()]));
    let Values::Numbers(chance) = &found[2].1 else { panic!("numbers") };
    assert!(chance[0] == 0.5 && chance[1].is_nan() && chance[2] == 0.0);
    let bytes = std::fs::read(path).expect("readable");
    // Damage makes the decoder panic here and there; the panics are caught, and their words are of no use to a reader.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = percept_testing::Hostile::new(&bytes).mutations(1500).check(|bytes| from_bytes(bytes.to_vec()));
    std::panic::set_hook(hook);
    assert!(outcome.n_refused > 500, "{outcome:?}");
}
