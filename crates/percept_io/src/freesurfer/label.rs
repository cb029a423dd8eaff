//! Labels: a list of vertices with their places and a value each, as text.

use std::fmt::Write as _;
use std::path::Path;

use crate::fs::{self, Source};
use crate::{Error, Result};

/// One vertex of a label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Its number in the surface.
    pub vertex: u32,
    /// Where it is.
    pub place: [f32; 3],
    /// Its value, such as a probability; often 0.
    pub value: f32,
}

/// The entries of the label file at `path`.
///
/// # Errors
/// If it cannot be read or is not a label.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<Entry>> {
    let source = fs::open(path)?;
    parse(&source).map_err(|error| source.locate(error))
}

/// As [`read`], for bytes that are at hand.
///
/// # Errors
/// As [`read`].
pub fn parse(source: &Source) -> Result<Vec<Entry>> {
    let bytes = crate::inflated::read(source)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| Error::codec("the text", error))?;
    let mut lines = text.lines();
    match lines.next() {
        Some(first) if first.trim_start().starts_with('#') => {}
        _ => return Err(Error::malformed("the first line", "a comment that begins with `#`", "something else")),
    }
    let count = lines.next().and_then(|line| line.trim().parse::<usize>().ok());
    let count = count.ok_or_else(|| Error::malformed("the second line", "the number of vertices", "something else"))?;
    let mut entries = Vec::new();
    for (i, line) in lines.by_ref().take(count).enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let entry = match words.as_slice() {
            [vertex, x, y, z, value] => (|| {
                let place = [x.parse().ok()?, y.parse().ok()?, z.parse().ok()?];
                Some(Entry { vertex: vertex.parse().ok()?, place, value: value.parse().ok()? })
            })(),
            _ => None,
        };
        let got = || format!("`{}`", crate::xml::shortened(line));
        entries.push(entry.ok_or_else(|| {
            Error::malformed(format!("line {}", i + 3), "a vertex, three coordinates and a value", got())
        })?);
    }
    if entries.len() < count {
        return Err(Error::malformed("the number of vertices", count, entries.len()));
    }
    if !text.ends_with('\n') {
        return Err(Error::malformed("the last line", "ended", "cut"));
    }
    Ok(entries)
}

/// Writes `entries` to `path`.
///
/// # Errors
/// If the disk refuses.
pub fn write(path: impl AsRef<Path>, entries: &[Entry]) -> Result<()> {
    let mut out = format!("#!ascii label, vox2ras=TkReg\n{}\n", entries.len());
    for Entry { vertex, place: [x, y, z], value } in entries {
        let _ = writeln!(out, "{vertex}  {x:.3}  {y:.3}  {z:.3} {value:.10}");
    }
    fs::write_bytes(path, out.as_bytes())
}
