//! Lines of bounded length.

use std::io::{self, BufRead};

/// A line without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'b> {
    Whole(&'b [u8]),
    /// Longer than the limit, and stepped over.
    TooLong,
}

/// What some editors and shells put before the first byte of a text in UTF-8.
pub(super) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl Line<'_> {
    /// The line with this number, counted from one: the first one without a byte order mark.
    pub(super) fn numbered(self, number: u64) -> Self {
        match self {
            Self::Whole(line) if number == 1 => Self::Whole(line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)),
            line => line,
        }
    }
}

/// Reads the next line into `buffer`, which never grows beyond `limit`. `None` at the end.
pub(super) fn next<'b>(
    reader: &mut impl BufRead,
    buffer: &'b mut Vec<u8>,
    limit: usize,
) -> io::Result<Option<Line<'b>>> {
    buffer.clear();
    let mut too_long = false;
    let mut begun = false;
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() && !begun {
            return Ok(None);
        }
        begun = true;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        too_long |= buffer.len() + part.len() > limit;
        if !too_long {
            buffer.extend_from_slice(part);
        }
        let done = end.is_some() || chunk.is_empty();
        let used = end.map_or(chunk.len(), |end| end + 1);
        reader.consume(used);
        if done {
            let line = buffer.strip_suffix(b"\r").unwrap_or(buffer);
            return Ok(Some(if too_long { Line::TooLong } else { Line::Whole(line) }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_end_as_they_may_and_long_ones_are_stepped_over() {
        let text = b"one\r\n\nfour5\nsix666\nlast".as_slice();
        for capacity in [1, 3, 100] {
            let mut reader = BufReader::with_capacity(capacity, text);
            let mut buffer = Vec::new();
            for expect in [
                Some(Line::Whole(b"one")),
                Some(Line::Whole(b"")),
                Some(Line::Whole(b"four5")),
                Some(Line::TooLong),
                Some(Line::Whole(b"last")),
                None,
            ] {
                assert_eq!(next(&mut reader, &mut buffer, 5).unwrap(), expect, "{capacity}");
            }
        }
    }
}
