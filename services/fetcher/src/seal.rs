//! Tokens sealed to a key that only fetchers hold.
//!
//! The scheme is HPKE (RFC 9180) in its base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305. Whoever has the public key, the *recipient*, can
//! seal; only who has the secret key can open. A sealed token is bound to its source: moved to another one's place, it does not open. It
//! does not say who sealed it, so the right to write the place where it is kept is what keeps others from replacing it.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::X25519HkdfSha256, single_shot_open, single_shot_seal,
};
use latchkey_contracts::SourceId;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

type Kem = X25519HkdfSha256;
type PublicKey = <Kem as hpke::Kem>::PublicKey;
type PrivateKey = <Kem as hpke::Kem>::PrivateKey;

/// What the seal is for: one that something else has made with the same key does not open here.
const PURPOSE: &[u8] = b"latchkey sealed token v1";

const RECIPIENT: &str = "latchkey-recipient:";
const KEY: &str = "latchkey-token-key:";
const SEALED: &str = "latchkey-sealed-token:";

/// The largest sealed token, in characters. A token has 8 KiB at most.
pub const MAX_LENGTH: usize = 16 << 10;

/// The public key that tokens are sealed to: `latchkey-recipient:` and 43 characters of URL-safe base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient(PublicKey);

/// The secret key that opens what is sealed to its recipient: `latchkey-token-key:` and 43 characters of URL-safe base64. Wiped from memory
/// when it is dropped.
pub struct TokenKey {
    secret: PrivateKey,
    recipient: Recipient,
}

/// A text that is no key. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// A recipient has another form.
    #[error("no recipient: `latchkey source token-key` prints one, {RECIPIENT}…")]
    Recipient,
    /// A secret key has another form.
    #[error("no token key: `latchkey source token-key` makes one, {KEY}…")]
    Key,
}

/// Why a sealed token does not open. Says nothing of what is inside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// The value is something else.
    #[error("the value is no sealed token; `latchkey source seal` writes one")]
    NotSealed,
    /// None of the keys is the recipient's.
    #[error("it is sealed to another key than fetcher.token_key_file holds: to the recipient that begins with {0}")]
    OtherKey(String),
    /// Changed, or made for another source.
    #[error("it was changed, or sealed for another source")]
    Broken,
}

impl TokenKey {
    /// A new key, from the system's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        let (secret, public) = Kem::gen_keypair();
        Self { secret, recipient: Recipient(public) }
    }

    /// Reads a file of keys: one on each line, the newest first by habit; empty lines and those that begin with `#` are left out.
    pub fn read_all(text: &str) -> Result<Vec<Self>, InvalidKey> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::parse).collect()
    }

    /// The key as it is kept in a file.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        let bytes = Zeroizing::new(<[u8; 32]>::from(self.secret.to_bytes()));
        let text = Zeroizing::new(BASE64.encode(bytes.as_slice()));
        SecretString::from(format!("{KEY}{}", text.as_str()))
    }

    /// What is to be sealed to it.
    #[must_use]
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }
}

impl FromStr for TokenKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.trim().strip_prefix(KEY).ok_or(InvalidKey::Key)?;
        let bytes = Zeroizing::new(BASE64.decode(encoded).map_err(|_| InvalidKey::Key)?);
        let secret = PrivateKey::from_bytes(&bytes).map_err(|_| InvalidKey::Key)?;
        let recipient = Recipient(Kem::sk_to_pk(&secret));
        Ok(Self { secret, recipient })
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenKey").field("recipient", &self.recipient.to_string()).finish_non_exhaustive()
    }
}

impl Recipient {
    /// Seals a token for a source.
    #[must_use]
    pub fn seal(&self, source: &SourceId, token: &SecretString) -> String {
        let token = token.expose_secret().trim().as_bytes();
        let (encapsulated, closed) = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem>(
            &OpModeS::Base,
            &self.0,
            PURPOSE,
            token,
            source.as_str().as_bytes(),
        )
        .expect("a recipient that was read as one can be sealed to");
        let encapsulated = BASE64.encode(encapsulated.to_bytes());
        format!("{SEALED}{}.{encapsulated}.{}", self.hint(), BASE64.encode(closed))
    }

    /// Enough of it to tell one of a few from another.
    fn hint(&self) -> String {
        BASE64.encode(self.0.to_bytes()).chars().take(8).collect()
    }
}

impl FromStr for Recipient {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.trim().strip_prefix(RECIPIENT).ok_or(InvalidKey::Recipient)?;
        let bytes = BASE64.decode(encoded).map_err(|_| InvalidKey::Recipient)?;
        // Points of small order make a secret that everybody knows.
        let public = PublicKey::from_bytes(&bytes).map_err(|_| InvalidKey::Recipient)?;
        let probe = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Kem>(&OpModeS::Base, &public, PURPOSE, b"", b"");
        probe.map(|_| Self(public)).map_err(|_| InvalidKey::Recipient)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{RECIPIENT}{}", BASE64.encode(self.0.to_bytes()))
    }
}

