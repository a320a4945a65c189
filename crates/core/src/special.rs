//! Finds what ends a JSON string, eight bytes at a time.
//!
//! Every byte of every event passes here, most of them in strings of about fifteen bytes: too short for a vectorized search to earn
//! its call, long enough for a loop over bytes to be the costliest thing in reading.

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
            for place in 0..20 {
                let mut bytes = [b'~'; 20];
                bytes[place] = byte;
                assert_eq!(first(&bytes), slowly(&bytes), "{byte} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_first_of_several_counts(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x1eu8..0x24, 0x5bu8..0x5e], 0..40)) {
            prop_assert_eq!(first(&bytes), slowly(&bytes));
        }
    }
}
