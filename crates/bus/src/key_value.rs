//! Sources and their sealed tokens in NATS: key-value buckets with one value per source.
//!
//! Laid out as every NATS client lays a bucket out, so that `nats kv get SOURCES acme` shows what is there. What a value means is for
//! fetchers to say; here it is a text that exists or is gone. A removal is a message as well, so whoever watches learns of it even
//! when it was away.

use bytes::Bytes;
use latchkey_contracts::{
    SourceId, subject,
    topology::{SOURCES, TOKENS},
};

use crate::{
    Item, Publication, Reader, Stored,
    connect::Bus,
    error::{Error, Undecodable},
    publish::Guard,
    reader::From,
    wire::Wire,
};

/// The largest value that is written: a source has a dozen short settings, and a token 8 KiB at most.
const MAX_VALUE: usize = 64 << 10;

/// What a bucket has for a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketValue(Option<Bytes>);

impl BucketValue {
    /// A value of this text.
    #[must_use]
    pub fn new(text: impl Into<Bytes>) -> Self {
        Self(Some(text.into()))
    }

    /// The mark of what was removed.
    #[must_use]
    pub const fn removed() -> Self {
        Self(None)
    }

    /// Its text; `None`: it was removed.
    #[must_use]
    pub const fn text(&self) -> Option<&Bytes> {
        self.0.as_ref()
    }
}

impl Wire for BucketValue {
    fn operation(&self) -> Option<&'static str> {
        self.0.is_none().then_some("DEL")
    }

    fn to_payload(&self) -> Bytes {
        self.0.clone().unwrap_or_default()
    }

    /// Every client marks a removal by a message without content.
    fn from_payload(payload: Bytes) -> Result<Self, Undecodable> {
        Ok(Self((!payload.is_empty()).then_some(payload)))
    }
}

impl Bus {
    /// The value of every source, then each further one as it comes.
    pub fn watch_sources(&self) -> Reader<BucketValue> {
        Reader::new(self, SOURCES.stream, From::LastPerSubject)
    }

    /// The value of every source as of this moment, marks of removed ones included.
    pub async fn sources(&self) -> Result<Vec<Item<BucketValue>>, Error> {
        let all = self.stream_state(&SOURCES.stream).await?;
        self.watch_sources().up_to(all.messages).await
    }

    /// The value of one source.
    pub async fn source(&self, source: &SourceId) -> Result<Option<Stored<BucketValue>>, Error> {
        self.last(&SOURCES.stream, subject::source(source)).await
    }

    /// Writes a source's value if `expected` is the sequence of the one before (0: there is none).
    pub async fn publish_source(
        &self,
        source: &SourceId,
        value: &BucketValue,
        expected: u64,
    ) -> Result<Publication, Error> {
        self.publish_value(source, subject::source(source), value, expected).await
    }

    async fn publish_value(
        &self,
        source: &SourceId,
        subject: String,
        value: &BucketValue,
        expected: u64,
    ) -> Result<Publication, Error> {
        if value.0.as_ref().is_some_and(|text| text.len() > MAX_VALUE) {
            return Err(Error::Settings(format!("the value of {source} is longer than {MAX_VALUE} bytes")));
        }
        self.publish(subject, value, Guard::After(expected)).await
    }

    /// The sealed token of every source, then each further one as it comes.
    pub fn watch_tokens(&self) -> Reader<BucketValue> {
        Reader::new(self, TOKENS.stream, From::LastPerSubject)
    }

    /// The sealed token of one source.
    pub async fn token(&self, source: &SourceId) -> Result<Option<Stored<BucketValue>>, Error> {
        self.last(&TOKENS.stream, subject::token(source)).await
    }

    /// Writes a source's sealed token if `expected` is the sequence of the one before (0: there is none).
    pub async fn publish_token(
        &self,
        source: &SourceId,
        value: &BucketValue,
        expected: u64,
    ) -> Result<Publication, Error> {
        self.publish_value(source, subject::token(source), value, expected).await
    }

    /// Deletes the mark of a source that was removed, which has this sequence; what was written after it stays.
    pub async fn forget_source(&self, source: &SourceId, sequence: u64) -> Result<(), Error> {
        self.purge(&SOURCES.stream, subject::source(source), sequence + 1).await
    }
}
