//! Brings model packs from the Hugging Face hub to this machine; the only crate that reaches the network.
//!
//! [`pull`] asks the hub which files a repository has ([`Listing`]), leaves out those that hold the same weights once more
//! ([`choose()`]), and fetches the rest into the cache that [`percept_io::hub`] reads (Python's `huggingface_hub` shares it), or
//! into a plain folder. A file that was cut goes on where it ended; every file is hashed before it gets its name, so
//! what has a name is whole. [`offline`] says, without any network, which files a pack consists of and where they go.
//!
//! The hub's interface: `GET /api/models/NAME/revision/REVISION?blobs=true` lists files with sizes and hashes,
//! `GET /NAME/resolve/COMMIT/FILE` answers with the file or with the address where it lies.

pub mod choose;
mod client;
mod error;
mod fetch;
mod identity;
mod listing;
pub mod offline;
mod pull;
mod settings;

pub use choose::choose;
pub use error::{HubError, Result};
pub use listing::{Listing, RemoteFile};
pub use pull::{Destination, Pulled, damaged, pull};
pub use settings::{Settings, is_offline};
