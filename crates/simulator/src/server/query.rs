//! Queries of version 3, which is asked by GET: `max_page_size`, `start_time`, `end_time`, `page_token`.
//!
//! Version 3 is a beta that has changed before. A token carries its window and size as a cursor does; times beside it are refused, and a
//! size beside it means nothing.

use axum::extract::Query;
use http::Uri;
use jiff::Timestamp;
use serde::Deserialize;

use super::body::{DEFAULT_LIMIT, Error, MAX_LIMIT, PageRequest};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    max_page_size: Option<u16>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    page_token: Option<String>,
}

/// Reads a query.
pub(crate) fn parse(uri: &Uri) -> Result<PageRequest, Error> {
    let Query(fields) = Query::<Fields>::try_from_uri(uri).map_err(|_| Error::Query)?;
    if let Some(token) = fields.page_token {
        if fields.start_time.is_some() || fields.end_time.is_some() {
            return Err(Error::CursorWithOthers);
        }
        return Ok(PageRequest::Continue(token));
    }
    let limit = fields.max_page_size.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::Limit);
    }
    Ok(PageRequest::Reset { limit, start: fields.start_time, end: fields.end_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_strictly() {
        let check = |query: &str, expect: Result<PageRequest, Error>| {
            let uri: Uri = format!("/api/v3/auditevents{query}").parse().unwrap();
            assert_eq!(parse(&uri), expect, "{query}");
        };
        let reset = |limit, start: Option<&str>| {
            Ok(PageRequest::Reset { limit, start: start.map(|text| text.parse().unwrap()), end: None })
        };
        check("", reset(100, None));
        check("?max_page_size=1000", reset(1000, None));
        check("?start_time=2026-01-01T00%3A00%3A00Z", reset(100, Some("2026-01-01T00:00:00Z")));
        check("?page_token=abc&max_page_size=10", Ok(PageRequest::Continue("abc".into())));
        check("?page_token=abc&start_time=2026-01-01T00%3A00%3A00Z", Err(Error::CursorWithOthers));
        check("?max_page_size=1001", Err(Error::Limit));
        check("?max_page_size=many", Err(Error::Query));
        check("?limit=10", Err(Error::Query));
    }
}
