//! Sources to which others send: numbers by UDP and by TCP, and OSC. They listen on 127.0.0.1 only.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::link::READ_BYTES;
use super::numbers::{MAX_CHANNELS, Numbers, Parser};
use super::osc;
use super::rows::Rows;
use crate::source::{Event, Source, SourceError};

/// Datagrams that are taken in one go, before what they gave is handed out.
const MAX_DATAGRAMS: usize = 64;
/// Values of one message that are handed on.
const MAX_VALUES: usize = 64;
/// Events after which no more is read until they are taken.
const MAX_EVENTS: usize = 4096;
const POLL: Duration = Duration::from_millis(5);

fn socket_error(place: String, error: std::io::Error) -> SourceError {
    SourceError::Socket { place, error, remedy: "choose a port that is free" }
}

fn is_nothing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// What a datagram holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Numbers,
    Osc,
}

/// Datagrams of numbers or of OSC.
pub(super) struct Datagrams {
    socket: UdpSocket,
    kind: Kind,
    parser: Parser,
    rows: Rows,
    buffer: Vec<u8>,
}

impl Datagrams {
    pub(super) fn open(port: u16, kind: Kind, rate_hz: Option<f64>) -> Result<Self, SourceError> {
        let word = if kind == Kind::Osc { "OSC" } else { "UDP" };
        let place = format!("{word} on 127.0.0.1:{port}");
        let socket =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| socket_error(place.clone(), error))?;
        let rows = Rows::new(place, rate_hz);
        Ok(Self { socket, kind, parser: Parser::default(), rows, buffer: vec![0; READ_BYTES] })
    }

    fn take(&mut self, len: usize) {
        let bytes = &self.buffer[..len];
        if self.kind == Kind::Osc {
            match osc::parse(bytes) {
                Ok(messages) => messages.into_iter().for_each(|message| osc_message(&mut self.rows, message)),
                Err(problem) => self.rows.take(Numbers::Refused(problem)),
            }
            return;
        }
        // What a datagram began does not go on in the next.
        self.parser.clear();
        self.parser.push(bytes);
        self.parser.end();
        while let Some(numbers) = self.parser.numbers() {
            self.rows.take(numbers);
        }
    }
}

/// `/samples` (or an address that ends in it) is one sample of every channel, `/rate` the rate, everything else a value by name.
fn osc_message(rows: &mut Rows, message: osc::Message) {
    let name = message.address.trim_start_matches('/');
    match (name.rsplit('/').next(), message.numbers.as_slice()) {
        (_, []) => {}
        (Some("samples"), numbers) if numbers.len() <= MAX_CHANNELS => {
            rows.take(Numbers::Rows(None, numbers.len(), numbers.to_vec()));
        }
        (Some("rate"), &[rate]) if rate.is_finite() && rate > 0.0 => rows.take(Numbers::Rate(rate)),
        (_, &[value]) => rows.pending.push(Event::Value(name.to_owned(), value)),
        (_, numbers) => {
            for (index, &value) in numbers.iter().enumerate().take(MAX_VALUES) {
                rows.pending.push(Event::Value(format!("{name}/{index}"), value));
            }
        }
    }
}

impl Source for Datagrams {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, SourceError> {
        if let Some(event) = self.rows.pending.pop() {
            return Ok(Some(event));
        }
        // The first is waited for, what is there besides is taken with it.
        let mut patience = Some(wait.max(Duration::from_millis(1)));
        for _ in 0..MAX_DATAGRAMS {
            let set = match patience.take() {
                Some(wait) => {
                    self.socket.set_nonblocking(false).and_then(|()| self.socket.set_read_timeout(Some(wait)))
                }
                None => self.socket.set_nonblocking(true),
            };
            let received = set.and_then(|()| self.socket.recv(&mut self.buffer));
            match received {
                Ok(len) => {
                    self.take(len);
                    if self.rows.pending.len() > MAX_EVENTS {
                        break;
                    }
                }
                Err(error) if is_nothing(error.kind()) => break,
                // On some systems an answer to another program's datagram is reported here.
                Err(error) => {
                    self.rows.take(Numbers::Refused(error.to_string()));
                    break;
                }
            }
        }
        self.rows.flush();
        self.rows.pending.check_silence();
        Ok(self.rows.pending.pop())
    }
}

/// Numbers from one program that connects; when it goes, the next may come.
pub(super) struct Connection {
    listener: TcpListener,
    client: Option<TcpStream>,
    parser: Parser,
    rows: Rows,
    buffer: Vec<u8>,
}

impl Connection {
    pub(super) fn open(port: u16, rate_hz: Option<f64>) -> Result<Self, SourceError> {
        let place = format!("TCP on 127.0.0.1:{port}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| socket_error(place.clone(), error))?;
        let rows = Rows::new(place, rate_hz);
        Ok(Self { listener, client: None, parser: Parser::default(), rows, buffer: vec![0; READ_BYTES] })
    }

    fn accept(&mut self, wait: Duration) {
        let deadline = Instant::now() + wait;
        loop {
            match self.listener.accept() {
                Ok((client, _)) if client.set_nonblocking(false).is_ok() => {
                    self.client = Some(client);
                    return;
                }
                _ if Instant::now() >= deadline => return,
                _ => std::thread::sleep(POLL.min(wait)),
            }
        }
    }

    fn read(&mut self, wait: Duration) {
        let Some(client) = &mut self.client else { return self.accept(wait) };
        let set = client.set_read_timeout(Some(wait.max(Duration::from_millis(1))));
        match set.and_then(|()| client.read(&mut self.buffer)) {
            Ok(0) => self.close("the program that sent samples has gone".to_owned()),
            Ok(len) => {
                self.parser.push(&self.buffer[..len]);
                while let Some(numbers) = self.parser.numbers() {
                    self.rows.take(numbers);
                }
            }
            Err(error) if is_nothing(error.kind()) => {}
            Err(error) => self.close(error.to_string()),
        }
    }

    fn close(&mut self, why: String) {
        self.client = None;
        self.parser.end();
        while let Some(numbers) = self.parser.numbers() {
            self.rows.take(numbers);
        }
        self.parser.clear();
        self.rows.flush();
        self.rows.pending.lost(why);
    }
}

impl Source for Connection {
    fn next(&mut self, wait: Duration) -> Result<Option<Event>, SourceError> {
        if let Some(event) = self.rows.pending.pop() {
            return Ok(Some(event));
        }
        self.read(wait);
        self.rows.flush();
        self.rows.pending.check_silence();
        Ok(self.rows.pending.pop())
    }
}
