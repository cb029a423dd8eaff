//! Colours for what is seen: a map over the folds of the cortex, where it reaches its threshold.
//!
//! Between vertices values are interpolated, keys of categories are not: the nearest corner decides. Where a corner has no value, the
//! others count; where the nearest corner has none, nothing is drawn.

use ndarray::Array3;
use percept_core::Mesh;
use rayon::prelude::*;

use crate::colour::{ColourMap, Rgb};
use crate::raster::{Hit, Hits};

/// How values become colours.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// Numbers from `low` to `high`.
    Numbers {
        /// What has the first colour.
        low: f32,
        /// What has the last colour.
        high: f32,
        /// The colours.
        map: ColourMap,
    },
    /// Whole numbers that stand for something each.
    Keys(Vec<Key>),
}

/// One category.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The number in the data.
    pub value: f32,
    /// What it stands for.
    pub name: String,
    /// Its colour.
    pub colour: Rgb,
}

impl Scale {
    /// The colour of `value`; `None` for a key that is not known.
    pub fn colour(&self, value: f32) -> Option<Rgb> {
        match self {
            Self::Numbers { low, high, map } => {
                Some(map.at(if high > low { (value - low) / (high - low) } else { 0.5 }))
            }
            Self::Keys(keys) => keys.iter().find(|key| key.value == value).map(|key| key.colour),
        }
    }

    fn is_keys(&self) -> bool {
        matches!(self, Self::Keys(_))
    }

    /// A table of colours, so that no colour is computed twice.
    fn table(&self) -> Vec<Rgb> {
        match self {
            Self::Numbers { map, .. } => (0..1024).map(|i| map.at(i as f32 / 1023.0)).collect(),
            Self::Keys(_) => Vec::new(),
        }
    }
}

/// What is laid over the folds.
#[derive(Clone, Copy, Debug)]
pub struct Overlay<'a> {
    /// One value for each vertex; NaN is left out.
    pub values: &'a [f32],
    /// How they become colours.
    pub scale: &'a Scale,
    /// Values whose size is below this are left out.
    pub threshold: Option<f32>,
    /// How firmly each vertex is drawn, 0 to 1, such as its reliability; NaN is 0.
    pub opacity: Option<&'a [f32]>,
}

/// How the cortex looks below a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// On white.
    Light,
    /// On nearly black.
    Dark,
}

impl Theme {
    /// The colour behind everything.
    pub fn ground(self) -> Rgb {
        if self == Self::Light { [255, 255, 255] } else { [18, 18, 20] }
    }

    /// The colour of text.
    pub fn ink(self) -> Rgb {
        if self == Self::Light { [34, 34, 38] } else { [232, 232, 236] }
    }

    /// The greys of crowns and of furrows.
    fn folds(self) -> [f32; 2] {
        if self == Self::Light { [205.0, 158.0] } else { [118.0, 76.0] }
    }
}

/// The picture of one view, with nothing where there is no cortex.
///
/// `folds` is the curvature or depth for each vertex, positive in furrows; without it the cortex is plain.
///
/// # Shapes
/// Rows × columns × (red, green, blue, opacity), one pixel per sample.
pub fn paint(
    mesh: &Mesh,
    hits: &Hits,
    folds: Option<&[f32]>,
    theme: Theme,
    overlay: Option<&Overlay<'_>>,
) -> Array3<u8> {
    let table = overlay.map(|overlay| overlay.scale.table()).unwrap_or_default();
    let [crown, furrow] = theme.folds();
    let pixel = |hit: &Option<Hit>| -> [u8; 4] {
        let Some(hit) = hit else { return [0; 4] };
        let corners = mesh.triangles[hit.triangle as usize];
        let weights = hit.all_weights();
        let folded = folds.map_or(0.0, |folds| interpolate(folds, corners, weights).unwrap_or(0.0));
        // Soft at the border of crown and furrow, even elsewhere.
        let share = if folds.is_some() { (0.5 + 4.0 * folded).clamp(0.0, 1.0) } else { 0.3 };
        let grey = crown + (furrow - crown) * share;
        let light = 0.55 + 0.45 * hit.light;
        let mut colour = [grey * light; 3];
        if let Some((over, opacity)) = overlay.and_then(|overlay| laid_over(overlay, &table, corners, weights)) {
            // Less shade on colours than on greys, so that a colour can be found in the bar.
            let light = 0.8 + 0.2 * hit.light;
            for (channel, &value) in colour.iter_mut().zip(&over) {
                *channel += (f32::from(value) * light - *channel) * opacity;
            }
        }
        let [r, g, b] = colour.map(|channel| channel.round().clamp(0.0, 255.0) as u8);
        [r, g, b, 255]
    };
    let pixels: Vec<[u8; 4]> = hits.samples().par_iter().map(pixel).collect();
    let shape = (hits.frame.height, hits.frame.width, 4);
    Array3::from_shape_vec(shape, pixels.into_flattened()).unwrap_or_else(|_| Array3::zeros(shape))
}

