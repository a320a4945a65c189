//! Answers of the Events API, errors in the shapes its real clients have met.
//!
//! Three shapes of error occur in the wild (`{"status","message"}`, `{"Error":{"Message"}}`, no JSON at all), so the
//! stand-in uses all three; a collector must judge by the status.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use http::{HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimePrinter};
use serde_json::json;

use super::delivery::{self, Parcel};
use crate::{
    fault::{Delivery, RetryAfter},
    feed::Feed,
    world::World,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer before it is sent.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    content_type: HeaderValue,
    retry_after: Option<RetryAfter>,
    body: Bytes,
    pub(crate) served: Option<Served>,
}

/// The events in an answer, which count as served when it is sent.
pub(crate) struct Served {
    pub(crate) account: usize,
    pub(crate) feed: Feed,
    pub(crate) indexes: Vec<usize>,
}

/// How an answer shall be sent, beside what it says.
pub(crate) struct Manner {
    pub(crate) delivery: Delivery,
    pub(crate) accepts_gzip: bool,
    pub(crate) now: Timestamp,
}

impl Answer {
    /// A page or an introspection.
    pub(crate) fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, JSON, body.into())
    }

    /// The same answer with events that it serves.
    pub(crate) fn serving(self, served: Served) -> Self {
        Self { served: Some(served), ..self }
    }

    /// The request is wrong and stays wrong.
    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, JSON, spoken(message))
    }

    /// The token is missing, unknown, expired, or not meant for this feed: the real API tells these apart as little.
    pub(crate) fn unauthorized() -> Self {
        Self::status(StatusCode::UNAUTHORIZED, None)
    }

    /// Any other error. Gateways and proxies answer 404, 502 and 504, and not in JSON.
    pub(crate) fn status(status: StatusCode, retry_after: Option<RetryAfter>) -> Self {
        let message = status.canonical_reason().unwrap_or("error");
        let answer = match status {
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT | StatusCode::NOT_FOUND => Self::plain(status),
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => Self::new(status, JSON, spoken(message)),
            _ => Self::new(status, JSON, json!({"status": status.as_u16(), "message": message}).to_string().into()),
        };
        Self { retry_after, ..answer }
    }

    /// Nothing is served at this path, or not with this method.
    pub(crate) fn plain(status: StatusCode) -> Self {
        let message = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or("error"));
        Self::new(status, TEXT, message.into())
    }

    /// A web page where JSON is expected.
    pub(crate) fn html() -> Self {
        let page = "<!doctype html><html><head><title>Welcome</title></head><body>Please log in to the network.</body></html>\n";
        Self::new(StatusCode::OK, HTML, Bytes::from_static(page.as_bytes()))
    }

    /// Events that this answer will have served once it is sent in this manner.
    pub(crate) fn events(&self, delivery: Delivery) -> usize {
        self.served.as_ref().filter(|_| delivery.serves()).map_or(0, |served| served.indexes.len())
    }

    /// The answer as it goes out. What it serves is counted in the world: at once where the body leaves whole, and otherwise
    /// when its end is sent.
    pub(crate) fn send(self, manner: &Manner, world: &Arc<World>) -> Response {
        let Self { status, content_type, retry_after, body, served } = self;
        let Manner { delivery, now, .. } = *manner;
        let served = served.filter(|_| delivery.serves());
        let mut response = if delivery == Delivery::default() {
            if let Some(served) = &served {
                world.count(served);
            }
            let length = body.len();
            headed(Body::from(body), length, false)
        } else {
            let Parcel { steps, length, gzip } = delivery::pack(body, delivery, manner.accepts_gzip);
            let world = Arc::clone(world);
            let count = move || {
                if let Some(served) = served {
                    world.count(&served);
                }
            };
            headed(delivery::send(steps, count), length, gzip)
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        if let Some(retry_after) = retry_after {
            headers.insert(header::RETRY_AFTER, spell(retry_after, now));
        }
        if let Some(seconds) = delivery.date_skew {
            headers.insert(header::DATE, date(now, seconds));
        }
        response
    }

    fn new(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        Self { status, content_type, retry_after: None, body, served: None }
    }
}

fn headed(body: Body, length: usize, gzip: bool) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    if gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn spoken(message: &str) -> Bytes {
    json!({"Error": {"Message": message}}).to_string().into()
}

fn spell(retry_after: RetryAfter, now: Timestamp) -> HeaderValue {
    match retry_after {
        RetryAfter::Seconds(seconds) => seconds.into(),
        RetryAfter::DateIn(seconds) => date(now, i64::try_from(seconds).unwrap_or(i64::MAX)),
    }
}

/// The moment so many seconds from now, as HTTP writes dates.
fn date(now: Timestamp, seconds: i64) -> HeaderValue {
    let moment = now
        .saturating_add(SignedDuration::from_secs(seconds))
        .expect("a duration without calendar units always applies");
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap_or_default();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_spelt_as_http_wants_them() {
        let now = "2026-10-01T23:59:45Z".parse().unwrap();
        assert_eq!(spell(RetryAfter::Seconds(30), now), "30");
        assert_eq!(spell(RetryAfter::DateIn(30), now), "Fri, 02 Oct 2026 00:00:15 GMT");
        assert_eq!(date(now, -86_400), "Wed, 30 Sep 2026 23:59:45 GMT");
    }
}
