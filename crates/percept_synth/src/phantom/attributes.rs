//! What a drawing shows, as points in spaces of meaning: one space per kind of attribute.
//!
//! The points are fixed (part of the simulated world, not of a subject): attributes that mean similar things lie closer
//! together (plants, vehicles, animals; neighbouring hues), so tuning is graded, not a list of names.

use percept_core::Seed;
use serde::Serialize;

use crate::drawing::{Drawing, Glyph, Outline, Shape};

/// Kinds of attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What stands in the scene.
    Object,
    /// Its colour.
    Color,
    /// Its size.
    Size,
    /// Where it stands.
    Place,
    /// What surrounds it.
    Background,
    /// Day or night.
    Time,
    /// Scene or figure, and which class of figure.
    Family,
    /// Which letter, digit, outline or pattern.
    Form,
    /// White on black or black on white.
    Polarity,
}

impl Kind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Object,
        Self::Color,
        Self::Size,
        Self::Place,
        Self::Background,
        Self::Time,
        Self::Family,
        Self::Form,
        Self::Polarity,
    ];

    pub(super) fn n_values(self) -> usize {
        match self {
            Self::Object => 10,
            Self::Color => 8,
            Self::Size | Self::Time | Self::Polarity => 2,
            Self::Place => 3,
            Self::Background | Self::Family => 6,
            Self::Form => Glyph::COUNT + Outline::ALL.len() + 4 * 3 + 3,
        }
    }
}

/// Dimensions of each space; kinds with fewer leave the rest zero.
pub(super) const N_DIMENSIONS: usize = 8;

/// Number of kinds.
pub(super) const N_KINDS: usize = Kind::ALL.len();

/// Which value of each kind a drawing shows; `None` where the kind does not apply.
pub(super) fn values(drawing: &Drawing) -> [Option<usize>; N_KINDS] {
    match drawing {
        Drawing::Scene(scene) => [
            Some(scene.object as usize),
            Some(scene.color as usize),
            Some(scene.size as usize),
            Some(scene.place as usize),
            Some(scene.background as usize),
            Some(scene.time as usize),
            Some(0),
            None,
            None,
        ],
        Drawing::Figure(figure) => {
            let (family, form) = match figure.shape {
                Shape::Glyph(glyph) => (if glyph.character().is_ascii_digit() { 2 } else { 1 }, glyph.index()),
                Shape::Outline(outline) => (3, Glyph::COUNT + outline as usize),
                Shape::Grating(orientation, frequency) => {
                    (4, Glyph::COUNT + Outline::ALL.len() + 3 * orientation as usize + frequency as usize)
                }
                Shape::Checkerboard(frequency) => (5, Glyph::COUNT + Outline::ALL.len() + 12 + frequency as usize),
            };
            let polarity = Some(figure.polarity as usize);
            [None, None, None, None, None, None, Some(family), Some(form), polarity]
        }
    }
}

/// The points of all values of all kinds; each space has zero mean and unit mean square per value.
pub(super) struct Meaning {
    points: Vec<Vec<[f32; N_DIMENSIONS]>>,
}

impl Meaning {
    pub(super) fn new() -> Self {
        let seed = Seed::new(0).named("meaning");
        let points = Kind::ALL.iter().map(|&kind| points(kind, seed.at(kind as u64))).collect();
        Self { points }
    }

    /// How strongly `value` of `kind` lies in the direction `preference`.
    pub(super) fn project(&self, kind: Kind, value: usize, preference: &[f32; N_DIMENSIONS]) -> f32 {
        self.points[kind as usize][value].iter().zip(preference).map(|(a, b)| a * b).sum()
    }
}

fn points(kind: Kind, seed: Seed) -> Vec<[f32; N_DIMENSIONS]> {
    let n_values = kind.n_values();
    let noise = seed.normal(n_values * N_DIMENSIONS);
    let noise = |value: usize, dimension: usize| noise[value * N_DIMENSIONS + dimension];
    let mut points: Vec<[f32; N_DIMENSIONS]> = (0..n_values)
        .map(|value| {
            std::array::from_fn(|dimension| match kind {
                // house tree car boat fish flower cup ball person butterfly: buildings and things, plants, vehicles, animals.
                Kind::Object => {
                    const GROUPS: [usize; 10] = [0, 1, 2, 2, 3, 1, 0, 0, 3, 3];
                    0.8 * noise(value, dimension) + if GROUPS[value] == dimension { 2.0 } else { 0.0 }
                }
                // red orange yellow green blue purple pink brown around the hue circle, pink light and brown dark.
                Kind::Color => {
                    const HUES: [f32; 8] = [0.0, 0.6, 1.2, 2.2, 3.9, 4.9, 5.7, 0.5];
                    const LIGHTNESS: [f32; 8] = [0.0, 0.3, 0.9, 0.0, -0.5, -0.7, 1.0, -1.4];
                    match dimension {
                        0 => 1.5 * HUES[value].cos(),
                        1 => 1.5 * HUES[value].sin(),
                        2 => LIGHTNESS[value],
                        _ => 0.5 * noise(value, dimension),
                    }
                }
                Kind::Size | Kind::Time | Kind::Polarity => {
                    if dimension == 0 {
                        2.0 * value as f32 - 1.0
                    } else {
                        0.0
                    }
                }
                Kind::Place => match dimension {
                    0 => value as f32 - 1.0,
                    1 => [-0.5, 1.0, -0.5][value],
                    _ => 0.0,
                },
                Kind::Background | Kind::Form => noise(value, dimension),
                Kind::Family => {
                    // Scenes against all figures, then the classes of figures.
                    if dimension == 0 {
                        if value == 0 { 1.0 } else { -1.0 }
                    } else if value == 0 {
                        0.0
                    } else {
                        noise(value, dimension)
                    }
                }
            })
        })
        .collect();
    for dimension in 0..N_DIMENSIONS {
        let mean = points.iter().map(|point| point[dimension]).sum::<f32>() / n_values as f32;
        for point in &mut points {
            point[dimension] -= mean;
        }
    }
    let square = points.iter().flatten().map(|value| value * value).sum::<f32>() / n_values as f32;
    for value in points.iter_mut().flatten() {
        *value /= square.sqrt();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_drawing_has_values_within_their_spaces() {
        let meaning = Meaning::new();
        for index in 0..2_000 {
            let drawing = Drawing::random(Seed::new(1).at(index));
            for (kind, value) in Kind::ALL.into_iter().zip(values(&drawing)) {
                if let Some(value) = value {
                    assert!(value < kind.n_values());
                    assert!(meaning.project(kind, value, &[1.0; N_DIMENSIONS]).is_finite());
                }
            }
        }
    }

    #[test]
    fn animals_lie_closer_together_than_to_vehicles() {
        let meaning = Meaning::new();
        let objects = &meaning.points[Kind::Object as usize];
        let distance =
            |a: usize, b: usize| objects[a].iter().zip(&objects[b]).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let animals = distance(4, 8) + distance(4, 9) + distance(8, 9);
        let mixed = distance(4, 2) + distance(8, 2) + distance(9, 2);
        assert!(animals < mixed, "{animals} {mixed}");
    }
}
