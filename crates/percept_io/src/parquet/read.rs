//! Reading the columns of a Parquet file: numbers and text, flat tables only.
//!
//! The decoder is the crate `parquet` without its compression codecs: files that percept wrote are plain, others must be written without
//! compression (`df.to_parquet(path, compression=None)`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use crate::{Error, Result, fs};

/// A column as read.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; a null is NaN.
    Numbers(Vec<f64>),
    /// Words; a null is empty.
    Text(Vec<String>),
}

/// All columns of the file at `path` that hold numbers or text, in order.
///
/// # Errors
/// If it is not Parquet, is compressed, or is damaged.
pub fn columns(path: impl AsRef<Path>) -> Result<Vec<(String, Values)>> {
    let path = path.as_ref();
    let bytes = fs::read_to_limit(path, crate::limits::MAX_WHOLE_BYTES)?;
    from_bytes(bytes).map_err(|error| error.in_file(path))
}

/// As [`columns`], for bytes that are at hand.
///
/// # Errors
/// As [`columns`].
pub fn from_bytes(bytes: Vec<u8>) -> Result<Vec<(String, Values)>> {
    // The decoder answers some damage with a panic; it holds no state that could be left half changed.
    catch_unwind(AssertUnwindSafe(|| decode(bytes)))
        .unwrap_or_else(|_| Err(Error::codec("the Parquet table", "its pages are damaged")))
}

fn decode(bytes: Vec<u8>) -> Result<Vec<(String, Values)>> {
    let n_bytes = bytes.len();
    let failed = |error: parquet::errors::ParquetError| {
        Error::codec("the Parquet table", error).with_remedy("write it again without compression")
    };
    let reader = SerializedFileReader::new(Bytes::from(bytes)).map_err(failed)?;
    let meta = reader.metadata().file_metadata();
    let names: Vec<String> = meta.schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    let n_rows = usize::try_from(meta.num_rows()).unwrap_or(usize::MAX);
    // A row may take less than a byte by run-length encoding, but not by this much.
    if n_rows.saturating_mul(names.len().max(1)) > n_bytes.saturating_mul(4096) {
        return Err(Error::too_large("the Parquet table", n_rows as u128, n_bytes as u64));
    }
    let mut columns: Vec<Option<Values>> = vec![None; names.len()];
    for row in reader.get_row_iter(None).map_err(failed)? {
        for (slot, (_, field)) in columns.iter_mut().zip(row.map_err(failed)?.get_column_iter()) {
            put(slot, field);
        }
    }
    let present = names.into_iter().zip(columns).filter_map(|(name, values)| Some((name, values?)));
    // Columns of dates, lists and the like end shorter than the table.
    Ok(present.filter(|(_, values)| len(values) == n_rows).collect())
}

fn len(values: &Values) -> usize {
    match values {
        Values::Numbers(values) => values.len(),
        Values::Text(values) => values.len(),
    }
}

fn put(slot: &mut Option<Values>, field: &Field) {
    let number = match field {
        Field::Bool(value) => f64::from(u8::from(*value)),
        Field::Byte(value) => f64::from(*value),
        Field::Short(value) => f64::from(*value),
        Field::Int(value) => f64::from(*value),
        Field::Long(value) => *value as f64,
        Field::UByte(value) => f64::from(*value),
        Field::UShort(value) => f64::from(*value),
        Field::UInt(value) => f64::from(*value),
        Field::ULong(value) => *value as f64,
        Field::Float(value) => f64::from(*value),
        Field::Double(value) => *value,
        Field::Null => match slot {
            Some(Values::Text(values)) => return values.push(String::new()),
            _ => f64::NAN,
        },
        Field::Str(text) => {
            let values = slot.get_or_insert_with(|| Values::Text(Vec::new()));
            // Nulls before the first word were taken for numbers.
            if let Values::Numbers(numbers) = values
                && numbers.iter().all(|number| number.is_nan())
            {
                *values = Values::Text(vec![String::new(); numbers.len()]);
            }
            if let Values::Text(values) = values {
                values.push(text.clone());
            }
            return;
        }
        _ => return,
    };
    if let Values::Numbers(values) = slot.get_or_insert_with(|| Values::Numbers(Vec::new())) {
        values.push(number);
    }
}
