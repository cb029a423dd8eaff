//! From one sender to every viewer, without waiting for any.
//!
//! Each viewer has a queue of a few messages; one that cannot keep up loses the oldest. The newest message is kept for
//! those who come later and for motion JPEG, which only ever shows the newest.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use tokio::sync::{broadcast, watch};

/// Messages that wait for a slow viewer before the oldest is dropped.
const QUEUE: usize = 8;

/// What viewers get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text, such as JSON.
    Text(Arc<str>),
    /// Bytes, such as a JPEG file.
    Binary(Bytes),
}

impl Message {
    /// A text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes.
    pub fn binary(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Binary(Bytes::from(bytes.into()))
    }
}

/// The sending side; cheap to clone, and all clones are the same.
#[derive(Clone)]
pub struct Broadcast {
    queue: broadcast::Sender<Message>,
    newest: watch::Sender<Option<Message>>,
    counts: Arc<Counts>,
    order: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Counts {
    viewers: AtomicUsize,
    dropped: AtomicU64,
}

impl Default for Broadcast {
    fn default() -> Self {
        Self::new()
    }
}

impl Broadcast {
    /// A broadcast that nobody watches yet.
    pub fn new() -> Self {
        Self {
            queue: broadcast::Sender::new(QUEUE),
            newest: watch::Sender::new(None),
            counts: Arc::default(),
            order: Arc::default(),
        }
    }

    /// Hands the message to every viewer and returns at once, whether there are any or not.
    pub fn send(&self, message: Message) {
        let _order = self.lock();
        self.newest.send_replace(Some(message.clone()));
        // It fails when nobody listens, which is no failure.
        let _ = self.queue.send(message);
    }

    /// Viewers at the moment.
    pub fn n_viewers(&self) -> usize {
        self.counts.viewers.load(Ordering::Relaxed)
    }

    /// Messages that slow viewers did not get, all together.
    pub fn n_dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// A viewer, and the message that was sent last before it came.
    pub(crate) fn watch(&self) -> (Viewer, Option<Message>) {
        let _order = self.lock();
        self.counts.viewers.fetch_add(1, Ordering::Relaxed);
        let newest = self.newest.subscribe();
        let latest = newest.borrow().clone();
        (Viewer { queue: self.queue.subscribe(), newest, counts: self.counts.clone() }, latest)
    }

    /// Held so that a viewer who comes while a message is sent gets it once.
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The receiving side of one viewer.
pub(crate) struct Viewer {
    queue: broadcast::Receiver<Message>,
    newest: watch::Receiver<Option<Message>>,
    counts: Arc<Counts>,
}

impl Viewer {
    /// The next message in order, without those that were dropped; `None` when the sender is gone.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            match self.queue.recv().await {
                Ok(message) => return Some(message),
                Err(broadcast::error::RecvError::Lagged(n)) => {
                    self.counts.dropped.fetch_add(n, Ordering::Relaxed);
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// The newest message, once there is one that was not handed out; `None` when the sender is gone.
    pub(crate) async fn newest(&mut self) -> Option<Message> {
        loop {
            self.newest.changed().await.ok()?;
            let message = self.newest.borrow_and_update().clone();
            if message.is_some() {
                return message;
            }
        }
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.counts.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
