//! What the API says about a token.

use jiff::Timestamp;
use latchkey_contracts::Feed;
use latchkey_core::feed::Definition;
use serde::Deserialize;

use crate::Error;

/// The answer to introspection. A failing one means "unknown", never "denied"; no expiry is in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Introspection {
    /// The token's own id.
    #[serde(default, alias = "UUID")]
    pub uuid: Option<String>,
    /// When the token was made.
    #[serde(default, alias = "IssuedAt")]
    pub issued_at: Option<Timestamp>,
    /// What it may read, in 1Password's words: `signinattempts`, `itemusages`, `auditevents`.
    #[serde(alias = "Features")]
    pub features: Vec<String>,
    /// The account it belongs to.
    #[serde(default)]
    pub account_uuid: Option<String>,
}

impl Introspection {
    /// Whether the token may read `feed`.
    #[must_use]
    pub fn allows(&self, feed: Feed) -> bool {
        let scope = &Definition::of(feed).scope;
        self.features.iter().any(|had| had == scope)
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(body).map_err(|_| Error::NotAnIntrospection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_read() {
        let v1 = br#"{"UUID":"U","IssuedAt":"2026-01-02T03:04:05Z","Features":["itemusages"]}"#;
        let v2 = br#"{"uuid":"U","issued_at":"2026-01-02T03:04:05Z","features":["itemusages"],"account_uuid":"A"}"#;
        let expect = Introspection {
            uuid: Some("U".into()),
            issued_at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
            features: vec!["itemusages".into()],
            account_uuid: None,
        };
        assert_eq!(Introspection::read(v1).unwrap(), expect);
        assert_eq!(
            Introspection::read(v2).unwrap(),
            Introspection { account_uuid: Some("A".into()), ..expect.clone() }
        );
        assert!(expect.allows(Feed::ItemUsages));
        assert!(!expect.allows(Feed::AuditEvents) && !expect.allows(Feed::AuditEventsV3));
    }

    #[test]
    fn anything_else_says_nothing() {
        for body in ["", "<html>", "[]", "{}", r#"{"features":"all"}"#, r#"{"Error":{"Message":"no"}}"#] {
            assert!(matches!(Introspection::read(body.as_bytes()), Err(Error::NotAnIntrospection)), "{body}");
        }
    }
}
