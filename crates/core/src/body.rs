//! A page's body as it is stored: one zstd frame.
//!
//! Contexts and buffers are kept for each thread: each is megabytes that would be taken from the system and given back with every page.

use std::cell::RefCell;

use bytes::Bytes;
use zstd::bulk::{Compressor, Decompressor};

/// The largest body, in bytes. Fetchers accept less.
pub const MAX_BYTES: usize = 64 << 20;

/// The first of zstd's fast levels: half as quick again as level 1, which counts for every event, and a quarter larger, which counts
/// for the few days that a page is kept.
const LEVEL: i32 = -1;

/// The most bytes a thread keeps for the next page: some four full pages.
const MAX_KEPT_BYTES: usize = 4 << 20;

const LEVEL_IS_VALID: &str = "compressing memory to memory fails only for an invalid level";

/// Why a stored body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

thread_local! {
    static PACKER: RefCell<Compressor<'static>> = RefCell::new(Compressor::new(LEVEL).expect(LEVEL_IS_VALID));
    static UNPACKER: RefCell<Unpacker> = RefCell::default();
}

struct Unpacker {
    decompressor: Decompressor<'static>,
    buffer: Vec<u8>,
}

impl Default for Unpacker {
    fn default() -> Self {
        let decompressor = Decompressor::new().expect("a decompressor without a dictionary is always to be had");
        Self { decompressor, buffer: Vec::new() }
    }
}

/// Packs a body.
#[must_use]
pub fn pack(body: &[u8]) -> Bytes {
    PACKER.with_borrow_mut(|packer| packer.compress(body)).expect(LEVEL_IS_VALID).into()
}

/// Hands the body of a frame to `read`; it has `size` bytes, or fewer. Must not be called again from within.
pub fn unpack<T>(packed: &[u8], size: usize, read: impl FnOnce(&[u8]) -> T) -> Result<T, Error> {
    UNPACKER.with_borrow_mut(|Unpacker { decompressor, buffer }| {
        buffer.clear();
        buffer.reserve(size.min(MAX_BYTES));
        let unpacked = decompressor.decompress_to_buffer(packed, buffer).map_err(|error| Error(error.to_string()))?;
        if unpacked > size {
            return Err(Error("more bytes than stated".into()));
        }
        let answer = read(buffer);
        buffer.clear();
        buffer.shrink_to(MAX_KEPT_BYTES);
        Ok(answer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8], size: usize) -> Result<Vec<u8>, Error> {
        unpack(packed, size, <[u8]>::to_vec)
    }

    #[test]
    fn a_body_is_what_it_was() {
        for body in [&b""[..], b"{}", &[7; 10_000]] {
            assert_eq!(unpacked(&pack(body), body.len()).as_deref(), Ok(body));
        }
    }

    #[test]
    fn a_body_is_not_larger_than_stated() {
        let large = vec![0; MAX_KEPT_BYTES + 1_000];
        assert!(unpacked(&pack(&large), 10).is_err());
        assert_eq!(unpacked(&pack(&large), large.len()), Ok(large));
        // What the thread keeps from the page before does not lend room to this one.
        assert!(unpacked(&pack(&[1; 1_000]), 10).is_err());
        assert!(unpacked(b"no zstd", 10).is_err());
    }
}
