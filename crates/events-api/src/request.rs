//! What is asked for a page.
//!
//! Two shapes that must not mix: a start in time with a limit, or a cursor and nothing else. Limit, start and end travel inside
//! the cursor, so a cursor born from a request with an end is bounded for ever.

use jiff::Timestamp;
use latchkey_contracts::Feed;
use latchkey_core::cursor::Cursor;
use serde::Serialize;

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
}

/// The path of a feed's pages.
pub(crate) const fn path(feed: Feed) -> &'static str {
    match feed {
        Feed::SignInAttempts => "api/v2/signinattempts",
        Feed::ItemUsages => "api/v2/itemusages",
        Feed::AuditEvents => "api/v2/auditevents",
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
}
