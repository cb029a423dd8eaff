//! What a viewer asks, and what is answered.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a viewer asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The path, such as `/vote`.
    pub path: String,
    /// The part after `?`, by name; the last of several wins.
    pub query: BTreeMap<String, String>,
    /// What was sent along; at most 1 MiB.
    pub body: Vec<u8>,
}

impl Request {
    /// The body as JSON.
    ///
    /// # Errors
    /// The reply to give when it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Reply::refused(format!("the body is not what it should be: {error}")))
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status, such as 200.
    pub status: u16,
    /// The media type.
    pub media_type: String,
    /// What is sent.
    pub body: Vec<u8>,
}

impl Reply {
    /// JSON.
    pub fn json(value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::bytes("application/json", body),
            Err(error) => Self { status: 500, ..Self::text(format!("the answer cannot be written: {error}")) },
        }
    }

    /// Bytes of a media type.
    pub fn bytes(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, media_type: media_type.to_owned(), body: body.into() }
    }

    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::bytes("text/plain; charset=utf-8", text.into())
    }

    /// Nothing to say: it was done.
    pub fn done() -> Self {
        Self { status: 204, ..Self::text("") }
    }

    /// What was asked for makes no sense, and why.
    pub fn refused(why: impl Into<String>) -> Self {
        Self { status: 400, ..Self::text(why) }
    }

    /// There is nothing of that name.
    pub fn absent() -> Self {
        Self { status: 404, ..Self::text("there is nothing of that name") }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let media =
            HeaderValue::from_str(&self.media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, media);
        response
    }
}
