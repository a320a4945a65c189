//! Numbers, to count with and to read.

/// A count as a number to divide by.
#[expect(clippy::cast_precision_loss, reason = "fifteen digits are more than any of these figures is exact to")]
pub(crate) const fn count(number: u64) -> f64 {
    number as f64
}

/// A whole number with commas.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_grouped() {
        for (number, expect) in [(0.0, "0"), (999.4, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567")] {
            assert_eq!(grouped(number), expect);
        }
    }
}
