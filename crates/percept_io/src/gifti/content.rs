//! What a GIFTI file holds.

use crate::number::Number;

/// Intent code of the coordinates of a surface.
pub const POINTSET: &str = "NIFTI_INTENT_POINTSET";
/// Intent code of the triangles of a surface.
pub const TRIANGLE: &str = "NIFTI_INTENT_TRIANGLE";
/// Intent code of label keys.
pub const LABEL: &str = "NIFTI_INTENT_LABEL";
/// Intent code of a measure per vertex, such as thickness.
pub const SHAPE: &str = "NIFTI_INTENT_SHAPE";
/// Intent code of plain values.
pub const NONE: &str = "NIFTI_INTENT_NONE";

/// A file's content.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gifti {
    /// Names and values about the whole file.
    pub metadata: Vec<(String, String)>,
    /// Names of the keys in label arrays.
    pub labels: Vec<Label>,
    /// The data arrays in the order of the file.
    pub arrays: Vec<DataArray>,
}

/// One entry of the table of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The number that stands in the data.
    pub key: i32,
    /// Its name.
    pub name: String,
    /// Red, green, blue and opacity, 0 to 1; `None` where the file gives no colour.
    pub colour: Option<[f32; 4]>,
}

/// One array.
#[derive(Clone, Debug, PartialEq)]
pub struct DataArray {
    /// What it is, such as [`POINTSET`].
    pub intent: String,
    /// The number type as stored.
    pub number: Number,
    /// The lengths of its axes; the last one varies fastest in `bytes`.
    pub dims: Vec<usize>,
    /// Names and values about the array, such as `AnatomicalStructurePrimary`.
    pub metadata: Vec<(String, String)>,
    /// Coordinate systems of a point set.
    pub transforms: Vec<Transform>,
    /// The values, little-endian, row major.
    pub(crate) bytes: Vec<u8>,
}

/// A coordinate system and the way to another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// The space of the coordinates, such as `NIFTI_XFORM_TALAIRACH`.
    pub data_space: String,
    /// The space that the matrix leads to.
    pub transformed_space: String,
    /// Row by row.
    pub matrix: [[f64; 4]; 4],
}
