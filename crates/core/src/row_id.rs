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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowId(String);

impl RowId {
    /// The row id of an event.
    #[must_use]
    pub fn new(source: &str, log_type: &str, uuid: &str) -> Self {
        Self::of_event(source, log_type, uuid.as_bytes())
    }

    /// The row id of an event without a uuid. `event`: its compact JSON.
    #[must_use]
    pub fn of_event(source: &str, log_type: &str, event: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [source.as_bytes(), log_type.as_bytes(), event] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let mut digits = String::with_capacity(2 * BYTES);
        for byte in &hash[..BYTES] {
            digits.push(HEX[usize::from(byte >> 4)]);
            digits.push(HEX[usize::from(byte & 15)]);
        }
        Self(digits)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// How much of the hash is kept: 128 bits, of which no two of a trillion events share all by chance.
const BYTES: usize = 16;

const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

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
            assert_eq!(RowId::new(source, log_type, uuid).as_str(), expect);
        }
    }

    #[test]
    fn the_place_of_a_boundary_matters() {
        assert_ne!(RowId::new("ab", "c", "d"), RowId::new("a", "bc", "d"));
    }
}
