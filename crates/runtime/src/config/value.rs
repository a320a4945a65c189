//! Kinds of values that configuration keys share.

use jiff::SignedDuration;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};
use std::fmt;

/// A list, or one string with commas.
pub(super) struct OneOrMany(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Strings;
        impl<'de> Visitor<'de> for Strings {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Ok(OneOrMany(parts.map(str::to_owned).collect()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = list.next_element()? {
                    parts.push(part);
                }
                Ok(OneOrMany(parts))
            }
        }
        deserializer.deserialize_any(Strings)
    }
}

/// Writes a duration as it is written by hand: `20s`.
pub(super) fn show_duration<S: Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{duration:#}"))
}

/// A URL without its user and password.
pub(super) fn without_userinfo(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.find('/').unwrap_or(rest.len());
    let host = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[host..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_struck_out() {
        #[track_caller]
        fn check(url: &str, shown: &str) {
            assert_eq!(without_userinfo(url), shown);
        }
        check("nats://192.0.2.1:4222", "nats://192.0.2.1:4222");
        check("nats://user:secret@nats.example.com:4222", "nats://nats.example.com:4222");
        check("nats://secret@nats.example.com", "nats://nats.example.com");
        check("tls://user:p@ss@nats.example.com/path@x", "tls://nats.example.com/path@x");
    }
}
