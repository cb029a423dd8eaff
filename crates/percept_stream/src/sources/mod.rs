//! The sources there are, and the words that choose them.
//!
//! - [`open_ephys`] (over [`zmtp`]), [`intan`]: acquisition programs, to which we connect, again and again until they answer
//! - `lsl`: the Lab Streaming Layer, by the user's own library
//! - [`numbers`] by UDP and TCP, [`osc`]: what others send to us
//! - `stdin`: WAV from a pipe
//!
//! Parsers know no sockets, take bytes in any pieces and bound what they hold. No source trusts the other side: what makes no
//! sense is refused, said and skipped.

pub mod intan;
mod link;
mod lsl;
pub mod numbers;
pub mod open_ephys;
pub mod osc;
mod pending;
mod rows;
mod sockets;
mod stdin;
pub mod zmtp;

pub mod file;
pub mod replay;

use std::path::PathBuf;

use crate::source::{Source, SourceError};

/// How a source can be named beside a file and `synthetic`.
pub const FORMS: &str = "`lsl:NAME`, `openephys:HOST:PORT`, `intan:HOST:PORT`, `udp:PORT`, `tcp:PORT`, `osc:PORT`, `-` for WAV on standard input";

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
    /// Numbers by TCP, from a program that connects to us.
    Tcp(u16),
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
            Some(("tcp", rest)) => port(rest).map(Self::Tcp),
            Some(("osc", rest)) => port(rest).map(Self::Osc),
            _ if word == "synthetic" => Ok(Self::Synthetic),
            _ if word == "-" => Ok(Self::StandardInput),
            _ if word.is_empty() => Err(refuse("it is empty")),
            _ => Ok(Self::File(PathBuf::from(word))),
        }
    }
}

/// Opens a live source. `rate_hz` is what the user gives: sources that know their rate and are told another are refused, but for
/// those whose other side may not be asked (Intan, numbers, OSC, streams without a constant rate).
///
/// # Errors
/// [`SourceError`] when the socket or library cannot be had, and for sources that are no live ones.
pub fn open_live(word: &SourceWord, rate_hz: Option<f64>) -> Result<Box<dyn Source>, SourceError> {
    let refuse = |place: &str, remedy: &str| {
        let problem = "it says its rate itself".to_owned();
        Err(SourceError::Unusable { place: place.to_owned(), problem, remedy: remedy.to_owned() })
    };
    match word {
        SourceWord::Lsl(name) => Ok(Box::new(lsl::Stream::open(name, rate_hz)?)),
        SourceWord::OpenEphys(..) if rate_hz.is_some() => refuse("Open Ephys", "leave `--rate` out"),
        SourceWord::StandardInput if rate_hz.is_some() => refuse("WAV on standard input", "leave `--rate` out"),
        SourceWord::OpenEphys(host, port) => Ok(Box::new(open_ephys::OpenEphys::new(host, *port))),
        SourceWord::Intan(host, port) => Ok(Box::new(intan::Intan::new(host, *port, rate_hz))),
        SourceWord::Udp(port) => Ok(Box::new(sockets::Datagrams::open(*port, sockets::Kind::Numbers, rate_hz)?)),
        SourceWord::Osc(port) => Ok(Box::new(sockets::Datagrams::open(*port, sockets::Kind::Osc, rate_hz)?)),
        SourceWord::Tcp(port) => Ok(Box::new(sockets::Connection::open(*port, rate_hz)?)),
        SourceWord::StandardInput => Ok(Box::new(stdin::Pipe::open(std::io::stdin()))),
        SourceWord::Synthetic | SourceWord::File(_) => Err(SourceError::Unusable {
            place: format!("{word:?}"),
            problem: "it is no live source".to_owned(),
            remedy: "open it as a recording".to_owned(),
        }),
    }
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
