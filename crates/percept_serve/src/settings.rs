//! Where a server listens, and who may speak to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::error::ServeError;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 16;
/// The shortest token that cannot be guessed while a stream runs.
const SHORTEST_TOKEN: usize = 16;

/// Where a server listens, and who may speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// What a viewer must know; needed beyond loopback.
    pub token: Option<String>,
}

impl Settings {
    /// This machine alone, without a token.
    pub fn loopback(port: u16) -> Self {
        Self { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), token: None }
    }

    /// Whether the settings keep strangers out.
    pub(crate) fn check(&self) -> Result<(), ServeError> {
        match &self.token {
            None if self.address.ip().is_loopback() => Ok(()),
            None => Err(ServeError::NoToken { address: self.address }),
            Some(token) => {
                let usable = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                let found = token.chars().filter(usable).count();
                if found < SHORTEST_TOKEN || found != token.chars().count() {
                    return Err(ServeError::Token { found });
                }
                Ok(())
            }
        }
    }
}

/// A token that nobody can guess: 128 bits of the system's randomness in hexadecimal.
///
/// # Errors
/// [`ServeError::System`] when the system has no randomness.
pub fn random_token() -> Result<String, ServeError> {
    let mut bytes = [0u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| ServeError::System(std::io::Error::other(error)))?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_only_with_a_token_that_is_worth_one() {
        let open = SocketAddr::from(([0, 0, 0, 0], 0));
        let with = |token: &str| Settings { address: open, token: Some(token.into()) }.check();
        assert!(matches!(Settings { address: open, token: None }.check(), Err(ServeError::NoToken { .. })));
        assert!(matches!(with("short"), Err(ServeError::Token { found: 5 })));
        assert!(matches!(with("long enough but with blanks"), Err(ServeError::Token { .. })));
        assert!(with(&random_token().expect("randomness")).is_ok());
        assert!(Settings::loopback(1).check().is_ok());
        assert_ne!(random_token().expect("randomness"), random_token().expect("randomness"));
    }
}
