//! What a server answers: files, functions, sockets and films, by path.
//!
//! Functions may block: each call runs on a thread of a small pool. Bodies are limited, and what is longer is refused before
//! it is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{Uri, header};
use axum::routing::{MethodRouter, get, post};

use crate::broadcast::Broadcast;
use crate::live;
use crate::reply::{Reply, Request};

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 1 << 20;

/// What a server answers, by path.
#[derive(Default)]
pub struct Routes {
    router: axum::Router,
}

impl Routes {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same bytes to everyone.
    pub fn file(self, path: &str, media_type: &'static str, content: impl Into<Bytes>) -> Self {
        let content: Bytes = content.into();
        self.add(path, get(move || async move { ([(header::CONTENT_TYPE, media_type)], content.clone()) }))
    }

    /// A function's answer to `GET`. A path that ends in `/{*rest}` stands for everything below it.
    pub fn get(self, path: &str, answer: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Self {
        let answer: Answer = Arc::new(answer);
        self.add(path, get(move |uri: Uri, body: Bytes| run(answer.clone(), uri, body)))
    }

    /// A function's answer to `POST`.
    pub fn post(self, path: &str, answer: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Self {
        let answer: Answer = Arc::new(answer);
        self.add(path, post(move |uri: Uri, body: Bytes| run(answer.clone(), uri, body)))
    }

    /// A WebSocket that gets every message of `live`, the newest first of all. `heard` is called with each text that a
    /// viewer sends (at most 64 KiB); it must return at once.
    pub fn socket(self, path: &str, live: &Broadcast, heard: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let (live, heard) = (live.clone(), Arc::new(heard));
        self.add(path, get(move |upgrade| std::future::ready(live::socket(upgrade, &live, heard.clone()))))
    }

    /// A film of the JPEG files that `live` sends as bytes: what `<img>`, OBS and most programs for pictures take.
    pub fn motion_jpeg(self, path: &str, live: &Broadcast) -> Self {
        let live = live.clone();
        self.add(path, get(move || async move { live::motion_jpeg(live.watch()) }))
    }

    fn add(self, path: &str, route: MethodRouter) -> Self {
        Self { router: self.router.route(path, route) }
    }

    pub(crate) fn into_router(self) -> axum::Router {
        self.router.fallback(|| async { Reply::absent() }).layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
    }
}

type Answer = Arc<dyn Fn(Request) -> Reply + Send + Sync>;

/// Calls `answer` where it may block.
async fn run(answer: Answer, uri: Uri, body: Bytes) -> Reply {
    let request =
        Request { path: uri.path().to_owned(), query: query(uri.query().unwrap_or_default()), body: body.into() };
    let failed = |_| Reply { status: 500, ..Reply::text("the answer failed") };
    tokio::task::spawn_blocking(move || answer(request)).await.unwrap_or_else(failed)
}

/// The names and values of a query.
pub(crate) fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescape(name), unescape(value))
        })
        .collect()
}

/// Percent signs and plus signs of a query, as forms write them.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (bytes[i], hex(i + 1), hex(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                i += 3;
            }
            (b'+', ..) => {
                out.push(b' ');
                i += 1;
            }
            (byte, ..) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_forms_write_them() {
        let read = query("a=1&b=two+words&c=%C3%A9%2&&d&a=9");
        let value = |name: &str| read.get(name).map(String::as_str);
        assert_eq!(
            (value("a"), value("b"), value("c"), value("d")),
            (Some("9"), Some("two words"), Some("é%2"), Some(""))
        );
    }
}
