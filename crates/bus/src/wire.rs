//! How each message becomes a payload and back.
//!
//! All are plain protobuf except event batches, which are compressed as a whole: a thousand records of a page are 1.1 MB as they
//! are and would not fit the usual payload limit of 1 MiB. Pages carry a body that is compressed already.

use std::{cell::RefCell, io::Read};

use bytes::Bytes;
use latchkey_contracts::{
    alert::Alert, batch::Batch, budget::Budget, buffer, checkpoint::Checkpoint, delivery::Delivery, drift::Drift,
    habit::Habit, page::RawPage, rejection::RejectionBatch, reread::Reread, task::Task, window::Window,
};
use prost::Message;
use zstd::{
    bulk::{Compressor, Decompressor},
    zstd_safe::{CParameter, get_frame_content_size},
};

use crate::error::Undecodable;

/// The first of zstd's fast levels: a quarter quicker than level 1, which counts for every event, and a fifth larger, which counts
/// for the few days that a batch is kept.
const COMPRESSION_LEVEL: i32 = -1;

/// What differs from that level: records of one page have much in common that is long, so looking for matches of seven bytes only, in
/// a larger table and at every third byte, finds as much with a seventh less time.
const PARAMETERS: [CParameter; 3] = [CParameter::HashLog(14), CParameter::MinMatch(7), CParameter::TargetLength(2)];

/// The largest event batch accepted from the wire, decompressed: far above what a page of 32 MiB can become.
const MAX_BATCH_BYTES: u64 = 256 << 20;

const LEVEL_IS_VALID: &str = "compressing memory to memory fails only for an invalid level or parameter";

thread_local! {
    /// Kept between batches: a context and a batch are megabytes that would be taken from the system and given back each time.
    static PACKER: RefCell<Packer> = RefCell::default();
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("a decompressor without a dictionary is always to be had"));
}

/// The most bytes a thread keeps for the next batch: that of a full page has 1.5 MB.
const MAX_KEPT_BYTES: usize = 4 << 20;

struct Packer {
    compressor: Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Default for Packer {
    fn default() -> Self {
        let mut compressor = Compressor::new(COMPRESSION_LEVEL).expect(LEVEL_IS_VALID);
        for parameter in PARAMETERS {
            compressor.set_parameter(parameter).expect(LEVEL_IS_VALID);
        }
        Self { compressor, plain: Vec::new(), packed: Vec::new() }
    }
}

impl Packer {
    fn pack(&mut self, batch: &Batch) -> Bytes {
        self.plain.clear();
        batch.encode(&mut self.plain);
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.plain.len()));
        self.compressor.compress_to_buffer(&self.plain, &mut self.packed).expect(LEVEL_IS_VALID);
        let payload = Bytes::copy_from_slice(&self.packed);
        self.plain.shrink_to(MAX_KEPT_BYTES);
        self.packed.shrink_to(MAX_KEPT_BYTES);
        payload
    }
}

/// A message with its encoding.
pub trait Wire: Sized + Send + 'static {
    /// Value of the `Content-Encoding` header, if the payload is compressed.
    const CONTENT_ENCODING: Option<&'static str> = None;

    /// Value of the `KV-Operation` header, if the message says that a key-value bucket's key is gone.
    fn operation(&self) -> Option<&'static str> {
        None
    }

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

plain!(Alert, Budget, Checkpoint, Delivery, Drift, Habit, RawPage, RejectionBatch, Reread, Task, Window);

impl Wire for Batch {
    const CONTENT_ENCODING: Option<&'static str> = Some("zstd");

    fn to_payload(&self) -> Bytes {
        PACKER.with_borrow_mut(|packer| packer.pack(self))
    }

    fn from_payload(payload: Bytes) -> Result<Self, Undecodable> {
        let plain = match get_frame_content_size(&payload).map_err(|_| Undecodable::Compression)? {
            Some(size) => decompress_at_once(&payload, size)?,
            None => decompress_piecemeal(&payload)?.into(),
        };
        Ok(Self::decode(plain)?)
    }
}

/// Frames of ours state their size; decoded into just that, they need no window and no growing buffer.
fn decompress_at_once(payload: &[u8], size: u64) -> Result<Bytes, Undecodable> {
    if size > MAX_BATCH_BYTES {
        return Err(Undecodable::TooLarge { limit: MAX_BATCH_BYTES });
    }
    let mut plain = buffer::take(usize::try_from(size).map_err(|_| Undecodable::Compression)?);
    DECOMPRESSOR
        .with_borrow_mut(|decompressor| decompressor.decompress_to_buffer(payload, &mut plain))
        .map_err(|_| Undecodable::Compression)?;
    Ok(buffer::lend(plain))
}

/// Frames that were made as a stream, as other programs may, do not.
fn decompress_piecemeal(payload: &[u8]) -> Result<Vec<u8>, Undecodable> {
    let decoder = zstd::Decoder::with_buffer(payload).map_err(|_| Undecodable::Compression)?;
    let mut plain = Vec::new();
    let length = decoder.take(MAX_BATCH_BYTES + 1).read_to_end(&mut plain).map_err(|_| Undecodable::Compression)?;
    if length as u64 > MAX_BATCH_BYTES {
        return Err(Undecodable::TooLarge { limit: MAX_BATCH_BYTES });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use latchkey_contracts::event::{Event, EventBatch};

    use super::*;

    #[test]
    fn an_event_batch_survives_the_wire() {
        let batch = Batch::from(EventBatch {
            page_id: "id".into(),
            events: vec![Event { row_id: "row".into(), event_time_unix_nano: 1, record: Bytes::from_static(b"{}") }],
            ..EventBatch::default()
        });
        assert_eq!(Batch::from_payload(batch.to_payload()).unwrap(), batch);
    }

    #[test]
    fn a_frame_may_keep_its_size_to_itself() {
        let batch = EventBatch { page_id: "id".into(), ..EventBatch::default() };
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&batch.encode_to_vec()).unwrap();
        let frame = encoder.finish().unwrap();
        assert!(matches!(get_frame_content_size(&frame), Ok(None)));
        assert_eq!(Batch::from_payload(frame.into()).unwrap(), Batch::from(batch));
    }

    #[test]
    fn damaged_payloads_are_refused() {
        assert!(matches!(Batch::from_payload(Bytes::from_static(b"no zstd")), Err(Undecodable::Compression)));
        assert!(matches!(RawPage::from_payload(Bytes::from_static(b"\xff\xff")), Err(Undecodable::Protobuf(_))));
    }
}
