//! Scenes: one object in one colour and size, at one place of one background, by day or night.

use ndarray::Array3;
use percept_core::Seed;
use percept_core::seed::Stream;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::canvas::{Canvas, INK, Rgb};
use super::{backgrounds, objects};

/// An enum of words: all values in order, and the word of each.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for this value in captions and tables.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// A value chosen evenly.
            pub fn random(stream: &mut percept_core::seed::Stream) -> Self {
                Self::ALL[rand::Rng::random_range(stream, 0..Self::ALL.len() as u32) as usize]
            }
        }
    };
}
pub(super) use words;

words! {
    /// What stands in the scene; the outlines are far apart in shape.
    Object {
        /// Box with a gable roof, a door and two windows.
        House = "house",
        /// Round crown on a trunk.
        Tree = "tree",
        /// Seen from the side, with a cabin and two wheels.
        Car = "car",
        /// Hull, mast and two sails.
        Boat = "boat",
        /// Swimming to the left.
        Fish = "fish",
        /// Petals, stem and leaf.
        Flower = "flower",
        /// With a handle on the right.
        Cup = "cup",
        /// A round ball with seams.
        Ball = "ball",
        /// Standing, arms out.
        Person = "person",
        /// Four open wings.
        Butterfly = "butterfly",
    }
}

words! {
    /// Colour of the object.
    Color {
        /// (222, 38, 38)
        Red = "red",
        /// (248, 136, 20)
        Orange = "orange",
        /// (250, 224, 40)
        Yellow = "yellow",
        /// (40, 172, 64)
        Green = "green",
        /// (44, 96, 230)
        Blue = "blue",
        /// (142, 52, 188)
        Purple = "purple",
        /// (252, 146, 200)
        Pink = "pink",
        /// (146, 90, 48)
        Brown = "brown",
    }
}

words! {
    /// Size of the object.
    Size {
        /// About 24 pixels tall.
        Small = "small",
        /// About 41 pixels tall.
        Large = "large",
    }
}

words! {
    /// Where the object stands.
    Place {
        /// Left third.
        Left = "left",
        /// Middle.
        Middle = "middle",
        /// Right third.
        Right = "right",
    }
}

words! {
    /// What surrounds the object.
    Background {
        /// Grass with a hill on the left.
        Field = "field",
        /// Sand with water behind it.
        Beach = "beach",
        /// Open water with an island on the right.
        Sea = "sea",
        /// Snow with a mountain on the left.
        Snow = "snow",
        /// A wall with a window on the left, a lamp on the right, and a floor.
        Room = "room",
        /// A street before houses that grow to the right.
        City = "city",
    }
}

words! {
    /// Time of day.
    Time {
        /// Bright, sun on the right.
        Day = "day",
        /// Dark, moon on the left.
        Night = "night",
    }
}

impl Color {
    /// The middle of the shades of this colour.
    pub(super) fn rgb(self) -> Rgb {
        match self {
            Self::Red => Rgb(222.0, 38.0, 38.0),
            Self::Orange => Rgb(248.0, 136.0, 20.0),
            Self::Yellow => Rgb(250.0, 224.0, 40.0),
            Self::Green => Rgb(40.0, 172.0, 64.0),
            Self::Blue => Rgb(44.0, 96.0, 230.0),
            Self::Purple => Rgb(142.0, 52.0, 188.0),
            Self::Pink => Rgb(252.0, 146.0, 200.0),
            Self::Brown => Rgb(146.0, 90.0, 48.0),
        }
    }
}

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

/// Draws the scene; `stream` moves it within the stated jitter.
pub(super) fn render(scene: Scene, stream: &mut Stream) -> Array3<u8> {
    let mut canvas = Canvas::new();
    backgrounds::draw(&mut canvas, scene.background, scene.time, stream);

    let (half, bottom, columns) = match scene.size {
        Size::Small => (12.0, 53.0, [15.0, 32.0, 49.0]),
        Size::Large => (20.5, 59.0, [20.0, 32.0, 44.0]),
    };
    let scale = half * (1.0 + SCALE_JITTER * stream.random_range(-1.0f32..1.0));
    let x = columns[scene.place as usize] + POSITION_JITTER * stream.random_range(-1.0f32..1.0);
    let bottom = bottom + POSITION_JITTER * stream.random_range(-1.0f32..1.0);
    let shade = stream.random_range(-8.0f32..8.0);

    canvas.frame(0.0, 0.0, 1.0, 0.0);
    canvas.ellipse(x, bottom, 0.8 * scale, 0.13 * scale, INK, 0.28);
    canvas.line = if scene.size == Size::Small { 1.5 } else { 2.0 };
    canvas.frame(x, bottom - scale, scale, 0.0);
    objects::draw(&mut canvas, scene.object, scene.color.rgb().shift(shade));
    canvas.finish()
}
