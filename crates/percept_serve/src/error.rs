//! Why a server cannot start.

use std::net::SocketAddr;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error} (is another program using the port? name another)")]
    Bind {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Others could reach the address, and nothing would keep them out.
    #[error(
        "{address} can be reached by other machines, but no token keeps strangers out (set a token, or listen on 127.0.0.1)"
    )]
    NoToken {
        /// Where it should have listened.
        address: SocketAddr,
    },
    /// The token would not survive its way through an address.
    #[error("the token has {found} usable characters (use at least 16 letters, digits, `-` or `_`, and nothing else)")]
    Token {
        /// How many characters are usable.
        found: usize,
    },
    /// The system gave no thread or no random numbers.
    #[error("the server could not be started: {0} (close other programs and try again)")]
    System(std::io::Error),
}
