//! Users as events name them: UUID → name and e-mail address.
//!
//! Sign-ins and item usages always say who in words, audit events often do not. What the former teach explains the latter where no
//! table does. It is a fallback and no more: bounded, kept in memory alone, and marked in every record that it went into.

use std::{fmt, sync::LazyLock};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use memchr::memmem;

use crate::json::{self, Value};

/// How many users are remembered; later ones are not learned. About 20 MB.
pub const MAX_LEARNED: usize = 100_000;

/// The longest row, in bytes: nobody's name and address are longer.
const MAX_ROW_BYTES: usize = 1 << 10;

/// The longest UUID that is looked up without a copy; 1Password's have 26 bytes.
const MAX_FOLDED_BYTES: usize = 64;

/// Fields of records that hold a user.
const USERS: [&[u8]; 5] = [b"\"user", b"\"target_user", b"\"actor_details", b"\"object_details", b"\"aux_details"];

/// How a user begins in a record. Nothing inside a text looks like it, since quotes are escaped there.
const BEGINNING: &[u8] = b"\":{\"uuid\":\"";

/// Made once: preparing a search costs as much as searching a record.
static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(BEGINNING));

/// Ends every row: a record says where its names come from.
const MARK: &[u8] = b",\"learned\":true";

/// What events taught.
#[derive(Clone, Default)]
pub struct Learned {
    /// Folded UUID → an object without its closing brace.
    users: HashMap<Box<str>, Box<[u8]>, FixedState>,
}

impl Learned {
    /// Learns from a finished record; says whether there was anything new. What a later record says counts.
    pub fn learn(&mut self, record: &[u8]) -> bool {
        let mut new = false;
        for at in FINDER.find_iter(record) {
            if USERS.iter().any(|field| record[..at].ends_with(field)) {
                // Behind the field's quote and colon.
                new |= self.user(&record[at + 2..]);
            }
        }
        new
    }

    /// How many users are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The row of a user, ready for `p_match` to be added.
    pub(super) fn get(&self, uuid: &str, folded: &mut String) -> Option<&[u8]> {
        folded.clear();
        folded.push_str(uuid);
        folded.make_ascii_lowercase();
        self.users.get(folded.as_str()).map(AsRef::as_ref)
    }

    /// `text` begins with the user's object.
    fn user(&mut self, text: &[u8]) -> bool {
        let quick = self.known(text);
        if quick == Some(true) {
            return false;
        }
        let Some((uuid, row)) = row(text) else { return false };
        if self.users.len() >= MAX_LEARNED && !self.users.contains_key(&uuid) {
            return false;
        }
        self.users.insert(uuid, row.clone()).is_none_or(|earlier| earlier != row)
    }

    /// Whether the user is known as the text has it. Records write a user's fields in the order of rows, so most are settled by one
    /// look-up and one comparison.
    fn known(&self, text: &[u8]) -> Option<bool> {
        let uuid = text[BEGINNING.len() - 2..].split(|byte| *byte == b'"').next()?;
        let mut folded = [0; MAX_FOLDED_BYTES];
        let folded = folded.get_mut(..uuid.len())?;
        folded.copy_from_slice(uuid);
        folded.make_ascii_lowercase();
        let row = self.users.get(str::from_utf8(folded).ok()?)?;
        let same = text.strip_prefix(&row[..row.len() - MARK.len()])?;
        // A member more would be a name or an address that the row lacks.
        Some(!same.starts_with(b",\"name\"") && !same.starts_with(b",\"email\""))
    }
}

