//! Drawings of results as plain data: whoever computed something says what is to be seen, whoever writes a report draws it.
//!
//! A [`Section`] is a heading, a sentence and some figures; a figure is values with names and axes. Nothing here computes or
//! draws. Intervals stand beside values where there are any. Pictures are named by their path inside a run's directory.
//!
//! An axis or a quantity whose label is the name of a metric (`context_pairwise`) is written as in the tables of scores.

use serde::{Deserialize, Serialize};

/// A part of a report: figures that answer one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// What is seen and how it was made, in a sentence or two; words between back-ticks are set as code.
    pub text: String,
    /// The figures, in order.
    pub figures: Vec<Figure>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Figure {
    /// Curves in one or more panels.
    Lines(Lines),
    /// Values with intervals against a category or a number.
    Estimates(Estimates),
    /// A matrix as a heat map.
    Matrix(Matrix),
    /// Rows of pictures, some under maps.
    Strip(Strip),
    /// Maps on the cortex.
    Cortex(Cortex),
    /// Rows of sounds to be heard and seen.
    Sounds(Sounds),
    /// Films that play in step.
    Films(Films),
}

/// What an axis or a quantity measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// The name, such as `step`, `training images` or that of a metric.
    pub label: String,
    /// The unit, such as `ms`; empty for plain numbers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Whether powers of ten are equally far apart; all values are then above 0.
    #[serde(default)]
    pub log: bool,
}

/// Curves, such as losses over the steps of a training: one small panel per group of series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// The heading.
    pub title: String,
    /// What is to be seen, for readers who cannot see it, too.
    pub caption: String,
    /// What runs to the right, the same in all panels.
    pub x: Axis,
    /// The panels.
    pub panels: Vec<Panel>,
}

/// Some curves in one coordinate system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// The heading, such as `validation`.
    pub title: String,
    /// What runs upwards.
    pub y: Axis,
    /// The curves; the same name has the same colour in all panels of a figure.
    pub series: Vec<Curve>,
}

/// One curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// (x, y), ascending in x.
    pub points: Vec<[f64; 2]>,
}

/// Values with intervals, such as an ablation: one quantity against what was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimates {
    /// The heading.
    pub title: String,
    /// What is to be seen, for readers who cannot see it, too.
    pub caption: String,
    /// What was changed.
    pub x: Positions,
    /// What was measured.
    pub y: Axis,
    /// One or more series; points of numbers are joined, those of categories are not.
    pub series: Vec<Series>,
    /// Levels to compare with that do not depend on x, such as another method's score.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
}

/// Where values stand along x.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Positions {
    /// Names; a point's x is the number of its name, from 0.
    Categories {
        /// What the names are, such as `loss left out`.
        label: String,
        /// The names, from left to right.
        names: Vec<String>,
    },
    /// Numbers along an axis.
    Numbers {
        /// The axis.
        axis: Axis,
    },
}

/// Values under one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// The values, ascending in x.
    pub points: Vec<Estimate>,
}

/// One value with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Where it stands.
    pub x: f64,
    /// The value.
    pub value: f64,
    /// Ends of the interval, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// A level that does not depend on x.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Its name, such as `c` or `chance`.
    pub name: String,
    /// Where it lies.
    pub value: f64,
    /// Ends of its interval, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// A matrix as a heat map. Where values lie on both sides of 0 the colours part there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// The heading.
    pub title: String,
    /// What is to be seen, for readers who cannot see it, too.
    pub caption: String,
    /// What the rows are, such as `group of voxels`.
    pub row_label: String,
    /// Their names, downwards.
    pub rows: Vec<String>,
    /// What the columns are, such as `token`.
    pub column_label: String,
    /// Their names, to the right.
    pub columns: Vec<String>,
    /// What the values are.
    pub quantity: Axis,
    /// Row by row.
    pub values: Vec<Vec<f64>>,
}

/// Rows of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strip {
    /// The heading.
    pub title: String,
    /// What is to be seen.
    pub caption: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<StripRow>,
}

/// One row of pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StripRow {
    /// Its name, such as the stimulus' id.
    pub label: String,
    /// One entry per column; `None` where there is no picture.
    pub cells: Vec<Option<StripCell>>,
}

/// A picture, perhaps under a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StripCell {
    /// A PNG file.
    pub picture: String,
    /// A gray PNG file of any size that is laid over the picture: it is kept where the map is white and darkened where it is
    /// black.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// A word or number below, such as the share of attention; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Maps on the cortex, to be turned and unfolded; a picture for readers without WebGL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cortex {
    /// The heading.
    pub title: String,
    /// What is to be seen.
    pub caption: String,
    /// Surfaces and maps in the form of `percept_surface::bundle`, a file.
    pub bundle: String,
    /// A PNG file of the same maps.
    pub still: String,
    /// What the picture shows, for readers who cannot see it.
    pub alt: String,
}

