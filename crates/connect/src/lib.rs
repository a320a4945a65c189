//! The client of a 1Password Connect server: names of vaults and items, for lookup tables.
//!
//! It reads lists and nothing else: no item's fields ever come here. Facts about the API are from 1Password's Connect server
//! reference, <https://developer.1password.com/docs/connect/api-reference/>. No error, log line or `Debug` output shows a token, a
//! title or an answer's content.

mod client;
mod error;
mod sync;

pub use client::{Client, ClientOptions, Vault};
pub use error::Error;
pub use sync::{Seen, Synced, Tables, sync};