fn laid_over(overlay: &Overlay<'_>, table: &[Rgb], corners: [u32; 3], weights: [f32; 3]) -> Option<(Rgb, f32)> {
    let value = if overlay.scale.is_keys() {
        Some(overlay.values[corners[heaviest(weights)] as usize]).filter(|value| !value.is_nan())
    } else {
        interpolate(overlay.values, corners, weights)
    }?;
    if overlay.threshold.is_some_and(|threshold| value.abs() < threshold) {
        return None;
    }
    let colour = match overlay.scale {
        Scale::Numbers { low, high, .. } if high > low => {
            let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
            table[(share * (table.len() - 1) as f32).round() as usize]
        }
        scale => scale.colour(value)?,
    };
    let opacity = overlay.opacity.map_or(1.0, |opacity| interpolate(opacity, corners, weights).unwrap_or(0.0));
    Some((colour, opacity.clamp(0.0, 1.0)))
}

fn heaviest(weights: [f32; 3]) -> usize {
    let [a, b, c] = weights;
    if a >= b && a >= c { 0 } else { usize::from(c > b) + 1 }
}

/// The weighted mean of the corners that have a value; `None` where the nearest one has none.
fn interpolate(values: &[f32], corners: [u32; 3], weights: [f32; 3]) -> Option<f32> {
    let three = corners.map(|corner| values[corner as usize]);
    if three[heaviest(weights)].is_nan() {
        return None;
    }
    let (mut sum, mut total) = (0.0, 0.0);
    for (value, weight) in three.into_iter().zip(weights).filter(|(value, _)| !value.is_nan()) {
        sum += value * weight;
        total += weight;
    }
    Some(sum / total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::{Frame, hits};
    use crate::view::{Camera, View};
    use percept_core::Side;

    fn square() -> (Mesh, Hits) {
        let mesh = Mesh {
            vertices: vec![[0.0, 0.0, 0.0], [10.0, 0.0, 0.0], [10.0, 10.0, 0.0], [0.0, 10.0, 0.0]],
            triangles: vec![[0, 1, 2], [0, 2, 3]],
        };
        let frame = Frame { centre: [5.0; 2], scale: 2.0, width: 24, height: 24 };
        let hits = hits(&mesh, &Camera::new(View::Flat, Side::Left), frame, None);
        (mesh, hits)
    }

    #[test]
    fn values_are_mixed_keys_are_not_and_missing_ones_stay_away() {
        let (mesh, hits) = square();
        let numbers = Scale::Numbers { low: 0.0, high: 1.0, map: ColourMap::Ember };
        let values = [0.0, 1.0, f32::NAN, 0.0];
        let overlay = Overlay { values: &values, scale: &numbers, threshold: None, opacity: None };
        let with = paint(&mesh, &hits, None, Theme::Light, Some(&overlay));
        let without = paint(&mesh, &hits, None, Theme::Light, None);
        assert_eq!(with[(0, 0, 3)], 0, "outside is clear");
        assert_eq!(with[(3, 20, 0)], without[(3, 20, 0)], "the corner without a value");
        assert_ne!(with[(20, 3, 2)], without[(20, 3, 2)]);
        let keys = Scale::Keys(vec![Key { value: 2.0, name: "two".to_owned(), colour: [0, 0, 255] }]);
        let overlay = Overlay { values: &[2.0, 2.0, 7.0, 2.0], scale: &keys, threshold: None, opacity: None };
        let drawn = paint(&mesh, &hits, None, Theme::Light, Some(&overlay));
        assert_eq!((drawn[(20, 3, 0)], drawn[(20, 3, 2)]), (0, 255));
        assert_eq!(drawn[(3, 20, 0)], without[(3, 20, 0)], "a key that is not known");
    }

    #[test]
    fn a_threshold_and_an_opacity_hide() {
        let (mesh, hits) = square();
        let numbers = Scale::Numbers { low: -1.0, high: 1.0, map: ColourMap::BlueOrange };
        let plain = paint(&mesh, &hits, None, Theme::Dark, None);
        let (values, none) = ([0.3; 4], [0.0; 4]);
        let hidden = Overlay { values: &values, scale: &numbers, threshold: Some(0.4), opacity: None };
        assert_eq!(paint(&mesh, &hits, None, Theme::Dark, Some(&hidden)), plain);
        let faint = Overlay { values: &values, scale: &numbers, threshold: None, opacity: Some(&none) };
        assert_eq!(paint(&mesh, &hits, None, Theme::Dark, Some(&faint)), plain);
    }
}
