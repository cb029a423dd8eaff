//! Which files a repository has at a revision, with their sizes and hashes.

use percept_io::hub;
use serde::Deserialize;

use crate::client::{Client, LINKED, Trouble, encoded};
use crate::error::{HubError, Result};
use crate::identity::Identity;

/// A file of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its path in the repository, with `/` between the parts.
    pub name: String,
    /// Its length in bytes, where the listing says it.
    pub size: Option<u64>,
    /// Its hash, where the listing says it.
    pub identity: Option<Identity>,
}

/// The files of a repository at one commit.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The commit that the revision is.
    pub commit: String,
    /// Its files.
    pub files: Vec<RemoteFile>,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Listing {
    /// Asks the hub.
    pub(crate) fn request(client: &Client<'_>) -> Result<Self> {
        let endpoint = &client.settings.endpoint;
        let revision = encoded(client.repository.revision(), "");
        let url = format!("{endpoint}/api/models/{}/revision/{revision}?blobs=true", client.repository.name());
        let mut tries = 0;
        let text = loop {
            match client.text(&url) {
                Ok(text) => break text,
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing(_)) if tries + 1 < client.settings.tries => {
                    tries += 1;
                    client.wait(tries);
                }
                Err(Trouble::Passing(detail) | Trouble::NoConnection(detail)) => {
                    return Err(client.unreachable(detail));
                }
            }
        };
        Self::parse(&text, client.repository.name()).map_err(|error| match error {
            Refused::Name(file) => HubError::UnsafeName { repository: client.repository.name().to_owned(), file },
            Refused::Text(answer) => HubError::Answer {
                url,
                answer,
                remedy: "check that `HF_ENDPOINT`, if you set it, is a Hugging Face hub",
            },
        })
    }

    fn parse(text: &str, repository: &str) -> std::result::Result<Self, Refused> {
        let answer: Answer = serde_json::from_str(text)
            .map_err(|error| Refused::Text(format!("with something else than the files of `{repository}`: {error}")))?;
        if !hub::is_commit(&answer.sha) {
            return Err(Refused::Text(format!("with the commit `{}`, which is none", answer.sha)));
        }
        let mut files = Vec::with_capacity(answer.siblings.len());
        for sibling in answer.siblings {
            if !is_inside(&sibling.rfilename) {
                return Err(Refused::Name(sibling.rfilename));
            }
            let (hash, size) = match sibling.lfs {
                Some(large) => (large.sha256, large.size.or(sibling.size)),
                None => (sibling.blob_id, sibling.size),
            };
            let identity = hash.as_deref().and_then(Identity::parse);
            files.push(RemoteFile { name: sibling.rfilename, size, identity });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { commit: answer.sha.to_ascii_lowercase(), files })
    }
}

enum Refused {
    Text(String),
    Name(String),
}

/// Whether a file of this name lies in the folder that it is put into.
fn is_inside(name: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0', '\n']);
    name.split('/').all(is_part)
}

impl RemoteFile {
    /// Its hash and size, asked of the hub where the listing lacks them.
    pub(crate) fn identify(&self, client: &Client<'_>, commit: &str) -> Result<(Identity, u64)> {
        if let (Some(identity), Some(size)) = (&self.identity, self.size) {
            return Ok((identity.clone(), size));
        }
        let mut tries = 0;
        let headers = loop {
            match client.head(&client.file_url(commit, &self.name)) {
                Ok(headers) => break headers,
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing(detail) | Trouble::NoConnection(detail)) => {
                    tries += 1;
                    if tries >= client.settings.tries {
                        return Err(client.unreachable(detail));
                    }
                    client.wait(tries);
                }
            }
        };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let identity = header(LINKED).or_else(|| header("etag")).and_then(Identity::parse);
        let size = header("x-linked-size").or_else(|| header("content-length")).and_then(|text| text.parse().ok());
        match (identity, size.or(self.size)) {
            (Some(identity), Some(size)) => Ok((identity, size)),
            _ => Err(HubError::NoHash { file: self.name.clone(), endpoint: client.settings.endpoint.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn parse(siblings: &str) -> std::result::Result<Listing, Refused> {
        Listing::parse(&format!("{{\"sha\": \"{SHA}\", \"siblings\": [{siblings}]}}"), "a/b")
    }

    #[test]
    fn large_files_have_their_sha256_and_small_ones_git_s_hash() {
        let sha256 = "a".repeat(64);
        let listing = parse(&format!(
            r#"{{"rfilename": "vae/x.safetensors", "size": 9, "blobId": "{SHA}", "lfs": {{"sha256": "{sha256}", "size": 9, "pointerSize": 134}}}},
               {{"rfilename": "config.json", "size": 2, "blobId": "{SHA}"}}, {{"rfilename": "z"}}"#
        ));
        let files = listing.unwrap_or_else(|_| panic!("it is a listing")).files;
        let seen: Vec<_> = files.iter().map(|file| (file.name.as_str(), file.size, file.identity.clone())).collect();
        let hash = |text: &str| Identity::parse(text);
        let expected =
            [("config.json", Some(2), hash(SHA)), ("vae/x.safetensors", Some(9), hash(&sha256)), ("z", None, None)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in ["../x", "/etc/passwd", "a/../../b", "a//b", "C:/x", ""] {
            assert!(matches!(parse(&format!(r#"{{"rfilename": "{name}"}}"#)), Err(Refused::Name(_))), "{name}");
        }
        assert!(matches!(Listing::parse("<html>", "a/b"), Err(Refused::Text(_))));
        assert!(matches!(Listing::parse(r#"{"sha": "../x", "siblings": []}"#, "a/b"), Err(Refused::Text(_))));
    }
}