/// The folded UUID and the row of the user that `text` begins with, if it says more than a UUID.
fn row(text: &[u8]) -> Option<(Box<str>, Box<[u8]>)> {
    // A user ends within a few hundred bytes, and checking all that follows would be most of the work.
    let beginning = &text[..text.len().min(2 * MAX_ROW_BYTES)];
    let valid = str::from_utf8(beginning).map_or_else(|error| error.valid_up_to(), str::len);
    let (user, _) = json::parse_first(str::from_utf8(&beginning[..valid]).ok()?).ok()?;
    let uuid = user.get("uuid").and_then(Value::name).filter(|uuid| !uuid.is_empty())?;
    let mut row = b"{\"uuid\":".to_vec();
    json::write_string(&mut row, &uuid);
    let bare = row.len();
    for column in ["name", "email"] {
        if let Some(Value::String(text)) = user.get(column)
            && !text.raw().is_empty()
        {
            row.push(b',');
            json::write_string(&mut row, column);
            row.push(b':');
            json::write_text(&mut row, *text);
        }
    }
    let says_more = row.len() > bare;
    row.extend_from_slice(MARK);
    (says_more && row.len() <= MAX_ROW_BYTES).then(|| (uuid.to_ascii_lowercase().into(), row.into()))
}

/// Says how many users are known: names do not belong into messages.
impl fmt::Debug for Learned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Learned({} users)", self.users.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(learned: &Learned, uuid: &str) -> Option<String> {
        learned.get(uuid, &mut String::new()).map(|row| String::from_utf8(row.to_vec()).unwrap())
    }

    #[test]
    fn users_of_records_are_learned() {
        let mut learned = Learned::default();
        for (record, new) in [
            (r#"{"uuid":"E1","target_user":{"uuid":"U1","name":"Ann \"A\"","email":"ann@example.com"}}"#, true),
            (r#"{"user":{"uuid":"u1","name":"Ann \"A\"","email":"ann@example.com","user_type":"user"}}"#, true),
            (r#"{"user":{"uuid":"u1","name":"Ann \"A\"","email":"ann@example.com","user_type":"user"}}"#, false),
            (
                r#"{"actor_details":{"uuid":"u2","email":"bob@example.com"},"aux_details":{"uuid":"u3","name":"Cy"}}"#,
                true,
            ),
            // Nothing to learn: no name, no user, a text that only looks like one.
            (r#"{"actor_details":{"uuid":"u4"}}"#, false),
            (r#"{"session":{"uuid":"u5","name":"x"}}"#, false),
            (r#"{"note":"\"user\":{\"uuid\":\"u6\",\"name\":\"x\"}"}"#, false),
            (r#"{"user":{"uuid":"u7","name":"#, false),
        ] {
            assert_eq!(learned.learn(record.as_bytes()), new, "{record}");
        }
        assert_eq!(learned.len(), 3);
        assert_eq!(known(&learned, "U2").unwrap(), r#"{"uuid":"u2","email":"bob@example.com","learned":true"#);
        assert_eq!(
            known(&learned, "u1").unwrap(),
            r#"{"uuid":"u1","name":"Ann \"A\"","email":"ann@example.com","learned":true"#
        );
        assert_eq!(format!("{learned:?}"), "Learned(3 users)");
    }

    #[test]
    fn a_later_name_counts() {
        let mut learned = Learned::default();
        assert!(learned.learn(br#"{"user":{"uuid":"u1","name":"Ann"}}"#));
        assert!(learned.learn(br#"{"user":{"uuid":"u1","name":"Ann","email":"ann@example.com"}}"#));
        assert!(learned.learn(br#"{"user":{"uuid":"u1","name":"Ann B","email":"ann@example.com"}}"#));
        assert_eq!(
            known(&learned, "u1").unwrap(),
            r#"{"uuid":"u1","name":"Ann B","email":"ann@example.com","learned":true"#
        );
    }

    #[test]
    fn there_is_a_bound() {
        let mut learned = Learned::default();
        for number in 0..MAX_LEARNED + 2 {
            learned.learn(format!("{{\"user\":{{\"uuid\":\"u{number}\",\"name\":\"x\"}}}}").as_bytes());
        }
        assert_eq!(learned.len(), MAX_LEARNED);
        assert!(learned.learn(br#"{"user":{"uuid":"u1","name":"y"}}"#));
    }
}
