//! The page and its server: loopback only, closed to other sites' pages.
//!
//! | request | answer |
//! |---|---|
//! | `GET /`, `/judge.css`, `/judge.js` | the page |
//! | `GET /raters` | raters and how far they are |
//! | `GET /state?rater=` | what that rater sees next |
//! | `GET /picture/stimulus\|left\|right?rater=&trial=` | a picture of a question |
//! | `POST /answer` | saves an answer, gives the next question |
//! | `POST /undo` | takes the last answer back |

use std::sync::{Arc, Mutex, PoisonError};

use percept_serve::{Reply, Request, Routes, Server, Settings};
use serde::{Deserialize, Serialize};

use crate::answers::Choice;
use crate::error::JudgeError;
use crate::session::{Session, Side};

const PAGE: &str = include_str!("assets/judge.html");
const STYLE: &str = include_str!("assets/judge.css");
const SCRIPT: &str = include_str!("assets/judge.js");

/// Serves `session` on the loopback address at `port` (0 takes a free one) for as long as the handle lives.
///
/// # Errors
/// When the port cannot be had.
pub fn serve(session: Session, port: u16) -> Result<Server, JudgeError> {
    let session = Arc::new(Mutex::new(session));
    let of = |answer: fn(&mut Session, &Request) -> Reply| {
        let session = session.clone();
        // A panic in between leaves a session that is whole: rows are kept only after they were written.
        move |request: Request| answer(&mut session.lock().unwrap_or_else(PoisonError::into_inner), &request)
    };
    let routes = Routes::new()
        .file("/", "text/html; charset=utf-8", PAGE)
        .file("/judge.css", "text/css; charset=utf-8", STYLE)
        .file("/judge.js", "text/javascript; charset=utf-8", SCRIPT)
        .get("/raters", of(|session, _| Reply::json(&session.raters())))
        .get("/state", of(|session, request| reply(session.state(rater(request)))))
        .get("/picture/{*side}", of(picture))
        .post("/answer", of(answer))
        .post("/undo", of(undo));
    Ok(Server::start(&Settings::loopback(port), routes)?)
}

#[derive(Deserialize)]
struct Said {
    rater: String,
    trial: usize,
    choice: Choice,
    reaction_ms: u64,
}

#[derive(Deserialize)]
struct Who {
    rater: String,
}

fn answer(session: &mut Session, request: &Request) -> Reply {
    match request.json::<Said>() {
        Ok(said) => reply(session.answer(&said.rater, said.trial, said.choice, said.reaction_ms)),
        Err(refusal) => refusal,
    }
}

fn undo(session: &mut Session, request: &Request) -> Reply {
    match request.json::<Who>() {
        Ok(who) => reply(session.undo(&who.rater)),
        Err(refusal) => refusal,
    }
}

fn picture(session: &mut Session, request: &Request) -> Reply {
    let side = match request.path.as_str() {
        "/picture/stimulus" => Side::Stimulus,
        "/picture/left" => Side::Left,
        "/picture/right" => Side::Right,
        _ => return Reply::absent(),
    };
    let trial = request.query.get("trial").and_then(|trial| trial.parse().ok());
    let found = trial.and_then(|trial| session.picture(rater(request), trial, side));
    found.map_or_else(Reply::absent, |(media, bytes)| Reply::bytes(media, bytes))
}

fn rater(request: &Request) -> &str {
    request.query.get("rater").map_or("", String::as_str)
}

fn reply<T: Serialize>(result: Result<T, JudgeError>) -> Reply {
    match result {
        Ok(value) => Reply::json(&value),
        Err(error @ JudgeError::Setting { .. }) => Reply::refused(error.to_string()),
        Err(error) => Reply { status: 500, ..Reply::text(error.to_string()) },
    }
}
