//! OSC (Open Sound Control 1.0): messages and bundles, the numbers in them.
//!
//! Bundles may hold bundles to a depth of [`MAX_DEPTH`]. Texts, blobs and other types are passed over; arrays are read flat.
//!
//! This is our own code because `rosc` 0.11 calls itself for each bundle inside a bundle: a datagram of nothing but bundles ends
//! in a stack overflow, which ends the process.
//!
//! # References
//! M. Wright, "The Open Sound Control 1.0 Specification", 2002.

/// Bundles within bundles that are read.
pub const MAX_DEPTH: usize = 8;
/// Messages of one datagram that are read.
const MAX_MESSAGES: usize = 4096;

/// A message and the numbers among its arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The address, such as `/mood`.
    pub address: String,
    /// The numbers, in order.
    pub numbers: Vec<f64>,
}

/// All messages of the datagram `bytes`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Vec<Message>, String> {
    let mut out = Vec::new();
    packet(bytes, 0, &mut out)?;
    Ok(out)
}

fn packet(bytes: &[u8], depth: usize, out: &mut Vec<Message>) -> Result<(), String> {
    if let Some(rest) = bytes.strip_prefix(b"#bundle\0") {
        if depth >= MAX_DEPTH {
            return Err(format!("bundles more than {MAX_DEPTH} deep"));
        }
        // The time tag: everything is taken at once.
        let mut rest = rest.get(8..).ok_or("a bundle without a time tag")?;
        while !rest.is_empty() {
            let (len, after) = rest.split_first_chunk::<4>().ok_or("a bundle that ends in a length")?;
            let len = u32::from_be_bytes(*len) as usize;
            let (inner, after) = after.split_at_checked(len).ok_or("a bundle that is shorter than it says")?;
            packet(inner, depth + 1, out)?;
            rest = after;
        }
        return Ok(());
    }
    if out.len() >= MAX_MESSAGES {
        return Err(format!("more than {MAX_MESSAGES} messages"));
    }
    out.push(message(bytes)?);
    Ok(())
}

/// A text that ends in zeros up to a multiple of four bytes, and what follows.
fn text(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    let end = bytes.iter().position(|&byte| byte == 0).ok_or("a text without an end")?;
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "a text that is not UTF-8".to_owned())?;
    // The padding of the last text may be missing.
    Ok((text, bytes.get((end + 1).next_multiple_of(4)..).unwrap_or_default()))
}

fn message(bytes: &[u8]) -> Result<Message, String> {
    let (address, rest) = text(bytes)?;
    if !address.starts_with('/') {
        return Err(format!("`{}` is no address", address.chars().take(24).collect::<String>().escape_debug()));
    }
    let (tags, mut rest) = if rest.is_empty() { ("", rest) } else { text(rest)? };
    let mut numbers = Vec::new();
    for tag in tags.strip_prefix(',').unwrap_or_default().chars() {
        match tag {
            'i' => numbers.push(f64::from(i32::from_be_bytes(take(&mut rest)?))),
            'f' => numbers.push(f64::from(f32::from_be_bytes(take(&mut rest)?))),
            'h' => numbers.push(i64::from_be_bytes(take(&mut rest)?) as f64),
            'd' => numbers.push(f64::from_be_bytes(take(&mut rest)?)),
            'T' => numbers.push(1.0),
            'F' => numbers.push(0.0),
            'N' | 'I' | '[' | ']' => {}
            't' => {
                take::<8>(&mut rest)?;
            }
            'c' | 'r' | 'm' => {
                take::<4>(&mut rest)?;
            }
            's' | 'S' => rest = text(rest)?.1,
            'b' => {
                let len = u32::from_be_bytes(take(&mut rest)?) as usize;
                let end = len.checked_next_multiple_of(4).ok_or("a blob that is longer than its message")?;
                rest = rest.get(end..).ok_or("a blob that is longer than its message")?;
            }
            other => return Err(format!("an argument of the type `{}`", other.escape_debug())),
        }
    }
    Ok(Message { address: address.to_owned(), numbers })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (bytes, after) = rest.split_first_chunk::<N>().ok_or("a message that ends before its arguments")?;
    *rest = after;
    Ok(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_types_are_read_and_the_rest_is_passed_over() {
        let mut bytes = b"/a\0\0,isfdhTFb[i]\0\0\0\0".to_vec();
        bytes.extend(5i32.to_be_bytes());
        bytes.extend(b"abc\0");
        bytes.extend(1.5f32.to_be_bytes());
        bytes.extend(2.5f64.to_be_bytes());
        bytes.extend((-7i64).to_be_bytes());
        bytes.extend(2u32.to_be_bytes());
        bytes.extend(b"xy\0\0");
        bytes.extend(9i32.to_be_bytes());
        let out = parse(&bytes).expect("valid");
        assert_eq!(out, [Message { address: "/a".into(), numbers: vec![5.0, 1.5, 2.5, -7.0, 1.0, 0.0, 9.0] }]);
    }

    #[test]
    fn bundles_within_bundles_have_an_end() {
        let mut bytes = b"/a\0\0,i\0\0\0\0\0\x03".to_vec();
        for _ in 0..MAX_DEPTH {
            let mut outer = b"#bundle\0\0\0\0\0\0\0\0\x01".to_vec();
            outer.extend((bytes.len() as u32).to_be_bytes());
            outer.extend(&bytes);
            bytes = outer;
        }
        assert_eq!(parse(&bytes).expect("deep enough").len(), 1);
        let mut outer = b"#bundle\0\0\0\0\0\0\0\0\x01".to_vec();
        outer.extend((bytes.len() as u32).to_be_bytes());
        outer.extend(&bytes);
        assert!(parse(&outer).expect_err("too deep").contains("deep"));
    }
}
