//! Where the hub is, who asks, and how patiently: from the environment variables of `huggingface_hub`.

use std::time::Duration;

use percept_io::hub::{self, Cache};

use crate::error::{HubError, Result};

const HUB: &str = "https://huggingface.co";

/// How the hub is reached.
#[derive(Clone)]
pub struct Settings {
    /// The hub's address without a slash at its end (`HF_ENDPOINT`).
    pub endpoint: String,
    /// Shown to the endpoint only, never to the servers that it points to (`HF_TOKEN`, or the file `HF_TOKEN_PATH`).
    pub token: Option<String>,
    /// The folder for what is pulled (`HF_HUB_CACHE`, `HF_HOME`).
    pub cache: Cache,
    /// Certificates in place of the built-in ones, in PEM (`SSL_CERT_FILE`).
    pub certificates: Option<Vec<u8>>,
    /// Tries without a single new byte before a file is given up.
    pub tries: u32,
    /// The pause before the second try; it doubles each time. The first is made at once.
    pub pause: Duration,
    /// How long a connection may be silent.
    pub silence: Duration,
}

impl Settings {
    /// What the environment says.
    ///
    /// # Errors
    /// [`HubError::Setting`] for an endpoint that is no address; files that are named there and cannot be read.
    pub fn of_user() -> Result<Self> {
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned()).trim_end_matches('/').to_owned();
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            let problem = format!("is no address (write it as `{HUB}`)");
            return Err(HubError::Setting { name: "HF_ENDPOINT", value: endpoint, problem });
        }
        let certificates = match text("SSL_CERT_FILE") {
            Some(path) => Some(std::fs::read(&path).map_err(crate::error::at(path.as_ref()))?),
            None => None,
        };
        Ok(Self {
            endpoint,
            token: token(),
            cache: Cache::of_user(),
            certificates,
            tries: 6,
            pause: Duration::from_secs(1),
            silence: Duration::from_secs(30),
        })
    }
}

/// Whether the user forbids the network (`HF_HUB_OFFLINE`).
pub fn is_offline() -> bool {
    text("HF_HUB_OFFLINE").is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str()))
}

/// The user's token, if there is one.
fn token() -> Option<String> {
    let stored = || {
        let path = text("HF_TOKEN_PATH").map_or_else(|| hub::home().join("token"), Into::into);
        std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|token| !token.is_empty())
    };
    text("HF_TOKEN").or_else(|| text("HUGGING_FACE_HUB_TOKEN")).or_else(stored)
}

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
