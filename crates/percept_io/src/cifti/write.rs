//! Writing series on surfaces as CIFTI-2: a NIfTI-2 head, the XML that says what rows and columns are, and the values.
//!
//! Volumes of voxels below the cortex are not written: they would need the space that they lie in.

use std::fmt::Write as _;
use std::path::Path;

use ndarray::ArrayView2;

use super::axes::BrainModel;
use crate::{Error, Result, fs};

/// Bytes of the head of NIfTI-2.
const HEAD: usize = 540;
/// The code of dense series, and its name.
const INTENT: (i32, &[u8]) = (3002, b"ConnDenseSeries");

/// Writes points in time on the surfaces of `models`, the first at second 0, as `.dtseries.nii`.
///
/// # Shapes
/// `data` points × places; the places of `models` follow one another.
///
/// # Errors
/// If places and models differ in number, a model is no surface, or the file cannot be written.
pub fn write_series(
    path: impl AsRef<Path>,
    data: ArrayView2<'_, f32>,
    models: &[BrainModel],
    step_secs: f64,
) -> Result<()> {
    let path = path.as_ref();
    let (n_points, n_places) = data.dim();
    let attempt = || {
        let n_listed = models.iter().map(|model| model.range().len()).sum::<usize>();
        if n_listed != n_places || n_points == 0 || n_places == 0 {
            let got = format!("{n_points} × {n_places}");
            return Err(Error::mismatch(
                "the data",
                format!("points × {n_listed}"),
                got,
                "give a column for each vertex",
            ));
        }
        let xml = xml(models, n_points, step_secs)?;
        // Extensions are multiples of 16 bytes.
        let extension = (xml.len() + 8).next_multiple_of(16);
        let data_offset = HEAD + 4 + extension;
        fs::write_atomic(path, |sink| {
            fs::put(&mut *sink, &head([n_points, n_places], data_offset))?;
            fs::put(&mut *sink, &[1, 0, 0, 0])?;
            fs::put(&mut *sink, &(extension as i32).to_le_bytes())?;
            fs::put(&mut *sink, &32i32.to_le_bytes())?;
            let mut text = xml.into_bytes();
            text.resize(extension - 8, 0);
            fs::put(&mut *sink, &text)?;
            let mut bytes = Vec::with_capacity(4 * n_points);
            // Points vary fastest.
            for place in data.columns() {
                bytes.clear();
                bytes.extend(place.iter().flat_map(|value| value.to_le_bytes()));
                fs::put(&mut *sink, &bytes)?;
            }
            Ok(())
        })
    };
    attempt().map_err(|error| error.in_file(path))
}

fn head([n_points, n_places]: [usize; 2], data_offset: usize) -> Vec<u8> {
    let mut head = vec![0u8; HEAD];
    let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &(HEAD as i32).to_le_bytes());
    put(4, b"n+2\0\r\n\x1a\n");
    // f32.
    put(12, &16i16.to_le_bytes());
    put(14, &32i16.to_le_bytes());
    for (place, length) in [6, 1, 1, 1, 1, n_points, n_places, 1].into_iter().enumerate() {
        put(16 + 8 * place, &(length as i64).to_le_bytes());
        put(104 + 8 * place, &1f64.to_le_bytes());
    }
    put(168, &(data_offset as i64).to_le_bytes());
    put(176, &1f64.to_le_bytes());
    // Millimetres and seconds.
    put(500, &(2 | 8i32).to_le_bytes());
    put(504, &INTENT.0.to_le_bytes());
    put(508, INTENT.1);
    head
}

fn xml(models: &[BrainModel], n_points: usize, step_secs: f64) -> Result<String> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CIFTI Version=\"2\"><Matrix>");
    let series = format!(
        "<MatrixIndicesMap AppliesToMatrixDimension=\"0\" IndicesMapToDataType=\"CIFTI_INDEX_TYPE_SERIES\" \
         NumberOfSeriesPoints=\"{n_points}\" SeriesExponent=\"0\" SeriesStart=\"0\" SeriesStep=\"{step_secs}\" \
         SeriesUnit=\"SECOND\"/><MatrixIndicesMap AppliesToMatrixDimension=\"1\" \
         IndicesMapToDataType=\"CIFTI_INDEX_TYPE_BRAIN_MODELS\">"
    );
    out += &series;
    let mut offset = 0;
    for model in models {
        let BrainModel::Surface { structure, n_vertices, vertices, .. } = model else {
            let remedy = "write surfaces only";
            return Err(Error::unsupported("writing voxels of", format!("`{}`", model.structure()), remedy));
        };
        let count = vertices.len();
        let _ = write!(
            out,
            "<BrainModel IndexOffset=\"{offset}\" IndexCount=\"{count}\" ModelType=\"CIFTI_MODEL_TYPE_SURFACE\" \
             BrainStructure=\"CIFTI_STRUCTURE_{structure}\" SurfaceNumberOfVertices=\"{n_vertices}\"><VertexIndices>"
        );
        let words: Vec<String> = vertices.iter().map(u32::to_string).collect();
        let _ = write!(out, "{}</VertexIndices></BrainModel>", words.join(" "));
        offset += count;
    }
    Ok(out + "</MatrixIndicesMap></Matrix></CIFTI>\n")
}
