//! Tables as NSD, BIDS and pandas write them: one header line, commas or tabs, quotes, and several words for nothing.
//!
//! A missing value is an empty field, `NaN`, `nan`, `NA` or `n/a`. A column of integers with one value missing is written by
//! pandas and MATLAB as floats (`3.0`, `NaN`), so whole floats are integers here. Booleans are `True` and `False`, `true` and
//! `false`, `1` and `0`. Every error names the file, the column and the line.

use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};

use crate::{Error, Result, fs};

/// The longest table that is read; the largest of NSD has 10 MiB.
const MAX_BYTES: u64 = 1 << 30;

/// A table in memory.
#[derive(Clone, Debug)]
pub struct Table {
    path: Option<PathBuf>,
    header: Vec<String>,
    rows: Vec<StringRecord>,
}

/// What separates the fields of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `.csv`
    Comma,
    /// `.tsv`
    Tab,
}

/// Reads the table at `path`: tabs for `.tsv`, commas for anything else.
///
/// # Errors
/// If it cannot be read, is not UTF-8, has no header, or a row has another number of fields than the header.
pub fn open(path: impl AsRef<Path>) -> Result<Table> {
    let path = path.as_ref();
    let is_tsv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    let separator = if is_tsv { Separator::Tab } else { Separator::Comma };
    let text = fs::read_text(path, MAX_BYTES)?;
    let mut table = Table::parse(&text, separator).map_err(|error| error.in_file(path))?;
    table.path = Some(path.to_owned());
    Ok(table)
}

impl Table {
    /// Reads a table from `text`.
    ///
    /// # Errors
    /// As [`open`].
    pub fn parse(text: &str, separator: Separator) -> Result<Self> {
        let delimiter = match separator {
            Separator::Comma => b',',
            Separator::Tab => b'\t',
        };
        let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
        let header: Vec<String> =
            reader.headers().map_err(|error| translate(&error))?.iter().map(|name| name.trim().to_owned()).collect();
        if header.is_empty() {
            return Err(Error::malformed("the table", "a header line", "empty").at(0));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| translate(&error))?;
            if record.len() != header.len() {
                let (line, byte) = place(&record);
                let what = format!("the number of fields in line {line}");
                let error = Error::malformed(what, format!("{} as in the header", header.len()), record.len());
                return Err(error.at(byte).with_remedy("check the quotes and separators of that line"));
            }
            rows.push(record);
        }
        Ok(Self { path: None, header, rows })
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.header
    }

    /// The number of rows below the header.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is a column `name`.
    pub fn has_column(&self, name: &str) -> bool {
        self.header.iter().any(|column| column == name)
    }

    /// The column `name` as it stands in the file, without the spaces around its fields.
    ///
    /// # Errors
    /// [`crate::Kind::Missing`] with the columns that exist.
    pub fn texts(&self, name: &str) -> Result<Vec<&str>> {
        let column = self.index(name)?;
        Ok(self.rows.iter().map(|row| row[column].trim()).collect())
    }

    /// The column `name` as numbers; NaN where a value is missing.
    ///
    /// # Errors
    /// If there is no such column, or a field is neither a number nor missing.
    pub fn floats(&self, name: &str) -> Result<Vec<f64>> {
        self.parse_each(name, "a number", |field| match field {
            field if is_missing(field) => Some(f64::NAN),
            // The words `inf` and `infinity` are numbers to Rust, and to pandas.
            field => field.parse().ok(),
        })
    }

    /// The column `name` as integers, `None` where a value is missing.
    ///
    /// # Errors
    /// If there is no such column, or a field is neither a whole number nor missing.
    pub fn optional_integers(&self, name: &str) -> Result<Vec<Option<i64>>> {
        self.parse_each(name, "a whole number or `NaN`", |field| {
            if is_missing(field) { Some(None) } else { integer(field).map(Some) }
        })
    }

    /// The column `name` as integers.
    ///
    /// # Errors
    /// If there is no such column, or a field is not a whole number.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        self.parse_each(name, "a whole number", integer)
    }

    /// The column `name` as truth values.
    ///
    /// # Errors
    /// If there is no such column, or a field is something else.
    pub fn booleans(&self, name: &str) -> Result<Vec<bool>> {
        self.parse_each(name, "`True` or `False`", |field| match field {
            "True" | "true" | "TRUE" | "1" => Some(true),
            "False" | "false" | "FALSE" | "0" => Some(false),
            _ => None,
        })
    }

    /// The column `name`, each field through `parse`; `expected` says in an error what it should have been.
    ///
    /// # Errors
    /// If there is no such column, or `parse` returns `None`.
    pub fn parse_each<'t, T>(
        &'t self,
        name: &str,
        expected: &str,
        parse: impl Fn(&'t str) -> Option<T>,
    ) -> Result<Vec<T>> {
        let column = self.index(name)?;
        let field = |row: &'t StringRecord| {
            let field = row[column].trim();
            parse(field).ok_or_else(|| {
                let (line, byte) = place(row);
                let error = Error::malformed(format!("column `{name}` in line {line}"), expected, format!("`{field}`"));
                self.locate(error.at(byte).with_remedy("correct that field, or download the table again"))
            })
        };
        self.rows.iter().map(field).collect()
    }

    fn index(&self, name: &str) -> Result<usize> {
        let found = self.header.iter().position(|column| column == name);
        found.ok_or_else(|| self.locate(Error::missing("column", name, self.header.iter().map(String::as_str))))
    }

    fn locate(&self, error: Error) -> Error {
        match &self.path {
            Some(path) => error.in_file(path),
            None => error,
        }
    }
}

