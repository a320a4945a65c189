//! The address a token is sent to.
//!
//! A token names its own host, and nobody but 1Password can tell whether it tells the truth: a forged or swapped token must not be
//! able to lead the request, and with it the secrets of the next rotation, to somebody else's server. So the address is one of
//! 1Password's own, or the one the operator wrote down.

use std::fmt;

use url::Url;

use crate::{Region, Token};

/// The audience of tokens made before they named their host.
const DEPRECATED_AUDIENCE: &str = "com.1password.streamingservice";

/// An address that may see the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    explicit: bool,
}

/// Why a token has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Two regions to choose from: sending to either could be wrong.
    #[error(
        "the token is for region {token} ({host}), but region {chosen} is configured: choose region {token}, or use a token of \
         an account in region {chosen}",
        host = token.host()
    )]
    RegionMismatch {
        /// What the token says.
        token: Region,
        /// What the operator says.
        chosen: Region,
    },
    /// The token does not say, and the operator did not either.
    #[error("the token does not name its region: choose us, us-enterprise, ca or eu")]
    RegionUnknown,
    /// The token names a host that is none of 1Password's.
    #[error(
        "the token is for host {host:?}, which is none of 1Password's: it is not sent there; check where the token comes from"
    )]
    HostNotAllowed {
        /// The host it names, cut to a readable length.
        host: String,
    },
    /// The explicit address cannot be used.
    #[error("the Events API address {reason}")]
    Unusable {
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Endpoint {
    /// The address for `token`: `explicit` if the operator gave one (a proxy, or a stand-in for tests), else the region's.
    ///
    /// The region is the one the token names. It must not contradict `region`, which alone decides where the token is silent or
    /// of the deprecated kind.
    pub fn for_token(token: &Token, region: Option<Region>, explicit: Option<Url>) -> Result<Self, Error> {
        if let Some(url) = explicit {
            return Self::explicit(url);
        }
        match (named_region(token)?, region) {
            (Some(token), Some(chosen)) if token != chosen => Err(Error::RegionMismatch { token, chosen }),
            (Some(region), _) | (None, Some(region)) => Ok(Self { base: base(region), explicit: false }),
            (None, None) => Err(Error::RegionUnknown),
        }
    }

    /// Whether the operator chose the address. Only then may it be plain HTTP.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// Whether the address is this very machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.base.host() {
            Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Whether requests go out unencrypted.
    pub(crate) fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// The full address of an API path such as `api/v2/signinattempts`.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        url
    }

    fn explicit(url: Url) -> Result<Self, Error> {
        let unusable = |reason| Err(Error::Unusable { reason });
        if !matches!(url.scheme(), "https" | "http") {
            return unusable("must begin with https:// (or http://, for a stand-in)");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return unusable("must not carry a user name or password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return unusable("must not carry a query or a fragment");
        }
        Ok(Self { base: url, explicit: true })
    }
}

impl Endpoint {
    /// The host's name or address, without the rest of the URL; empty if it has none.
    #[must_use]
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.base.as_str().trim_end_matches('/'))
    }
}

fn base(region: Region) -> Url {
    Url::parse(region.base_url()).expect("the regions' addresses are URLs")
}

/// The region a token names; `None` if it names no host at all.
fn named_region(token: &Token) -> Result<Option<Region>, Error> {
    match token.host() {
        None | Some(DEPRECATED_AUDIENCE) => Ok(None),
        Some(host) => match Region::from_host(host) {
            Some(region) => Ok(Some(region)),
            None => Err(Error::HostNotAllowed { host: host.chars().take(80).collect() }),
        },
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    fn token(audience: &Value) -> Token {
        let payload = URL_SAFE_NO_PAD.encode(json!({"aud": audience}).to_string());
        Token::parse(&format!("e30.{payload}.c2ln")).unwrap()
    }

    fn check(audience: &Value, region: Option<Region>, expect: &Result<&str, Error>) {
        let endpoint = Endpoint::for_token(&token(audience), region, None).map(|endpoint| endpoint.to_string());
        assert_eq!(endpoint.as_deref(), expect.as_deref(), "{audience} {region:?}");
    }

    #[test]
    fn the_token_and_the_operator_must_agree() {
        let eu = json!(["events.1password.eu"]);
        check(&eu, None, &Ok("https://events.1password.eu"));
        check(&eu, Some(Region::Eu), &Ok("https://events.1password.eu"));
        check(&eu, Some(Region::Us), &Err(Error::RegionMismatch { token: Region::Eu, chosen: Region::Us }));
        let enterprise = json!(["events.ent.1password.com"]);
        check(
            &enterprise,
            Some(Region::Us),
            &Err(Error::RegionMismatch { token: Region::UsEnterprise, chosen: Region::Us }),
        );
    }

    #[test]
    fn a_mismatch_names_both() {
        let text = Error::RegionMismatch { token: Region::Eu, chosen: Region::Us }.to_string();
        assert!(text.contains("region eu (events.1password.eu)") && text.contains("region us is configured"), "{text}");
    }

    #[test]
    fn a_silent_or_deprecated_token_needs_a_region() {
        for audience in [json!(null), json!([]), json!(["com.1password.streamingservice"])] {
            check(&audience, Some(Region::Ca), &Ok("https://events.1password.ca"));
            check(&audience, None, &Err(Error::RegionUnknown));
        }
    }

    #[test]
    fn a_token_cannot_lead_the_request_elsewhere() {
        for host in [
            "evil.example.com",
            "events.1password.com.example.com",
            "https://events.1password.com",
            "events.1password.com:444",
        ] {
            let expect = Err(Error::HostNotAllowed { host: host.into() });
            check(&json!([host]), None, &expect);
            check(&json!([host]), Some(Region::Us), &expect);
        }
    }

    #[test]
    fn the_operators_own_address_wins() {
        let explicit =
            |url: &str| Endpoint::for_token(&token(&json!(["evil.example.com"])), None, Some(url.parse().unwrap()));
        let endpoint = explicit("http://127.0.0.1:8080/proxy/").unwrap();
        assert!(endpoint.is_explicit() && endpoint.is_loopback());
        assert_eq!(endpoint.url("api/v2/auditevents").as_str(), "http://127.0.0.1:8080/proxy/api/v2/auditevents");
        assert!(explicit("https://[::1]:1").unwrap().is_loopback());
        assert!(!explicit("https://events.example.com").unwrap().is_loopback());
        for bad in
            ["ftp://example.com", "https://user:pw@example.com", "https://example.com?x=1", "https://example.com#x"]
        {
            assert!(matches!(explicit(bad), Err(Error::Unusable { .. })), "{bad}");
        }
    }
}
