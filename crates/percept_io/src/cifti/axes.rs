//! What the rows and columns of a CIFTI file are, from its XML.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::xml::{attribute, decoded, optional_attribute, shortened, text_of, xml_error};
use crate::{Error, Result};

/// What the rows are.
#[derive(Clone, Debug, PartialEq)]
pub enum Maps {
    /// Named maps of values.
    Scalars(Vec<Map>),
    /// Named maps of keys into a table.
    Labels(Vec<Map>),
    /// Points of a series.
    Series {
        /// How many.
        n: usize,
        /// Where the first one is.
        start: f64,
        /// From one to the next.
        step: f64,
        /// `SECOND`, `HERTZ`, `METER` or `RADIAN`.
        unit: String,
    },
}

/// One named map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    /// Its name.
    pub name: String,
    /// The names of its keys; none for values.
    pub labels: Vec<Label>,
}

/// A key of a map of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The number in the data.
    pub key: i32,
    /// Its name.
    pub name: String,
    /// Red, green, blue and opacity, 0 to 1.
    pub colour: [f32; 4],
}

/// Where a run of columns lies.
#[derive(Clone, Debug, PartialEq)]
pub enum BrainModel {
    /// Vertices of a surface.
    Surface {
        /// Such as `CORTEX_LEFT`.
        structure: String,
        /// The first column.
        offset: usize,
        /// Vertices of the whole surface.
        n_vertices: usize,
        /// The vertex of each column.
        vertices: Vec<u32>,
    },
    /// Voxels.
    Voxels {
        /// Such as `THALAMUS_LEFT`.
        structure: String,
        /// The first column.
        offset: usize,
        /// Indices (i, j, k) of each column's voxel.
        voxels: Vec<[u32; 3]>,
    },
}

impl BrainModel {
    /// Its structure without the prefix `CIFTI_STRUCTURE_`.
    pub fn structure(&self) -> &str {
        match self {
            Self::Surface { structure, .. } | Self::Voxels { structure, .. } => structure,
        }
    }

    /// Its columns.
    pub fn range(&self) -> Range<usize> {
        match self {
            Self::Surface { offset, vertices, .. } => *offset..offset.saturating_add(vertices.len()),
            Self::Voxels { offset, voxels, .. } => *offset..offset.saturating_add(voxels.len()),
        }
    }
}

impl Maps {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Scalars(maps) | Self::Labels(maps) => maps.len(),
            Self::Series { n, .. } => *n,
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of row `row`.
    pub fn name(&self, row: usize) -> String {
        match self {
            Self::Scalars(maps) | Self::Labels(maps) => maps.get(row).map(|map| map.name.clone()).unwrap_or_default(),
            Self::Series { start, step, unit, .. } => {
                format!("{} {}", start + step * row as f64, unit.to_ascii_lowercase())
            }
        }
    }
}

/// Rows and columns, from the XML in `text`.
pub(super) fn parse(text: &[u8]) -> Result<(Maps, Vec<BrainModel>)> {
    let mut reader = Reader::from_str(decoded(text)?);
    let (mut maps, mut models, mut is_closed) = (None, None, false);
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, &reader))? {
            Event::Start(tag) if tag.name().as_ref() == "CIFTI" => {
                let version = attribute(&tag, "Version")?;
                if !version.starts_with('2') {
                    return Err(Error::unsupported("the version of CIFTI", version, "convert it to CIFTI-2"));
                }
            }
            Event::Start(tag) if tag.name().as_ref() == "MatrixIndicesMap" => {
                let axis = attribute(&tag, "AppliesToMatrixDimension")?;
                let kind = attribute(&tag, "IndicesMapToDataType")?;
                match (axis.trim(), kind.as_str()) {
                    ("0", "CIFTI_INDEX_TYPE_SCALARS") => maps = Some(Maps::Scalars(named(&mut reader)?)),
                    ("0", "CIFTI_INDEX_TYPE_LABELS") => maps = Some(Maps::Labels(named(&mut reader)?)),
                    ("0", "CIFTI_INDEX_TYPE_SERIES") => maps = Some(series(&tag)?),
                    ("1", "CIFTI_INDEX_TYPE_BRAIN_MODELS") => models = Some(brain_models(&mut reader)?),
                    _ => {
                        let remedy = "give a `.dscalar.nii`, `.dlabel.nii` or `.dtseries.nii` file";
                        let got = format!("`{}` along dimension {}", shortened(&kind), shortened(&axis));
                        return Err(Error::unsupported("CIFTI's", got, remedy));
                    }
                }
            }
            Event::Empty(tag)
                if tag.name().as_ref() == "MatrixIndicesMap"
                    && attribute(&tag, "IndicesMapToDataType")? == "CIFTI_INDEX_TYPE_SERIES" =>
            {
                maps = Some(series(&tag)?);
            }
            Event::End(tag) if tag.name().as_ref() == "CIFTI" => is_closed = true,
            Event::Eof => break,
            _ => {}
        }
    }
    if !is_closed {
        return Err(Error::truncated("the XML", text.len() as u64 + 1, text.len() as u64));
    }
    match (maps, models) {
        (Some(maps), Some(models)) => Ok((maps, models)),
        (None, _) => Err(Error::malformed("the XML", "a map of dimension 0", "none")),
        (_, None) => Err(Error::malformed("the XML", "a map of dimension 1", "none")),
    }
}

