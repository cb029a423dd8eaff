//! The server: one thread that accepts, answers and pushes, for as long as its handle lives.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::middleware;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, oneshot};

use crate::error::ServeError;
use crate::guard;
use crate::routes::Routes;
use crate::settings::Settings;

/// Connections at the same time; those beyond wait to be accepted.
const MAX_CONNECTIONS: usize = 128;
/// Threads for answers that may block.
const BLOCKING_THREADS: usize = 4;
/// A head that takes longer to arrive is none.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that are kept of a head.
const HEAD_BYTES: usize = 64 << 10;

/// A running server; it stops when this is dropped.
pub struct Server {
    address: SocketAddr,
    token: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens, and answers from a thread of its own from now on.
    ///
    /// # Errors
    /// [`ServeError`] when the settings would let strangers in, or the address cannot be had.
    pub fn start(settings: &Settings, routes: Routes) -> Result<Self, ServeError> {
        settings.check()?;
        let bind = |error| ServeError::Bind { address: settings.address, error };
        let listener = TcpListener::bind(settings.address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let token: Option<Arc<str>> = settings.token.as_deref().map(Arc::from);
        let router = routes.into_router().layer(middleware::from_fn_with_state(token, guard::check));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .map_err(ServeError::System)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("percept-serve".into())
            .spawn(move || {
                runtime.block_on(async move {
                    tokio::select! {
                        () = accept(listener, router) => {}
                        _ = stopped => {}
                    }
                });
                // Handlers that block are not waited for.
                runtime.shutdown_background();
            })
            .map_err(ServeError::System)?;
        Ok(Self { address, token: settings.token.clone(), stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address to open in a browser, with the token if there is one.
    pub fn url(&self) -> String {
        match &self.token {
            Some(token) => format!("http://{}/?token={token}", self.address),
            None => format!("http://{}/", self.address),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, router: axum::Router) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(seat) = seats.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, or a connection that went away: others will come.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Pictures are small and late ones are worthless; a failure costs milliseconds only.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut connection = http1::Builder::new();
            connection.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(HEAD_BYTES);
            // What goes wrong with a connection is the other side's trouble.
            let _ = connection.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            drop(seat);
        });
    }
}
