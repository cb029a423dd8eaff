//! Where a set of features stands: layer, denoising step or noise level, block of the U-Net, phase of generation.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// One coordinate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Coordinate {
    /// A layer, a step, a level of noise.
    Number(f64),
    /// A block, a phase.
    Word(String),
}

impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

/// The coordinates of one set of features by the names of their axes, in a fixed order; none where a space has one set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes(Vec<(String, Coordinate)>);

impl Serialize for Axes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Axes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Axes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("coordinates by the names of their axes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Axes, A::Error> {
                let mut axes = Vec::new();
                while let Some(axis) = map.next_entry()? {
                    axes.push(axis);
                }
                Ok(Axes(axes))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {value}")?;
        }
        Ok(())
    }
}

impl Axes {
    /// No axis.
    pub fn none() -> Self {
        Self::default()
    }

    /// One axis.
    pub fn one(name: &str, value: &str) -> Self {
        Self(vec![(name.to_owned(), coordinate(value))])
    }

    /// The axes of a place inside a model: `layerNN` is a layer, `stageN` a stage, `@tN` a step, `@WORD` a phase, and what is left of a
    /// place in a U-Net or autoencoder its block.
    pub fn of_place(place: &str) -> Self {
        let (path, at) = place.split_once('@').map_or((place, None), |(path, at)| (path, Some(at)));
        let mut axes = Vec::new();
        let numbered = |axis: &str| path.split('.').find_map(|part| part.strip_prefix(axis)?.parse::<u32>().ok());
        let depth = ["layer", "stage"].into_iter().find_map(|axis| Some((axis, numbered(axis)?)));
        if let Some((axis, number)) = depth {
            axes.push((axis.to_owned(), Coordinate::Number(f64::from(number))));
        } else if let Some(block) = ["unet.", "vae."].iter().find_map(|model| path.strip_prefix(model)) {
            axes.push(("block".to_owned(), Coordinate::Word(block.to_owned())));
        }
        match at.map(|at| (at, at.strip_prefix('t').and_then(|step| step.parse::<u32>().ok()))) {
            Some((_, Some(step))) => axes.push(("step".to_owned(), Coordinate::Number(f64::from(step)))),
            Some((word, None)) => axes.push(("phase".to_owned(), Coordinate::Word(word.to_owned()))),
            None => {}
        }
        Self(axes)
    }

    /// The same with another axis before the others.
    pub fn with_first(self, name: &str, value: &str) -> Self {
        let mut axes = vec![(name.to_owned(), coordinate(value))];
        axes.extend(self.0);
        Self(axes)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and coordinates.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Coordinate)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The coordinate on the axis `name`.
    pub fn get(&self, name: &str) -> Option<&Coordinate> {
        self.iter().find(|(axis, _)| *axis == name).map(|(_, value)| value)
    }
}

fn coordinate(text: &str) -> Coordinate {
    text.parse().map_or_else(|_| Coordinate::Word(text.to_owned()), Coordinate::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_layers_steps_blocks_and_phases() {
        assert_eq!(Axes::of_place("clip.image.layer07").to_string(), "layer 7");
        assert_eq!(Axes::of_place("unet.up.1@t500").to_string(), "block up.1, step 500");
        assert_eq!(Axes::of_place("blip.text.layer11@late").to_string(), "layer 11, phase late");
        assert_eq!(Axes::of_place("clap.audio.stage2").to_string(), "stage 2");
        assert_eq!(Axes::of_place("sd.z"), Axes::none());
        let (axes, json) = (Axes::of_place("unet.mid@t5"), r#"{"block":"mid","step":5.0}"#);
        assert_eq!(serde_json::to_string(&axes).expect("plain"), json);
        assert_eq!(serde_json::from_str::<Axes>(json).expect("the same"), axes);
    }
}
