//! Requests to the hub: who may see the token, where redirects lead, and which answers are worth another try.

use std::fmt::Write;
use std::time::Duration;

use percept_io::hub::Repository;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use crate::error::{HubError, Result};
use crate::settings::Settings;

const MOST_REDIRECTS: usize = 10;
/// The largest answer that is no file: a listing.
const MOST_TEXT: u64 = 32 << 20;

/// The hash of a file that lies elsewhere.
pub(crate) const LINKED: &str = "x-linked-etag";

/// A request that did not succeed.
pub(crate) enum Trouble {
    /// Nobody could be connected to.
    NoConnection(String),
    /// Something that may go by.
    Passing(String),
    /// Nothing that another try would change.
    Final(HubError),
}

impl From<HubError> for Trouble {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

/// A way to the hub, for one repository.
pub(crate) struct Client<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) repository: &'a Repository,
    agent: Agent,
}

impl<'a> Client<'a> {
    /// Connects to nobody yet.
    pub(crate) fn new(settings: &'a Settings, repository: &'a Repository) -> Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &settings.certificates {
            tls = tls.root_certs(roots(pem)?);
        }
        // No proxy leads to this machine.
        let is_here = ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
            let rest = settings.endpoint.split_once("://").and_then(|(_, rest)| rest.strip_prefix(host));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        let proxy = if is_here { None } else { Proxy::try_from_env() };
        // Redirects are followed here, since what the hub says of a file stands in its first answer.
        let agent = Agent::config_builder()
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(settings.silence.min(Duration::from_secs(10))))
            .timeout_recv_response(Some(settings.silence))
            .timeout_per_read(Some(settings.silence))
            .user_agent(concat!("percept/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build())
            .proxy(proxy)
            .build()
            .new_agent();
        Ok(Self { settings, repository, agent })
    }

    /// The address of a file at a commit.
    pub(crate) fn file_url(&self, commit: &str, file: &str) -> String {
        let Settings { endpoint, .. } = self.settings;
        format!("{endpoint}/{}/resolve/{}/{}", self.repository.name(), encoded(commit, ""), encoded(file, "/"))
    }

    /// The text at `url`.
    pub(crate) fn text(&self, url: &str) -> std::result::Result<String, Trouble> {
        let mut response = self.get(url, 0)?;
        let body = response.body_mut().with_config().limit(MOST_TEXT).read_to_string();
        body.map_err(|error| self.trouble(error))
    }

    /// The answer at `url`, wherever it is redirected to, from byte `from` on.
    pub(crate) fn get(&self, url: &str, from: u64) -> std::result::Result<Response<Body>, Trouble> {
        let mut url = url.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let mut request = self.agent.get(&url).header("accept-encoding", "identity");
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            if let Some(token) = self.token_for(&url) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(|error| self.trouble(error))?;
            match next(&url, &response) {
                Some(Ok(target)) => url = target,
                Some(Err(answer)) => return Err(refusal(&url, answer).into()),
                None => return self.judge(&url, response),
            }
        }
        Err(refusal(&url, "with one redirect after the other".into()).into())
    }

    /// What the hub says of the file at `url`, not what the server says that holds it.
    pub(crate) fn head(&self, url: &str) -> std::result::Result<HeaderMap, Trouble> {
        let mut url = url.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let mut request = self.agent.head(&url).header("accept-encoding", "identity");
            if let Some(token) = self.token_for(&url) {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let response = request.call().map_err(|error| self.trouble(error))?;
            match next(&url, &response) {
                Some(Ok(target)) if origin(&target) == origin(&url) && !response.headers().contains_key(LINKED) => {
                    url = target;
                }
                Some(_) => return Ok(response.into_parts().0.headers),
                None => return Ok(self.judge(&url, response)?.into_parts().0.headers),
            }
        }
        Err(refusal(&url, "with one redirect after the other".into()).into())
    }

    /// The token, where `url` is the hub's own.
    fn token_for(&self, url: &str) -> Option<&str> {
        self.settings.token.as_deref().filter(|_| origin(url) == origin(&self.settings.endpoint))
    }

    /// Tells answers from refusals.
    fn judge(&self, url: &str, response: Response<Body>) -> std::result::Result<Response<Body>, Trouble> {
        let status = response.status();
        if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(response);
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let code = header("x-error-code").unwrap_or_default();
        let said = header("x-error-message").map_or_else(String::new, |words| format!(": {words}"));
        let repository = self.repository.name().to_owned();
        let endpoint = self.settings.endpoint.clone();
        Err(match (code, status.as_u16()) {
            ("GatedRepo", _) => HubError::Gated { page: format!("{endpoint}/{repository}"), repository, said }.into(),
            ("RevisionNotFound", _) => {
                HubError::NoRevision { repository, revision: self.repository.revision().to_owned() }.into()
            }
            ("RepoNotFound", _) => HubError::NoRepository { endpoint, repository, said }.into(),
            ("", 401 | 404) if url.contains("/api/models/") => {
                HubError::NoRepository { endpoint, repository, said }.into()
            }
            (_, 408 | 429 | 500..) => Trouble::Passing(format!("the server answers {status}{said}")),
            (_, 401 | 403) => HubError::Answer {
                url: url.to_owned(),
                answer: format!("{status}{said}"),
                remedy: "set `HF_TOKEN` to a token that may read it, or check that it has not run out",
            }
            .into(),
            _ => refusal(url, format!("{status}{said}")).into(),
        })
    }

    /// Sorts what went wrong below HTTP.
    fn trouble(&self, error: ureq::Error) -> Trouble {
        use ureq::{Error, Timeout};
        match error {
            Error::HostNotFound => Trouble::NoConnection("its name is not known here".into()),
            Error::ConnectionFailed => Trouble::NoConnection("no connection".into()),
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => Trouble::NoConnection("no answer in time".into()),
            Error::ConnectProxyFailed(detail) => Trouble::NoConnection(format!("the proxy refuses: {detail}")),
            Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Trouble::NoConnection(error.to_string())
            }
            Error::Io(error) => Trouble::Passing(error.to_string()),
            Error::Timeout(_) => Trouble::Passing(format!("silent for {} s", self.settings.silence.as_secs())),
            Error::Protocol(error) => Trouble::Passing(error.to_string()),
            // Certificates, addresses, sizes: the same the next time.
            other => Trouble::Final(self.unreachable(other.to_string())),
        }
    }

    /// The hub cannot be reached.
    pub(crate) fn unreachable(&self, detail: String) -> HubError {
        HubError::Unreachable {
            endpoint: self.settings.endpoint.clone(),
            repository: self.repository.to_string(),
            detail,
        }
    }

    /// Waits before try number `tries`, which is 1 for the second request.
    pub(crate) fn wait(&self, tries: u32) {
        if tries > 1 {
            std::thread::sleep(self.settings.pause * 2u32.saturating_pow(tries - 2).min(32));
        }
    }
}

