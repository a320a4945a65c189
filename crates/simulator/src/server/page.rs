//! Pages: from what a request asks for to the body it gets.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    answer::{Answer, Served},
    body::PageRequest,
};
use crate::{
    cursor::{Axis, Cursor, Position, Window},
    fault::{PageFaults, Shape},
    feed::{Feed, Version},
    store::Page,
    world::World,
};

/// A guess above the size of an event, so that a page is written without growing its buffer.
const EVENT_SIZE_GUESS: usize = 1024;

/// Which feed is asked, in which version.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Index of the account.
    pub(crate) account: usize,
    pub(crate) feed: Feed,
    pub(crate) version: Version,
}

/// The page that a request asks for.
pub(crate) fn answer(world: &Arc<World>, place: Place, request: &PageRequest, faults: PageFaults) -> Answer {
    let now = world.now();
    let (cursor, fresh) = match request {
        PageRequest::Reset { limit, start, end } => {
            (first(world, place, *limit, start.unwrap_or_else(|| an_hour_before(now)), *end), true)
        }
        PageRequest::Continue(text) => match open(world, place, text) {
            Some(cursor) => (cursor, false),
            None => return Answer::bad_request("invalid cursor"),
        },
    };
    let mut store = world.accounts()[place.account].store(place.feed);
    let page = store.page(&cursor, fresh, faults, now);
    let sealed = world.sealer.seal(&page.cursor);
    let write_items = |out: &mut Vec<u8>| store.write(&page, place.version, out);
    let answer = Answer::ok(match place.version {
        Version::V1 | Version::V2 => spell(&page, &sealed, write_items),
        Version::V3 => spell_v3(&page, &sealed, write_items),
    });
    if !page.shape().serves() {
        return answer;
    }
    answer.serving(Served { account: place.account, feed: place.feed, indexes: page.into_indexes() })
}

fn first(world: &World, place: Place, limit: u16, start: Timestamp, end: Option<Timestamp>) -> Cursor {
    Cursor {
        account: world.accounts()[place.account].number(),
        feed: place.feed.code(),
        limit,
        window: Window { start, end, axis: if place.version == Version::V3 { Axis::Arrival } else { Axis::Event } },
        position: Position::START,
    }
}

/// A cursor is good for the account and feed it was given for, in either version, unless a fault has rejected it.
fn open(world: &World, place: Place, text: &str) -> Option<Cursor> {
    let account = &world.accounts()[place.account];
    let cursor = world.sealer.open(text).ok()?;
    let ours = cursor.account == account.number() && cursor.feed == place.feed.code();
    (ours && !account.rejects(text)).then_some(cursor)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Cursor,
    HasMore,
    Items,
}

/// Nothing promises an order of keys, so there are three.
const ORDERS: [[Key; 3]; 3] = [
    [Key::Cursor, Key::HasMore, Key::Items],
    [Key::Items, Key::Cursor, Key::HasMore],
    [Key::HasMore, Key::Items, Key::Cursor],
];

/// Writes a page. The cursor decides the order of its keys, so the same page is always spelt alike.
fn spell(page: &Page, cursor: &str, write_items: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let order = ORDERS[cursor.as_bytes().last().map_or(0, |byte| usize::from(byte % 3))];
    let missing = match page.shape() {
        Shape::NoHasMore => Some(Key::HasMore),
        Shape::NoCursor => Some(Key::Cursor),
        _ => None,
    };
    let mut out = Vec::with_capacity(cursor.len() + 64 + page.len() * EVENT_SIZE_GUESS);
    let mut write_items = Some(write_items);
    let mut separator = b'{';
    for key in order.into_iter().filter(|key| Some(*key) != missing) {
        out.push(separator);
        separator = b',';
        match key {
            Key::Cursor => out.extend_from_slice(format!(r#""cursor":"{cursor}""#).as_bytes()),
            Key::HasMore => out.extend_from_slice(format!(r#""has_more":{}"#, page.has_more).as_bytes()),
            Key::Items if page.shape() == Shape::NullItems => out.extend_from_slice(br#""items":null"#),
            Key::Items => {
                out.extend_from_slice(br#""items":["#);
                if let Some(write) = write_items.take() {
                    write(&mut out);
                }
                out.push(b']');
            }
        }
    }
    out.push(b'}');
    out
}

/// Writes a page of version 3: without a token for the next page if there is none.
fn spell_v3(page: &Page, token: &str, write_items: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = br#"{"audit_events":"#.to_vec();
    if page.shape() == Shape::NullItems {
        out.extend_from_slice(b"null");
    } else {
        out.push(b'[');
        write_items(&mut out);
        out.push(b']');
    }
    if page.has_more && page.shape() != Shape::NoCursor {
        out.extend_from_slice(format!(r#","next_page_token":"{token}""#).as_bytes());
    }
    out.push(b'}');
    out
}

fn an_hour_before(now: Timestamp) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(1)).expect("a duration without calendar units always applies")
}
