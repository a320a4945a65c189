//! Request bodies of the page endpoints: a reset cursor or a continuing one, read strictly.
//!
//! The two forms exclude each other. A field too much is refused, because a collector that sends one has misunderstood the
//! API, and a stand-in that forgives teaches nothing.

use jiff::Timestamp;
use serde::Deserialize;

/// Events per page if a request does not say.
pub(crate) const DEFAULT_LIMIT: u16 = 100;

/// Events per page at most.
pub(crate) const MAX_LIMIT: u16 = 1000;

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PageRequest {
    /// Start at a moment.
    Reset { limit: u16, start: Option<Timestamp>, end: Option<Timestamp> },
    /// Go on after a cursor.
    Continue(String),
}

/// What is wrong with a body. Permanent: the same body is refused again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("the body is too long or incomplete")]
    Unread,
    #[error("the body is not a JSON object with the documented fields")]
    Malformed,
    #[error("limit must be between 1 and 1000")]
    Limit,
    #[error("the query has a parameter that version 3 does not know, or one that cannot be read")]
    Query,
    #[error("a cursor stands alone: limit, start_time and end_time travel inside it")]
    CursorWithOthers,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    cursor: Option<String>,
    limit: Option<i64>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
}

/// Reads a body, which is absent if it was too long or broke off.
pub(crate) fn parse(body: Option<&[u8]>) -> Result<PageRequest, Error> {
    let fields: Fields = serde_json::from_slice(body.ok_or(Error::Unread)?).map_err(|_| Error::Malformed)?;
    if let Some(cursor) = fields.cursor {
        let alone = fields.limit.is_none() && fields.start_time.is_none() && fields.end_time.is_none();
        return if alone { Ok(PageRequest::Continue(cursor)) } else { Err(Error::CursorWithOthers) };
    }
    let limit = match fields.limit.map(u16::try_from) {
        None => DEFAULT_LIMIT,
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => limit,
        Some(_) => return Err(Error::Limit),
    };
    Ok(PageRequest::Reset { limit, start: fields.start_time, end: fields.end_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_strictly() {
        let check =
            |body: &str, expect: Result<PageRequest, Error>| assert_eq!(parse(Some(body.as_bytes())), expect, "{body}");
        let reset = |limit| Ok(PageRequest::Reset { limit, start: None, end: None });
        check("{}", reset(100));
        check(r#"{"limit":1}"#, reset(1));
        check(r#"{"limit":1000}"#, reset(1000));
        check(r#"{"cursor":"abc"}"#, Ok(PageRequest::Continue("abc".into())));
        check(
            r#"{"start_time":"2026-01-01T00:00:00Z","end_time":"2026-01-02T01:00:00+01:00"}"#,
            Ok(PageRequest::Reset {
                limit: 100,
                start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                end: Some("2026-01-02T00:00:00Z".parse().unwrap()),
            }),
        );
        for body in [r#"{"limit":0}"#, r#"{"limit":-1}"#, r#"{"limit":1001}"#] {
            check(body, Err(Error::Limit));
        }
        check(r#"{"cursor":"abc","limit":10}"#, Err(Error::CursorWithOthers));
        for body in ["", "[]", "null", r#"{"limit":"10"}"#, r#"{"start_time":"yesterday"}"#, r#"{"page":1}"#] {
            check(body, Err(Error::Malformed));
        }
    }
}
