//! What viewers get, and what slow ones do to others.

use std::io::{Read, Write};
use std::time::Instant;

use percept_serve::{Broadcast, Message};

use crate::client::{ask, connect, frame, open_socket, server};

#[test]
fn functions_answer_json_and_a_panic_stays_theirs() {
    let server = server(None, &Broadcast::new());
    let host = format!("Host: {}\r\n", server.address());
    let body = |line: &str, body: &str| ask(server.address(), line, &host, body);
    assert!(body("POST /sum", "[1,2,3.5]").1.ends_with("\r\n\r\n6.5"));
    assert_eq!(body("POST /sum", "{").0, 400);
    assert_eq!(body("GET /panic", "").0, 500);
    assert_eq!(body("GET /nothing", "").0, 404);
    assert_eq!(body("POST /sum", &"1".repeat(2 << 20)).0, 413);
    assert!(body("GET /echo/a/b?x=1", "").1.ends_with("[\"/echo/a/b\",{\"x\":\"1\"}]"));
}

#[test]
fn a_viewer_gets_the_newest_message_at_once_and_then_all_that_follow() {
    let live = Broadcast::new();
    let server = server(None, &live);
    live.send(Message::text("before"));
    let mut socket = open_socket(server.address(), "").expect("open");
    assert_eq!(frame(&mut socket), Some((1, b"before".to_vec())));
    live.send(Message::binary(vec![7u8; 300]));
    assert_eq!(frame(&mut socket), Some((2, vec![7; 300])));
    assert_eq!(live.n_viewers(), 1);
}

#[test]
fn a_viewer_that_reads_nothing_holds_nobody_up_and_loses_messages() {
    let live = Broadcast::new();
    let server = server(None, &live);
    let mut deaf = open_socket(server.address(), "").expect("open");
    let mut good = open_socket(server.address(), "").expect("open");
    let start = Instant::now();
    for number in 0..100u8 {
        live.send(Message::binary(vec![number; 256 << 10]));
        // A good viewer reads in step; what reaches it is whole.
        assert_eq!(frame(&mut good), Some((2, vec![number; 256 << 10])));
    }
    assert!(start.elapsed().as_secs() < 10, "nobody was held up");
    // 25 MB fit into no socket: when the other one reads at last, some are gone and the newest is there.
    let mut n_read = 1;
    while frame(&mut deaf).expect("a frame").1[0] != 99 {
        n_read += 1;
    }
    assert!(n_read < 100 && live.n_dropped() > 0, "{n_read} read");
}

#[test]
fn a_film_is_parts_of_jpeg() {
    let live = Broadcast::new();
    let server = server(None, &live);
    live.send(Message::binary(b"one".to_vec()));
    let mut stream = connect(server.address());
    let head = format!("GET /film HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
    stream.write_all(head.as_bytes()).expect("sent");
    let mut seen = Vec::new();
    let mut sent = false;
    while !seen.windows(3).any(|w| w == b"two") {
        let mut piece = [0u8; 256];
        let n = stream.read(&mut piece).expect("parts come");
        seen.extend_from_slice(&piece[..n]);
        if !sent && seen.windows(3).any(|w| w == b"one") {
            live.send(Message::binary(b"two".to_vec()));
            sent = true;
        }
    }
    let text = String::from_utf8_lossy(&seen);
    assert!(text.contains("multipart/x-mixed-replace; boundary=frame"));
    assert!(text.contains("Content-Type: image/jpeg\r\nContent-Length: 3\r\n\r\none\r\n"));
}
