//! Who is let in.

use percept_serve::{Broadcast, ServeError, Server, Settings};

use crate::client::{ask, open_socket, server};

#[test]
fn own_pages_get_answers_and_foreign_ones_get_none() {
    let live = Broadcast::new();
    let server = server(None, &live);
    let at = server.address();
    let host = format!("Host: {at}\r\n");
    let status = |line: &str, more: &str| ask(at, line, &format!("{host}{more}"), "[1,2]").0;
    assert!(at.ip().is_loopback());
    assert_eq!(status("GET /", ""), 200);
    assert_eq!(status("POST /sum", ""), 200);
    assert_eq!(status("POST /sum", &format!("Origin: http://{at}\r\n")), 200);
    assert_eq!(status("POST /sum", "Origin: http://evil.example\r\n"), 403);
    assert_eq!(status("GET /film", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n"), 403);
    assert_eq!(ask(at, "GET /", "Host: evil.example\r\n", "").0, 403);
    assert_eq!(ask(at, "GET /", "", "").0, 403, "a request without a host");
    assert!(open_socket(at, &format!("Origin: http://{at}\r\n")).is_ok());
    assert_eq!(open_socket(at, "Origin: http://evil.example\r\n").expect_err("foreign"), 403);
}

#[test]
fn answers_carry_headers_that_keep_other_pages_out() {
    let server = server(None, &Broadcast::new());
    let (status, answer) = ask(server.address(), "GET /", &format!("Host: {}\r\n", server.address()), "");
    assert_eq!(status, 200);
    for part in ["frame-ancestors 'none'", "nosniff", "cross-origin-resource-policy: same-origin", "no-referrer"] {
        assert!(answer.contains(part), "{part} in {answer}");
    }
}

#[test]
fn without_the_token_nothing_is_answered_and_with_it_everything() {
    let token = "0123456789abcdef";
    let server = server(Some(token), &Broadcast::new());
    let at = server.address();
    let status = |line: &str, headers: &str| ask(at, line, &format!("Host: lab.example\r\n{headers}"), "").0;
    assert_eq!(status("GET /", ""), 401);
    assert_eq!(status("GET /?token=0123456789abcdeg", ""), 401);
    assert_eq!(status("GET /film", "Cookie: percept=wrong\r\n"), 401);
    assert_eq!(open_socket(at, "").expect_err("no token"), 401);
    assert_eq!(status("GET /?token=0123456789abcdef", "Origin: http://evil.example\r\n"), 403);
    let (first, answer) = ask(at, &format!("GET /?token={token}"), "Host: lab.example\r\n", "");
    assert_eq!(first, 200);
    assert!(answer.contains("HttpOnly; SameSite=Strict"), "{answer}");
    assert_eq!(status("GET /", "Cookie: a=b; percept=0123456789abcdef\r\n"), 200);
    assert_eq!(status("GET /", "Authorization: Bearer 0123456789abcdef\r\n"), 200);
    assert!(open_socket(at, &format!("Cookie: percept={token}\r\n")).is_ok());
    assert!(server.url().ends_with("/?token=0123456789abcdef"));
}

#[test]
fn an_address_in_use_is_named() {
    let first = server(None, &Broadcast::new());
    let settings = Settings::loopback(first.address().port());
    match Server::start(&settings, percept_serve::Routes::new()) {
        Err(ServeError::Bind { address, .. }) => assert_eq!(address, first.address()),
        _ => panic!("two servers on one port"),
    }
}
