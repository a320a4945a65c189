//! Whose budget it is, in a form that may be seen by anybody.

use std::fmt;

/// A digest of an account, or of a token whose account is not known: 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountKey(String);

impl AccountKey {
    /// The budget of an account, whatever its token.
    #[must_use]
    pub fn of_account(uuid: &str) -> Self {
        Self::digest("latchkey 2026 budget of an account", &uuid.to_ascii_uppercase())
    }

    /// The budget of a token. Tokens have hundreds of random bits, so nobody finds one from its digest.
    #[must_use]
    pub fn of_token(text: &str) -> Self {
        Self::digest("latchkey 2026 budget of a token", text.trim())
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn digest(context: &str, text: &str) -> Self {
        let digest = blake3::derive_key(context, text.as_bytes());
        let half = *digest.first_chunk().expect("a digest has 32 bytes");
        Self(format!("{:032x}", u128::from_be_bytes(half)))
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
