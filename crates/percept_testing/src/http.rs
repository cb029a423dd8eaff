//! The plainest client: one request as bytes, its answer as bytes, so that a server sees exactly what a test wrote.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server said.
pub struct Answer {
    /// The status; 0 for an answer that is none.
    pub status: u16,
    /// Head and body.
    pub whole: Vec<u8>,
}

impl Answer {
    /// Head and body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.whole).into_owned()
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.whole.windows(4).position(|end| end == b"\r\n\r\n").map_or(&[], |at| &self.whole[at + 4..])
    }
}

/// A connection to the server at `address`.
///
/// # Panics
/// When nobody listens.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// The answer to a request: `line` such as `GET /`, whole lines of `headers`, and a body.
///
/// # Panics
/// When nobody listens.
pub fn ask(address: SocketAddr, line: &str, headers: &str, body: &str) -> Answer {
    let mut stream = connect(address);
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut whole = Vec::new();
    // A server that closes early has still said something.
    let _ = stream.read_to_end(&mut whole);
    let status = whole.get(9..12).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok()).unwrap_or(0);
    Answer { status, whole }
}
