//! Bearer tokens shaped like 1Password's: a JWT whose claims name the host and the feeds.
//!
//! The signature is as long as an ES256 signature and means nothing: clients cannot verify the real one either, and this
//! server knows its tokens by heart. Tokens derive from the seed, so a restart accepts those handed out before.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{feed::Feed, random::Random, uuid};

/// What the server knows about a token.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// Index of the account.
    pub(crate) account: usize,
    pub(crate) features: Vec<Feed>,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    /// The token's own identifier, which introspection shows.
    pub(crate) id: String,
}

impl Grant {
    /// Whether the token is still good at this moment.
    pub(crate) fn lives(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// 1Password's names of the feeds the token reads.
    pub(crate) fn feature_names(&self) -> Vec<&'static str> {
        self.features.iter().map(|feed| feed.endpoint()).collect()
    }
}

/// A new token identifier.
pub(crate) fn new_id(random: &mut Random) -> String {
    uuid::lower(random)
}

/// Spells the token of a grant.
pub(crate) fn spell(grant: &Grant, audience: &str, account_uuid: Option<&str>, random: &mut Random) -> String {
    let header = json!({"alg": "ES256", "kid": uuid::lower(random), "typ": "JWT"});
    let mut claims = json!({
        "1password.com/fts": grant.feature_names(),
        "aud": [audience],
        "iat": grant.issued_at.as_second(),
        "iss": "com.1password.b5",
        "jti": grant.id,
        "sub": uuid::upper(random),
    });
    if let Some(account_uuid) = account_uuid {
        claims["1password.com/auuid"] = json!(account_uuid);
    }
    if let Some(expires_at) = grant.expires_at {
        claims["exp"] = json!(expires_at.as_second());
    }
    let signature: Vec<u8> = (0..8).flat_map(|_| random.next().to_be_bytes()).collect();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&header), part(&claims), BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_jwt_that_names_host_and_feeds() {
        let mut random = Random::of(&[1]);
        let grant = Grant {
            account: 0,
            features: vec![Feed::SignInAttempts, Feed::AuditEvents],
            issued_at: Timestamp::from_second(1_700_000_000).unwrap(),
            expires_at: Some(Timestamp::from_second(1_800_000_000).unwrap()),
            id: new_id(&mut random),
        };
        let token = spell(&grant, "events.1password.ca", Some("ACCOUNT"), &mut random);
        let parts: Vec<Vec<u8>> = token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[2].len(), 64);
        let claims: Value = serde_json::from_slice(&parts[1]).unwrap();
        assert_eq!(claims["aud"], json!(["events.1password.ca"]));
        assert_eq!(claims["1password.com/fts"], json!(["signinattempts", "auditevents"]));
        assert_eq!(claims["1password.com/auuid"], "ACCOUNT");
        assert_eq!(claims["exp"], 1_800_000_000);
        assert!(grant.lives(Timestamp::from_second(1_799_999_999).unwrap()));
        assert!(!grant.lives(Timestamp::from_second(1_800_000_000).unwrap()));
    }
}
