//! Apache Parquet: small tables of text, counts and numbers, as pandas, Polars, DuckDB and R open them.
//!
//! One row group, plain encoding, no compression: tables of scores are small, and the same table must give the same
//! bytes. Text is UTF-8, counts are 64-bit integers, numbers are 64-bit floats; a number that is not known is a null,
//! never a NaN. [`read`] takes columns back.
//!
//! The format: <https://parquet.apache.org/docs/file-format/>.

pub mod read;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::{Error, Result, fs};

/// One column of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Words.
    Text(Vec<String>),
    /// Counts and indices.
    Integer(Vec<i64>),
    /// Numbers.
    Float(Vec<f64>),
    /// Numbers that are not known for every row.
    OptionalFloat(Vec<Option<f64>>),
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::OptionalFloat(values) => values.len(),
        }
    }

    fn field(&self, name: &str) -> std::result::Result<Type, ParquetError> {
        let (physical, repetition) = match self {
            Self::Text(_) => (PhysicalType::BYTE_ARRAY, Repetition::REQUIRED),
            Self::Integer(_) => (PhysicalType::INT64, Repetition::REQUIRED),
            Self::Float(_) => (PhysicalType::DOUBLE, Repetition::REQUIRED),
            Self::OptionalFloat(_) => (PhysicalType::DOUBLE, Repetition::OPTIONAL),
        };
        let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        match self {
            Self::Text(_) => {
                builder.with_logical_type(Some(LogicalType::String)).with_converted_type(ConvertedType::UTF8).build()
            }
            _ => builder.build(),
        }
    }
}

/// Writes the table of named `columns` to `path`, whole or not at all.
///
/// # Errors
/// If there is no column, a name occurs twice, the columns differ in length, or the file cannot be written.
pub fn write(path: impl AsRef<Path>, columns: &[(&str, Column)]) -> Result<()> {
    let path = path.as_ref();
    check(columns).map_err(|error| error.in_file(path))?;
    fs::write_atomic(path, |sink| encode(sink, columns))
}

fn check(columns: &[(&str, Column)]) -> Result<()> {
    let Some((first, column)) = columns.first() else {
        return Err(Error::mismatch("the number of columns", "at least 1", 0, "give the table a column"));
    };
    for (i, (name, other)) in columns.iter().enumerate() {
        if other.len() != column.len() {
            return Err(Error::mismatch(
                format!("the length of column `{name}`"),
                format!("{} as in `{first}`", column.len()),
                other.len(),
                "give every column one value per row",
            ));
        }
        if columns[..i].iter().any(|(earlier, _)| earlier == name) {
            return Err(Error::mismatch("a column name", "one that is not taken", name, "rename one of the two"));
        }
    }
    Ok(())
}

fn encode(sink: impl Write + Send, columns: &[(&str, Column)]) -> Result<()> {
    let attempt = || -> std::result::Result<(), ParquetError> {
        let fields = columns.iter().map(|(name, column)| column.field(name).map(Arc::new));
        let fields = fields.collect::<std::result::Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("table").with_fields(fields).build()?;
        let properties = WriterProperties::builder()
            .set_created_by(concat!("percept ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .build();
        let mut file = SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties))?;
        let mut group = file.next_row_group()?;
        for (_, column) in columns {
            let mut writer = group
                .next_column()?
                .ok_or_else(|| ParquetError::General("the schema has fewer columns than the table".to_owned()))?;
            match column {
                Column::Text(values) => {
                    let values: Vec<ByteArray> = values.iter().map(|text| text.as_str().into()).collect();
                    writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
                }
                Column::Integer(values) => {
                    writer.typed::<Int64Type>().write_batch(values, None, None)?;
                }
                Column::Float(values) => {
                    writer.typed::<DoubleType>().write_batch(values, None, None)?;
                }
                Column::OptionalFloat(values) => {
                    let known: Vec<f64> = values.iter().flatten().copied().collect();
                    let present: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
                    writer.typed::<DoubleType>().write_batch(&known, Some(&present), None)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        file.close()?;
        Ok(())
    };
    attempt().map_err(|error| match error {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => Error::io("write", *error),
            Err(inner) => Error::codec("the Parquet table", inner),
        },
        other => Error::codec("the Parquet table", other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let columns = [("a", Column::Integer(vec![1, 2])), ("b", Column::Float(vec![1.0]))];
        let error = check(&columns).expect_err("two rows against one");
        assert!(
            error.to_string().starts_with("the length of column `b` is 1, but 2 as in `a` was asked for"),
            "{error}"
        );
    }

    #[test]
    fn no_column_and_a_name_twice_are_refused() {
        assert!(check(&[]).is_err());
        let columns = [("a", Column::Integer(vec![1])), ("a", Column::Integer(vec![1]))];
        assert!(check(&columns).is_err());
    }
}
