//! Answers of the Events API, errors in the shapes its real clients have met.
//!
//! Three shapes of error occur in the wild (`{"status","message"}`, `{"Error":{"Message"}}`, no JSON at all), so the
//! stand-in uses all three; a collector must judge by the status.

use axum::{
    body::{Body, Bytes},
    response::Response,
};
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer before it is sent.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Events in it.
    pub(crate) events: usize,
    content_type: HeaderValue,
    retry_after: Option<u64>,
    body: Bytes,
    truncated: bool,
}

impl Answer {
    /// A page or an introspection.
    pub(crate) fn ok(body: impl Into<Bytes>, events: usize) -> Self {
        Self { events, ..Self::new(StatusCode::OK, JSON, body.into()) }
    }

    /// The request is wrong and stays wrong.
    pub(crate) fn bad_request(message: &str) -> Self {
        let body = json!({"Error": {"Message": message}});
        Self::new(StatusCode::BAD_REQUEST, JSON, body.to_string().into())
    }

    /// The token is missing, unknown, expired, or not meant for this feed: the real API tells these apart as little.
    pub(crate) fn unauthorized() -> Self {
        Self::status(StatusCode::UNAUTHORIZED, None)
    }

    /// Any other error.
    pub(crate) fn status(status: StatusCode, retry_after: Option<u64>) -> Self {
        let message = status.canonical_reason().unwrap_or("error");
        let body = json!({"status": status.as_u16(), "message": message});
        Self { retry_after, ..Self::new(status, JSON, body.to_string().into()) }
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

    /// The same answer, of which only the first half of the body arrives.
    pub(crate) fn truncated(self) -> Self {
        Self { events: 0, truncated: true, ..self }
    }

    fn new(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        Self { status, events: 0, content_type, retry_after: None, body, truncated: false }
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let length = answer.body.len();
        let body = if answer.truncated { broken_off(&answer.body) } else { Body::from(answer.body) };
        let mut response = Self::new(body);
        *response.status_mut() = answer.status;
        response.headers_mut().insert(header::CONTENT_TYPE, answer.content_type);
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        if let Some(seconds) = answer.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

fn broken_off(body: &Bytes) -> Body {
    let half = Ok(body.slice(..body.len() / 2));
    let broken = Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted));
    Body::from_stream(stream::iter([half, broken]))
}
