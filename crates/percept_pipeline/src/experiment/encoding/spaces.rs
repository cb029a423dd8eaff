//! `[spaces.NAME]`: what predicts the responses. The `kind` of a space decides its keys; lists in braces make its axes.

use std::path::PathBuf;

use serde::Serialize;
use toml::Value;

use super::kinds::{kind_key, read_rest, word_of};
use crate::experiment::Pack;
use crate::experiment::error::ExperimentError;
use crate::experiment::key::{Key, Section};
use crate::experiment::origin::Origin;
use crate::experiment::vocabulary::KeyTable;

words! {
    /// What a space is.
    pub enum SpaceKind {
        /// The pictures themselves, averaged down.
        Pixels = "pixels",
        /// A pyramid of Gabor filters and the mean colour: early vision.
        Gabor = "gabor",
        /// Places inside a model.
        Taps = "taps",
        /// Which of the labels of the data holds: one column each.
        Labels = "labels",
        /// Counts of words, hashed into columns.
        Bag = "bag",
        /// How many words and letters a text has: the simplest that a text can be.
        Rate = "rate",
        /// Any array, made elsewhere.
        Array = "array",
    }
}

section! {
    /// The pictures themselves, averaged down.
    pub struct PixelSpace {
        /// Pixels a side, at most.
        size: usize = 32, in 1..=1024;
    }
}

section! {
    /// A pyramid of Gabor filters over the gray picture, each as the energy of its two phases, square root taken; and the mean of
    /// red, green and blue on a grid, where pictures have colour.
    pub struct GaborSpace {
        /// Cycles in a picture, one level of the pyramid each; filters of a level stand about one wavelength apart.
        cycles: Vec<f64> = vec![1.0, 2.0, 4.0, 8.0], in 0.5..=256.0;
        /// Orientations, evenly spread over half a turn.
        orientations: usize = 4, in 1..=64;
        /// Side in pixels to which pictures are brought first.
        size: usize = 64, in 8..=1024;
        /// Side of the grid of colours; 0 leaves colour out.
        colours: usize = 4, in 0..=64;
    }
}

section! {
    /// Places inside a model, of pictures, captions, texts or sounds, as `percept model taps` lists them. Braces make axes:
    /// `clip.image.layer{00..11}`, `unet.{down.0,mid,up.1}@t{50,500,950}`. `layerNN` is the axis layer, `stageN` the axis stage, `@tN` the
    /// axis step, and another list the axis block.
    pub struct TapSpace
    requires {
        /// The places.
        places: Vec<String>, such as "[\"clip.image.layer{00..03}\"]";
    }
    defaults {
        /// The models: `pocket`, a folder, or `hf:ORG/NAME`.
        pack: Pack = Pack::Pocket;
        /// How tokens or pixels become one row: `whole`, `mean`, `first` or `last`.
        pool: TapPool = TapPool::Mean;
        /// Which level of description of the texts it reads; it may stay empty where there is one. A list in braces makes the axis
        /// level: `{story,speech}`.
        level: String = String::new();
        /// Of sounds: how many seconds around the middle of each scan are heard; 0 means the time of one scan. They do not reach beyond
        /// the excerpt.
        window_secs: f64 = 0.0, in 0.0..=600.0;
    }
}

words! {
    /// How tokens or pixels of a place become one row.
    pub enum TapPool {
        /// All of them, one behind the other.
        Whole = "whole",
        /// Their mean.
        Mean = "mean",
        /// The first token.
        First = "first",
        /// The last token.
        Last = "last",
    }
}

section! {
    /// Which of the labels of the data holds, one column each: the categories of scans, the answers about texts.
    pub struct LabelSpace {
        /// Only these; empty means all.
        only: Vec<String> = Vec::new();
    }
}

section! {
    /// Counts of words, each hashed into one of some columns with a sign, so that no vocabulary is needed.
    pub struct BagSpace {
        /// Columns.
        columns: usize = 512, in 1..=1_000_000;
        /// Samples before each one whose texts count too, within the run or title.
        context: usize = 0, in 0..=10_000;
        /// Which level of description of the texts it reads; it may stay empty where there is one. A list in braces makes the axis
        /// level: `{story,speech}`.
        level: String = String::new();
    }
}

section! {
    /// How many words and letters a text has.
    pub struct RateSpace {
        /// Which level of description of the texts it reads; it may stay empty where there is one. A list in braces makes the axis
        /// level: `{story,speech}`.
        level: String = String::new();
    }
}

section! {
    /// Any array, made elsewhere: a row for every sample, or for every stimulus in the order of first appearance.
    pub struct ArraySpace
    requires {
        /// `file` or `file:variable`; a list in braces makes an axis: `layer{00..12}.npy`.
        array: PathBuf, such as "features.npy";
    }
    defaults {
        /// What the list in braces counts, such as `layer`, `step`, `block` or `phase`.
        axis: String = "layer".to_owned();
    }
}

/// A feature space as the file asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SpaceSettings {
    /// The pictures themselves.
    Pixels(PixelSpace),
    /// A pyramid of Gabor filters.
    Gabor(GaborSpace),
    /// Places inside a model.
    Taps(TapSpace),
    /// Labels of the data.
    Labels(LabelSpace),
    /// Counts of words.
    Bag(BagSpace),
    /// Numbers of words and letters.
    Rate(RateSpace),
    /// Any array.
    Array(ArraySpace),
}

