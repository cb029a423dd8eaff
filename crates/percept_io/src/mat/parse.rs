//! From elements to values: headers of arrays, and the four kinds of content.

use super::element::{Element, Elements, MATRIX, number_of};
use super::value::{Numeric, Struct, Value};
use crate::number::{self, ByteOrder, Number};
use crate::{Error, Result, limits};

/// How deep cells and structures may nest.
const MAX_DEPTH: usize = 48;

/// Bytes that even an empty array takes.
const MIN_ARRAY_BYTES: usize = 8;

/// What stands before the content of an array.
pub(super) struct Head {
    pub(super) name: String,
    pub(super) dims: Vec<usize>,
    pub(super) class: u32,
    is_complex: bool,
    is_logical: bool,
}

impl Head {
    /// The class in MATLAB's words.
    pub(super) fn class_name(&self) -> &'static str {
        match self.class {
            1 => "cell",
            2 => "struct",
            3 => "object",
            4 => "char",
            5 => "sparse",
            _ if self.is_logical => "logical",
            6 => "double",
            7 => "single",
            8 => "int8",
            9 => "uint8",
            10 => "int16",
            11 => "uint16",
            12 => "int32",
            13 => "uint32",
            14 => "int64",
            15 => "uint64",
            16 => "function handle",
            _ => "opaque object",
        }
    }
}

/// The array whose elements `elements` runs over.
pub(super) fn array(mut elements: Elements<'_>, depth: usize) -> Result<(String, Value)> {
    if depth > MAX_DEPTH {
        let remedy = "flatten the structure";
        return Err(Error::unsupported("nesting deeper than", MAX_DEPTH, remedy).at(elements.offset()));
    }
    if elements.left() == 0 {
        return Ok((String::new(), Value::Empty));
    }
    let head = head(&mut elements)?;
    let value = content(elements, &head, depth)?;
    Ok((head.name, value))
}

/// The flags, dimensions and name of an array.
pub(super) fn head(elements: &mut Elements<'_>) -> Result<Head> {
    let flags = elements.next("the array flags")?;
    let words = integers(&flags, elements.order(), "the array flags")?;
    let &[flags_word, ..] = words.as_slice() else {
        return Err(Error::malformed("the array flags", "two words", words.len()).at(flags.offset));
    };
    let class = (flags_word & 0xff) as u32;
    if class == 17 {
        // An opaque object has no dimensions; what follows is its own format.
        let name = elements.next("the name of the object")?;
        let name = String::from_utf8_lossy(name.data).into_owned();
        return Ok(Head { name, dims: vec![0, 0], class, is_complex: false, is_logical: false });
    }
    let stored = elements.next("the dimensions")?;
    let dims = integers(&stored, elements.order(), "the dimensions")?
        .into_iter()
        .map(|length| usize::try_from(length).ok())
        .collect::<Option<Vec<_>>>()
        .filter(|dims| dims.len() >= 2)
        .ok_or_else(|| Error::malformed("the dimensions", "two or more lengths", "others").at(stored.offset))?;
    limits::element_count("the variable", &dims).map_err(|error| error.at(stored.offset))?;
    let name = elements.next("the name")?;
    let name = String::from_utf8_lossy(name.data).into_owned();
    Ok(Head { name, dims, class, is_complex: flags_word & 0x800 != 0, is_logical: flags_word & 0x200 != 0 })
}

fn content(mut elements: Elements<'_>, head: &Head, depth: usize) -> Result<Value> {
    match head.class {
        1 => {
            let count = count_of_arrays(&elements, head, 1)?;
            let values = (0..count).map(|_| nested(&mut elements, depth)).collect::<Result<Vec<_>>>()?;
            Ok(Value::Cell(head.dims.clone(), values))
        }
        2 => structure(elements, head, depth),
        3 => {
            elements.next("the class of the object")?;
            structure(elements, head, depth)
        }
        4 => text(elements, head),
        5 => Ok(Value::Unsupported("a sparse matrix")),
        6..=15 => numeric(elements, head),
        16 => Ok(Value::Unsupported("a function handle")),
        17 => Ok(Value::Unsupported("an object of a MATLAB class")),
        class => Err(Error::malformed("the array class", "1 to 17", class).at(elements.offset())),
    }
}

/// The number of arrays that follow, refused if they could not fit.
fn count_of_arrays(elements: &Elements<'_>, head: &Head, n_fields: usize) -> Result<usize> {
    let count = limits::element_count("the variable", &head.dims)?;
    limits::byte_count("the elements", count.saturating_mul(n_fields), MIN_ARRAY_BYTES, elements.left() as u64)
        .map_err(|error| error.at(elements.offset()).in_object(&*head.name))?;
    Ok(count)
}

fn nested(elements: &mut Elements<'_>, depth: usize) -> Result<Value> {
    let offset = elements.offset();
    let element = elements.next("an element of a cell or structure")?;
    if element.kind != MATRIX {
        return Err(Error::malformed("the type of an element", format!("{MATRIX} (array)"), element.kind).at(offset));
    }
    array(elements.inside(&element), depth + 1).map(|(_, value)| value)
}

