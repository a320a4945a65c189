//! A bearer token of the Events API, and what it says about itself.
//!
//! The token is a JWT that only 1Password can verify, so its claims are hints: good enough to pick a region, to warn of an expiry
//! and to recognise a token of another kind, never to decide where the token may be sent ([`crate::Endpoint`] does).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// A token with its claims. Its text never shows: `Debug` and `Display` of anything in this crate leave it out.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    claims: Claims,
}

/// What a token says about itself. All of it optional, none of it verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The host the token is for (`aud[0]`), without scheme. Deprecated tokens say `com.1password.streamingservice`.
    pub host: Option<String>,
    /// The feeds it may read, in 1Password's words: `signinattempts`, `itemusages`, `auditevents`.
    pub features: Option<Vec<String>>,
    /// From when on it is refused. Tokens may be made without an expiry.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub issued_at: Option<Timestamp>,
    /// The account it belongs to.
    pub account_uuid: Option<String>,
}

/// Why a text is not a token of the Events API. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing in it.
    #[error("the token is empty")]
    Empty,
    /// More than [`Token::MAX_LENGTH`].
    #[error("the token has {0} bytes; {max} are allowed: is it the right file?", max = Token::MAX_LENGTH)]
    TooLong(usize),
    /// White space inside.
    #[error("the token has white space inside: give the token alone, on one line")]
    NotAlone,
    /// Begins with `ops_`.
    #[error(
        "this is a service account token (ops_…): it reads vaults, not events; create an Events Reporting integration on \
         1Password.com under Integrations and use its bearer token"
    )]
    ServiceAccount,
    /// The audience is `com.1password.connect`.
    #[error(
        "this is a token of a 1Password Connect server: it reads vaults, not events; create an Events Reporting integration on \
         1Password.com under Integrations and use its bearer token"
    )]
    Connect,
    /// Not three parts of base64url with JSON in the second.
    #[error(
        "this is not a bearer token of 1Password's Events API: those are JSON Web Tokens, three long parts joined by dots"
    )]
    NotAJwt,
}

impl Token {
    /// The longest token, in bytes. Real ones have under 1,000; an HTTP header line must hold it.
    pub const MAX_LENGTH: usize = 8192;

    /// Reads a token as people store it: white space around it is left off.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(Error::TooLong(text.len()));
        }
        if text.contains(char::is_whitespace) {
            return Err(Error::NotAlone);
        }
        if text.starts_with("ops_") {
            return Err(Error::ServiceAccount);
        }
        let payload = Payload::read(text).ok_or(Error::NotAJwt)?;
        if payload.audience().any(|audience| audience == "com.1password.connect") {
            return Err(Error::Connect);
        }
        Ok(Self { secret: SecretString::from(text), claims: payload.claims() })
    }

    /// What the token says about itself.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The host the token names for itself.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.claims.host.as_deref()
    }

    /// From when on 1Password refuses it, where it says so.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.claims.expires_at
    }

    /// The token's text, for the `Authorization` header alone.
    pub(crate) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").field("secret", &"[REDACTED]").field("claims", &self.claims).finish()
    }
}

/// The claims as they stand in the token. A claim of an unexpected type is as good as absent.
struct Payload(Map<String, Value>);

impl Payload {
    fn read(token: &str) -> Option<Self> {
        let parts: Vec<_> = token.split('.').collect();
        let [header, payload, signature] = parts.as_slice() else { return None };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
        let object = |part: &str| serde_json::from_slice::<Map<String, Value>>(&decode(part)?).ok();
        object(header)?;
        decode(signature).filter(|signature| !signature.is_empty())?;
        object(payload).map(Self)
    }

    /// One text or a list of them (RFC 7519, section 4.1.3).
    fn audience(&self) -> impl Iterator<Item = &str> {
        let claim = self.0.get("aud");
        let listed = claim.and_then(Value::as_array).into_iter().flatten();
        claim.into_iter().chain(listed).filter_map(Value::as_str)
    }

    fn claims(&self) -> Claims {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = |values: &Value| Some(values.as_array()?.iter().filter_map(text).collect());
        Claims {
            host: self.audience().next().map(str::to_owned),
            features: self.0.get("1password.com/fts").and_then(texts),
            expires_at: self.0.get("exp").and_then(instant),
            issued_at: self.0.get("iat").and_then(instant),
            account_uuid: self.0.get("1password.com/auuid").and_then(text),
        }
    }
}

/// Seconds since 1970 (RFC 7519), possibly with a fraction.
fn instant(value: &Value) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are enough, and the cast saturates")]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests;