/// One line of a CSV table, with quotes where a field needs them (RFC 4180).
pub fn csv_line(fields: &[&str]) -> String {
    let quoted = |field: &&str| {
        let is_plain = !field.contains([',', '"', '\n', '\r']) && field.trim() == *field;
        if is_plain { (*field).to_owned() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
    };
    fields.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

/// Whether `field` says that there is no value.
fn is_missing(field: &str) -> bool {
    matches!(field, "" | "NaN" | "nan" | "NA" | "N/A" | "n/a")
}

/// A whole number, also written as a float such as `3.0`.
pub(crate) fn integer(field: &str) -> Option<i64> {
    field.parse().ok().or_else(|| {
        let value: f64 = field.parse().ok()?;
        // Whole floats up to 2^53 are exact.
        (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
    })
}

/// Line (from 1) and byte of a row.
fn place(row: &StringRecord) -> (u64, u64) {
    row.position().map_or((0, 0), |position| (position.line(), position.byte()))
}

fn translate(error: &csv::Error) -> Error {
    let byte = error.position().map_or(0, csv::Position::byte);
    Error::codec("the table", error).at(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "id\tvalue\tname\tnew\n1\t0.5\ta b\tTrue\nNaN\tn/a\t\"x\ty\"\tFalse\n3.0\t\tc\t1\n";

    fn table() -> Table {
        Table::parse(TABLE, Separator::Tab).expect("valid")
    }

    #[test]
    fn missing_values_are_nan_or_none() {
        let table = table();
        assert_eq!(table.optional_integers("id").expect("integers"), [Some(1), None, Some(3)]);
        let values = table.floats("value").expect("numbers");
        assert_eq!(values[0], 0.5);
        assert!(values[1].is_nan() && values[2].is_nan());
    }

    #[test]
    fn quoted_fields_keep_their_separators() {
        assert_eq!(table().texts("name").expect("texts"), ["a b", "x\ty", "c"]);
    }

    #[test]
    fn booleans_are_those_of_python() {
        assert_eq!(table().booleans("new").expect("booleans"), [true, false, true]);
    }

    #[test]
    fn a_bad_field_is_named_by_column_and_line() {
        let error = table().integers("id").expect_err("one is missing").to_string();
        assert!(error.starts_with("column `id` in line 3 is `NaN`, expected a whole number, at byte 33"), "{error}");
        let error = table().integers("value").expect_err("0.5").to_string();
        assert!(error.contains("line 2 is `0.5`"), "{error}");
        let error = table().booleans("name").expect_err("words").to_string();
        assert!(error.contains("expected `True` or `False`"), "{error}");
    }

    #[test]
    fn a_wrong_column_lists_the_right_ones() {
        let error = table().texts("Id").expect_err("the case differs").to_string();
        assert_eq!(error, "there is no column `Id` (there are `id`, `value`, `name`, `new`)");
    }

    #[test]
    fn a_row_with_other_fields_than_the_header_is_refused() {
        let error = Table::parse("a,b\n1,2\n3\n", Separator::Comma).expect_err("short").to_string();
        assert!(error.starts_with("the number of fields in line 3 is 1, expected 2 as in the header"), "{error}");
        assert!(Table::parse("", Separator::Comma).is_err());
    }

    #[test]
    fn a_written_line_is_read_back() {
        let fields = ["a, b", "say \"hi\"", "two\nlines", "plain", ""];
        let text = csv_line(&["a", "b", "c", "d", "e"]) + &csv_line(&fields);
        let table = Table::parse(&text, Separator::Comma).expect("a table");
        let read: Vec<&str> =
            ["a", "b", "c", "d", "e"].iter().map(|name| table.texts(name).expect("a column")[0]).collect();
        assert_eq!(read, fields);
    }

    #[test]
    fn whole_floats_are_integers_and_others_are_not() {
        assert_eq!(integer("73000.0"), Some(73000));
        assert_eq!(integer("1.5"), None);
        assert_eq!(integer("1e300"), None);
        assert_eq!(integer("inf"), None);
    }
}
