//! A small seeded generator whose numbers never change.
//!
//! The same seed must give the same events for ever, so the numbers may not depend on the version of a library: general
//! generators promise reproducible values only within one release. This is `SplitMix64` (Steele, Lea and Flood, 2014): one
//! word of state, good enough for believable test data and for nothing that needs secrecy.

/// A stream of numbers drawn from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// A generator for one purpose: the parts name it (seed, feed, day, …), so that purposes do not disturb one another.
    pub(crate) fn of(parts: &[u64]) -> Self {
        let state = parts.iter().fold(0x6c61_7463_686b_6579, |state: u64, part| mix(state ^ mix(*part)));
        Self { state }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Uniform in `0..n`; `n` must not be zero.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        let scaled = (u128::from(self.next()) * u128::from(n)) >> 64;
        u64::try_from(scaled).expect("a 64-bit number times n, shifted by 64, is below n")
    }

    /// Uniform in `0..n` for indexes.
    pub(crate) fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).expect("below a usize")
    }

    /// Uniform in `0..n`, for spans of time.
    pub(crate) fn span(&mut self, n: i64) -> i64 {
        i64::try_from(self.below(n.unsigned_abs())).expect("below an i64")
    }

    /// True in `per_mille` of 1,000 cases.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn share(&mut self) -> f64 {
        share(self.next())
    }

    /// A whole number of events with the given mean: its floor, or one more in the fraction's share of cases.
    pub(crate) fn count(&mut self, mean: f64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, which is the bound wanted for absurd means"
        )]
        let whole = mean as u64;
        whole + u64::from(self.share() < mean.fract())
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// Picks by weight; the weights must not all be zero.
    pub(crate) fn weighted<'a, T>(&mut self, from: &'a [(u64, T)]) -> &'a T {
        let mut left = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in from {
            if left < *weight {
                return value;
            }
            left -= weight;
        }
        unreachable!("the draw is below the sum of the weights")
    }

    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        for end in (1..values.len()).rev() {
            values.swap(end, self.index(end + 1));
        }
    }
}

/// Scrambles a number; one to one, so distinct numbers stay distinct.
pub(crate) const fn mix(number: u64) -> u64 {
    let a = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}

/// A random word as a number in `[0, 1)`.
pub(crate) fn share(word: u64) -> f64 {
    let high = u32::try_from(word >> 32).expect("the upper half of a 64-bit word");
    f64::from(high) / 4_294_967_296.0
}

/// A text as a number (FNV-1a), to derive a seed from a name.
pub(crate) fn number_of(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let mut random = Random { state: 1_234_567 };
        let drawn = [random.next(), random.next(), random.next()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_purpose_draws_the_same_numbers_for_ever() {
        let mut random = Random::of(&[7, 1]);
        assert_eq!([0; 3].map(|_| random.below(1_000_000)), [293_762, 599_914, 179_485]);
    }

    #[test]
    fn draws_stay_in_range_and_reach_every_value() {
        let mut random = Random::of(&[1]);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[random.index(5)] = true;
            assert!(random.share() < 1.0);
        }
        assert_eq!(seen, [true; 5]);
    }

    #[test]
    fn weights_of_zero_are_never_picked() {
        let mut random = Random::of(&[2]);
        assert!((0..200).all(|_| *random.weighted(&[(0, 'a'), (1, 'b'), (0, 'c')]) == 'b'));
    }
}
