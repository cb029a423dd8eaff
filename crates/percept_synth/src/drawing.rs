//! Drawings with known content: scenes and figures, 64 × 64 RGB, each with five captions.
//!
//! A [`Drawing`] is a description; [`Drawing::render`] turns it into pixels and [`Drawing::captions`] into words. What the
//! description leaves open (exact position, handwriting, shades, wording) comes from the seed alone, so the same seed gives
//! the same picture and the same words on every machine and any number of threads. Nothing here reads or writes files.

mod backgrounds;
mod canvas;
mod caption;
mod figure;
mod glyphs;
mod objects;
mod scene;
mod size;
mod words;

use ndarray::Array3;
use percept_core::Seed;
use rand::Rng;
use serde::{Deserialize, Serialize};

pub use caption::vocabulary;
pub use figure::{Figure, Frequency, Glyph, Orientation, Outline, Polarity, Shape};
pub use scene::{Pose, Scene};
pub use size::{N_CAPTIONS, SIDE};
pub(crate) use words::words;
pub use words::{Background, Color, Object, Place, Size, Time};

/// Share of scenes among random drawings; the rest are figures.
pub const SCENE_SHARE: f64 = 0.82;

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drawing {
    /// One coloured object in a place.
    Scene(Scene),
    /// A black-and-white figure as in classic vision experiments.
    Figure(Figure),
}

impl Drawing {
    /// A drawing chosen by `seed`: a scene with probability [`SCENE_SHARE`], otherwise a figure.
    pub fn random(seed: Seed) -> Self {
        if seed.named("family").stream().random_bool(SCENE_SHARE) {
            Self::Scene(Scene::random(seed))
        } else {
            Self::Figure(Figure::random(seed))
        }
    }

    /// The [`N_CAPTIONS`] captions of this drawing: lower-case words of [`vocabulary`], separated by single spaces.
    pub fn captions(&self, seed: Seed) -> Vec<String> {
        let seed = seed.named("caption");
        match self {
            Self::Scene(scene) => caption::of_scene(*scene, seed),
            Self::Figure(figure) => caption::of_figure(figure, seed),
        }
    }

    /// Which of object, colour, size, place, background and time of day a caption of this scene names; a brief caption names
    /// three of them. None for a figure.
    pub fn named_in(&self, caption: &str) -> Option<[bool; 6]> {
        match self {
            Self::Scene(scene) => Some(caption::named_in(*scene, caption)),
            Self::Figure(_) => None,
        }
    }

    /// The picture, RGB in 0..=255.
    ///
    /// # Shapes
    /// ([`SIDE`], [`SIDE`], 3): row, column, channel.
    pub fn render(&self, seed: Seed) -> Array3<u8> {
        let stream = &mut seed.named("render").stream();
        match self {
            Self::Scene(scene) => scene::render(*scene, Pose::default(), stream),
            Self::Figure(figure) => figure::render(figure, stream),
        }
    }
}

impl Scene {
    /// The picture of [`Drawing::render`] with the object as `pose` says; everything that the seed decides stays.
    ///
    /// # Shapes
    /// As [`Drawing::render`].
    pub fn render_posed(&self, pose: Pose, seed: Seed) -> Array3<u8> {
        scene::render(*self, pose, &mut seed.named("render").stream())
    }
}

#[cfg(test)]
mod tests;
