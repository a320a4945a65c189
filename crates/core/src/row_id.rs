//! The row id: one event's key in every sink.
//!
//! Panther draws it at random, so whoever retries stores an event twice. Here it follows from what the event is, and any program
//! in any language can compute it:
//!
//! ```text
//! row id = first 32 hex digits, lower case, of
//!          SHA-256( len(source) source len(log type) log type len(uuid) uuid )
//! ```
//!
//! where `len` is the length in bytes as an unsigned 64-bit big-endian number, and each text is UTF-8: the source's name, the log
//! type's name (`OnePassword.SignInAttempt`), the event's `uuid` with JSON escapes resolved, upper and lower case as it came. The
//! lengths keep two different triples from ever reading the same.
//!
//! Where a log type's schema declares no `uuid`, the event itself stands in its place: its JSON as it came, without white space
//! between values, and of several members with one key the last. Two events that are alike to the byte are then one.

use sha2::{Digest, Sha256};

/// A row id: 32 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowId([u8; DIGITS]);

/// Gives the row ids of one source's events of one log type.
#[derive(Clone, Debug, Default)]
pub struct RowIds {
    /// What is the same for all of them.
    begun: Sha256,
}

impl RowIds {
    /// For the events of `source` that are of `log_type`.
    #[must_use]
    pub fn new(source: &str, log_type: &str) -> Self {
        let mut begun = Sha256::new();
        add(&mut begun, source.as_bytes());
        add(&mut begun, log_type.as_bytes());
        Self { begun }
    }

    /// The row id of the event with this uuid or, where its log type has none, with this compact JSON.
    #[must_use]
    pub fn of(&self, event: &[u8]) -> RowId {
        let mut hash = self.begun.clone();
        add(&mut hash, event);
        let hash = hash.finalize();
        let mut digits = [0; DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(hash) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        RowId(digits)
    }
}

impl RowId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("hex digits are text")
    }
}

/// How much of the hash is kept: 128 bits, of which no two of a trillion events share all by chance.
const DIGITS: usize = 32;

const HEX: &[u8; 16] = b"0123456789abcdef";

fn add(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python: `sha256(b"".join(len(p).to_bytes(8, "big") + p for p in parts)).hexdigest()[:32]`.
    #[test]
    fn the_recipe_gives_the_same_in_other_languages() {
        for (source, log_type, uuid, expect) in [
            ("acme", "OnePassword.SignInAttempt", "56YE2TYN2VFYRLNSHKPW5NVT5E", "349f8db92dd31de2241d0cd81b606c8a"),
            ("acme", "OnePassword.ItemUsage", "é", "14a227ef1d82fbcdee8f6ec013c819ae"),
        ] {
            assert_eq!(RowIds::new(source, log_type).of(uuid.as_bytes()).as_str(), expect);
        }
    }

    #[test]
    fn the_place_of_a_boundary_matters() {
        assert_ne!(RowIds::new("ab", "c").of(b"d"), RowIds::new("a", "bc").of(b"d"));
    }
}
