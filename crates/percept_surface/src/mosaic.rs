//! Slices of a volume over an anatomy, for subjects without surfaces: axial slices from below to above, in one sheet.
//!
//! Slices are those of the voxels' third axis, drawn with the first axis to the right and the second one up; affines only give the
//! sizes of voxels. Empty slices are left out.

use ndarray::{Array3, ArrayView3};

use crate::canvas::{Anchor, Drawing, Thing};
use crate::paint::{Scale, Theme};
use crate::sheet::number;
use crate::{Error, Result};

/// A volume to be drawn.
#[derive(Clone, Debug)]
pub struct Volume<'a> {
    /// Its name.
    pub name: String,
    /// Its values; NaN is left out.
    ///
    /// # Shapes
    /// (x, y, z).
    pub values: ArrayView3<'a, f32>,
    /// What lies below it, of the same shape, such as the mean functional volume.
    pub anatomy: Option<ArrayView3<'a, f32>>,
    /// Edges of a voxel in millimetres.
    pub voxel_mm: [f64; 3],
}

/// Space around things.
const MARGIN: f32 = 12.0;
const LETTER: f32 = 9.0;

/// The slices of `volume` in at most `n_slices` pictures.
///
/// # Errors
/// If the anatomy has another shape, or no voxel has a value.
pub fn draw(
    volume: &Volume<'_>,
    scale: &Scale,
    threshold: Option<f32>,
    n_slices: usize,
    theme: Theme,
) -> Result<Drawing> {
    let (nx, ny, nz) = volume.values.dim();
    if let Some(anatomy) = volume.anatomy.filter(|anatomy| anatomy.dim() != volume.values.dim()) {
        let (expected, got) = (format!("{:?}", volume.values.dim()), format!("{:?}", anatomy.dim()));
        return Err(Error::mismatch("the shape of the anatomy", expected, got, "give one of the same space"));
    }
    let has_values = |z: &usize| (0..nx).any(|x| (0..ny).any(|y| volume.values[(x, y, *z)].is_finite()));
    let filled: Vec<usize> = (0..nz).filter(has_values).collect();
    if filled.is_empty() {
        return Err(Error::missing(format!("value in the volume `{}`", volume.name), "check its mask"));
    }
    let n = n_slices.clamp(1, filled.len());
    let chosen: Vec<usize> = (0..n).map(|i| filled[(2 * i + 1) * filled.len() / (2 * n)]).collect();
    let n_columns = (n as f32).sqrt().ceil() as usize;
    let zoom = (160.0 / nx as f64 / volume.voxel_mm[0]).max(0.5) as f32;
    let [w, h] = [nx as f32 * volume.voxel_mm[0] as f32 * zoom, ny as f32 * volume.voxel_mm[1] as f32 * zoom];
    let range = volume.anatomy.map(|anatomy| {
        let finite = || anatomy.iter().copied().filter(|value| value.is_finite());
        [finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max)]
    });
    let top = MARGIN + LETTER * 2.2;
    let text = |x: f32, y: f32, anchor: Anchor, text: String| Thing::Text {
        x,
        y,
        height: LETTER,
        anchor,
        colour: theme.ink(),
        halo: None,
        text,
    };
    let mut things = vec![text(MARGIN, MARGIN, Anchor::Start, volume.name.clone())];
    for (i, &z) in chosen.iter().enumerate() {
        let x = MARGIN + (i % n_columns) as f32 * (w + MARGIN / 2.0);
        let y = top + (i / n_columns) as f32 * (h + LETTER * 2.0);
        let pixels = slice(volume, z, [w as usize, h as usize], scale, threshold, range);
        things.push(Thing::Picture { x, y, density: 1.0, alt: format!("{}, slice {z}", volume.name), pixels });
        things.push(text(x, y + h + 3.0, Anchor::Start, format!("z = {z}")));
    }
    let n_rows = n.div_ceil(n_columns);
    let below = top + n_rows as f32 * (h + LETTER * 2.0) + LETTER;
    let mut height = below + MARGIN;
    if let Scale::Numbers { low, high, .. } = scale {
        let bar = 200.0;
        let colours = (0..256).filter_map(|i| scale.colour(low + (high - low) * i as f32 / 255.0)).collect();
        things.push(Thing::Bar { frame: [MARGIN, below, bar, LETTER], colours });
        things.push(text(MARGIN, below + LETTER * 1.7, Anchor::Start, number(*low)));
        things.push(text(MARGIN + bar, below + LETTER * 1.7, Anchor::End, number(*high)));
        height += LETTER * 3.0;
    }
    let width = (2.0 * MARGIN + n_columns as f32 * (w + MARGIN / 2.0)).max(240.0);
    Ok(Drawing {
        width: width.ceil() as usize,
        height: height.ceil() as usize,
        ground: theme.ground(),
        title: format!("slices of {}", volume.name),
        things,
    })
}

fn slice(
    volume: &Volume<'_>,
    z: usize,
    [width, height]: [usize; 2],
    scale: &Scale,
    threshold: Option<f32>,
    range: Option<[f32; 2]>,
) -> Array3<u8> {
    let (nx, ny, _) = volume.values.dim();
    let mut pixels = Array3::zeros((height, width, 4));
    for row in 0..height {
        for column in 0..width {
            let voxel = (column * nx / width, ny - 1 - row * ny / height, z);
            let below = match (&volume.anatomy, range) {
                (Some(anatomy), Some([low, high])) if high > low => Some((anatomy[voxel] - low) / (high - low)),
                _ => None,
            };
            let value = volume.values[voxel];
            let is_shown = value.is_finite() && threshold.is_none_or(|threshold| value.abs() >= threshold);
            let colour = match (is_shown.then(|| scale.colour(value)).flatten(), below) {
                (Some(colour), _) => Some(colour),
                (None, Some(grey)) if grey.is_finite() => Some([(grey.clamp(0.0, 1.0) * 200.0) as u8; 3]),
                (None, None) if value.is_finite() => Some([128; 3]),
                _ => None,
            };
            if let Some(colour) = colour {
                (0..3).for_each(|k| pixels[(row, column, k)] = colour[k]);
                pixels[(row, column, 3)] = 255;
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::ColourMap;

    #[test]
    fn slices_show_values_over_the_anatomy() {
        let mut values = Array3::from_elem((8, 10, 6), f32::NAN);
        values[(2, 3, 4)] = 1.0;
        values[(2, 3, 1)] = 0.1;
        let anatomy = Array3::from_shape_fn((8, 10, 6), |(x, ..)| x as f32);
        let volume =
            Volume { name: "v".to_owned(), values: values.view(), anatomy: Some(anatomy.view()), voxel_mm: [2.0; 3] };
        let scale = Scale::Numbers { low: 0.0, high: 1.0, map: ColourMap::Ember };
        let drawing = draw(&volume, &scale, Some(0.5), 9, Theme::Light).expect("drawn");
        let n = drawing.things.iter().filter(|thing| matches!(thing, Thing::Picture { .. })).count();
        assert_eq!(n, 2, "empty slices are left out");
        assert!(
            draw(
                &Volume { anatomy: Some(anatomy.slice(ndarray::s![..4, .., ..])), ..volume },
                &scale,
                None,
                9,
                Theme::Light
            )
            .is_err()
        );
    }
}
