//! A TCP connection that is opened again and again until it holds.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_CONNECT: Duration = Duration::from_millis(500);
/// How much is read at a time.
pub(super) const READ_BYTES: usize = 1 << 16;

/// What a read gave.
#[derive(Debug)]
pub(super) enum Got {
    /// The connection was just opened.
    Connected,
    /// Bytes, so many.
    Bytes(usize),
    /// Nothing in the time given.
    Nothing,
    /// The connection is closed, or could not be opened, and why.
    Closed(String),
}

/// The connection, or the time of the next attempt.
#[derive(Debug)]
pub(super) struct Link {
    host: String,
    port: u16,
    stream: Option<TcpStream>,
    next_attempt: Instant,
    pause: Duration,
}

impl Link {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Self { host, port, stream: None, next_attempt: Instant::now(), pause: FIRST_PAUSE }
    }

    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Bytes into `buffer`, whose length does not change; opens the connection first if there is none.
    pub(super) fn read(&mut self, buffer: &mut [u8], wait: Duration) -> Got {
        let Some(stream) = &mut self.stream else { return self.connect(wait) };
        // A time of zero would mean forever.
        let wait = wait.max(Duration::from_millis(1));
        let read = stream.set_read_timeout(Some(wait)).and_then(|()| stream.read(buffer));
        match read {
            Ok(0) => self.close("the other side closed the connection"),
            Ok(count) => {
                self.pause = FIRST_PAUSE;
                Got::Bytes(count)
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                Got::Nothing
            }
            Err(error) => self.close(&error.to_string()),
        }
    }

    /// Sends all of `bytes`, or closes the connection.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Some(stream) = &mut self.stream else { return Err("there is no connection".to_owned()) };
        let sent = stream.set_write_timeout(Some(LONGEST_CONNECT)).and_then(|()| stream.write_all(bytes));
        sent.map_err(|error| {
            self.close(&error.to_string());
            error.to_string()
        })
    }

    /// Closes the connection; the next read opens it again after a pause.
    pub(super) fn close(&mut self, why: &str) -> Got {
        self.stream = None;
        self.next_attempt = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Got::Closed(format!("{}: {why}", self.place()))
    }

    fn connect(&mut self, wait: Duration) -> Got {
        let until = self.next_attempt.saturating_duration_since(Instant::now());
        if until > wait {
            std::thread::sleep(wait);
            return Got::Nothing;
        }
        std::thread::sleep(until);
        let patience = wait.clamp(Duration::from_millis(50), LONGEST_CONNECT);
        let attempt = (self.host.as_str(), self.port).to_socket_addrs().and_then(|mut addresses| {
            let address = addresses.next().ok_or_else(|| std::io::Error::from(ErrorKind::AddrNotAvailable))?;
            TcpStream::connect_timeout(&address, patience)
        });
        match attempt.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => {
                self.stream = Some(stream);
                Got::Connected
            }
            Err(error) => self.close(&error.to_string()),
        }
    }
}
