//! Numbers, to count with and to read.

/// A count as a number to divide by.
#[expect(clippy::cast_precision_loss, reason = "fifteen digits are more than any of these figures is exact to")]
pub(crate) const fn count(number: u64) -> f64 {
    number as f64
}

/// The nearest whole number, with its thousands set apart.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is counted is no less than nothing")]
pub(crate) fn grouped(number: f64) -> String {
    latchkey_core::number::grouped(number.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded() {
        for (number, expect) in [(0.0, "0"), (999.4, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(grouped(number), expect);
        }
    }
}
