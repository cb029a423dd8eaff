//! The log of a stream, from which the same pictures come again bit by bit.
//!
//! One JSON object per line. The first names the source, the settings and the pack; then, in order, one line for each picture
//! (number of the frame, number of the sample that its window ends with, hashes of latent and picture) and for each event that is
//! no sample. Samples of a live source lie beside it in `samples.f64` (little-endian, row by row), with a line for each block;
//! recordings and the simulated rat are read again.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ndarray::Array2;
use percept_io::Error;
use serde::{Deserialize, Serialize};

use crate::engine::{Picture, Sink};
use crate::error::{Result, StreamError};
use crate::settings::Settings;
use crate::source::{Block, ChannelFacts, Event, Source, SourceError, SourceFacts};

/// The log's name in a stream's folder.
pub const LOG_FILE: &str = "log.jsonl";
/// The samples' name beside it.
pub const SAMPLES_FILE: &str = "samples.f64";
/// The longest line that is read.
const MAX_LINE: u64 = 16 << 20;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// The first.
    Begin {
        /// Program and version.
        program: String,
        /// The word that names the source.
        source: String,
        /// Words and numbers that it was opened with.
        options: SourceOptions,
        /// The settings as TOML.
        settings: String,
        /// Whether samples lie beside the log.
        samples: bool,
    },
    /// Channels and rate.
    Facts {
        /// The source's name.
        name: String,
        /// Names and units of the channels.
        channels: Vec<[String; 2]>,
        /// Samples per second.
        rate_hz: f64,
    },
    /// Samples in the file beside the log.
    Samples {
        /// The number of the first.
        first_sample: u64,
        /// How many.
        n: usize,
    },
    /// Missing samples.
    Gap {
        /// How many.
        missing: Option<u64>,
    },
    /// A number by name, and the frame from which on it counts.
    Value {
        /// Its name.
        name: String,
        /// The number.
        value: f64,
        /// How many samples had come.
        after: u64,
    },
    /// A picture.
    Frame {
        /// The number of the frame.
        frame_idx: u64,
        /// The number of the sample that its window ends with.
        sample_idx: u64,
        /// BLAKE3 of the latent.
        latent: String,
        /// BLAKE3 of the pixels; `None` for a picture that was black by a viewer's wish.
        picture: Option<String>,
    },
    /// The last.
    End {
        /// Pictures.
        frames: u64,
    },
}

/// What a source was opened with beside its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceOptions {
    /// Samples per second, for recordings that do not say.
    #[serde(default)]
    pub rate_hz: Option<f64>,
    /// The stream or array inside a file.
    #[serde(default)]
    pub stream: Option<String>,
    /// The seed of the simulated rat.
    #[serde(default)]
    pub seed: u64,
}

/// Writes a log.
pub struct Log {
    path: PathBuf,
    lines: BufWriter<File>,
    samples: Option<BufWriter<File>>,
    n_samples: u64,
    n_frames: u64,
}

impl Log {
    /// A log in `folder`; `live` keeps samples too.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn new(folder: &Path, source: &str, options: &SourceOptions, settings: &Settings, live: bool) -> Result<Self> {
        percept_io::fs::create_dir(folder)?;
        let create = |name: &str| {
            let path = folder.join(name);
            let file = File::create(&path).map_err(|error| Error::io("create", error).in_file(&path))?;
            Ok::<_, Error>(BufWriter::new(file))
        };
        let mut log = Self {
            path: folder.join(LOG_FILE),
            lines: create(LOG_FILE)?,
            samples: live.then(|| create(SAMPLES_FILE)).transpose()?,
            n_samples: 0,
            n_frames: 0,
        };
        let written = toml::to_string(settings)
            .map_err(|error| StreamError::setting("settings", error.to_string(), "report this with the settings"))?;
        log.line(&Line::Begin {
            program: concat!("percept ", env!("CARGO_PKG_VERSION")).to_owned(),
            source: source.to_owned(),
            options: options.clone(),
            settings: written,
            samples: live,
        })?;
        Ok(log)
    }

    fn line(&mut self, line: &Line) -> Result<()> {
        let written = serde_json::to_writer(&mut self.lines, line).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.lines.write_all(b"\n"));
        Ok(written.map_err(|error| Error::io("write", error).in_file(&self.path))?)
    }
}

impl Sink for Log {
    fn picture(&mut self, picture: &Arc<Picture>) -> Result<()> {
        self.n_frames += 1;
        let hash = || pixels_hash(picture).to_string();
        self.line(&Line::Frame {
            frame_idx: picture.frame.frame_idx,
            sample_idx: picture.frame.sample_idx,
            latent: picture.latent_hash.to_string(),
            picture: (!picture.blank).then(hash),
        })
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Facts(facts) => {
                let channels = facts.channels.iter().map(|c| [c.name.clone(), c.unit.clone()]).collect();
                self.line(&Line::Facts { name: facts.name.clone(), channels, rate_hz: facts.rate_hz })
            }
            Event::Samples(block) => {
                self.n_samples += block.samples.nrows() as u64;
                let Some(samples) = &mut self.samples else { return Ok(()) };
                for value in &block.samples {
                    let written = samples.write_all(&value.to_le_bytes());
                    written.map_err(|error| Error::io("write", error).in_file(&self.path))?;
                }
                self.line(&Line::Samples { first_sample: block.first_sample, n: block.samples.nrows() })
            }
            Event::Gap(missing) => self.line(&Line::Gap { missing: *missing }),
            Event::Value(name, value) => {
                self.line(&Line::Value { name: name.clone(), value: *value, after: self.n_samples })
            }
            Event::Lost(_) | Event::Back | Event::Refused(_) | Event::End => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.line(&Line::End { frames: self.n_frames })?;
        let flushed = self.lines.flush().and_then(|()| self.samples.as_mut().map_or(Ok(()), Write::flush));
        Ok(flushed.map_err(|error| Error::io("write", error).in_file(&self.path))?)
    }
}

