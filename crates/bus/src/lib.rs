//! The JetStream adapter; the only crate that names async-nats.
//!
//! It speaks the system's nouns ([`Bus::publish_page`], [`Bus::tasks`], …) and hides the client's traps: acknowledgements that
//! succeed while offline, publishes that arrive after their time-out, streams of messages that end when a server restarts. Answers
//! that a caller must decide on are values ([`Publication`]); errors are only what gave no answer.

mod advisories;
mod connect;
mod delivered;
mod destinations;
mod error;
mod healing;
mod key_value;
mod lookups;
mod nouns;
#[cfg(feature = "testing")]
pub mod operator;
mod provision;
mod publish;
mod reader;
pub mod server;
mod state;
mod stored;
pub mod trace;
mod wire;

pub use advisories::{Advisories, GivenUp};
pub use connect::{Bus, ConnectOptions};
pub use delivered::{Delivered, Deliveries};
pub use error::{Error, Undecodable};
pub use healing::patiently;
pub use key_value::BucketValue;
pub use lookups::LookupFile;
pub use publish::Publication;
pub use reader::{Item, Reader};
pub use state::{ConsumerState, StreamState};
pub use stored::Stored;
