//! The server: what a browser of this machine gets, and what a page from elsewhere does not.

use std::net::SocketAddr;

use percept_judge::answers::Answers;
use percept_judge::page::serve;
use percept_testing::http;

use crate::{folder, open};

/// Status and whole answer of a request.
fn ask(address: SocketAddr, line: &str, headers: &str, body: &str) -> (u16, String) {
    let answer = http::ask(address, line, headers, body);
    (answer.status, answer.text())
}

#[test]
fn an_answer_from_elsewhere_is_refused_and_one_from_here_is_saved() {
    let folder = folder(4);
    let server = serve(open(folder.path(), None), 0).expect("a free port");
    let address = server.address();
    assert!(address.ip().is_loopback());
    let body = r#"{"rater":"Ann","trial":0,"choice":"left","reaction_ms":812}"#;
    let n = || Answers::open(folder.path()).expect("a table").rows().len();
    for headers in [
        format!("Host: {address}\r\nOrigin: http://evil.example\r\n"),
        format!("Host: {address}\r\nOrigin: null\r\n"),
        "Host: evil.example\r\nOrigin: http://evil.example\r\n".to_owned(),
        format!("Host: {address}\r\nSec-Fetch-Site: cross-site\r\n"),
    ] {
        assert_eq!(ask(address, "POST /answer", &headers, body).0, 403, "{headers}");
        assert_eq!(n(), 0);
    }
    let here = format!("Host: {address}\r\nOrigin: http://{address}\r\n");
    let (status, answer) = ask(address, "POST /answer", &here, body);
    assert_eq!((status, n()), (200, 1), "{answer}");
    assert!(answer.contains(r#""done":1"#), "{answer}");
    assert_eq!(ask(address, "POST /answer", &here, r#"{"rater":"Ann"}"#).0, 400);
    assert_eq!(ask(address, "POST /answer", &here, &body.replace(":0", ":99")).0, 400);
    assert_eq!(ask(address, "POST /undo", &here, r#"{"rater":"Ann"}"#).0, 200);
    assert_eq!(n(), 2);
}

#[test]
fn the_page_gets_questions_and_pictures_but_no_names_of_methods() {
    let folder = folder(4);
    let server = serve(open(folder.path(), None), 0).expect("a free port");
    let get = |path: &str| ask(server.address(), &format!("GET {path}"), "Host: localhost\r\n", "");
    for path in ["/", "/judge.css", "/judge.js", "/raters"] {
        assert_eq!(get(path).0, 200, "{path}");
    }
    let (status, state) = get("/state?rater=Ann+B");
    assert!(status == 200 && state.contains("a thing, number"), "{state}");
    assert!(!state.contains("method") && !state.contains(r#""c""#), "{state}");
    let (status, picture) = get("/picture/stimulus?rater=Ann&trial=0");
    assert!(status == 200 && picture.contains("image/png"), "{picture}");
    for path in
        ["/picture/left?rater=Ann&trial=0", "/picture/stimulus?rater=Ann&trial=9", "/picture/x", "/judgements.csv"]
    {
        assert_eq!(get(path).0, 404, "{path}");
    }
    assert_eq!(get("/state?rater=").0, 400);
}
