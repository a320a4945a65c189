//! How each message becomes a payload and back.
//!
//! All are plain protobuf except event batches, which are compressed as a whole: a thousand records of a page are 1.1 MB as they
//! are and would not fit the usual payload limit of 1 MiB. Pages carry a body that is compressed already.

use std::io::Read;

use bytes::Bytes;
use latchkey_contracts::{
    alert::Alert, checkpoint::Checkpoint, delivery::Delivery, event::EventBatch, page::RawPage,
    rejection::RejectionBatch, task::Task,
};
use prost::Message;

use crate::error::Undecodable;

/// Level 1: batches are written once and read by few, and the next levels cost more time than they save space.
const COMPRESSION_LEVEL: i32 = 1;

/// The largest event batch accepted from the wire, decompressed: far above what a page of 32 MiB can become.
const MAX_BATCH_BYTES: u64 = 256 << 20;

/// A message with its encoding.
pub trait Wire: Sized + Send + 'static {
    /// Value of the `Content-Encoding` header, if the payload is compressed.
    const CONTENT_ENCODING: Option<&'static str> = None;

    /// The payload.
    fn to_payload(&self) -> Bytes;

    /// The message of a payload.
    fn from_payload(payload: Bytes) -> Result<Self, Undecodable>;
}

macro_rules! plain {
    ($($message:ty),+) => {$(
        impl Wire for $message {
            fn to_payload(&self) -> Bytes {
                self.encode_to_vec().into()
            }

            fn from_payload(payload: Bytes) -> Result<Self, Undecodable> {
                Ok(Self::decode(payload)?)
            }
        }
    )+};
}

plain!(Alert, Checkpoint, Delivery, RawPage, RejectionBatch, Task);

impl Wire for EventBatch {
    const CONTENT_ENCODING: Option<&'static str> = Some("zstd");

    fn to_payload(&self) -> Bytes {
        zstd::bulk::compress(&self.encode_to_vec(), COMPRESSION_LEVEL)
            .expect("compressing memory to memory fails only for an invalid level")
            .into()
    }

    fn from_payload(payload: Bytes) -> Result<Self, Undecodable> {
        let decoder = zstd::Decoder::with_buffer(payload.as_ref()).map_err(|_| Undecodable::Compression)?;
        let mut plain = Vec::new();
        let length = decoder.take(MAX_BATCH_BYTES + 1).read_to_end(&mut plain).map_err(|_| Undecodable::Compression)?;
        if length as u64 > MAX_BATCH_BYTES {
            return Err(Undecodable::TooLarge { limit: MAX_BATCH_BYTES });
        }
        Ok(Self::decode(Bytes::from(plain))?)
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::event::Event;

    use super::*;

    #[test]
    fn an_event_batch_survives_the_wire() {
        let batch = EventBatch {
            page_id: "id".into(),
            events: vec![Event { row_id: "row".into(), event_time_unix_nano: 1, record: Bytes::from_static(b"{}") }],
            ..EventBatch::default()
        };
        assert_eq!(EventBatch::from_payload(batch.to_payload()).unwrap(), batch);
    }

    #[test]
    fn damaged_payloads_are_refused() {
        assert!(matches!(EventBatch::from_payload(Bytes::from_static(b"no zstd")), Err(Undecodable::Compression)));
        assert!(matches!(RawPage::from_payload(Bytes::from_static(b"\xff\xff")), Err(Undecodable::Protobuf(_))));
    }
}
