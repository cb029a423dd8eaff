//! Surfaces and maps as compact binary data for the page: quantised, sorted into planes of bytes, deflated.
//!
//! A bundle is a zlib stream of: the length of its head (32 bits, little-endian), the head in JSON, and the sections that the head
//! names by offset (`at`) and number of words (`n`). Places take 16 bits per coordinate of the shape's box. Values take 16 bits between
//! the map's least and greatest value, or 12 bits where a bundle holds more than [`MANY_VALUES`]; word 0 is a missing value. So a value is
//! right to 1/65,534 or 1/4,094 of its map's range.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use percept_core::Mesh;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::colour::ColourMap;
use crate::paint::Scale;
use crate::sheet::Layer;
use crate::surfaces::{Atlas, Hemisphere, Shape, Surfaces};
use crate::{Error, Result};

/// Above so many values the steps are 12 bits fine.
pub const MANY_VALUES: usize = 4_000_000;

/// What a page can say beside the values.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// Maps that belong together, such as the layers of a model.
    pub groups: Vec<Group>,
    /// The two maps that hold the ends of a map's interval.
    pub intervals: BTreeMap<usize, [usize; 2]>,
    /// Maps that are not offered by themselves, such as ends of intervals.
    pub hidden: Vec<usize>,
    /// The regions, one atlas for each hemisphere.
    pub atlas: Option<Vec<Atlas>>,
    /// What drives a region, by its name.
    pub notes: BTreeMap<String, Note>,
}

/// Maps that belong together and have an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// What they are, such as `layers of the vision model`.
    pub name: String,
    /// Their numbers.
    pub maps: Vec<usize>,
    /// What each is called in a profile.
    pub labels: Vec<String>,
}

/// What drives a region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Words.
    #[serde(default)]
    pub words: Vec<String>,
    /// Pictures as `data:` addresses.
    #[serde(default)]
    pub pictures: Vec<String>,
}

impl Note {
    /// Adds a picture, the bytes of a PNG file.
    pub fn add_png(&mut self, png: &[u8]) {
        self.pictures.push(format!("data:image/png;base64,{}", STANDARD.encode(png)));
    }
}

/// The bundle of `layers` on `surfaces`.
///
/// # Errors
/// If there is no surface or map, or a map has another number of values than the surface.
pub fn encode(surfaces: &Surfaces, layers: &[Layer], extra: &Extra) -> Result<Vec<u8>> {
    if layers.is_empty() {
        return Err(Error::missing("map for the page", "give at least one"));
    }
    let mut sections = Sections::default();
    let shapes: Vec<Shape> = [Shape::White, Shape::Pial, Shape::Inflated, Shape::Flat]
        .into_iter()
        .filter(|&shape| surfaces.has(shape) && !(shape == Shape::Pial && surfaces.has(Shape::White)))
        .collect();
    if shapes.is_empty() {
        let what = format!("surface in `{}` that all hemispheres have", surfaces.name);
        return Err(Error::missing(what, "give white, pial, inflated or flat surfaces"));
    }
    let hemispheres: Vec<Value> = surfaces
        .hemispheres
        .iter()
        .enumerate()
        .map(|(h, hemisphere)| {
            half(&mut sections, hemisphere, &shapes, extra.atlas.as_ref().and_then(|all| all.get(h)))
        })
        .collect();
    let n_values = layers.len() * surfaces.n_vertices();
    let levels: u32 = if n_values > MANY_VALUES { 4095 } else { 65535 };
    let mut maps = Vec::new();
    for (i, layer) in layers.iter().enumerate() {
        let mut map = numbers(&mut sections, layer, surfaces, levels)?;
        if let Some(interval) = extra.intervals.get(&i) {
            map["interval"] = json!(interval);
        }
        if extra.hidden.contains(&i) {
            map["hidden"] = json!(true);
        }
        maps.push(map);
    }
    let tables: Vec<String> =
        ColourMap::ALL.iter().map(|(_, map)| STANDARD.encode(map.table().as_flattened())).collect();
    let head = json!({
        "version": 1,
        "name": surfaces.name,
        "hemispheres": hemispheres,
        "maps": maps,
        "tables": tables,
        "ordered": table_of(ColourMap::Lagoon),
        "groups": extra.groups,
        "notes": extra.notes,
    });
    let head = head.to_string();
    let failed = |error| Error::Io(percept_io::Error::io("compress", error));
    let mut out = ZlibEncoder::new(Vec::new(), Compression::new(6));
    out.write_all(&(head.len() as u32).to_le_bytes()).map_err(failed)?;
    out.write_all(head.as_bytes()).map_err(failed)?;
    out.write_all(&sections.bytes).map_err(failed)?;
    out.finish().map_err(failed)
}

