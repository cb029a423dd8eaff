//! A server with one route of each kind, and sockets whose frames are written by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use percept_serve::{Broadcast, Reply, Request, Routes, Server, Settings};
pub(crate) use percept_testing::http::{self, connect};

/// A server with one route of each kind.
pub(crate) fn server(token: Option<&str>, live: &Broadcast) -> Server {
    let settings = Settings { token: token.map(str::to_owned), ..Settings::loopback(0) };
    let routes = Routes::new()
        .file("/", "text/html; charset=utf-8", "<!doctype html><title>t</title>")
        .get("/echo/{*rest}", |request: Request| Reply::json(&(request.path, request.query)))
        .get("/panic", |_| panic!("on purpose"))
        .post("/sum", |request: Request| match request.json::<Vec<f64>>() {
            Ok(numbers) => Reply::json(&numbers.iter().sum::<f64>()),
            Err(reply) => reply,
        })
        .socket("/live", live, |_| {})
        .motion_jpeg("/film", live);
    Server::start(&settings, routes).expect("a free port")
}

/// Status and whole answer of a request with `Connection: close`.
pub(crate) fn ask(address: SocketAddr, line: &str, headers: &str, body: &str) -> (u16, String) {
    let answer = http::ask(address, line, headers, body);
    (answer.status, answer.text())
}

/// Opens a WebSocket; the stream stands behind the answer's head. The status, when it was refused.
pub(crate) fn open_socket(address: SocketAddr, headers: &str) -> Result<TcpStream, u16> {
    let mut stream = connect(address);
    let head = format!(
        "GET /live HTTP/1.1\r\nHost: {address}\r\n{headers}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let mut byte = [0u8];
    while !answer.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        answer.push(byte[0]);
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    match answer.split(' ').nth(1).and_then(|word| word.parse().ok()) {
        Some(101) => {
            // The value that RFC 6455 computes from this key.
            assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
            Ok(stream)
        }
        status => Err(status.unwrap_or(0)),
    }
}

/// The next unmasked frame: its code and content.
pub(crate) fn frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0u8; 2];
    stream.read_exact(&mut head).ok()?;
    let length = match head[1] {
        126 => {
            let mut more = [0u8; 2];
            stream.read_exact(&mut more).ok()?;
            usize::from(u16::from_be_bytes(more))
        }
        127 => {
            let mut more = [0u8; 8];
            stream.read_exact(&mut more).ok()?;
            u64::from_be_bytes(more) as usize
        }
        short => usize::from(short),
    };
    let mut content = vec![0u8; length];
    stream.read_exact(&mut content).ok()?;
    Some((head[0] & 15, content))
}
