//! Whatever is sent, the server stays up.

use std::io::{Read, Write};
use std::net::Shutdown;

use percept_core::Seed;
use percept_serve::{Broadcast, Message};
use rand::Rng;

use crate::client::{ask, connect, open_socket, server};

#[test]
fn malformed_requests_and_frames_never_stop_it() {
    let live = Broadcast::new();
    let server = server(None, &live);
    let mut random = Seed::new(21).named("fuzz").stream();
    let whole = format!("POST /sum HTTP/1.1\r\nHost: {}\r\nContent-Length: 5\r\n\r\n[1,2]", server.address());
    for round in 0..400 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..random.random_range(1..8) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        bytes.truncate(random.random_range(1..=bytes.len()));
        let mut stream = connect(server.address());
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        if round % 8 == 0 {
            let _ = stream.read(&mut [0u8; 64]);
        }
    }
    for _ in 0..60 {
        let mut socket = open_socket(server.address(), "").expect("open");
        for _ in 0..20 {
            let bytes: Vec<u8> = (0..random.random_range(1..40)).map(|_| random.random()).collect();
            let _ = socket.write_all(&bytes);
        }
        live.send(Message::text("still here"));
    }
    let (status, _) = ask(server.address(), "POST /sum", &format!("Host: {}\r\n", server.address()), "[1]");
    assert_eq!(status, 200);
}
