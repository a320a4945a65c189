//! One answer that may be a page.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use latchkey_core::page::{self, PageView};

use crate::Error;

/// The body of an answer with status 200, byte-exact and decompressed. Whether it is a page is for [`Response::page`] to say.
#[derive(Clone)]
pub struct Response {
    /// The body.
    pub body: Bytes,
    /// The server's clock (`Date`), to the second.
    pub date: Option<Timestamp>,
}

impl Response {
    /// Reads the body as a page.
    pub fn page(&self) -> Result<PageView<'_>, Error> {
        Ok(page::read(&self.body)?)
    }
}

/// Bodies hold people's data: only the size shows.
impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Response").field("bytes", &self.body.len()).field("date", &self.date).finish()
    }
}
