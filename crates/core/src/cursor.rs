//! 1Password's opaque position in a feed.
//!
//! A cursor is stored and sent back, never read. What can be checked is checked at construction, because a nonsense cursor that
//! is stored once is sent for ever: collectors have poisoned themselves with the text `None` after a failed first run.

use std::{fmt, str::FromStr, sync::Arc};

/// A cursor as a response gave it: 1 byte to [`Cursor::MAX_LENGTH`]. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(Arc<str>);

/// A text that cannot be a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing in it.
    #[error("the cursor is empty")]
    Empty,
    /// Some program's word for "no value", written out.
    #[error("the cursor is a placeholder for no cursor, such as \"None\" or \"null\"")]
    Placeholder,
    /// More than [`Cursor::MAX_LENGTH`].
    #[error("the cursor has {0} bytes; {max} are allowed", max = Cursor::MAX_LENGTH)]
    TooLong(usize),
}

impl Cursor {
    /// The longest cursor, in bytes. About 200 are seen.
    pub const MAX_LENGTH: usize = 4096;

    /// The text to send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const PLACEHOLDERS: [&str; 4] = ["none", "null", "nil", "undefined"];
        if text.trim().is_empty() {
            Err(Error::Empty)
        } else if text.len() > Self::MAX_LENGTH {
            Err(Error::TooLong(text.len()))
        } else if PLACEHOLDERS.iter().any(|word| text.trim().eq_ignore_ascii_case(word)) {
            Err(Error::Placeholder)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_kept_as_it_came() {
        for text in ["a", "aGVsbG8gd29ybGQ=", "nullable", &"x".repeat(Cursor::MAX_LENGTH)] {
            assert_eq!(text.parse::<Cursor>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn nonsense_is_no_cursor() {
        for (text, error) in [
            ("", Error::Empty),
            (" \n", Error::Empty),
            ("None", Error::Placeholder),
            ("null", Error::Placeholder),
            (" NULL ", Error::Placeholder),
            ("undefined", Error::Placeholder),
            (&"x".repeat(Cursor::MAX_LENGTH + 1), Error::TooLong(Cursor::MAX_LENGTH + 1)),
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(error), "{text:?}");
        }
    }
}
