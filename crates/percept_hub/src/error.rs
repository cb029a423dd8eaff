//! Why a pack could not be brought here, and what to do about it.

use std::path::PathBuf;

/// Why a pull failed.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Nobody answers at the address of the hub.
    #[error(
        "`{endpoint}` cannot be reached: {detail} (check the network and `HTTPS_PROXY`, set `HF_ENDPOINT` to a mirror, or place \
         the files by hand: `percept model pull {repository} --offline` says which and where)"
    )]
    Unreachable {
        /// The hub's address.
        endpoint: String,
        /// What was wanted there.
        repository: String,
        /// What the system said.
        detail: String,
    },
    /// The hub knows no such repository, or does not show it to this user.
    #[error(
        "`{endpoint}` has no model `{repository}`, or it is private{said} (check the name; for a private one set `HF_TOKEN` \
         to a token that may read it)"
    )]
    NoRepository {
        /// The hub's address.
        endpoint: String,
        /// Its name.
        repository: String,
        /// What the hub said about it, with a colon before it.
        said: String,
    },
    /// The repository has no such branch, tag or commit.
    #[error("`{repository}` has no revision `{revision}` (its page lists branches and tags; `main` is the usual one)")]
    NoRevision {
        /// The repository.
        repository: String,
        /// The branch, tag or commit.
        revision: String,
    },
    /// The owner gives the files to those who accepted the terms.
    #[error(
        "`{repository}` is gated{said} (accept its terms on {page}, then set `HF_TOKEN` to a token of that account and pull \
         again)"
    )]
    Gated {
        /// The repository.
        repository: String,
        /// Where the terms are.
        page: String,
        /// What the hub said about it, with a colon before it.
        said: String,
    },
    /// The hub answers with a refusal or with nonsense.
    #[error("`{url}` answers {answer} ({remedy})")]
    Answer {
        /// What was asked.
        url: String,
        /// The status and what was said, or what is wrong with the answer.
        answer: String,
        /// What the user can do.
        remedy: &'static str,
    },
    /// A connection that kept breaking.
    #[error(
        "`{file}`: the connection broke {attempts} times in a row, last: {detail}; {have} of {size} bytes are here (pull again: \
         it goes on there)"
    )]
    Cut {
        /// The file.
        file: String,
        /// Tries without a single new byte.
        attempts: u32,
        /// What the system said.
        detail: String,
        /// Bytes that arrived.
        have: u64,
        /// Bytes of the whole file.
        size: u64,
    },
    /// A file whose bytes are not those that the hub vouches for.
    #[error(
        "`{file}` arrived damaged and was thrown away: {detail} (pull again; if it happens again, a proxy or mirror on the way \
         changes files)"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Which hash or size was expected and which came.
        detail: String,
    },
    /// A file in the listing that the server gives no hash for.
    #[error(
        "`{file}` comes without a hash from `{endpoint}`, so it could not be verified (pull from the hub itself, or place it by hand)"
    )]
    NoHash {
        /// The file.
        file: String,
        /// The hub's address.
        endpoint: String,
    },
    /// A name in the listing that would be written outside of the pack's folder.
    #[error(
        "the listing of `{repository}` names the file `{file}`, which is no path inside a folder (do not use this repository)"
    )]
    UnsafeName {
        /// The repository.
        repository: String,
        /// The name.
        file: String,
    },
    /// Nothing in the repository looks like a pack.
    #[error(
        "`{repository}` has no weights in the diffusers or transformers layout (its files: {files}; take some with \
         `--include 'PATTERN'`)"
    )]
    NoWeights {
        /// The repository.
        repository: String,
        /// Its files, the first of them.
        files: String,
    },
    /// A file on this machine could not be written.
    #[error("`{path}`: {source} (check permissions and free space)")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A setting that cannot be used.
    #[error("`{name}` = `{value}` {problem}")]
    Setting {
        /// The environment variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A name of a repository or a file of the cache.
    #[error(transparent)]
    Io(#[from] percept_io::Error),
}

/// The result of bringing something here.
pub type Result<T> = std::result::Result<T, HubError>;

/// For `map_err`: a file's path and what the system said.
pub(crate) fn at(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> HubError + '_ {
    move |source| HubError::File { path: path.to_owned(), source }
}
