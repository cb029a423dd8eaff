//! Scenes: one object in one colour and size, at one place of one background, by day or night.

use ndarray::Array3;
use percept_core::Seed;
use percept_core::seed::Stream;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::canvas::{Canvas, INK};
use super::words::{Background, Color, Object, Place, Size, Time};
use super::{backgrounds, objects};

/// What a scene shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scene {
    /// What stands there.
    pub object: Object,
    /// Its colour.
    pub color: Color,
    /// Its size.
    pub size: Size,
    /// Its place.
    pub place: Place,
    /// What surrounds it.
    pub background: Background,
    /// The light.
    pub time: Time,
}

impl Scene {
    /// A scene whose attributes are chosen evenly and independently.
    pub fn random(seed: Seed) -> Self {
        let stream = &mut seed.named("scene").stream();
        Self {
            object: Object::random(stream),
            color: Color::random(stream),
            size: Size::random(stream),
            place: Place::random(stream),
            background: Background::random(stream),
            time: Time::random(stream),
        }
    }
}

/// Position jitter in pixels, either way.
const POSITION_JITTER: f32 = 2.0;
/// Scale jitter, either way.
const SCALE_JITTER: f32 = 0.07;

/// Where the object of a scene stands at one moment of a film, relative to where the drawing has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Pixels to the right.
    pub right: f32,
    /// Pixels downwards.
    pub down: f32,
    /// Times its size.
    pub scale: f32,
    /// Radians, clockwise, about its middle.
    pub turn: f32,
    /// How much of it is there: 0 shows the surroundings alone, 1 the object.
    pub presence: f32,
}

impl Default for Pose {
    fn default() -> Self {
        Self { right: 0.0, down: 0.0, scale: 1.0, turn: 0.0, presence: 1.0 }
    }
}

/// Draws the scene with its object as `pose` says; `stream` moves it within the stated jitter.
pub(super) fn render(scene: Scene, pose: Pose, stream: &mut Stream) -> Array3<u8> {
    let mut canvas = Canvas::new();
    backgrounds::draw(&mut canvas, scene.background, scene.time, stream);
    let surroundings = (pose.presence < 1.0).then(|| canvas.clone());

    let (half, bottom, columns) = match scene.size {
        Size::Small => (12.0, 53.0, [15.0, 32.0, 49.0]),
        Size::Large => (20.5, 59.0, [20.0, 32.0, 44.0]),
    };
    let base = half * (1.0 + SCALE_JITTER * stream.random_range(-1.0f32..1.0));
    let x = columns[scene.place as usize] + POSITION_JITTER * stream.random_range(-1.0f32..1.0) + pose.right;
    let bottom = bottom + POSITION_JITTER * stream.random_range(-1.0f32..1.0);
    let shade = stream.random_range(-8.0f32..8.0);

    // It grows about its middle, and its shadow stays on the ground.
    let (middle, scale) = (bottom - base + pose.down, base * pose.scale);
    let foot = bottom + (pose.down + (scale - base)).max(0.0);
    canvas.frame(0.0, 0.0, 1.0, 0.0);
    canvas.ellipse(x, foot, 0.8 * scale, 0.13 * scale, INK, 0.28);
    canvas.line = if scene.size == Size::Small { 1.5 } else { 2.0 };
    canvas.frame(x, middle, scale, pose.turn);
    objects::draw(&mut canvas, scene.object, scene.color.rgb().shift(shade));
    let shown = canvas.finish();
    match surroundings {
        None => shown,
        Some(surroundings) => {
            let mut mixed = surroundings.finish();
            let share = pose.presence.max(0.0);
            mixed.zip_mut_with(&shown, |under, &over| {
                *under = (f32::from(*under) + share * (f32::from(over) - f32::from(*under))).round() as u8;
            });
            mixed
        }
    }
}
