//! Finds what ends a JSON string: the next quote, backslash or control character.
//!
//! Every byte of every event passes here, most of them in strings of about fifteen bytes: too short for a vectorized search to earn
//! its call, long enough for a loop over bytes to be the costliest thing in reading. So who reads a whole page has all such bytes
//! marked at once, sixty-four with a few instructions, and then steps from mark to mark ([`Marks`]). For a single text there is
//! [`first`], which looks at eight bytes at a time.

use wide::u8x16;

/// Bytes that one word of marks stands for.
const WORD: usize = 64;

/// Where the quotes, backslashes and control characters of a text stand: a bit for each of its bytes.
#[derive(Debug)]
pub(crate) struct Marks {
    words: Vec<u64>,
}

impl Marks {
    /// Marks `bytes`. Takes an eighth of a byte for each.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let (blocks, rest) = bytes.as_chunks();
        let mut words = Vec::with_capacity(blocks.len() + 1);
        words.extend(blocks.iter().map(mark));
        if !rest.is_empty() {
            let mut block = [b' '; WORD];
            block[..rest.len()].copy_from_slice(rest);
            words.push(mark(&block));
        }
        Self { words }
    }

    /// The first marked place from `at` on.
    #[inline]
    pub(crate) fn next(&self, at: usize) -> Option<usize> {
        let word = self.words.get(at / WORD)? >> (at % WORD);
        if word == 0 { self.beyond(at / WORD) } else { Some(at + word.trailing_zeros() as usize) }
    }

    /// The first marked place behind a word. Seldom needed: few strings are as long.
    #[inline(never)]
    fn beyond(&self, word: usize) -> Option<usize> {
        let (index, word) = self.words.iter().enumerate().skip(word + 1).find(|(_, word)| **word != 0)?;
        Some(WORD * index + word.trailing_zeros() as usize)
    }
}

#[inline]
fn mark(block: &[u8; WORD]) -> u64 {
    let (quote, backslash, control) = (u8x16::splat(b'"'), u8x16::splat(b'\\'), u8x16::splat(0x1f));
    let (lanes, _) = block.as_chunks();
    lanes.iter().rev().fold(0, |word, lane| {
        let lane = u8x16::new(*lane);
        let special = lane.simd_eq(quote) | lane.simd_eq(backslash) | lane.min(control).simd_eq(lane);
        word << lane.to_array().len() | u64::from(special.to_bitmask())
    })
}

/// Where the first quote, backslash or control character stands.
#[inline]
pub(crate) fn first(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(8 * index + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20));
    found.map(|at| 8 * words.len() + at)
}

/// One in each byte.
const ONES: u64 = u64::from_le_bytes([1; 8]);

/// The highest bit of each byte.
const HIGHS: u64 = ONES << 7;

/// Sets the highest bit of each byte that is looked for. Above the first such byte, which stands lowest, others may be set too: the
/// subtraction borrows from them.
const fn special(word: u64) -> u64 {
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    (quote | backslash | below(word, 0x20)) & HIGHS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slowly(bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < b' ')
    }

    #[test]
    fn every_byte_is_judged_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..70 {
                let mut bytes = [b'~'; 70];
                bytes[place] = byte;
                assert_eq!(first(&bytes), slowly(&bytes), "{byte} at {place}");
                assert_eq!(Marks::of(&bytes).next(0), slowly(&bytes), "{byte} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_first_of_several_counts(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x1eu8..0x24, 0x5bu8..0x5e], 0..200)) {
            let marks = Marks::of(&bytes);
            for at in 0..bytes.len() {
                let expect = slowly(&bytes[at..]);
                prop_assert_eq!(first(&bytes[at..]), expect);
                prop_assert_eq!(marks.next(at), expect.map(|offset| at + offset));
            }
            prop_assert_eq!(marks.next(bytes.len()), None);
            prop_assert_eq!(marks.next(usize::MAX), None);
        }
    }
}