fn refusal(url: &str, answer: String) -> HubError {
    HubError::Answer { url: url.to_owned(), answer, remedy: "check the name, or `HF_ENDPOINT` if you set it" }
}

/// The certificates in a PEM file.
fn roots(pem: &[u8]) -> Result<RootCerts> {
    let certificates: Vec<Certificate<'static>> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        let problem = "holds no certificate (it needs blocks that begin with `-----BEGIN CERTIFICATE-----`)".into();
        return Err(HubError::Setting { name: "SSL_CERT_FILE", value: "the file".into(), problem });
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Where a redirect leads, if the response is one.
fn next(url: &str, response: &Response<Body>) -> Option<std::result::Result<String, String>> {
    if ![301, 302, 303, 307, 308].contains(&response.status().as_u16()) {
        return None;
    }
    let location = response.headers().get("location").and_then(|value| value.to_str().ok());
    Some(match location {
        Some(target) if target.starts_with("https://") || target.starts_with("http://") => Ok(target.to_owned()),
        Some(target) if target.starts_with('/') && !target.starts_with("//") => Ok(format!("{}{target}", origin(url))),
        other => Err(format!("with a redirect to {other:?}")),
    })
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find('/').map_or(url, |end| &url[..host + end])
}

/// `text` as a part of an address: everything but letters, digits, `-_.~` and what is in `kept` as %XX.
pub(crate) fn encoded(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || kept.as_bytes().contains(&byte) {
            out.push(byte as char);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_told_apart_by_scheme_host_and_port() {
        assert_eq!(origin("https://huggingface.co/a/b"), "https://huggingface.co");
        assert_eq!(origin("http://localhost:80"), "http://localhost:80");
        assert_ne!(origin("https://huggingface.co.evil.org/a"), origin("https://huggingface.co/a"));
    }

    #[test]
    fn addresses_are_escaped() {
        assert_eq!(encoded("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(encoded("unet/a b?#é.json", "/"), "unet/a%20b%3F%23%C3%A9.json");
    }
}