/// Opens what was sealed for `source`, with whichever of the keys it was sealed to.
pub fn open(keys: &[TokenKey], source: &SourceId, sealed: &[u8]) -> Result<SecretString, Closed> {
    let (hint, encapsulated, closed) = parts(sealed).ok_or(Closed::NotSealed)?;
    let key = keys.iter().find(|key| key.recipient.hint() == hint).ok_or_else(|| Closed::OtherKey(hint.to_owned()))?;
    let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeR::Base,
        &key.secret,
        &encapsulated,
        PURPOSE,
        &closed,
        source.as_str().as_bytes(),
    );
    let opened = Zeroizing::new(opened.map_err(|_| Closed::Broken)?);
    str::from_utf8(&opened).map(SecretString::from).map_err(|_| Closed::Broken)
}

/// The recipient's hint, the encapsulated key, and what is closed.
fn parts(sealed: &[u8]) -> Option<(&str, <Kem as hpke::Kem>::EncappedKey, Vec<u8>)> {
    let text = str::from_utf8(sealed).ok().filter(|text| text.len() <= MAX_LENGTH)?;
    let mut parts = text.trim().strip_prefix(SEALED)?.split('.');
    let (hint, encapsulated, closed) = (parts.next()?, parts.next()?, parts.next()?);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if parts.next().is_some() || hint.len() != 8 || !hint.bytes().all(plain) {
        return None;
    }
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(&BASE64.decode(encapsulated).ok()?).ok()?;
    Some((hint, encapsulated, BASE64.decode(closed).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(id: &str) -> SourceId {
        id.parse().unwrap()
    }

    fn sealed(key: &TokenKey) -> String {
        key.recipient().seal(&source("acme"), &SecretString::from("a.token.text\n"))
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_source() {
        let (key, other) = (TokenKey::generate(), TokenKey::generate());
        let sealed = sealed(&key);
        assert!(!sealed.contains("token.text") && sealed.len() < MAX_LENGTH);
        let keys = [other, key];
        assert_eq!(open(&keys, &source("acme"), sealed.as_bytes()).unwrap().expose_secret(), "a.token.text");
        let swapped = open(&keys, &source("other"), sealed.as_bytes());
        assert_eq!(swapped.unwrap_err(), Closed::Broken);
        let hint: String = keys[1].recipient().to_string()[RECIPIENT.len()..].chars().take(8).collect();
        assert_eq!(open(&keys[..1], &source("acme"), sealed.as_bytes()).unwrap_err(), Closed::OtherKey(hint));
        // The same token never looks the same.
        assert_ne!(sealed, self::sealed(&keys[1]));
    }

    #[test]
    fn a_change_anywhere_is_noticed() {
        let key = [TokenKey::generate()];
        let sealed = sealed(&key[0]);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(open(&key, &source("acme"), &changed).is_err(), "at {at}");
            assert!(open(&key, &source("acme"), &sealed.as_bytes()[..at]).is_err(), "up to {at}");
        }
        for nonsense in
            ["", "eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "latchkey-sealed-token:a.b.c", "latchkey-sealed-token:........"]
        {
            assert_eq!(open(&key, &source("acme"), nonsense.as_bytes()).unwrap_err(), Closed::NotSealed, "{nonsense}");
        }
    }

    #[test]
    fn keys_read_back() {
        let key = TokenKey::generate();
        let text = format!(
            "# the new one\n{}\n\n{}\n",
            key.to_text().expose_secret(),
            TokenKey::generate().to_text().expose_secret()
        );
        let read = TokenKey::read_all(&text).unwrap();
        assert_eq!((read.len(), read[0].recipient()), (2, key.recipient()));
        assert_eq!(key.recipient().to_string().parse(), Ok(key.recipient().clone()));
        assert!(open(&read, &source("acme"), sealed(&key).as_bytes()).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let key = TokenKey::generate();
        let (secret, public) = (key.to_text(), key.recipient().to_string());
        for text in ["", "secret", &public, &secret.expose_secret()[..40]] {
            assert_eq!(TokenKey::read_all(&format!("{text} ")).map_or(0, |keys| keys.len()), 0, "{text}");
        }
        let zero = format!("{RECIPIENT}{}", BASE64.encode([0; 32]));
        for text in ["", "secret", secret.expose_secret(), &public[..40], &zero] {
            assert_eq!(text.parse::<Recipient>(), Err(InvalidKey::Recipient));
        }
        assert!(!format!("{key:?}").contains(&secret.expose_secret()[KEY.len()..]));
    }
}
