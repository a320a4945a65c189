//! Puts what the HTTP stack reports into this crate's words.
//!
//! The stack's own errors carry addresses and nest causes several layers deep; what leaves here carries neither.

use std::{error::Error as StdError, io};

use reqwest::{StatusCode, header::HeaderMap};

use crate::{Error, retry_after};

/// The longest text of a cause that is kept, in characters.
const MAX_REASON: usize = 300;

/// An answer whose status says no.
pub(super) fn of_status(status: StatusCode, headers: &HeaderMap) -> Error {
    match status.as_u16() {
        400 => Error::BadRequest,
        401 => Error::Unauthorized,
        403 => Error::Forbidden,
        404 => Error::NotFound,
        429 => Error::RateLimited { retry_after: retry_after::read(headers) },
        status @ (408 | 500..=599) => Error::Server { status, retry_after: retry_after::read(headers) },
        status => Error::Unexpected { status },
    }
}

/// No answer.
pub(super) fn of_request(error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        Error::Timeout
    } else if error.is_dns() {
        Error::Dns
    } else if let Some(tls) = cause::<rustls::Error>(error) {
        Error::Tls { reason: tls.to_string().chars().take(MAX_REASON).collect() }
    } else if error.is_connect() {
        Error::Connect { kind: cause::<io::Error>(error).map_or(io::ErrorKind::Other, io::Error::kind) }
    } else {
        // Connected, and then nothing, or half a head.
        Error::Body
    }
}

/// An answer that began and did not end.
pub(super) fn of_body(error: &reqwest::Error) -> Error {
    if error.is_timeout() { Error::Timeout } else { Error::Body }
}

/// No client.
pub(super) fn of_setup(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Error::Setup { reason: reason.chars().take(MAX_REASON).collect() }
}

/// The first error of type `E` among the causes, also where an I/O error wraps it.
fn cause<'error, E: StdError + 'static>(error: &'error (dyn StdError + 'static)) -> Option<&'error E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
