//! One answer that may be a page.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use latchkey_contracts::Feed;
use latchkey_core::{
    cursor::Cursor,
    feed::Definition,
    page::{self, ItemView},
    page_token::Place,
};

use crate::Error;

/// The body of an answer with status 200, byte-exact and decompressed. Whether it is a page is for [`Response::page`] to say.
#[derive(Clone)]
pub struct Response {
    /// The body.
    pub body: Bytes,
    /// The server's clock (`Date`), to the second.
    pub date: Option<Timestamp>,
    pub(crate) feed: Feed,
    /// Where it was asked for, in a feed that is paged by tokens.
    pub(crate) place: Option<Place>,
}

/// What an answer says as a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<'body> {
    /// Where the feed continues after this page: 1Password's cursor, or the place that stands for one.
    pub cursor: Cursor,
    /// Whether the API has another page at once.
    pub has_more: bool,
    /// The items in the page's order.
    pub items: Vec<ItemView<'body>>,
}

impl Response {
    /// Reads the body as a page, which came at `received_at`: that clock counts where the answer has no date.
    pub fn page(&self, received_at: Timestamp) -> Result<Page<'_>, Error> {
        let definition = Definition::of(self.feed);
        let mut view = page::read(self.feed, &self.body)?;
        let cursor = match &self.place {
            Some(place) => place.clone().after(definition, &view, self.date, received_at)?.cursor()?,
            None => view.next.take().ok_or(page::Error::Missing(&definition.answer.next))?,
        };
        Ok(Page { cursor, has_more: view.has_more, items: view.items })
    }
}

/// Bodies hold people's data: only the size shows.
impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Response")
            .field("bytes", &self.body.len())
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}
