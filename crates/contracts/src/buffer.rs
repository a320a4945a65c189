//! Memory for the records of a page, used again when the last record that lies in it is dropped.
//!
//! Records are slices of one buffer of more than a megabyte. The system takes such memory back at once and clears it before it gives
//! it out again, which costs a fifth of what is done to the records.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

/// How many buffers wait at most: about as many as pages are in work at once.
const MAX_WAITING: usize = 4;

/// The largest buffer that is kept: the records of a full page have 1.5 MB.
const MAX_KEPT_BYTES: usize = 4 << 20;

static WAITING: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// An empty buffer with room for `size` bytes at least.
#[must_use]
pub fn take(size: usize) -> Vec<u8> {
    let mut buffer = WAITING.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
    buffer.reserve(size);
    buffer
}

/// The buffer's content, which may be cut and shared; the buffer waits for the next page when nobody holds a piece of it.
#[must_use]
pub fn lend(buffer: Vec<u8>) -> Bytes {
    Bytes::from_owner(Lent(buffer))
}

struct Lent(Vec<u8>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffer = mem::take(&mut self.0);
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_WAITING && buffer.capacity() <= MAX_KEPT_BYTES {
            buffer.clear();
            waiting.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_when_its_last_piece_is_dropped() {
        let mut buffer = take(10);
        buffer.extend_from_slice(b"0123456789");
        let content = lend(buffer);
        let piece = content.slice(2..4);
        drop(content);
        assert_eq!(piece, "23");
        drop(piece);
        assert!(take(1).is_empty());
    }
}
