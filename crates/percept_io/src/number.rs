//! The number types that files store, and their conversion to the types that callers compute with.
//!
//! A file says which [`Number`] it holds and in which [`ByteOrder`]; the caller says which [`Element`] it wants. Integers
//! become floats by rounding to nearest; floats become integers only where nothing is lost, anything else is an error that
//! names the value and its index. Nothing is wrapped or truncated silently.

use half::{bf16, f16};

use crate::{Error, Result};

/// The order of the bytes of a number in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// A number type as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Number {
    /// One byte, 0 or 1.
    Bool,
    /// 8-bit unsigned.
    U8,
    /// 8-bit signed.
    I8,
    /// 16-bit unsigned.
    U16,
    /// 16-bit signed.
    I16,
    /// 32-bit unsigned.
    U32,
    /// 32-bit signed.
    I32,
    /// 64-bit unsigned.
    U64,
    /// 64-bit signed.
    I64,
    /// IEEE half precision.
    F16,
    /// The upper half of IEEE single precision.
    Bf16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
}

impl Number {
    /// Bytes per number.
    pub fn width(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The name that NumPy and others use, such as `int16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A type that stored numbers can be converted to and written from.
pub trait Element: Copy + Default + Send + Sync + sealed::Sealed + 'static {
    /// The stored form of this type.
    const NUMBER: Number;
    /// The nearest value, or `None` if it is out of range.
    fn from_i64(value: i64) -> Option<Self>;
    /// The nearest value, or `None` if it is out of range.
    fn from_u64(value: u64) -> Option<Self>;
    /// The nearest value; `None` where an integer type cannot hold it exactly.
    fn from_f64(value: f64) -> Option<Self>;
    /// Appends the little-endian bytes of this value.
    fn put_le(self, bytes: &mut Vec<u8>);
}

macro_rules! float_element {
    ($type:ty, $number:ident, $from_i64:expr, $from_u64:expr, $from_f64:expr) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const NUMBER: Number = Number::$number;
            fn from_i64(value: i64) -> Option<Self> {
                Some($from_i64(value))
            }
            fn from_u64(value: u64) -> Option<Self> {
                Some($from_u64(value))
            }
            fn from_f64(value: f64) -> Option<Self> {
                Some($from_f64(value))
            }
            fn put_le(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}

macro_rules! integer_element {
    ($type:ty, $number:ident) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const NUMBER: Number = Number::$number;
            fn from_i64(value: i64) -> Option<Self> {
                Self::try_from(value).ok()
            }
            fn from_u64(value: u64) -> Option<Self> {
                Self::try_from(value).ok()
            }
            fn from_f64(value: f64) -> Option<Self> {
                // `as` saturates, so a value out of range does not survive the way back. The bounds 2^63 and 2^64 do, by
                // rounding, and are excluded by the comparison with the type's own bound.
                let nearest = value as Self;
                let survives = nearest as f64 == value && (nearest != Self::MAX || (Self::MAX as f64) < 9.0e15);
                survives.then_some(nearest)
            }
            fn put_le(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}

float_element!(f64, F64, |v| v as f64, |v| v as f64, |v| v);
float_element!(f32, F32, |v| v as f32, |v| v as f32, |v| v as f32);
float_element!(f16, F16, |v| f16::from_f64(v as f64), |v| f16::from_f64(v as f64), f16::from_f64);
integer_element!(u8, U8);
integer_element!(i8, I8);
integer_element!(u16, U16);
integer_element!(i16, I16);
integer_element!(u32, U32);
integer_element!(i32, I32);
integer_element!(u64, U64);
integer_element!(i64, I64);

/// One stored number, widened.
#[derive(Clone, Copy)]
enum Stored {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

/// Appends all numbers in `bytes` to `out`. A rest of `bytes` that is shorter than one number is left over.
///
/// # Errors
/// [`crate::Kind::Mismatch`] at the first number that `T` cannot hold.
pub fn decode<T: Element>(bytes: &[u8], number: Number, order: ByteOrder, out: &mut Vec<T>) -> Result<()> {
    out.reserve(bytes.len() / number.width());
    visit(bytes, number, order, |stored| {
        let value = match stored {
            Stored::Signed(value) => T::from_i64(value),
            Stored::Unsigned(value) => T::from_u64(value),
            Stored::Float(value) => T::from_f64(value),
        };
        value.map(|value| out.push(value)).is_some()
    })
    .map_err(|(index, stored)| lossy::<T>(number, index, stored))
}

/// As [`decode`], with each number `x` replaced by `slope · x + intercept`, computed in double precision.
///
/// # Errors
/// As [`decode`].
pub fn decode_scaled<T: Element>(
    bytes: &[u8],
    number: Number,
    order: ByteOrder,
    slope: f64,
    intercept: f64,
    out: &mut Vec<T>,
) -> Result<()> {
    out.reserve(bytes.len() / number.width());
    visit(bytes, number, order, |stored| {
        let raw = match stored {
            Stored::Signed(value) => value as f64,
            Stored::Unsigned(value) => value as f64,
            Stored::Float(value) => value,
        };
        T::from_f64(raw * slope + intercept).map(|value| out.push(value)).is_some()
    })
    .map_err(|(index, stored)| lossy::<T>(number, index, stored))
}

fn lossy<T: Element>(number: Number, index: usize, stored: Stored) -> Error {
    let got = match stored {
        Stored::Signed(value) => value.to_string(),
        Stored::Unsigned(value) => value.to_string(),
        Stored::Float(value) => value.to_string(),
    };
    Error::mismatch(
        format!("{} value number {index}", number.name()),
        T::NUMBER.name(),
        got,
        "read the array as a wider or floating-point type",
    )
}

/// Calls `take` on each number; the first one that it refuses comes back with its index.
fn visit(
    bytes: &[u8],
    number: Number,
    order: ByteOrder,
    mut take: impl FnMut(Stored) -> bool,
) -> std::result::Result<(), (usize, Stored)> {
    macro_rules! each {
        ($type:ty, $wrap:expr) => {{
            const WIDTH: usize = size_of::<$type>();
            for (index, chunk) in bytes.chunks_exact(WIDTH).enumerate() {
                let mut word = [0u8; WIDTH];
                word.copy_from_slice(chunk);
                let value = match order {
                    ByteOrder::Little => <$type>::from_le_bytes(word),
                    ByteOrder::Big => <$type>::from_be_bytes(word),
                };
                let stored = $wrap(value);
                if !take(stored) {
                    return Err((index, stored));
                }
            }
        }};
    }
    match number {
        Number::Bool => each!(u8, |v| Stored::Unsigned(u64::from(v != 0))),
        Number::U8 => each!(u8, |v| Stored::Unsigned(u64::from(v))),
        Number::U16 => each!(u16, |v| Stored::Unsigned(u64::from(v))),
        Number::U32 => each!(u32, |v| Stored::Unsigned(u64::from(v))),
        Number::U64 => each!(u64, Stored::Unsigned),
        Number::I8 => each!(i8, |v| Stored::Signed(i64::from(v))),
        Number::I16 => each!(i16, |v| Stored::Signed(i64::from(v))),
        Number::I32 => each!(i32, |v| Stored::Signed(i64::from(v))),
        Number::I64 => each!(i64, Stored::Signed),
        Number::F16 => each!(f16, |v: f16| Stored::Float(v.to_f64())),
        Number::Bf16 => each!(bf16, |v: bf16| Stored::Float(v.to_f64())),
        Number::F32 => each!(f32, |v| Stored::Float(f64::from(v))),
        Number::F64 => each!(f64, Stored::Float),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Element>(bytes: &[u8], number: Number, order: ByteOrder) -> Result<Vec<T>> {
        let mut out = Vec::new();
        decode(bytes, number, order, &mut out).map(|()| out)
    }

    #[test]
    fn both_byte_orders_give_the_same_number() {
        assert_eq!(read::<f64>(&[0xfe, 0xff], Number::I16, ByteOrder::Little).expect("read"), [-2.0]);
        assert_eq!(read::<f64>(&[0xff, 0xfe], Number::I16, ByteOrder::Big).expect("read"), [-2.0]);
    }

    #[test]
    fn a_float_that_is_whole_becomes_an_integer_and_another_is_named() {
        let bytes: Vec<u8> = [3.0f32, -1.0, 2.5].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(read::<i32>(&bytes[..8], Number::F32, ByteOrder::Little).expect("whole"), [3, -1]);
        let error = read::<i32>(&bytes, Number::F32, ByteOrder::Little).expect_err("2.5");
        assert_eq!(
            error.to_string(),
            "float32 value number 2 is 2.5, but int32 was asked for (read the array as a wider or floating-point type)"
        );
    }

    #[test]
    fn integers_out_of_range_are_errors_at_every_bound() {
        for value in [256.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(u8::from_f64(value), None, "{value}");
        }
        assert_eq!(u8::from_f64(255.0), Some(255));
        assert_eq!(i64::from_f64(9_223_372_036_854_775_808.0), None);
        assert_eq!(i64::from_f64(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        assert_eq!(u64::from_f64(18_446_744_073_709_551_616.0), None);
        assert_eq!(i16::from_u64(40_000), None);
        assert_eq!(u32::from_i64(-1), None);
    }

    #[test]
    fn scaling_is_done_in_double_precision() {
        let mut out: Vec<f64> = Vec::new();
        decode_scaled(&[7, 0, 0, 0], Number::I32, ByteOrder::Little, 0.1, 1.0, &mut out).expect("read");
        assert_eq!(out, [7.0 * 0.1 + 1.0]);
    }

    #[test]
    fn half_precision_reads_exactly() {
        assert_eq!(read::<f32>(&[0x00, 0x3c], Number::F16, ByteOrder::Little).expect("read"), [1.0]);
        assert_eq!(read::<f32>(&[0x80, 0x3f], Number::Bf16, ByteOrder::Little).expect("read"), [1.0]);
    }
}
