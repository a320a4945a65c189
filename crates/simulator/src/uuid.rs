//! 1Password's identifiers: 26 characters of base32.
//!
//! Users, events, sessions and accounts are spelt in upper case, vaults, items, groups and devices in lower case. 26
//! characters hold 130 bits, so they do not map to a 128-bit UUID; they are only ever texts here.

use crate::random::{Random, mix};

/// Length of an identifier in characters.
pub(crate) const LENGTH: usize = 26;

const UPPER: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LOWER: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// An identifier as users, events, sessions and accounts have.
pub(crate) fn upper(random: &mut Random) -> String {
    spell(random, UPPER)
}

/// An identifier as vaults, items, groups and devices have.
pub(crate) fn lower(random: &mut Random) -> String {
    spell(random, LOWER)
}

/// The upper-case identifier of the event with this number: distinct for distinct numbers under one salt.
pub(crate) fn numbered(salt: u64, number: u64) -> [u8; LENGTH] {
    let mut text = [0; LENGTH];
    let (front, back) = text.split_at_mut(LENGTH / 2);
    fill(front, mix(number ^ salt), UPPER);
    fill(back, mix(salt), UPPER);
    text
}

fn spell(random: &mut Random, alphabet: &[u8; 32]) -> String {
    let mut text = [0; LENGTH];
    let (front, back) = text.split_at_mut(LENGTH / 2);
    fill(front, random.next(), alphabet);
    fill(back, random.next(), alphabet);
    text.iter().map(|byte| char::from(*byte)).collect()
}

/// Writes 13 characters: 65 bits, which hold the whole word.
fn fill(target: &mut [u8], word: u64, alphabet: &[u8; 32]) {
    let mut left = word;
    for slot in target {
        *slot = alphabet[usize::try_from(left & 31).expect("five bits")];
        left >>= 5;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn numbered_identifiers_are_distinct() {
        let distinct: HashSet<_> = (0..10_000).map(|number| numbered(9, number)).collect();
        assert_eq!(distinct.len(), 10_000);
    }

    #[test]
    fn identifiers_have_the_right_alphabet() {
        let mut random = Random::of(&[3]);
        assert!(upper(&mut random).bytes().all(|byte| UPPER.contains(&byte)));
        assert!(lower(&mut random).bytes().all(|byte| LOWER.contains(&byte)));
        assert_eq!(upper(&mut random).len(), LENGTH);
    }
}
