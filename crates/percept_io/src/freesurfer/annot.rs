//! Annotations: a region for each vertex, with names and colours.

use std::collections::BTreeMap;
use std::path::Path;

use crate::big_endian::Bytes;
use crate::fs::{self, Source};
use crate::{Error, Result};

/// A region for each vertex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotation {
    /// For each vertex the number of its region in `regions`; `None` where the file names none.
    pub regions_of: Vec<Option<u32>>,
    /// The regions in the order of the colour table.
    pub regions: Vec<Region>,
}

/// One region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Red, green, blue and transparency, 0 to 255.
    pub colour: [u8; 4],
}

impl Region {
    /// The number by which a file's vertices refer to the colour.
    fn code(&self) -> i32 {
        let [red, green, blue, transparency] = self.colour.map(i32::from);
        red | green << 8 | blue << 16 | transparency << 24
    }
}

/// The annotation in the file at `path`.
///
/// # Errors
/// If it cannot be read, has no colour table, or contradicts itself.
pub fn read(path: impl AsRef<Path>) -> Result<Annotation> {
    let source = fs::open(path)?;
    parse(&source).map_err(|error| source.locate(error))
}

/// As [`read`], for bytes that are at hand.
///
/// # Errors
/// As [`read`].
pub fn parse(source: &Source) -> Result<Annotation> {
    let all = crate::inflated::read(source)?;
    let mut bytes = Bytes::new(&all);
    let n_vertices = bytes.count("the number of vertices")?;
    let pairs: Vec<i32> = bytes.words("the vertices", n_vertices.saturating_mul(2))?.map(i32::from_be_bytes).collect();
    if bytes.i32("the mark of a colour table")? == 0 {
        let remedy = "make it again with the colour table inside";
        return Err(Error::unsupported("an annotation without", "a colour table", remedy));
    }
    let regions = table(&mut bytes)?;
    // A later region with the same colour does not displace an earlier one. Region 0 is often black, which means none.
    let mut of_code = BTreeMap::new();
    for (number, region) in regions.iter().enumerate() {
        if let Some(region) = region {
            of_code.entry(region.code()).or_insert(number as u32);
        }
    }
    let mut regions_of = vec![None; n_vertices];
    for (i, &[vertex, code]) in pairs.as_chunks::<2>().0.iter().enumerate() {
        let slot = usize::try_from(vertex)
            .ok()
            .and_then(|vertex| regions_of.get_mut(vertex))
            .ok_or_else(|| Error::malformed("a vertex", format!("below {n_vertices}"), vertex).at(4 + 8 * i as u64))?;
        *slot = of_code.get(&code).copied();
    }
    let unnamed = || Region { name: String::new(), colour: [0; 4] };
    Ok(Annotation { regions_of, regions: regions.into_iter().map(|region| region.unwrap_or_else(unnamed)).collect() })
}

fn table(bytes: &mut Bytes<'_>) -> Result<Vec<Option<Region>>> {
    let at = bytes.position();
    let first = bytes.i32("the colour table")?;
    let (is_numbered, n_regions) = match first {
        1.. => (false, first as usize),
        -2 => (true, bytes.count("the number of regions")?),
        _ => return Err(Error::malformed("the version of the colour table", "2, or a number of regions", first).at(at)),
    };
    bytes.text("the name of the colour table")?;
    let n_entries = if is_numbered { bytes.count("the number of entries")? } else { n_regions };
    // Each entry takes 20 bytes and more.
    let most = bytes.rest().len() / 20;
    if n_entries > most || n_regions > most.saturating_mul(64).max(4096) {
        let claimed = n_entries.max(n_regions) as u128 * 20;
        return Err(Error::too_large("the colour table", claimed, bytes.rest().len() as u64).at(at));
    }
    let mut regions = vec![None; n_regions];
    for entry in 0..n_entries {
        let number = if is_numbered { bytes.count("the number of a region")? } else { entry };
        let name = bytes.text("the name of a region")?;
        let mut colour = [0u8; 4];
        for channel in &mut colour {
            let at = bytes.position();
            let value = bytes.i32("a colour")?;
            *channel = u8::try_from(value).map_err(|_| Error::malformed("a colour", "0 to 255", value).at(at))?;
        }
        let at = bytes.position();
        let slot = regions
            .get_mut(number)
            .ok_or_else(|| Error::malformed("the number of a region", format!("below {n_regions}"), number).at(at))?;
        *slot = Some(Region { name, colour });
    }
    Ok(regions)
}

/// Writes `annotation` to `path`, with a colour table of version 2.
///
/// # Errors
/// If two regions have one colour, or the disk refuses.
pub fn write(path: impl AsRef<Path>, annotation: &Annotation) -> Result<()> {
    let mut codes = BTreeMap::new();
    for region in &annotation.regions {
        if let Some(other) = codes.insert(region.code(), &region.name) {
            let got = format!("that of `{other}` too");
            let remedy = "give every region a colour of its own";
            return Err(Error::mismatch(format!("the colour of `{}`", region.name), "its own", got, remedy));
        }
    }
    let mut out = Vec::new();
    let mut put = |word: i32| out.extend_from_slice(&word.to_be_bytes());
    put(annotation.regions_of.len() as i32);
    for (vertex, region) in annotation.regions_of.iter().enumerate() {
        put(vertex as i32);
        put(region.and_then(|region| annotation.regions.get(region as usize)).map_or(0, Region::code));
    }
    for word in [1, -2, annotation.regions.len() as i32] {
        put(word);
    }
    put_text(&mut out, "percept");
    out.extend_from_slice(&(annotation.regions.len() as i32).to_be_bytes());
    for (number, region) in annotation.regions.iter().enumerate() {
        out.extend_from_slice(&(number as i32).to_be_bytes());
        put_text(&mut out, &region.name);
        region.colour.iter().for_each(|&channel| out.extend_from_slice(&i32::from(channel).to_be_bytes()));
    }
    fs::write_bytes(path, &out)
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as i32 + 1).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}
