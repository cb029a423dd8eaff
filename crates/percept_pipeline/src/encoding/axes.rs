//! Where a set of features stands: layer, denoising step or noise level, block of the U-Net, phase of generation.

use std::fmt;

use serde::{Deserialize, Serialize};

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

    /// The axes of a place inside a model: `layerNN` is a layer, `@tN` a step, `@WORD` a phase, and what is left of a place in a U-Net
    /// or autoencoder its block.
    pub fn of_place(place: &str) -> Self {
        let (path, at) = place.split_once('@').map_or((place, None), |(path, at)| (path, Some(at)));
        let mut axes = Vec::new();
        let layer = path.split('.').find_map(|part| part.strip_prefix("layer")?.parse::<u32>().ok());
        if let Some(layer) = layer {
            axes.push(("layer".to_owned(), Coordinate::Number(f64::from(layer))));
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
        assert_eq!(Axes::of_place("sd.z"), Axes::none());
        assert_eq!(
            serde_json::to_string(&Axes::of_place("unet.mid@t5")).expect("plain"),
            r#"{"block":"mid","step":5.0}"#
        );
    }
}
