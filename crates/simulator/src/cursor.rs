//! Cursors: where a client stands in a feed, sealed so that only this simulator's own cursors are accepted.
//!
//! As with the real API, everything a continuing request needs travels in the cursor: feed, limit, window, position. The
//! position is a moment of arrival rather than an index, so a cursor stays good when the simulator is restarted with the same
//! seed and a longer history. The seal is a keyed SHA-256; keys derive from the seed, which is fit for a test tool only.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// A client's place in a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Number of the account, derived from its name.
    pub(crate) account: u64,
    /// The feed's code.
    pub(crate) feed: u8,
    /// Events per page.
    pub(crate) limit: u16,
    pub(crate) window: Window,
    pub(crate) position: Position,
}

/// The event times asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// First moment inside; in version 3 the last one before.
    pub(crate) start: Timestamp,
    /// First moment outside; a cursor born with it is bounded for ever.
    pub(crate) end: Option<Timestamp>,
    pub(crate) axis: Axis,
}

/// Which of an event's two moments a window looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// When it happened: versions 1 and 2.
    Event,
    /// When the server had it: version 3.
    Arrival,
}

impl Window {
    /// Whether an event with these two moments is inside.
    pub(crate) fn holds(&self, timestamp: Timestamp, arrival: Timestamp) -> bool {
        let (at, begun) = match self.axis {
            Axis::Event => (timestamp, timestamp >= self.start),
            Axis::Arrival => (arrival, arrival > self.start),
        };
        begun && self.end.is_none_or(|end| at < end)
    }
}

/// After which event the next page starts, in order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Arrival of the last event seen.
    pub(crate) arrival: Timestamp,
    /// How many events that arrived at exactly this moment were seen.
    pub(crate) seen: u64,
}

impl Position {
    pub(crate) const START: Self = Self { arrival: Timestamp::MIN, seen: 0 };
}

/// Why a text is not a cursor. Permanent: the client must start again with a reset cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this server")]
pub(crate) struct Rejected;

/// Bytes of a moment: seconds, then nanoseconds.
const MOMENT: usize = 12;
const PAYLOAD: usize = 1 + 8 + 1 + 2 + MOMENT + 1 + MOMENT + MOMENT + 8;
/// Fills the cursor up to the length seen in real ones: 200 characters.
const PADDING: usize = 150 - PAYLOAD - SEAL;
const SEAL: usize = 32;
const LENGTH: usize = PAYLOAD + PADDING + SEAL;
const LAYOUT: u8 = 1;
/// Flags of a window.
const BOUNDED: u8 = 1;
const ARRIVAL: u8 = 2;

/// Seals and opens cursors.
#[derive(Clone)]
pub(crate) struct Sealer {
    key: [u8; 32],
}

impl Sealer {
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: Sha256::digest([&b"cursor"[..], &seed.to_be_bytes()].concat()).into() }
    }

    /// The cursor as clients see it: 200 characters of URL-safe base64, the same for the same cursor.
    pub(crate) fn seal(&self, cursor: &Cursor) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.push(LAYOUT);
        bytes.extend(cursor.account.to_be_bytes());
        bytes.push(cursor.feed);
        bytes.extend(cursor.limit.to_be_bytes());
        put_moment(&mut bytes, cursor.window.start);
        bytes.push(u8::from(cursor.window.end.is_some()) | (ARRIVAL * u8::from(cursor.window.axis == Axis::Arrival)));
        put_moment(&mut bytes, cursor.window.end.unwrap_or(Timestamp::UNIX_EPOCH));
        put_moment(&mut bytes, cursor.position.arrival);
        bytes.extend(cursor.position.seen.to_be_bytes());
        let padding = self.digest(b"padding", &bytes);
        bytes.extend(padding.iter().cycle().take(PADDING));
        let seal = self.digest(b"seal", &bytes);
        bytes.extend(seal);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Opens a cursor that this sealer, or one of the same seed, has sealed.
    pub(crate) fn open(&self, text: &str) -> Result<Cursor, Rejected> {
        if text.len() > 2 * LENGTH {
            return Err(Rejected);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Rejected)?;
        let (sealed, seal) = bytes.split_last_chunk::<SEAL>().ok_or(Rejected)?;
        if bytes.len() != LENGTH || self.digest(b"seal", sealed) != *seal {
            return Err(Rejected);
        }
        read(&mut Reader(sealed)).ok_or(Rejected)
    }

    /// All texts hashed under one purpose have one length, so a plain keyed hash cannot be extended.
    fn digest(&self, purpose: &[u8], bytes: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(self.key).chain_update(purpose).chain_update(bytes).finalize().into()
    }
}

fn put_moment(bytes: &mut Vec<u8>, at: Timestamp) {
    bytes.extend(at.as_second().to_be_bytes());
    bytes.extend(at.subsec_nanosecond().to_be_bytes());
}

fn read(reader: &mut Reader<'_>) -> Option<Cursor> {
    if reader.take()? != [LAYOUT] {
        return None;
    }
    let account = u64::from_be_bytes(reader.take()?);
    let [feed] = reader.take()?;
    let limit = u16::from_be_bytes(reader.take()?);
    let start = reader.moment()?;
    let [flags] = reader.take()?;
    let bounded = flags & BOUNDED != 0;
    let axis = if flags & ARRIVAL == 0 { Axis::Event } else { Axis::Arrival };
    let end = reader.moment()?;
    let arrival = reader.moment()?;
    let seen = u64::from_be_bytes(reader.take()?);
    Some(Cursor {
        account,
        feed,
        limit,
        window: Window { start, end: bounded.then_some(end), axis },
        position: Position { arrival, seen },
    })
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, left) = self.0.split_first_chunk()?;
        self.0 = left;
        Some(*taken)
    }

    fn moment(&mut self) -> Option<Timestamp> {
        let second = i64::from_be_bytes(self.take()?);
        let nanosecond = i32::from_be_bytes(self.take()?);
        Timestamp::new(second, nanosecond).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(end: Option<&str>) -> Cursor {
        let at = |text: &str| text.parse().unwrap();
        Cursor {
            account: 17,
            feed: 2,
            limit: 1000,
            window: Window { start: at("2026-01-01T00:00:00.123456789Z"), end: end.map(at), axis: Axis::Event },
            position: Position { arrival: at("1969-06-01T00:00:00.000000009Z"), seen: 3 },
        }
    }

    #[test]
    fn a_sealed_cursor_opens_to_itself() {
        let sealer = Sealer::new(7);
        for end in [None, Some("2026-02-01T00:00:00Z")] {
            let text = sealer.seal(&cursor(end));
            assert_eq!(text.len(), 200);
            assert_eq!(sealer.open(&text), Ok(cursor(end)));
        }
        let arrival = Window { axis: Axis::Arrival, ..cursor(None).window };
        let arrival = Cursor { window: arrival, ..cursor(None) };
        assert_eq!(sealer.open(&sealer.seal(&arrival)), Ok(arrival));
        let start = Cursor { position: Position::START, ..cursor(None) };
        assert_eq!(sealer.open(&sealer.seal(&start)), Ok(start));
    }

    #[test]
    fn a_cursor_changed_anywhere_is_rejected() {
        let sealer = Sealer::new(7);
        let text = sealer.seal(&cursor(None));
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(sealer.open(&String::from_utf8(bytes).unwrap()), Err(Rejected), "at {place}");
        }
        for other in ["", "None", "AAAA", &text[1..], &format!("{text}A")] {
            assert_eq!(sealer.open(other), Err(Rejected));
        }
        assert_eq!(Sealer::new(8).open(&text), Err(Rejected));
    }
}
