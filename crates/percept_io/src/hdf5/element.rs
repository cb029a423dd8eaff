//! The types of elements: what HDF5 calls them, and their conversion by [`crate::number`].

use hdf5_reader::error::{ByteOrder as StoredOrder, Error as Decoder, Result as DecoderResult};
use hdf5_reader::{Datatype, H5Type};

use crate::number::{self, ByteOrder, Element, Number};

/// The stored type of a data set's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// A number. NumPy's booleans (an enumeration of `FALSE` and `TRUE`) are [`Number::Bool`].
    Number(Number),
    /// Text of fixed or variable length.
    Text,
    /// Anything else, described in words.
    Other(String),
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => f.write_str(number.name()),
            Self::Text => f.write_str("text"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

impl Dtype {
    /// The number type, if the elements are numbers.
    pub fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text | Self::Other(_) => None,
        }
    }
}

/// What `datatype` is here, and the order of its bytes.
pub(super) fn classify(datatype: &Datatype) -> (Dtype, ByteOrder) {
    let other = |words: &str| (Dtype::Other(words.to_owned()), ByteOrder::Little);
    match datatype {
        Datatype::FixedPoint { size, signed, byte_order } => match integer(*size, *signed) {
            Some(number) => (Dtype::Number(number), order(*byte_order)),
            None => other("integer of an unusual size"),
        },
        Datatype::FloatingPoint { size, byte_order } => match size {
            2 => (Dtype::Number(Number::F16), order(*byte_order)),
            4 => (Dtype::Number(Number::F32), order(*byte_order)),
            8 => (Dtype::Number(Number::F64), order(*byte_order)),
            _ => other("float of an unusual size"),
        },
        Datatype::Enum { base, members } => {
            let is_bool = members.len() == 2 && members.iter().all(|m| matches!(&*m.name, "FALSE" | "TRUE"));
            match (&**base, is_bool) {
                (Datatype::FixedPoint { size: 1, .. }, true) => (Dtype::Number(Number::Bool), ByteOrder::Little),
                (Datatype::FixedPoint { .. }, _) => classify(base),
                _ => other("enumeration"),
            }
        }
        Datatype::String { .. } => (Dtype::Text, ByteOrder::Little),
        Datatype::VarLen { base, .. } if base.is_vlen_string_base() => (Dtype::Text, ByteOrder::Little),
        Datatype::VarLen { .. } => other("variable-length sequence"),
        Datatype::Compound { .. } => other("compound"),
        Datatype::Reference { .. } => other("reference"),
        Datatype::Array { .. } => other("array"),
        Datatype::Opaque { .. } => other("opaque"),
        Datatype::Bitfield { .. } => other("bit field"),
    }
}

fn order(order: StoredOrder) -> ByteOrder {
    match order {
        StoredOrder::LittleEndian => ByteOrder::Little,
        StoredOrder::BigEndian => ByteOrder::Big,
    }
}

fn integer(size: u8, signed: bool) -> Option<Number> {
    Some(match (size, signed) {
        (1, true) => Number::I8,
        (1, false) => Number::U8,
        (2, true) => Number::I16,
        (2, false) => Number::U16,
        (4, true) => Number::I32,
        (4, false) => Number::U32,
        (8, true) => Number::I64,
        (8, false) => Number::U64,
        _ => return None,
    })
}

/// The HDF5 type of `number`, little-endian; `None` for those without one.
pub(super) fn datatype_of(number: Number) -> Option<Datatype> {
    let byte_order = StoredOrder::LittleEndian;
    let signed = matches!(number, Number::I8 | Number::I16 | Number::I32 | Number::I64);
    let size = number.width() as u8;
    match number {
        Number::Bf16 => None,
        Number::F16 | Number::F32 | Number::F64 => Some(Datatype::FloatingPoint { size, byte_order }),
        _ => Some(Datatype::FixedPoint { size, signed, byte_order }),
    }
}

/// The decoder converts whole buffers through this wrapper, since its trait cannot be implemented for `f32` here.
#[derive(Clone, Copy)]
pub(super) struct Cell<T>(pub(super) T);

impl<T: Element> H5Type for Cell<T> {
    fn hdf5_type() -> Datatype {
        datatype_of(T::NUMBER).unwrap_or(Datatype::FixedPoint {
            size: 1,
            signed: false,
            byte_order: StoredOrder::LittleEndian,
        })
    }

    fn from_bytes(bytes: &[u8], datatype: &Datatype) -> DecoderResult<Self> {
        let values = decode(bytes, datatype)?;
        values.first().copied().map(Self).ok_or_else(|| Decoder::InvalidData("an element of no bytes".to_owned()))
    }

    fn element_size(datatype: &Datatype) -> usize {
        classify(datatype).0.number().map_or(0, Number::width)
    }

    fn decode_vec(raw: &[u8], datatype: &Datatype, count: usize) -> Option<DecoderResult<Vec<Self>>> {
        let total = count.checked_mul(classify(datatype).0.number()?.width())?;
        // Collecting in place: the two types have the same layout, so no second buffer is taken.
        Some(decode(raw.get(..total)?, datatype).map(|values| values.into_iter().map(Self).collect()))
    }
}

/// The numbers in `bytes`; this crate's error travels inside the decoder's.
pub(super) fn decode<T: Element>(bytes: &[u8], datatype: &Datatype) -> DecoderResult<Vec<T>> {
    let mut values = Vec::new();
    decode_into(bytes, datatype, &mut values)?;
    Ok(values)
}

/// As [`decode`], appending to `values`.
pub(super) fn decode_into<T: Element>(bytes: &[u8], datatype: &Datatype, values: &mut Vec<T>) -> DecoderResult<()> {
    let (dtype, order) = classify(datatype);
    let Some(number) = dtype.number() else {
        return Err(Decoder::TypeMismatch { expected: T::NUMBER.name().to_owned(), actual: dtype.to_string() });
    };
    number::decode(bytes, number, order, values).map_err(|error| Decoder::Io(std::io::Error::other(error)))
}
