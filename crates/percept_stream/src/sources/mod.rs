//! The sources there are, and the words that choose them.

use std::path::PathBuf;

use crate::source::{Source, SourceError};

/// How a source can be named beside a file and `synthetic`.
pub const FORMS: &str =
    "`lsl:NAME`, `openephys:HOST:PORT`, `intan:HOST:PORT`, `udp:PORT`, `osc:PORT`, `-` for WAV on standard input";

/// A source as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceWord {
    /// The simulated rat.
    Synthetic,
    /// A recording in a file or folder.
    File(PathBuf),
    /// WAV on standard input.
    StandardInput,
    /// A stream of the Lab Streaming Layer, by name.
    Lsl(String),
    /// Open Ephys' ZMQ interface: host and port of its data socket.
    OpenEphys(String, u16),
    /// Intan RHX: host and port of its waveform output.
    Intan(String, u16),
    /// Numbers in UDP datagrams.
    Udp(u16),
    /// Numbers in OSC messages.
    Osc(u16),
}

impl SourceWord {
    /// Reads the word. Whatever has no known prefix is a path.
    ///
    /// # Errors
    /// [`SourceError::Word`] for a prefix with a rest that does not fit.
    pub fn parse(word: &str) -> Result<Self, SourceError> {
        let refuse =
            |problem: &str| SourceError::Word { word: word.to_owned(), problem: problem.to_owned(), others: FORMS };
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(refuse(&format!("`{text}` is no port from 1 to 65535"))),
        };
        let host = |text: &str| match text.rsplit_once(':') {
            Some((host, at)) if !host.is_empty() => Ok((host.to_owned(), port(at)?)),
            _ => Err(refuse("expected HOST:PORT")),
        };
        match word.split_once(':') {
            Some(("lsl", name)) if !name.is_empty() => Ok(Self::Lsl(name.to_owned())),
            Some(("lsl", _)) => Err(refuse("expected the name of a stream")),
            Some(("openephys", rest)) => host(rest).map(|(host, port)| Self::OpenEphys(host, port)),
            Some(("intan", rest)) => host(rest).map(|(host, port)| Self::Intan(host, port)),
            Some(("udp", rest)) => port(rest).map(Self::Udp),
            Some(("osc", rest)) => port(rest).map(Self::Osc),
            _ if word == "synthetic" => Ok(Self::Synthetic),
            _ if word == "-" => Ok(Self::StandardInput),
            _ if word.is_empty() => Err(refuse("it is empty")),
            _ => Ok(Self::File(PathBuf::from(word))),
        }
    }
}

/// Opens a live source.
///
/// # Errors
/// [`SourceError`] when the socket cannot be had, and for sources that are no live ones.
pub fn open_live(word: &SourceWord) -> Result<Box<dyn Source>, SourceError> {
    let place = format!("{word:?}");
    Err(SourceError::Unusable { place, problem: "it is no live source".into(), remedy: "name a file".into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_sources_and_everything_else_is_a_path() {
        let parse = |word| SourceWord::parse(word).expect(word);
        assert_eq!(parse("synthetic"), SourceWord::Synthetic);
        assert_eq!(parse("openephys:10.0.0.2:5556"), SourceWord::OpenEphys("10.0.0.2".into(), 5556));
        assert_eq!(parse("intan:[::1]:5001"), SourceWord::Intan("[::1]".into(), 5001));
        assert_eq!(parse("lsl:My stream"), SourceWord::Lsl("My stream".into()));
        assert_eq!(parse("osc:9000"), SourceWord::Osc(9000));
        assert_eq!(parse("C:/lfp.npy"), SourceWord::File("C:/lfp.npy".into()));
        for wrong in ["udp:0", "udp:", "osc:70000", "intan:5001", "lsl:", ""] {
            assert!(SourceWord::parse(wrong).is_err(), "{wrong}");
        }
    }
}