/// Rows of sounds, each with its waveform and its mel spectrogram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sounds {
    /// The heading.
    pub title: String,
    /// What is to be heard and seen.
    pub caption: String,
    /// Names of the columns, such as `stimulus` and `retrieval`.
    pub columns: Vec<String>,
    /// The highest frequency of the spectrograms, in Hz; they begin at 0 and are even in mel.
    pub high_hz: f64,
    /// The rows.
    pub rows: Vec<SoundRow>,
}

/// One row of sounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SoundRow {
    /// Its name, such as the stimulus' id.
    pub label: String,
    /// One entry per column; `None` where there is no sound.
    pub cells: Vec<Option<Clip>>,
}

/// A sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// A WAV file that browsers play: integers of 16 bits, or µ-law.
    pub sound: String,
    /// Its length in seconds.
    pub seconds: f64,
    /// The least and the largest sample, −1 … 1, of as many equal stretches as there are columns of pixels.
    pub waveform: Vec<[f32; 2]>,
    /// A gray PNG file: time to the right, the highest mel in the first row, white is the loudest.
    pub mels: String,
    /// A word or number below, such as a likeness; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Films side by side that play in step: what was seen and what was made of it, with scores over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Films {
    /// The heading.
    pub title: String,
    /// What is to be seen.
    pub caption: String,
    /// Frames per second.
    pub rate: f64,
    /// Frames of each film.
    pub n_frames: usize,
    /// Width and height of a frame in pixels.
    pub size: [usize; 2],
    /// The films, the stimulus first.
    pub films: Vec<Reel>,
    /// What is shown when: seconds and words, ascending; empty where nothing is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<(f64, String)>,
    /// Scores over time, the same for all films.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tracks: Vec<Track>,
}

/// One film, cut into frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reel {
    /// Its name, such as that of an arm.
    pub name: String,
    /// All frames in one JPEG or PNG file, row after row.
    pub sheet: String,
    /// Frames in each row of the file.
    pub across: usize,
}

/// A score of the films over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// What is scored, such as the name of a metric.
    pub name: String,
    /// Seconds of each value.
    pub step_secs: f64,
    /// For each film, in the order of [`Films::films`], its values; none where it has none.
    pub values: Vec<Option<Vec<Option<f64>>>>,
}

impl Axis {
    /// A plain linear axis.
    pub fn plain(label: impl Into<String>) -> Self {
        Self { label: label.into(), unit: String::new(), log: false }
    }

    /// The same with powers of ten equally far apart.
    pub fn log(label: impl Into<String>) -> Self {
        Self { log: true, ..Self::plain(label) }
    }
}

impl Figure {
    /// Its heading.
    pub fn title(&self) -> &str {
        match self {
            Self::Lines(figure) => &figure.title,
            Self::Estimates(figure) => &figure.title,
            Self::Matrix(figure) => &figure.title,
            Self::Strip(figure) => &figure.title,
            Self::Cortex(figure) => &figure.title,
            Self::Sounds(figure) => &figure.title,
            Self::Films(figure) => &figure.title,
        }
    }

    /// What is to be seen.
    pub fn caption(&self) -> &str {
        match self {
            Self::Lines(figure) => &figure.caption,
            Self::Estimates(figure) => &figure.caption,
            Self::Matrix(figure) => &figure.caption,
            Self::Strip(figure) => &figure.caption,
            Self::Cortex(figure) => &figure.caption,
            Self::Sounds(figure) => &figure.caption,
            Self::Films(figure) => &figure.caption,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_survive_json_under_the_name_of_their_kind() {
        let estimates = Figure::Estimates(Estimates {
            title: "size".to_owned(),
            caption: "more is better".to_owned(),
            x: Positions::Numbers { axis: Axis::log("training images") },
            y: Axis::plain("context_pairwise"),
            series: vec![Series {
                name: "b2c".to_owned(),
                points: vec![
                    Estimate { x: 100.0, value: 0.6, interval: Some([0.5, 0.7]) },
                    Estimate { x: 1000.0, value: 0.8, interval: None },
                ],
            }],
            levels: vec![Level { name: "c".to_owned(), value: 0.7, interval: None }],
        });
        let text = serde_json::to_string(&estimates).expect("plain data");
        assert!(text.starts_with("{\"kind\":\"estimates\",\"title\":\"size\""), "{text}");
        assert!(text.contains("\"x\":{\"kind\":\"numbers\"") && !text.contains("null"), "{text}");
        assert_eq!(serde_json::from_str::<Figure>(&text).expect("its own form"), estimates);
    }
}
