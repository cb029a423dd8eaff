//! A small Hugging Face hub on 127.0.0.1, for tests of what a client does when things go wrong on the way.
//!
//! It has one repository, `lab/model`. As the real one it answers small files by a redirect within itself and large ones
//! (`.safetensors`) by a redirect to another address, which gives parts of files; and it remembers what it was asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The commit that `main` is.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// The one repository.
pub const REPOSITORY: &str = "lab/model";

/// How the hub behaves; change it at any time.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Files by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Large files of which only so many bytes are sent before the connection is closed, one entry for each answer.
    pub cuts: BTreeMap<String, Vec<usize>>,
    /// Large files of which only so many bytes are sent before the connection falls silent.
    pub stalls: BTreeMap<String, usize>,
    /// Files that are sent with other bytes than they have.
    pub corrupt: Vec<String>,
    /// Status, error code and message with which everything of this kind (`api`, `resolve`) is refused.
    pub refusals: BTreeMap<String, (u16, String, String)>,
    /// So many answers are `503` first.
    pub busy: usize,
    /// The listing has names only, as that of some mirrors.
    pub bare: bool,
    /// Parts of files are not given: always all of it.
    pub no_parts: bool,
}

/// What the hub was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET` or `HEAD`.
    pub method: String,
    /// The path with what follows.
    pub path: String,
    /// Whether it was asked at the second address, where large files lie.
    pub at_store: bool,
    /// Its headers, names in small letters.
    pub headers: BTreeMap<String, String>,
}

/// A running hub; it stops when it is dropped.
pub struct Hub {
    address: SocketAddr,
    store: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    behaviour: Mutex<Behaviour>,
    asked: Mutex<Vec<Asked>>,
    stop: AtomicBool,
    store: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Starts it with these files.
    ///
    /// # Panics
    /// When no port of this machine is free.
    pub fn start(files: &[(&str, Vec<u8>)]) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (hub, store) = (listen(), listen());
        let address = |listener: &TcpListener| listener.local_addr().expect("it listens");
        let (hub_address, store_address) = (address(&hub), address(&store));
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(Behaviour { files, ..Behaviour::default() }),
            asked: Mutex::default(),
            stop: AtomicBool::new(false),
            store: format!("http://{store_address}"),
        });
        let serve = |listener: TcpListener, at_store: bool| {
            let shared = shared.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if shared.stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let (Ok(stream), shared) = (stream, shared.clone()) else { continue };
                    // A client that goes away in the middle is what some tests are about.
                    std::thread::spawn(move || drop(answer(&shared, stream, at_store)));
                }
            })
        };
        let threads = vec![serve(hub, false), serve(store, true)];
        Self { address: hub_address, store: store_address, shared, threads }
    }

    /// Its address, for `HF_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its behaviour, to be changed.
    pub fn behaviour(&self) -> impl std::ops::DerefMut<Target = Behaviour> + '_ {
        lock(&self.shared.behaviour)
    }

    /// What it was asked since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *lock(&self.shared.asked))
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for address in [self.address, self.store] {
            // Wakes the thread that waits for the next client.
            let _ = TcpStream::connect(address);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// The hash by which the hub knows a file.
pub fn hash(name: &str, bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    if is_large(name) {
        return hex(&Sha256::digest(bytes));
    }
    let mut hasher = Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    hex(&hasher.finalize())
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors")
}

fn answer(shared: &Shared, stream: TcpStream, at_store: bool) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let asked = Asked { method, path, at_store, headers };
    lock(&shared.asked).push(asked.clone());
    let mut behaviour = lock(&shared.behaviour);
    if behaviour.busy > 0 {
        behaviour.busy -= 1;
        drop(behaviour);
        return send(stream, &asked, 503, &[], b"busy", None);
    }
    let now = behaviour.clone();
    drop(behaviour);
    if at_store { stored(shared, stream, &asked, &now) } else { listed(shared, stream, &asked, &now) }
}

