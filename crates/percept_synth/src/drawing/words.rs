//! The words of scenes: what stands where, in which colour and size, by day or night.

use super::canvas::Rgb;

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
pub(crate) use words;

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