fn series(tag: &BytesStart<'_>) -> Result<Maps> {
    let exponent: i32 = parsed("SeriesExponent", optional_attribute(tag, "SeriesExponent")?.as_deref().unwrap_or("0"))?;
    let scale = 10f64.powi(exponent.clamp(-300, 300));
    let number = |name: &str| -> Result<f64> { Ok(parsed::<f64>(name, &attribute(tag, name)?)? * scale) };
    Ok(Maps::Series {
        n: parsed("NumberOfSeriesPoints", &attribute(tag, "NumberOfSeriesPoints")?)?,
        start: number("SeriesStart")?,
        step: number("SeriesStep")?,
        unit: attribute(tag, "SeriesUnit")?,
    })
}

/// The maps of a `MatrixIndicesMap`, whose start was read.
fn named(reader: &mut Reader<&[u8]>) -> Result<Vec<Map>> {
    let mut maps = Vec::new();
    let mut map = Map::default();
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, reader))? {
            Event::Start(tag) => match tag.name().as_ref() {
                "MapName" => map.name = text_of(reader, "MapName")?,
                "Label" => {
                    let key = parsed("the key of a label", &attribute(&tag, "Key")?)?;
                    let mut colour = [0.0; 4];
                    for (name, channel) in ["Red", "Green", "Blue", "Alpha"].iter().zip(&mut colour) {
                        *channel = parsed("a colour", &attribute(&tag, name)?)?;
                    }
                    map.labels.push(Label { key, name: text_of(reader, "Label")?, colour });
                }
                _ => {}
            },
            Event::End(tag) => match tag.name().as_ref() {
                "NamedMap" => maps.push(std::mem::take(&mut map)),
                "MatrixIndicesMap" => return Ok(maps),
                _ => {}
            },
            Event::Eof => return Err(cut(reader)),
            _ => {}
        }
    }
}

fn brain_models(reader: &mut Reader<&[u8]>) -> Result<Vec<BrainModel>> {
    let mut models = Vec::new();
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, reader))? {
            Event::Start(tag) if tag.name().as_ref() == "BrainModel" => {
                let model = brain_model(&tag, reader);
                models.push(model.map_err(|error| error.in_object(format!("brain model {}", models.len())))?);
            }
            Event::End(tag) if tag.name().as_ref() == "MatrixIndicesMap" => return Ok(models),
            Event::Eof => return Err(cut(reader)),
            _ => {}
        }
    }
}

fn brain_model(tag: &BytesStart<'_>, reader: &mut Reader<&[u8]>) -> Result<BrainModel> {
    let structure = attribute(tag, "BrainStructure")?;
    let structure = structure.strip_prefix("CIFTI_STRUCTURE_").unwrap_or(&structure).to_owned();
    let offset: usize = parsed("IndexOffset", &attribute(tag, "IndexOffset")?)?;
    let count: usize = parsed("IndexCount", &attribute(tag, "IndexCount")?)?;
    let is_surface = attribute(tag, "ModelType")? == "CIFTI_MODEL_TYPE_SURFACE";
    let n_vertices: usize = match optional_attribute(tag, "SurfaceNumberOfVertices")? {
        Some(text) if is_surface => parsed("SurfaceNumberOfVertices", &text)?,
        _ => 0,
    };
    // Larger meshes than this do not exist; the number decides how long maps on the surface become.
    const MOST_VERTICES: usize = 20_000_000;
    if n_vertices > MOST_VERTICES {
        return Err(Error::too_large("the surface", n_vertices as u128 * 4, MOST_VERTICES as u64 * 4));
    }
    let mut indices: Vec<u32> = Vec::new();
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, reader))? {
            Event::Start(tag) => {
                if let name @ ("VertexIndices" | "VoxelIndicesIJK") = tag.name().as_ref() {
                    let name = name.to_owned();
                    let text = text_of(reader, &name)?;
                    let words = text.split_ascii_whitespace().map(|word| parsed("an index", word));
                    indices = words.collect::<Result<_>>()?;
                }
            }
            Event::End(tag) if tag.name().as_ref() == "BrainModel" => break,
            Event::Eof => return Err(cut(reader)),
            _ => {}
        }
    }
    let n_listed = if is_surface { indices.len() } else { indices.len() / 3 };
    if n_listed != count {
        return Err(Error::malformed("the number of indices", count, n_listed));
    }
    if !is_surface {
        return Ok(BrainModel::Voxels { structure, offset, voxels: indices.as_chunks::<3>().0.to_vec() });
    }
    if let Some(&vertex) = indices.iter().find(|&&vertex| vertex as usize >= n_vertices) {
        return Err(Error::malformed("a vertex", format!("below {n_vertices}"), vertex));
    }
    Ok(BrainModel::Surface { structure, offset, n_vertices, vertices: indices })
}

fn parsed<T: std::str::FromStr>(what: &str, text: &str) -> Result<T> {
    text.trim().parse().map_err(|_| Error::malformed(what, "a number", format!("`{}`", shortened(text))))
}

fn cut(reader: &Reader<&[u8]>) -> Error {
    Error::truncated("the XML", reader.buffer_position() + 1, reader.buffer_position())
}
