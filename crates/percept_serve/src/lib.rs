//! A small server for one machine: pages, JSON, WebSocket and motion JPEG, for programs that know nothing of sockets.
//!
//! It listens on the loopback address unless it is told otherwise, and beyond it only with a token. A page from elsewhere
//! that is open in the same browser gets nothing: foreign `Host` (DNS rebinding), foreign `Origin` and requests that
//! another site caused are refused. Whatever is sent to it, it stays up; slow viewers lose frames and never hold up whoever
//! sends them.
//!
//! HTTP and WebSocket are `axum`'s on `hyper`, on one thread of their own. It knows nothing of what it serves.
//!
//! ```no_run
//! use percept_serve::{Broadcast, Message, Reply, Routes, Server, Settings};
//!
//! let live = Broadcast::new();
//! let routes = Routes::new()
//!     .file("/", "text/html; charset=utf-8", "<!doctype html><title>hello</title>")
//!     .get("/state", |_| Reply::json(&[1, 2, 3]))
//!     .post("/vote", |request| if request.body.is_empty() { Reply::refused("an empty vote") } else { Reply::done() })
//!     .socket("/live", &live, |text| println!("a viewer says {text}"));
//! let server = Server::start(&Settings::loopback(8077), routes)?;
//! println!("{}", server.url());
//! live.send(Message::text("to everyone"));
//! # Ok::<(), percept_serve::ServeError>(())
//! ```

mod broadcast;
mod error;
mod guard;
mod live;
mod reply;
mod routes;
mod server;
mod settings;

pub use broadcast::{Broadcast, Message};
pub use error::ServeError;
pub use reply::{Reply, Request};
pub use routes::Routes;
pub use server::Server;
pub use settings::{Settings, random_token};
