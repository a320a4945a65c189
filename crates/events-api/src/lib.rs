//! The client of 1Password's Events API: requests, pages, tokens, errors.
//!
//! The one place that knows how the API is spoken to. It sends one request and hands back one answer, byte-exact; when to ask, what
//! an answer means for a chain and whether to try again is decided elsewhere. Two promises are kept here: a token goes only to an
//! address that is allowed to see it ([`Endpoint`]), and no error, log line or `Debug` output shows a token or an answer's content.
//!
//! Facts about the API are from 1Password's Events API reference, <https://developer.1password.com/docs/events-api/reference/>.

pub mod client;
pub mod endpoint;
pub mod error;
pub mod introspection;
pub mod region;
pub mod request;
pub mod response;
mod retry_after;
mod tls;
pub mod token;

pub use client::{Answer, Client, ClientOptions};
pub use endpoint::Endpoint;
pub use error::Error;
pub use introspection::Introspection;
pub use region::Region;
pub use request::PageRequest;
pub use response::{Page, Response};
pub use token::Token;
