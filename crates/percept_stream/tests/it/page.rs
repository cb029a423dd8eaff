//! The page while a stream runs: what it answers, what it refuses, and that nothing stops the engine.

use std::net::SocketAddr;
use std::sync::Arc;

use percept_serve::Settings as ServeSettings;
use percept_stream::controls::Controls;
use percept_stream::session::{self, Request};
use percept_stream::settings::Settings;
use percept_testing::http;
use serde_json::Value;

/// Status and body of a request.
fn ask(address: SocketAddr, line: &str, headers: &str, body: &str) -> (u16, Vec<u8>) {
    let answer = http::ask(address, line, &format!("Host: {address}\r\n{headers}"), body);
    (answer.status, answer.body().to_vec())
}

fn status(address: SocketAddr) -> Value {
    serde_json::from_slice(&ask(address, "GET /status.json", "", "").1).expect("JSON")
}

/// Asks until something is so.
fn until(address: SocketAddr, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..400_000 {
        let status = status(address);
        if is_so(&status) {
            return status;
        }
        std::thread::yield_now();
    }
    panic!("never {what}: {}", status(address));
}

#[test]
fn the_page_shows_obeys_and_refuses() {
    let controls = Arc::new(Controls::default());
    let mut settings = Settings::default();
    settings.picture.steps = 1;
    let serve = Some(ServeSettings::loopback(0));
    let request = Request { serve, ..Request::new("synthetic", settings, controls.clone()) };
    let (tell, told) = std::sync::mpsc::channel();
    let stream =
        std::thread::spawn(move || session::run(&request, &mut |url| tell.send(url.to_owned()).expect("heard")));
    let url = told.recv().expect("an address");
    let address: SocketAddr = url.trim_start_matches("http://").trim_end_matches('/').parse().expect("an address");

    for path in ["/", "/stream.css", "/stream.js"] {
        let (code, body) = ask(address, &format!("GET {path}"), "", "");
        assert!(code == 200 && body.len() > 1000, "{path}");
    }
    let seen = until(address, "a picture", |status| status["frame"].as_u64().is_some_and(|frame| frame > 3));
    assert_eq!(seen["source"]["channels"], 32);
    assert!(seen["traces"]["curves"].as_array().is_some_and(|curves| curves.len() == 8));
    assert!(seen["summary"]["latency_ms"]["p50"].as_f64().is_some());
    let (code, png) = ask(address, "GET /snapshot.png", "", "");
    assert!(code == 200 && png.starts_with(b"\x89PNG"));

    assert_eq!(ask(address, "POST /control", "Origin: http://evil.example\r\n", "{\"stop\":true}").0, 403);
    assert_eq!(ask(address, "POST /control", "", "{\"explode\":true}").0, 400);
    assert_eq!(ask(address, "POST /control", "", "{\"record\":true}").0, 400, "there is no folder");
    assert_eq!(ask(address, "POST /control", "", "{\"pause\":true,\"blank\":true}").0, 204);
    let before = until(address, "paused", |status| status["paused"] == true && status["blank"] == true);
    let samples = |status: &Value| status["frame"].as_u64();
    assert_eq!(samples(&until(address, "a status", |_| true)), samples(&before));
    assert_eq!(ask(address, "POST /control", "", "{\"pause\":false}").0, 204);
    until(address, "a picture again", |status| samples(status) > samples(&before));
    let (_, black) = ask(address, "GET /snapshot.png", "", "");
    assert!(black.len() < png.len());
    assert_eq!(ask(address, "POST /control", "", "{\"stop\":true}").0, 204);
    let summary = stream.join().expect("no panic").expect("an orderly end");
    assert!(summary.frames > 4);
}
