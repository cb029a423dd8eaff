//! Pictures between stored levels (0..=255) and values (0..=1), and between sizes.

use image::imageops::FilterType;
use ndarray::{Array4, ArrayView4};
use rayon::prelude::*;

/// Stored levels to values in 0..=1.
pub fn to_values(pictures: ArrayView4<'_, u8>) -> Array4<f32> {
    pictures.mapv(|level| f32::from(level) / 255.0)
}

/// Values to stored levels, clamped; the nearest level wins.
pub fn to_levels(pictures: ArrayView4<'_, f32>) -> Array4<u8> {
    pictures.mapv(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
}

/// Pictures (n, h, w, 3) resized to `height` × `width`: linear interpolation, averaging over what falls into one pixel when
/// they become smaller. Pictures of that size already are returned as they are; other proportions are squashed.
pub fn resize(pictures: ArrayView4<'_, f32>, height: usize, width: usize) -> Array4<f32> {
    let (n, from_height, from_width, _) = pictures.dim();
    if (from_height, from_width) == (height, width) {
        return pictures.to_owned();
    }
    let mut out = Array4::zeros((n, height, width, 3));
    out.outer_iter_mut().into_par_iter().zip(pictures.outer_iter().into_par_iter()).for_each(|(mut to, from)| {
        let source = image::Rgb32FImage::from_fn(from_width as u32, from_height as u32, |x, y| {
            image::Rgb([0, 1, 2].map(|channel| from[[y as usize, x as usize, channel]]))
        });
        let resized = image::imageops::resize(&source, width as u32, height as u32, FilterType::Triangle);
        for (x, y, pixel) in resized.enumerate_pixels() {
            for channel in 0..3 {
                to[[y as usize, x as usize, channel]] = pixel.0[channel];
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_survive_the_way_to_values_and_back() {
        let levels = Array4::from_shape_fn((1, 16, 16, 3), |(_, y, x, _)| (y * 16 + x) as u8);
        assert_eq!(to_levels(to_values(levels.view()).view()), levels);
    }

    #[test]
    fn resizing_keeps_flat_pictures_flat_and_the_orientation() {
        let flat = Array4::from_elem((2, 8, 8, 3), 0.25f32);
        assert!(resize(flat.view(), 13, 5).iter().all(|value| (value - 0.25).abs() < 1e-6));
        // Bright at the top right.
        let corner = Array4::from_shape_fn((1, 4, 4, 3), |(_, y, x, _)| if y < 2 && x >= 2 { 1.0 } else { 0.0 });
        let large = resize(corner.view(), 8, 8);
        assert!(large[[0, 0, 7, 0]] > 0.99 && large[[0, 7, 7, 0]] < 0.01 && large[[0, 0, 0, 0]] < 0.01);
    }
}
