//! What is asked for a page.
//!
//! Two shapes that must not mix: a start in time with a limit, or a cursor and nothing else. Limit, start and end travel inside
//! the cursor, so a cursor born from a request with an end is bounded for ever. Feeds that are paged by tokens are asked by a query, and
//! what stands for their cursors is a [`Place`].

use jiff::Timestamp;
use latchkey_core::{
    cursor::Cursor,
    feed::Query,
    page_token::{Ask, Place},
};
use serde::Serialize;
use url::Url;

use crate::Error;

/// The most events a page may be asked for; the API answers 400 above it.
pub const MAX_LIMIT: u32 = 1000;

/// A request for one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageRequest {
    /// Starts at a point in time.
    Reset {
        /// Events per page, 1 to [`MAX_LIMIT`]; sent within these bounds.
        limit: u32,
        /// The oldest event time asked for.
        start: Timestamp,
        /// The newest event time asked for. Never for a chain that is to be followed: see the module's text.
        end: Option<Timestamp>,
    },
    /// Continues where a page ended.
    Continue {
        /// That page's cursor.
        cursor: Cursor,
    },
}

impl PageRequest {
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = match self {
            Self::Reset { limit, start, end } => {
                Body::Reset { limit: (*limit).clamp(1, MAX_LIMIT), start_time: *start, end_time: *end }
            }
            Self::Continue { cursor } => Body::Continue { cursor: cursor.as_str() },
        };
        serde_json::to_vec(&body).expect("numbers, times and texts are always JSON")
    }

    /// Where it begins in a feed that is paged by tokens. A cursor that is no place would be refused like a cursor of another feed.
    pub(crate) fn place(&self) -> Result<Place, Error> {
        match self {
            Self::Reset { limit, start, .. } => Ok(Place::begin(*start, (*limit).clamp(1, MAX_LIMIT))),
            Self::Continue { cursor } => Place::read(cursor).ok_or(Error::BadRequest),
        }
    }

    /// Asks for `place` in the query of `url`.
    pub(crate) fn write_query(&self, place: &Place, names: &Query, url: &mut Url) {
        let mut query = url.query_pairs_mut();
        match place.ask() {
            Ask::Token(token) => {
                query.append_pair(&names.token, token);
            }
            Ask::After { time, limit } => {
                query.append_pair(&names.limit, &limit.to_string()).append_pair(&names.start, &time.to_string());
                if let Self::Reset { end: Some(end), .. } = self {
                    query.append_pair(&names.end, &end.to_string());
                }
            }
        }
    }
}

/// The path of introspection.
pub(crate) const INTROSPECT: &str = "api/v2/auth/introspect";

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'cursor> {
    Reset {
        limit: u32,
        start_time: Timestamp,
        #[serde(skip_serializing_if = "Option::is_none")]
        end_time: Option<Timestamp>,
    },
    Continue {
        cursor: &'cursor str,
    },
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::Feed;
    use latchkey_core::feed::Definition;

    use super::*;

    fn check(request: &PageRequest, expect: &str) {
        assert_eq!(String::from_utf8(request.body()).unwrap(), expect);
    }

    #[test]
    fn a_reset_is_flat_and_a_continuation_is_the_cursor_alone() {
        let start = "2026-01-02T03:04:05.000000006Z".parse().unwrap();
        let end = Some("2026-01-03T00:00:00Z".parse().unwrap());
        check(
            &PageRequest::Reset { limit: 1000, start, end: None },
            r#"{"limit":1000,"start_time":"2026-01-02T03:04:05.000000006Z"}"#,
        );
        check(
            &PageRequest::Reset { limit: 5000, start, end },
            r#"{"limit":1000,"start_time":"2026-01-02T03:04:05.000000006Z","end_time":"2026-01-03T00:00:00Z"}"#,
        );
        check(&PageRequest::Continue { cursor: "a\"b".parse().unwrap() }, r#"{"cursor":"a\"b"}"#);
    }

    #[test]
    fn a_feed_of_tokens_is_asked_by_a_query() {
        let names = Definition::of(Feed::AuditEventsV3).query.as_ref().unwrap();
        let check = |request: &PageRequest, expect: &str| {
            let mut url: Url = "https://example.com/api".parse().unwrap();
            request.write_query(&request.place().unwrap(), names, &mut url);
            assert_eq!(url.query(), Some(expect));
        };
        let start = "2026-01-02T03:04:05Z".parse().unwrap();
        let end = Some("2026-01-03T00:00:00Z".parse().unwrap());
        // The moment itself does not belong to the answer, so the request begins a moment earlier.
        check(
            &PageRequest::Reset { limit: 5000, start, end: None },
            "max_page_size=1000&start_time=2026-01-02T03%3A04%3A04.999999999Z",
        );
        check(
            &PageRequest::Reset { limit: 10, start, end },
            "max_page_size=10&start_time=2026-01-02T03%3A04%3A04.999999999Z&end_time=2026-01-03T00%3A00%3A00Z",
        );
        let page = br#"{"audit_events":[],"next_page_token":"a+b/c="}"#;
        let page = latchkey_core::page::read(Feed::AuditEventsV3, page).unwrap();
        let place = Place::begin(start, 10).after(Definition::of(Feed::AuditEventsV3), &page, None, start).unwrap();
        check(&PageRequest::Continue { cursor: place.cursor().unwrap() }, "page_token=a%2Bb%2Fc%3D");
        let foreign = PageRequest::Continue { cursor: "cursor-of-another-feed".parse().unwrap() };
        assert!(matches!(foreign.place(), Err(Error::BadRequest)));
    }
}
