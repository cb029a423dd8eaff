//! The hash by which the hub knows a file: SHA-256 of large ones, git's SHA-1 of the others.

use std::fmt::Write;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What a file's bytes must hash to. Its text is the name of the file's blob in the cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity(String);

impl Identity {
    /// From 64 hexadecimal digits (SHA-256) or 40 (the SHA-1 of a git blob).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        let is_hash = [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then_some(Self(text))
    }

    /// In hexadecimal digits.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// A hash over the `size` bytes of a file.
    pub(crate) fn hasher(&self, size: u64) -> Hasher {
        if self.0.len() == 64 {
            return Hasher::Sha256(Sha256::new());
        }
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {size}\0"));
        Hasher::Git(hasher)
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.0.len() == 64 { "SHA-256" } else { "git hash" };
        write!(f, "{kind} {}", self.0)
    }
}

/// The running hash of a file.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    /// The identity of what was hashed.
    pub(crate) fn finish(self) -> Identity {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                // Writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
        };
        Identity(match self {
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::Git(hasher) => hex(&hasher.finalize()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(identity: &str, bytes: &[u8]) -> String {
        let mut hasher = Identity::parse(identity).expect("a hash").hasher(bytes.len() as u64);
        bytes.chunks(3).for_each(|part| hasher.update(part));
        hasher.finish().text().to_owned()
    }

    #[test]
    fn hashes_are_those_of_sha256sum_and_git() {
        // `printf 'hello\n' | sha256sum` and `printf 'hello\n' | git hash-object --stdin`.
        let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        assert_eq!(hash(sha256, b"hello\n"), sha256);
        assert_eq!(hash(git, b"hello\n"), git);
        assert_ne!(hash(git, b"hello!\n"), git);
    }

    #[test]
    fn what_is_no_hash_is_no_identity() {
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        assert_eq!(Identity::parse(&format!("W/\"{git}\"")).expect("quoted").text(), git);
        for text in ["", "\"5f3e-62a1\"", "../../x", &"g".repeat(40), &"a".repeat(63)] {
            assert_eq!(Identity::parse(text), None, "{text}");
        }
    }
}