/// The hub itself.
fn listed(shared: &Shared, stream: TcpStream, asked: &Asked, now: &Behaviour) -> std::io::Result<()> {
    let path = asked.path.split('?').next().unwrap_or_default();
    let is_listing = path.starts_with("/api/models/");
    if let Some((status, code, words)) = now.refusals.get(if is_listing { "api" } else { "resolve" }) {
        let headers = [("x-error-code", code.clone()), ("x-error-message", words.clone())];
        return send(stream, asked, *status, &headers, b"{}", None);
    }
    if is_listing {
        let is_known = path.starts_with(&format!("/api/models/{REPOSITORY}/revision/"));
        let body = is_known.then(|| listing(now));
        return match body {
            Some(body) => {
                send(stream, asked, 200, &[("content-type", "application/json".into())], body.as_bytes(), None)
            }
            None => send(stream, asked, 401, &[("x-error-code", "RepoNotFound".into())], b"{}", None),
        };
    }
    let cached = path.strip_prefix(&format!("/api/resolve-cache/models/{REPOSITORY}/{COMMIT}/"));
    let name = cached.or_else(|| path.strip_prefix(&format!("/{REPOSITORY}/resolve/{COMMIT}/")));
    let Some((name, bytes)) = name.and_then(|name| now.files.get_key_value(name)) else {
        return send(stream, asked, 404, &[("x-error-code", "EntryNotFound".into())], b"", None);
    };
    let hash = format!("\"{}\"", hash(name, bytes));
    let commit = ("x-repo-commit", COMMIT.to_owned());
    if is_large(name) {
        let size = bytes.len().to_string();
        let location = ("location", format!("{}/{name}", shared.store));
        let headers = [commit, ("x-linked-etag", hash), ("x-linked-size", size), location];
        return send(stream, asked, 302, &headers, b"", None);
    }
    if cached.is_none() {
        let location = ("location", format!("/api/resolve-cache/models/{REPOSITORY}/{COMMIT}/{name}"));
        return send(stream, asked, 307, &[commit, location], b"", None);
    }
    send(stream, asked, 200, &[commit, ("etag", hash)], &sent(name, bytes, now), None)
}

/// Where large files lie.
fn stored(shared: &Shared, stream: TcpStream, asked: &Asked, now: &Behaviour) -> std::io::Result<()> {
    let Some((name, bytes)) = now.files.get_key_value(asked.path.trim_start_matches('/')) else {
        return send(stream, asked, 404, &[], b"", None);
    };
    let bytes = sent(name, bytes, now);
    let range = asked.headers.get("range").filter(|_| !now.no_parts);
    let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let cut = {
        let mut behaviour = lock(&shared.behaviour);
        let cuts = behaviour.cuts.get_mut(name).filter(|cuts| !cuts.is_empty());
        cuts.map(|cuts| cuts.remove(0))
    };
    let end = match (cut, now.stalls.get(name)) {
        (Some(n), _) => Some(End { after: n, silent: false }),
        (None, Some(&n)) => Some(End { after: n, silent: true }),
        _ => None,
    };
    match from {
        Some(from) if from < bytes.len() => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            send(stream, asked, 206, &[("content-range", range)], &bytes[from..], end)
        }
        Some(_) => send(stream, asked, 416, &[], b"", None),
        None => send(stream, asked, 200, &[], &bytes, end),
    }
}

/// The bytes of a file as they are sent.
fn sent(name: &str, bytes: &[u8], now: &Behaviour) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if now.corrupt.iter().any(|corrupt| corrupt == name)
        && let Some(last) = bytes.last_mut()
    {
        *last ^= 1;
    }
    bytes
}

fn listing(now: &Behaviour) -> String {
    let files: Vec<String> = now
        .files
        .iter()
        .map(|(name, bytes)| {
            let (hash, size) = (hash(name, bytes), bytes.len());
            match (now.bare, is_large(name)) {
                (true, _) => format!(r#"{{"rfilename": "{name}"}}"#),
                (false, true) => format!(
                    r#"{{"rfilename": "{name}", "size": {size}, "blobId": "{COMMIT}", "lfs": {{"sha256": "{hash}", "size": {size}, "pointerSize": 134}}}}"#
                ),
                (false, false) => format!(r#"{{"rfilename": "{name}", "size": {size}, "blobId": "{hash}"}}"#),
            }
        })
        .collect();
    format!(r#"{{"id": "{REPOSITORY}", "sha": "{COMMIT}", "gated": false, "siblings": [{}]}}"#, files.join(", "))
}

/// How an answer ends before its end.
#[derive(Clone, Copy)]
struct End {
    after: usize,
    silent: bool,
}

fn send(
    mut stream: TcpStream,
    asked: &Asked,
    status: u16,
    headers: &[(&str, String)],
    body: &[u8],
    end: Option<End>,
) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len())?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    stream.write_all(b"\r\n")?;
    if asked.method == "HEAD" {
        return Ok(());
    }
    let n = end.map_or(body.len(), |end| end.after.min(body.len()));
    stream.write_all(&body[..n])?;
    stream.flush()?;
    if end.is_some_and(|end| end.silent) {
        // Until the client goes away.
        let mut rest = [0];
        let _ = std::io::Read::read(&mut stream, &mut rest);
    }
    Ok(())
}
