//! Compiles layouts of Go's package `time` (<https://pkg.go.dev/time#pkg-constants>).
//!
//! A layout has no directives: each part of the reference time `Mon Jan 2 15:04:05 MST 2006` stands for itself, and everything else is
//! text. So no layout is malformed.

use super::{Fraction, Piece, Unit, Width, push_text};

/// The parts, so that of two with the same beginning the longer one stands first.
const PARTS: [(&str, Piece); 33] = [
    ("January", Piece::MonthName),
    ("Jan", Piece::MonthName),
    ("Monday", Piece::DayName),
    ("Mon", Piece::DayName),
    ("MST", Piece::Zone),
    ("002", Piece::Number(Unit::DayOfYear, Width::Exactly(3))),
    ("01", Piece::Number(Unit::Month, Width::Exactly(2))),
    ("02", Piece::Number(Unit::Day, Width::Exactly(2))),
    ("03", Piece::Number(Unit::HourOfHalf, Width::Exactly(2))),
    ("04", Piece::Number(Unit::Minute, Width::Exactly(2))),
    ("05", Piece::Number(Unit::Second, Width::Exactly(2))),
    ("06", Piece::Number(Unit::YearOfCentury, Width::Exactly(2))),
    ("15", Piece::Number(Unit::Hour, Width::UpTo(2))),
    ("1", Piece::Number(Unit::Month, Width::UpTo(2))),
    ("2006", Piece::Number(Unit::Year, Width::Exactly(4))),
    ("2", Piece::Number(Unit::Day, Width::UpTo(2))),
    ("__2", Piece::Number(Unit::DayOfYear, Width::Padded(3))),
    ("_2", Piece::Number(Unit::Day, Width::Padded(2))),
    ("3", Piece::Number(Unit::HourOfHalf, Width::UpTo(2))),
    ("4", Piece::Number(Unit::Minute, Width::UpTo(2))),
    ("5", Piece::Number(Unit::Second, Width::UpTo(2))),
    ("PM", Piece::Half),
    ("pm", Piece::Half),
    ("-07:00:00", Piece::Offset),
    ("-07:00", Piece::Offset),
    ("-070000", Piece::Offset),
    ("-0700", Piece::Offset),
    ("-07", Piece::Offset),
    ("Z07:00:00", Piece::Offset),
    ("Z07:00", Piece::Offset),
    ("Z070000", Piece::Offset),
    ("Z0700", Piece::Offset),
    ("Z07", Piece::Offset),
];

pub(super) fn pieces(layout: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        let known = PARTS.iter().find(|(text, _)| begins(rest, text));
        if let Some(length) = fraction(rest) {
            // Go's `.999` reads what its own `.000` reads and absence too; nothing is gained by being stricter.
            pieces.push(Piece::Fraction(Fraction::Optional));
            rest = &rest[length..];
        } else if let Some((text, piece)) = known {
            pieces.push(piece.clone());
            rest = &rest[text.len()..];
            let is_second = matches!(piece, Piece::Number(Unit::Second, _));
            if is_second && fraction(rest).is_none() {
                // Go reads a fraction behind the seconds even if the layout has none.
                pieces.push(Piece::Fraction(Fraction::Optional));
            }
        } else {
            let length = first.len_utf8();
            push_text(&mut pieces, &rest[..length]);
            rest = &rest[length..];
        }
    }
    pieces
}

/// Whether the layout goes on with this part. `Jan` and `Mon` are none at the beginning of another word, and `_2006` is a year.
fn begins(layout: &str, part: &str) -> bool {
    let Some(after) = layout.strip_prefix(part) else { return false };
    match part {
        "Jan" | "Mon" => !after.starts_with(|next: char| next.is_ascii_lowercase()),
        "_2" => !after.starts_with("006"),
        _ => true,
    }
}

/// The length of `.000` or `,999` at the beginning, of any number of digits.
fn fraction(layout: &str) -> Option<usize> {
    let digits = layout.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let after = digits.trim_start_matches(digit);
    (!after.starts_with(|next: char| next.is_ascii_digit())).then_some(layout.len() - after.len())
}