fn table_of(map: ColourMap) -> usize {
    ColourMap::ALL.iter().position(|(_, other)| *other == map).unwrap_or(0)
}

/// Bytes of all sections.
#[derive(Default)]
struct Sections {
    bytes: Vec<u8>,
}

impl Sections {
    /// 16-bit words as a plane of high and a plane of low bytes, each word the difference to the one before if `delta`.
    fn words(&mut self, words: &[u16], delta: bool) -> Value {
        let at = self.bytes.len();
        let mut last = 0u16;
        let coded: Vec<u16> = words
            .iter()
            .map(|&word| {
                let step = if delta { word.wrapping_sub(last) } else { word };
                last = word;
                step
            })
            .collect();
        self.bytes.extend(coded.iter().map(|word| (word >> 8) as u8));
        self.bytes.extend(coded.iter().map(|&word| word as u8));
        json!({"at": at, "n": words.len(), "delta": delta})
    }

    /// Numbers of vertices as zigzag differences in four planes of bytes.
    fn indices(&mut self, indices: impl Iterator<Item = u32> + Clone) -> Value {
        let at = self.bytes.len();
        let mut last = 0i64;
        let coded: Vec<u32> = indices
            .map(|index| {
                let step = i64::from(index) - last;
                last = i64::from(index);
                ((step << 1) ^ (step >> 63)) as u32
            })
            .collect();
        for plane in 0..4 {
            self.bytes.extend(coded.iter().map(|word| (word >> (8 * plane)) as u8));
        }
        json!({"at": at, "n": coded.len()})
    }
}

fn half(sections: &mut Sections, hemisphere: &Hemisphere, shapes: &[Shape], atlas: Option<&Atlas>) -> Value {
    let n = hemisphere.n_vertices();
    let whole = shapes.iter().filter(|shape| **shape != Shape::Flat).find_map(|shape| hemisphere.mesh(*shape));
    let triangles = whole.or_else(|| hemisphere.mesh(shapes[0])).map(|mesh| &mesh.triangles[..]).unwrap_or_default();
    let faces = sections.indices(triangles.iter().flatten().copied());
    let shapes: Vec<Value> = shapes
        .iter()
        .filter_map(|&shape| hemisphere.mesh(shape).map(|mesh| places(sections, shape, mesh, triangles)))
        .collect();
    let folds = hemisphere.folds.as_ref().map(|folds| {
        let word = |&fold: &f32| if fold.is_nan() { 32768 } else { ((fold.clamp(-1.0, 1.0) + 1.0) * 32767.5) as u16 };
        sections.words(&folds.iter().map(word).collect::<Vec<_>>(), false)
    });
    let mut out = json!({"side": hemisphere.side.word(), "n": n, "faces": faces, "shapes": shapes, "folds": folds});
    if let Some(atlas) = atlas {
        let words: Vec<u16> =
            (0..n).map(|vertex| atlas.region_of[vertex].map_or(0, |region| (region + 1).min(65535) as u16)).collect();
        out["regions"] = json!({"of": sections.words(&words, false)});
        out["regionNames"] = atlas.regions.iter().map(|(name, _)| name.clone()).collect();
    }
    out
}