fn structure(mut elements: Elements<'_>, head: &Head, depth: usize) -> Result<Value> {
    let stored = elements.next("the length of field names")?;
    let width = integers(&stored, elements.order(), "the length of field names")?;
    let width = match width.as_slice() {
        [width] if (1..=1024).contains(width) => *width as usize,
        other => {
            return Err(
                Error::malformed("the length of field names", "1 to 1024", format!("{other:?}")).at(stored.offset)
            );
        }
    };
    let names = elements.next("the field names")?;
    let names: Vec<String> = names
        .data
        .chunks(width)
        .map(|name| String::from_utf8_lossy(name.split(|&byte| byte == 0).next().unwrap_or(name)).into_owned())
        .collect();
    let count = count_of_arrays(&elements, head, names.len())?;
    let mut fields: Vec<(String, Vec<Value>)> = names.into_iter().map(|name| (name, Vec::new())).collect();
    // Without fields there is nothing to read, however many elements are claimed.
    if !fields.is_empty() {
        for _ in 0..count {
            for (_, values) in &mut fields {
                values.push(nested(&mut elements, depth)?);
            }
        }
    }
    Ok(Value::Struct(Struct { dims: head.dims.clone(), fields }))
}

fn numeric(mut elements: Elements<'_>, head: &Head) -> Result<Value> {
    let class = match head.class {
        _ if head.is_logical => Number::Bool,
        6 => Number::F64,
        7 => Number::F32,
        8 => Number::I8,
        9 => Number::U8,
        10 => Number::I16,
        11 => Number::U16,
        12 => Number::I32,
        13 => Number::U32,
        14 => Number::I64,
        _ => Number::U64,
    };
    let real = elements.next("the numbers")?;
    let stored = number_of(real.kind)
        .ok_or_else(|| Error::malformed("the type of the numbers", "a number", real.kind).at(real.offset))?;
    let count = limits::element_count("the variable", &head.dims)?;
    if real.data.len() as u128 != count as u128 * stored.width() as u128 {
        let expected = format!("{count} × {} bytes", stored.width());
        return Err(Error::malformed("the length of the numbers", expected, real.data.len()).at(real.offset));
    }
    Ok(Value::Numeric(Numeric {
        dims: head.dims.clone(),
        class,
        stored,
        order: elements.order(),
        bytes: real.data.to_vec(),
        is_complex: head.is_complex,
    }))
}

fn text(mut elements: Elements<'_>, head: &Head) -> Result<Value> {
    let stored = elements.next("the characters")?;
    let (n_rows, n_columns) = (head.dims[0], head.dims[1..].iter().product::<usize>());
    let characters = characters(&stored, elements.order())?;
    if n_rows == 1 {
        // A row of UTF-8 counts bytes or UTF-16 units in its dimensions, depending on who wrote it.
        return Ok(Value::Text(vec![characters.into_iter().collect()]));
    }
    if n_rows == 0 || n_columns == 0 {
        return Ok(Value::Text(Vec::new()));
    }
    if characters.len() as u128 != n_rows as u128 * n_columns as u128 {
        let expected = format!("{n_rows} × {n_columns}");
        return Err(Error::malformed("the number of characters", expected, characters.len()).at(stored.offset));
    }
    let row = |row: usize| -> String {
        let text: String = (0..n_columns).map(|column| characters[column * n_rows + row]).collect();
        text.trim_end().to_owned()
    };
    Ok(Value::Text((0..n_rows).map(row).collect()))
}

fn characters(element: &Element<'_>, order: ByteOrder) -> Result<Vec<char>> {
    match element.kind {
        // UTF-8, or bytes of the Latin alphabet.
        1 | 2 | 16 => Ok(match std::str::from_utf8(element.data) {
            Ok(text) => text.chars().collect(),
            Err(_) => element.data.iter().map(|&byte| char::from(byte)).collect(),
        }),
        4 | 17 => {
            let mut units = Vec::<u16>::new();
            number::decode(element.data, Number::U16, order, &mut units)?;
            Ok(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        18 => {
            let mut units = Vec::<u32>::new();
            number::decode(element.data, Number::U32, order, &mut units)?;
            Ok(units.into_iter().map(|unit| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        kind => Err(Error::malformed("the type of the characters", "a character type", kind).at(element.offset)),
    }
}

/// The integers of a small header element.
fn integers(element: &Element<'_>, order: ByteOrder, what: &str) -> Result<Vec<i64>> {
    let number =
        number_of(element.kind).filter(|number| !matches!(number, Number::F32 | Number::F64)).ok_or_else(|| {
            Error::malformed(format!("the type of {what}"), "an integer", element.kind).at(element.offset)
        })?;
    if element.data.len() > 1024 {
        return Err(
            Error::malformed(format!("the length of {what}"), "at most 1024", element.data.len()).at(element.offset)
        );
    }
    let mut values = Vec::new();
    number::decode(element.data, number, order, &mut values)?;
    Ok(values)
}
