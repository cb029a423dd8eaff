//! A running stream under malformed HTTP requests and WebSocket frames: `fuzz_page [MESSAGES]`, a million unless said otherwise. Ends
//! with an error when the page stops answering or pictures stop coming.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use percept_core::Seed;
use percept_core::seed::Stream;
use percept_serve::Settings as ServeSettings;
use percept_stream::controls::Controls;
use percept_stream::session::{self, Request};
use percept_stream::settings::Settings;
use rand::Rng;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    percept_models::threads::claim();
    let wanted: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |word| word.parse())?;
    let controls = Arc::new(Controls::default());
    let mut settings = Settings { fps: 5.0, ..Settings::default() };
    settings.picture.steps = 1;
    let serve = Some(ServeSettings::loopback(0));
    let request = Request { serve, ..Request::new("synthetic", settings, controls.clone()) };
    let (tell, told) = std::sync::mpsc::channel();
    let stream = std::thread::spawn(move || {
        session::run(&request, &mut |url| {
            let _ = tell.send(url.to_owned());
        })
    });
    let address: SocketAddr = told.recv()?.trim_start_matches("http://").trim_end_matches('/').parse()?;
    let mut random = Seed::new(1).named("fuzz").stream();
    let mut n = 0;
    let mut frame_before = 0;
    while n < wanted {
        n += if random.random_bool(0.3) { requests(address, &mut random)? } else { frames(address, &mut random)? };
        if n % 50_000 < 400 {
            let frame = newest_frame(address)?;
            eprintln!("{n} messages, frame {frame}");
            if frame < frame_before {
                return Err("pictures went back".into());
            }
            frame_before = frame;
        }
    }
    let before = newest_frame(address)?;
    std::thread::sleep(Duration::from_secs(1));
    if newest_frame(address)? <= before {
        return Err("pictures stopped".into());
    }
    controls.stop();
    let summary = stream.join().map_err(|_| "the stream panicked")??;
    eprintln!("{n} messages; {} pictures, latency p99 {:?} ms", summary.frames, summary.latency_ms.p99);
    Ok(())
}

fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(20))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

fn damage(bytes: &mut Vec<u8>, random: &mut Stream) {
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..3) {
            0 => bytes[at] = random.random(),
            1 => bytes.insert(at, random.random()),
            _ => bytes.truncate(at.max(1)),
        }
    }
}

/// Requests one after another on one connection, some damaged; how many.
fn requests(address: SocketAddr, random: &mut Stream) -> Result<u64, Failure> {
    let mut stream = connect(address)?;
    let n = random.random_range(1..60);
    for _ in 0..n {
        let path = ["/", "/status.json", "/snapshot.png", "/control", "/live", "/film.mjpg"][random.random_range(0..6)];
        let method = ["GET", "POST", "PUT", "OPTIONS"][random.random_range(0..4)];
        let body = "{\"blank\":false}";
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut bytes = head.into_bytes();
        if random.random_bool(0.3) {
            damage(&mut bytes, random);
        }
        if stream.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    Ok(n)
}

/// Frames on one WebSocket, until it is closed; how many.
fn frames(address: SocketAddr, random: &mut Stream) -> Result<u64, Failure> {
    let mut stream = connect(address)?;
    let path = if random.random() { "/frames" } else { "/status" };
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut start = [0u8; 12];
    stream.read_exact(&mut start)?;
    if !start.ends_with(b"101") {
        return Err(format!("no socket: {}", String::from_utf8_lossy(&start)).into());
    }
    let wanted = random.random_range(1..400);
    for n in 0..wanted {
        let length = random.random_range(0..60u8);
        // Mostly whole masked frames of any kind, so that the connection lives on; some damaged.
        let code = [0x81u8, 0x82, 0x89, 0x8a, 0x01, 0x80][random.random_range(0..6)];
        let mut bytes = vec![code, 0x80 | length, 0, 0, 0, 0];
        bytes.extend((0..length).map(|_| random.random_range(32..127u8)));
        if random.random_bool(0.01) {
            damage(&mut bytes, random);
        }
        if stream.write_all(&bytes).is_err() {
            return Ok(n + 1);
        }
    }
    Ok(wanted)
}

fn newest_frame(address: SocketAddr) -> Result<u64, Failure> {
    let mut stream = connect(address)?;
    write!(stream, "GET /status.json HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").ok_or("no answer")?.1;
    let status: serde_json::Value = serde_json::from_str(body)?;
    Ok(status["frame"].as_u64().unwrap_or(0))
}