/// A shape's places in 16 bits for each coordinate of its box. A flat one stands upright, so that it faces the reader.
fn places(sections: &mut Sections, shape: Shape, mesh: &Mesh, whole: &[[u32; 3]]) -> Value {
    let used = mesh.used();
    let upright = |[x, y, z]: [f32; 3]| if shape == Shape::Flat { [x, 0.0, y] } else { [x, y, z] };
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for (&place, _) in mesh.vertices.iter().zip(&used).filter(|(_, used)| **used) {
        for (axis, value) in upright(place).into_iter().enumerate() {
            low[axis] = low[axis].min(value);
            high[axis] = high[axis].max(value);
        }
    }
    let span = [0, 1, 2].map(|axis| (high[axis] - low[axis]).max(0.0));
    let low = low.map(|value| if value.is_finite() { value } else { 0.0 });
    let mut words = Vec::with_capacity(3 * mesh.n_vertices());
    for axis in 0..3 {
        words.extend(mesh.vertices.iter().zip(&used).map(|(&place, &used)| {
            let share = (upright(place)[axis] - low[axis]) / span[axis].max(f32::MIN_POSITIVE);
            if used && share.is_finite() { (share.clamp(0.0, 1.0) * 65535.0).round() as u16 } else { 0 }
        }));
    }
    let mut out = json!({"name": shape.name(), "low": low, "span": span, "places": sections.words(&words, true)});
    // The page makes the triangles of a patch itself, unless some were cut although all their corners are in it.
    let n_inside = whole.iter().filter(|corners| corners.iter().all(|&corner| used[corner as usize])).count();
    if n_inside != mesh.triangles.len() {
        out["faces"] = sections.indices(mesh.triangles.iter().flatten().copied());
    } else if used.contains(&false) {
        out["missing"] = (0..used.len()).filter(|&vertex| !used[vertex]).collect();
    }
    out
}

fn numbers(sections: &mut Sections, layer: &Layer, surfaces: &Surfaces, levels: u32) -> Result<Value> {
    let map = &layer.map;
    let finite = || map.values.iter().flatten().copied().filter(|value| value.is_finite());
    let (min, max) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    let (min, max) = if min <= max { (min, max) } else { (0.0, 0.0) };
    let step = f64::from(max - min) / f64::from(levels - 1);
    let word = |&value: &f32| {
        if !value.is_finite() {
            return 0;
        }
        let level = if step > 0.0 { (f64::from(value - min) / step).round() } else { 0.0 };
        level.clamp(0.0, f64::from(levels - 1)) as u16 + 1
    };
    let mut own = Vec::new();
    for (values, hemisphere) in map.values.iter().zip(&surfaces.hemispheres) {
        if values.len() != hemisphere.n_vertices() {
            let what = format!("the values of `{}`", map.name);
            let remedy = "bring the map onto these surfaces first";
            return Err(Error::mismatch(what, hemisphere.n_vertices(), values.len(), remedy));
        }
        own.push(sections.words(&values.iter().map(word).collect::<Vec<_>>(), false));
    }
    let mut out = json!({
        "name": map.name, "unit": layer.unit, "min": min, "max": max, "levels": levels, "sections": own,
        "threshold": layer.threshold,
    });
    match &layer.scale {
        Scale::Numbers { low, high, map } => {
            out["low"] = json!(low);
            out["high"] = json!(high);
            out["table"] = json!(table_of(*map));
        }
        Scale::Keys(keys) => {
            (out["low"], out["high"], out["table"]) = (json!(min), json!(max), json!(0));
            out["keys"] =
                keys.iter().map(|key| json!({"value": key.value, "name": key.name, "colour": key.colour})).collect();
        }
    }
    Ok(out)
}