/// The hash of a picture's pixels.
pub fn pixels_hash(picture: &Picture) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for value in &picture.pixels {
        hasher.update(&[*value]);
    }
    hasher.finalize()
}

/// A log that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The word that names the source.
    pub source: String,
    /// What it was opened with.
    pub options: SourceOptions,
    /// The settings.
    pub settings: Settings,
    /// The folder with the samples, where they lie beside the log.
    pub samples: Option<PathBuf>,
    /// Everything else, in order.
    pub lines: Vec<Line>,
}

/// Reads a log; a last line that was cut off is left out.
///
/// # Errors
/// When it cannot be read or is none.
pub fn read(path: &Path) -> Result<Logged> {
    let file = File::open(path).map_err(|error| Error::io("open", error).in_file(path))?;
    let mut reader = BufReader::new(file);
    let mut lines = Vec::new();
    let bad = |number: usize, why: String| {
        let problem = format!("line {number} of `{}`: {why}", path.display());
        StreamError::setting("replay", problem, "name a `log.jsonl` that this version wrote")
    };
    loop {
        let mut text = Vec::new();
        let got = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut text);
        if got.map_err(|error| Error::io("read", error).in_file(path))? == 0 {
            break;
        }
        match serde_json::from_slice::<Line>(&text) {
            Ok(line) => lines.push(line),
            Err(_) if !text.ends_with(b"\n") && !lines.is_empty() => break,
            Err(error) => return Err(bad(lines.len() + 1, error.to_string())),
        }
    }
    if lines.is_empty() {
        return Err(bad(1, "the file is empty".into()));
    }
    match lines.remove(0) {
        Line::Begin { source, options, settings, samples, .. } => Ok(Logged {
            source,
            options,
            settings: Settings::parse(&settings)?,
            samples: samples.then(|| path.parent().unwrap_or(Path::new("")).to_owned()),
            lines,
        }),
        _ => Err(bad(1, "it does not begin with `begin`".into())),
    }
}

/// The samples and events beside a log, as a source.
pub struct Recorded {
    lines: std::vec::IntoIter<Line>,
    samples: BufReader<File>,
    path: PathBuf,
    n_channels: usize,
}

impl Recorded {
    /// Opens the samples of a log.
    ///
    /// # Errors
    /// When they are not there.
    pub fn open(logged: &Logged, folder: &Path) -> Result<Self> {
        let path = folder.join(SAMPLES_FILE);
        let file = File::open(&path).map_err(|error| Error::io("open", error).in_file(&path))?;
        Ok(Self { lines: logged.lines.clone().into_iter(), samples: BufReader::new(file), path, n_channels: 0 })
    }
}

impl Source for Recorded {
    fn next(&mut self, _wait: Duration) -> std::result::Result<Option<Event>, SourceError> {
        for line in self.lines.by_ref() {
            return Ok(Some(match line {
                Line::Facts { name, channels, rate_hz } => {
                    self.n_channels = channels.len();
                    let channels = channels.into_iter().map(|[name, unit]| ChannelFacts { name, unit }).collect();
                    Event::Facts(SourceFacts { name, channels, rate_hz, n_samples: None })
                }
                Line::Samples { first_sample, n } => {
                    let bytes = (n as u64).saturating_mul(8 * self.n_channels as u64);
                    let read = percept_io::fs::read_growing(&mut self.samples, "samples beside the log", bytes);
                    let bytes = read.map_err(|error| error.in_file(&self.path))?;
                    let values = bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default()));
                    let samples = Array2::from_shape_vec((n, self.n_channels), values.collect());
                    let samples = samples.unwrap_or_else(|_| Array2::zeros((0, self.n_channels)));
                    Event::Samples(Block { first_sample, samples, measured: None })
                }
                Line::Gap { missing } => Event::Gap(missing),
                Line::Value { name, value, .. } => Event::Value(name, value),
                Line::Begin { .. } | Line::Frame { .. } | Line::End { .. } => continue,
            }));
        }
        Ok(Some(Event::End))
    }
}

/// Compares the pictures of a replay with the log.
pub struct Check {
    expected: std::vec::IntoIter<Line>,
}

impl Check {
    /// A check against a log's frames.
    pub fn new(logged: &Logged) -> Self {
        let frames = logged.lines.iter().filter(|line| matches!(line, Line::Frame { .. })).cloned();
        Self { expected: frames.collect::<Vec<_>>().into_iter() }
    }
}

impl Sink for Check {
    fn picture(&mut self, picture: &Arc<Picture>) -> Result<()> {
        let Some(Line::Frame { frame_idx, sample_idx, latent, picture: pixels }) = self.expected.next() else {
            return Ok(());
        };
        let frame = frame_idx;
        let compare = |what: &'static str, expected: String, got: String| {
            if expected == got { Ok(()) } else { Err(StreamError::Replay { frame, what, expected, got }) }
        };
        compare("the number", frame_idx.to_string(), picture.frame.frame_idx.to_string())?;
        compare("the sample", sample_idx.to_string(), picture.frame.sample_idx.to_string())?;
        compare("the latent", latent, picture.latent_hash.to_string())?;
        pixels.map_or(Ok(()), |expected| compare("the picture", expected, pixels_hash(picture).to_string()))
    }

    fn finish(&mut self) -> Result<()> {
        match self.expected.next() {
            Some(Line::Frame { frame_idx, .. }) => Err(StreamError::Replay {
                frame: frame_idx,
                what: "the picture",
                expected: "there".into(),
                got: "missing".into(),
            }),
            _ => Ok(()),
        }
    }
}
