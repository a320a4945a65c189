//! Compiles the directives of strftime (POSIX, and the few beyond it that log schemas use).

use super::{Fraction, PatternError, Piece, Unit, Width, push_text};

pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, PatternError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        push_text(&mut pieces, before);
        let directive = after.chars().next().ok_or_else(|| PatternError::Directive("%".into()))?;
        add(&mut pieces, directive)?;
        rest = &after[directive.len_utf8()..];
    }
    push_text(&mut pieces, rest);
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    Ok(pieces)
}

fn add(into: &mut Vec<Piece>, directive: char) -> Result<(), PatternError> {
    let number = |unit: Unit| Piece::Number(unit, Width::Exactly(2));
    into.push(match directive {
        'Y' => Piece::Number(Unit::Year, Width::Exactly(4)),
        'y' => number(Unit::YearOfCentury),
        'm' => number(Unit::Month),
        'd' => number(Unit::Day),
        'e' => Piece::Number(Unit::Day, Width::Padded(2)),
        'j' => Piece::Number(Unit::DayOfYear, Width::Exactly(3)),
        'H' => number(Unit::Hour),
        'k' => Piece::Number(Unit::Hour, Width::Padded(2)),
        'I' => number(Unit::HourOfHalf),
        'l' => Piece::Number(Unit::HourOfHalf, Width::Padded(2)),
        'M' => number(Unit::Minute),
        'S' => number(Unit::Second),
        'f' | 'N' => Piece::Fraction(Fraction::Any),
        'L' => Piece::Fraction(Fraction::Exactly(3)),
        's' => Piece::Epoch,
        'b' | 'B' | 'h' => Piece::MonthName,
        'a' | 'A' => Piece::DayName,
        'p' | 'P' => Piece::Half,
        'z' => Piece::Offset,
        'Z' => Piece::Zone,
        '%' => Piece::Text("%".into()),
        'n' => Piece::Text("\n".into()),
        't' => Piece::Text("\t".into()),
        _ => {
            let whole = match directive {
                'F' => "%Y-%m-%d",
                'T' => "%H:%M:%S",
                'R' => "%H:%M",
                'D' => "%m/%d/%y",
                other => return Err(PatternError::Directive(format!("%{other}"))),
            };
            into.extend(pieces(whole)?);
            return Ok(());
        }
    });
    Ok(())
}
