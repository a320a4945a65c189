//! Sources in NATS: a key-value bucket with one value per source.
//!
//! Laid out as every NATS client lays a bucket out, so that `nats kv get SOURCES acme` shows what is there. What a value means is for
//! fetchers to say; here it is a text that exists or is gone. A removal is a message as well, so whoever watches learns of it even
//! when it was away.

use bytes::Bytes;
use latchkey_contracts::{SourceId, subject, topology::SOURCES};

use crate::{
    Item, Publication, Reader, Stored,
    connect::Bus,
    error::{Error, Undecodable},
    publish::Guard,
    reader::From,
    wire::Wire,
};

/// The largest value that is written: a source has a dozen short settings.
const MAX_VALUE: usize = 64 << 10;

/// A source's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceValue(Option<Bytes>);

impl SourceValue {
    /// A value of this text.
    #[must_use]
    pub fn new(text: impl Into<Bytes>) -> Self {
        Self(Some(text.into()))
    }

    /// The mark of a source that was removed.
    #[must_use]
    pub const fn removed() -> Self {
        Self(None)
    }

    /// Its text; `None`: the source was removed.
    #[must_use]
    pub const fn text(&self) -> Option<&Bytes> {
        self.0.as_ref()
    }
}

impl Wire for SourceValue {
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
    pub async fn watch_sources(&self) -> Result<Reader<SourceValue>, Error> {
        Reader::open(self, SOURCES.stream, From::LastPerSubject).await
    }

    /// The value of every source as of this moment, marks of removed ones included.
    pub async fn sources(&self) -> Result<Vec<Item<SourceValue>>, Error> {
        let all = self.stream_state(&SOURCES.stream).await?;
        self.watch_sources().await?.up_to(all.messages).await
    }

    /// The value of one source.
    pub async fn source(&self, source: &SourceId) -> Result<Option<Stored<SourceValue>>, Error> {
        self.last(&SOURCES.stream, subject::source(source)).await
    }

    /// Writes a source's value if `expected` is the sequence of the one before (0: there is none).
    pub async fn publish_source(
        &self,
        source: &SourceId,
        value: &SourceValue,
        expected: u64,
    ) -> Result<Publication, Error> {
        if value.0.as_ref().is_some_and(|text| text.len() > MAX_VALUE) {
            return Err(Error::Settings(format!("the settings of {source} are longer than {MAX_VALUE} bytes")));
        }
        self.publish(subject::source(source), value, Guard::After(expected)).await
    }

    /// Deletes the mark of a source that was removed, which has this sequence; what was written after it stays.
    pub async fn forget_source(&self, source: &SourceId, sequence: u64) -> Result<(), Error> {
        self.purge(&SOURCES.stream, subject::source(source), sequence + 1).await
    }
}
