//! The header of a stream: XML with name, rate, format and channels.

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::recording::facts::MAX_CHANNELS;
use crate::recording::records::Cell;
use crate::{Error, Result};

/// Deeper elements are refused.
const MAX_DEPTH: usize = 64;

/// What the header of a stream says.
pub(super) struct Header {
    pub(super) name: String,
    pub(super) rate_hz: f64,
    pub(super) n_channels: usize,
    /// The type of its numbers; `None` for texts.
    pub(super) cell: Option<Cell>,
    /// Whether they are integers of 8 bytes.
    pub(super) is_long: bool,
    pub(super) is_text: bool,
    /// Labels and units; numbers where there are none. Empty for texts.
    pub(super) channels: Vec<(String, String)>,
}

impl Header {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let words = Words::parse(text.trim_end_matches('\0'))?;
        let name = words.first("name");
        let number = |tag: &str| -> Result<f64> {
            let text = words.first(tag);
            let value = text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
            value.ok_or_else(|| {
                Error::malformed(format!("`{tag}`"), "a number", format!("`{text}`")).in_object(name.as_str())
            })
        };
        let n_channels = number("channel_count")?;
        if n_channels < 1.0 || n_channels > MAX_CHANNELS as f64 || n_channels.fract() != 0.0 {
            let expected = format!("1 to {MAX_CHANNELS}");
            return Err(Error::malformed("`channel_count`", expected, n_channels).in_object(name));
        }
        let n_channels = n_channels as usize;
        let format = words.first("channel_format");
        let (cell, is_long) = match format.as_str() {
            "int8" => (Some(Cell::I8), false),
            "int16" => (Some(Cell::I16), false),
            "int32" => (Some(Cell::I32), false),
            "int64" => (Some(Cell::F64), true),
            "float32" => (Some(Cell::F32), false),
            "double64" => (Some(Cell::F64), false),
            "string" => (None, false),
            other => {
                return Err(Error::malformed("`channel_format`", "a number type or `string`", format!("`{other}`")));
            }
        };
        let rate_hz = number("nominal_srate")?;
        let channels = if cell.is_some() { words.channels(n_channels) } else { Vec::new() };
        Ok(Self { name, rate_hz, n_channels, cell, is_long, is_text: cell.is_none(), channels })
    }

    /// Bytes of the numbers of one sample.
    pub(super) fn sample_bytes(&self) -> usize {
        self.n_channels * self.cell.map_or(0, Cell::width)
    }

    /// The least that a sample can take: an empty text is two bytes.
    pub(super) fn least_sample_bytes(&self) -> usize {
        if self.is_text { 2 * self.n_channels } else { self.sample_bytes() }
    }
}

/// The texts of a header that are used.
#[derive(Default)]
struct Words {
    /// Tags directly below `info`, and their texts.
    of_info: Vec<(String, String)>,
    /// `desc/channels/channel`: label and unit of each.
    channels: Vec<(String, String)>,
}

impl Words {
    fn parse(text: &str) -> Result<Self> {
        let mut reader = Reader::from_str(text);
        let (mut words, mut path, mut current) = (Self::default(), Vec::<String>::new(), String::new());
        loop {
            let event = reader.read_event();
            let at = reader.error_position();
            match event.map_err(|error| Error::codec("the XML of a stream", error).at(at))? {
                Event::Start(tag) => {
                    path.push(tag.name().as_ref().to_owned());
                    current.clear();
                    if path[1..] == ["desc", "channels", "channel"] {
                        words.channels.push((String::new(), String::new()));
                    }
                    if path.len() > MAX_DEPTH || words.channels.len() > MAX_CHANNELS {
                        return Err(Error::malformed("the header of a stream", "a list of channels", "more").at(at));
                    }
                }
                Event::Text(text) => current.push_str(&text),
                Event::CData(text) => current.push_str(&text),
                Event::GeneralRef(name) => {
                    match (name.resolve_char_ref(), quick_xml::escape::resolve_predefined_entity(&name)) {
                        (Ok(Some(character)), _) => current.push(character),
                        (_, Some(text)) => current.push_str(text),
                        // A header may use what it does not define; nothing here depends on it.
                        _ => {}
                    }
                }
                Event::End(_) => {
                    words.end(&path, current.trim());
                    current.clear();
                    path.pop();
                }
                Event::Eof => return Ok(words),
                _ => {}
            }
        }
    }

    /// An element at `path` ends, whose text was `text`.
    fn end(&mut self, path: &[String], text: &str) {
        let inside = path.get(1..).unwrap_or_default();
        match inside {
            [tag] => self.of_info.push((tag.clone(), text.to_owned())),
            [desc, channels, channel, tag] if desc == "desc" && channels == "channels" && channel == "channel" => {
                if let Some((label, unit)) = self.channels.last_mut() {
                    match tag.as_str() {
                        "label" => text.clone_into(label),
                        "unit" => text.clone_into(unit),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// The first text of `tag` below `info`; empty if there is none.
    fn first(&self, tag: &str) -> String {
        self.of_info.iter().find(|(name, _)| name == tag).map(|(_, text)| text.clone()).unwrap_or_default()
    }

    /// Labels and units of `n_channels` channels.
    fn channels(&self, n_channels: usize) -> Vec<(String, String)> {
        let described = |index: usize| {
            let (label, unit) = self.channels.get(index).cloned().unwrap_or_default();
            (if label.is_empty() { index.to_string() } else { label }, unit)
        };
        (0..n_channels).map(described).collect()
    }
}
