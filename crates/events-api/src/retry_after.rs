//! Reads `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).

use std::time::Duration;

use jiff::Timestamp;
use latchkey_core::polling::MAX_RETRY_AFTER;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// How long to wait. A date is measured against the answer's own `Date`, so that this machine's clock does not matter; without
/// one it says nothing.
pub(crate) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let wait = date(headers, &RETRY_AFTER)?.duration_since(date(headers, &DATE)?);
        wait.try_into().unwrap_or(Duration::ZERO)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// A header that holds an HTTP date.
pub(crate) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    httpdate::parse_http_date(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(retry_after: &'static str, date: Option<&'static str>, expect: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        assert_eq!(read(&headers), expect.map(Duration::from_secs), "{retry_after}");
    }

    #[test]
    fn seconds_and_dates_are_read() {
        let noon = Some("Fri, 02 Jan 2026 12:00:00 GMT");
        check("0", None, Some(0));
        check(" 120 ", None, Some(120));
        check("Fri, 02 Jan 2026 12:00:30 GMT", noon, Some(30));
        check("Fri, 02 Jan 2026 11:00:00 GMT", noon, Some(0));
    }

    #[test]
    fn a_wait_is_at_most_an_hour() {
        check("999999999", None, Some(3600));
        check("Fri, 02 Jan 2037 12:00:30 GMT", Some("Fri, 02 Jan 2026 12:00:00 GMT"), Some(3600));
    }

    #[test]
    fn nonsense_says_nothing() {
        check("soon", None, None);
        check("-1", None, None);
        check("99999999999999999999999", None, None);
        check("Fri, 02 Jan 2026 12:00:30 GMT", None, None);
        assert_eq!(read(&HeaderMap::new()), None);
    }
}
