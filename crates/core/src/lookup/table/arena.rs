//! The text of a table's rows, one behind the other in one buffer.
//!
//! A million small allocations would cost more than the rows themselves. What a row costs beyond its text is twelve bytes here and
//! its place in an index.

use super::{MAX_KEY_BYTES, MAX_ROW_BYTES, MAX_TEXT_BYTES, Moment};

/// Lengths of key and row in two bytes each, and the end of the row's life in eight.
const HEADER: usize = 12;

const FITS: &str = "lengths are checked before a row is added";

/// Rows, each found by the number that adding it gave.
#[derive(Default)]
pub(super) struct Arena {
    text: Vec<u8>,
}

impl Arena {
    /// Keeps a row; `None` if the table is full. Key and row are within their bounds.
    pub(super) fn add(&mut self, key: &[u8], row: &[u8], ends: Moment) -> Option<u32> {
        const { assert!(MAX_KEY_BYTES <= u16::MAX as usize) };
        const { assert!(MAX_ROW_BYTES <= u16::MAX as usize) };
        let at = u32::try_from(self.text.len()).ok()?;
        if self.text.len() + HEADER + key.len() + row.len() > MAX_TEXT_BYTES {
            return None;
        }
        for length in [key.len(), row.len()] {
            self.text.extend_from_slice(&u16::try_from(length).expect(FITS).to_le_bytes());
        }
        self.text.extend_from_slice(&ends.0.to_le_bytes());
        self.text.extend_from_slice(key);
        self.text.extend_from_slice(row);
        Some(at)
    }

    /// The key of a row.
    pub(super) fn key(&self, at: u32) -> &[u8] {
        let at = at as usize;
        &self.text[at + HEADER..][..self.length(at)]
    }

    /// The row, unless its life has ended at `now`.
    pub(super) fn row(&self, at: u32, now: Moment) -> Option<&[u8]> {
        let at = at as usize;
        let mut ends = [0; 8];
        ends.copy_from_slice(&self.text[at + 4..at + HEADER]);
        let start = at + HEADER + self.length(at);
        (now < Moment(i64::from_le_bytes(ends))).then(|| &self.text[start..start + self.length(at + 2)])
    }

    /// Gives back what adding reserved.
    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
    }

    fn length(&self, at: usize) -> usize {
        usize::from(u16::from_le_bytes([self.text[at], self.text[at + 1]]))
    }
}