impl SpaceSettings {
    pub(super) fn read(name: &str, value: Value, origin: &Origin<'_>) -> Result<Self, ExperimentError> {
        let path = format!("spaces.{name}");
        let Value::Table(mut table) = value else {
            return Err(origin.wrong_type(&path, "a section", &value, format!("[{path}]")));
        };
        let space = match word_of::<SpaceKind>(&path, &mut table, "pixels", origin)? {
            SpaceKind::Pixels => Self::Pixels(read_rest(&path, table, origin)?),
            SpaceKind::Gabor => Self::Gabor(read_rest(&path, table, origin)?),
            SpaceKind::Taps => Self::Taps(read_rest(&path, table, origin)?),
            SpaceKind::Labels => Self::Labels(read_rest(&path, table, origin)?),
            SpaceKind::Bag => Self::Bag(read_rest(&path, table, origin)?),
            SpaceKind::Rate => Self::Rate(read_rest(&path, table, origin)?),
            SpaceKind::Array => Self::Array(read_rest(&path, table, origin)?),
        };
        for (key, text) in space.patterns() {
            if let Err(expected) = expand(&text) {
                return Err(origin.value(&format!("{path}.{key}"), expected, format!("`{text}`")));
            }
        }
        Ok(space)
    }

    fn patterns(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Taps(taps) => {
                let places = taps.places.iter().map(|place| ("places", place.clone()));
                places.chain([("level", taps.level.clone())]).collect()
            }
            Self::Bag(bag) => vec![("level", bag.level.clone())],
            Self::Rate(rate) => vec![("level", rate.level.clone())],
            Self::Array(array) => vec![("array", array.array.to_string_lossy().into_owned())],
            _ => Vec::new(),
        }
    }

    pub(super) fn tables() -> Vec<KeyTable> {
        let table = |kind: SpaceKind, doc: &str, keys: &[Key]| KeyTable {
            heading: format!("`[spaces.NAME]` with `kind = \"{}\"`", kind.name()),
            doc: doc.to_owned(),
            keys: keys.to_vec(),
        };
        vec![
            KeyTable {
                heading: "`[spaces.NAME]`".to_owned(),
                doc: "What predicts the responses: one section for each space, under a name of its own.".to_owned(),
                keys: vec![kind_key::<SpaceKind>(
                    "What the space is; it decides which keys the section has.",
                    "pixels",
                )],
            },
            table(SpaceKind::Pixels, PixelSpace::DOC, PixelSpace::KEYS),
            table(SpaceKind::Gabor, GaborSpace::DOC, GaborSpace::KEYS),
            table(SpaceKind::Taps, TapSpace::DOC, TapSpace::KEYS),
            table(SpaceKind::Labels, LabelSpace::DOC, LabelSpace::KEYS),
            table(SpaceKind::Bag, BagSpace::DOC, BagSpace::KEYS),
            table(SpaceKind::Rate, RateSpace::DOC, RateSpace::KEYS),
            table(SpaceKind::Array, ArraySpace::DOC, ArraySpace::KEYS),
        ]
    }
}

/// Names of spaces name files, so they are kept simple.
pub(super) fn check_name(name: &str, origin: &Origin<'_>) -> Result<(), ExperimentError> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if !name.is_empty() && name.len() <= 60 && name.chars().all(fits) {
        return Ok(());
    }
    Err(origin.value("spaces", "names of letters, digits, `-` and `_`", format!("`{name}`")))
}

/// The most names that one pattern may stand for.
const MOST_NAMES: usize = 10_000;

/// The names that a pattern with lists in braces stands for, each with what was chosen from every list: `a{0..2}` is `a0`, `a1`,
/// `a2`; `x{b,c}` is `xb`, `xc`. Numbers keep leading zeros.
///
/// # Errors
/// What was expected, for a brace without its other half, an empty list or too many names.
pub fn expand(pattern: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut names = vec![(String::new(), Vec::new())];
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        let close = rest[open..].find('}').ok_or("a `}` for every `{`")? + open;
        let choices = choices(&rest[open + 1..close])?;
        if names.len() * choices.len() > MOST_NAMES {
            return Err(format!("at most {MOST_NAMES} names"));
        }
        let before = &rest[..open];
        names = names
            .into_iter()
            .flat_map(|(name, chosen)| {
                choices.iter().map(move |choice| {
                    let mut chosen: Vec<String> = chosen.clone();
                    chosen.push(choice.clone());
                    (format!("{name}{before}{choice}"), chosen)
                })
            })
            .collect();
        rest = &rest[close + 1..];
    }
    if rest.contains('}') {
        return Err("a `{` for every `}`".to_owned());
    }
    Ok(names.into_iter().map(|(name, chosen)| (name + rest, chosen)).collect())
}

fn choices(list: &str) -> Result<Vec<String>, String> {
    if let Some((from, to)) = list.split_once("..") {
        let range = from.parse::<usize>().ok().zip(to.parse::<usize>().ok()).filter(|(from, to)| from <= to);
        let (first, last) = range.ok_or("a range such as `{00..11}`")?;
        if last - first >= MOST_NAMES {
            return Err(format!("at most {MOST_NAMES} names"));
        }
        let width = from.len();
        return Ok((first..=last).map(|number| format!("{number:0width$}")).collect());
    }
    let choices: Vec<String> = list.split(',').map(|choice| choice.trim().to_owned()).collect();
    if choices.iter().any(String::is_empty) {
        return Err("a list such as `{a,b}` or a range such as `{0..3}`".to_owned());
    }
    Ok(choices)
}
