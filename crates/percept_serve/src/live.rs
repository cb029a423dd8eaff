//! Sockets and films: one task per viewer, which may fall behind but never holds anybody up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{self, WebSocket, WebSocketUpgrade};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use http_body::Frame;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::broadcast::{Broadcast, Message, Viewer};
use crate::reply::Reply;

/// The longest text that a viewer may send.
const MAX_HEARD_BYTES: usize = 64 << 10;
/// A viewer that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sockets at the same time.
const MAX_VIEWERS: usize = 256;

/// What happens with a text that a viewer sends.
pub(crate) type Heard = Arc<dyn Fn(&str) + Send + Sync>;

/// Opens a socket that gets everything that `live` sends.
pub(crate) fn socket(upgrade: WebSocketUpgrade, live: &Broadcast, heard: Heard) -> Response {
    if live.n_viewers() >= MAX_VIEWERS {
        return Reply { status: 503, ..Reply::text("too many viewers") }.into_response();
    }
    let live = live.clone();
    upgrade
        .max_message_size(MAX_HEARD_BYTES)
        .max_frame_size(MAX_HEARD_BYTES)
        .on_upgrade(move |socket| converse(socket, live.watch(), heard))
}

async fn converse(mut socket: WebSocket, (mut viewer, latest): (Viewer, Option<Message>), heard: Heard) {
    if let Some(message) = latest
        && !sent(&mut socket, message).await
    {
        return;
    }
    loop {
        tokio::select! {
            message = viewer.next() => match message {
                Some(message) => if !sent(&mut socket, message).await { return },
                None => return,
            },
            said = socket.recv() => match said {
                Some(Ok(ws::Message::Text(text))) => heard(text.as_str()),
                Some(Ok(ws::Message::Close(_)) | Err(_)) | None => return,
                // Bytes mean nothing here; pings are answered by the library.
                Some(Ok(_)) => {}
            },
        }
    }
}

async fn sent(socket: &mut WebSocket, message: Message) -> bool {
    let message = match message {
        Message::Text(text) => ws::Message::Text(ws::Utf8Bytes::from(&*text)),
        Message::Binary(bytes) => ws::Message::Binary(bytes),
    };
    matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(())))
}

/// A film: parts that replace each other, as browsers show them in `<img>`.
pub(crate) fn motion_jpeg((mut viewer, latest): (Viewer, Option<Message>)) -> Response {
    // One part is on its way at a time; whatever was sent meanwhile is skipped.
    let (parts, receiver) = mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        let mut next = latest;
        loop {
            if let Some(Message::Binary(jpeg)) = next {
                let mut part = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len())
                    .into_bytes();
                part.extend_from_slice(&jpeg);
                part.extend_from_slice(b"\r\n");
                if !matches!(timeout(PATIENCE, parts.send(part.into())).await, Ok(Ok(()))) {
                    return;
                }
            }
            next = tokio::select! {
                message = viewer.newest() => match message {
                    Some(message) => Some(message),
                    None => return,
                },
                () = parts.closed() => return,
            };
        }
    });
    let mut response = Response::new(Body::new(Parts(receiver)));
    let media = header::HeaderValue::from_static("multipart/x-mixed-replace; boundary=frame");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    response
}

/// Parts of a body as they come.
struct Parts(mpsc::Receiver<Bytes>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|part| part.map(|bytes| Ok(Frame::data(bytes))))
    }
}
