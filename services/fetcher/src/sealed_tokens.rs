//! The tokens of the bucket TOKENS, opened.
//!
//! Every fetcher with a key follows the bucket, so a token that is sealed anew is there before anybody asks for it. What does not open
//! takes nothing's place: the token before it stays, and why is remembered until something better comes.

use std::{
    collections::HashMap,
    fmt::Display,
    fs,
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use latchkey_bus::{BucketValue, Bus, Undecodable};
use latchkey_contracts::SourceId;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::seal::{self, TokenKey};

/// Opened tokens, by source. Clones share them.
#[derive(Clone)]
pub(crate) struct SealedTokens(Option<Arc<Inner>>);

struct Inner {
    bus: Bus,
    keys: Vec<TokenKey>,
    tokens: RwLock<HashMap<SourceId, Opened>>,
}

/// What is known of a source's sealed token.
#[derive(Default)]
struct Opened {
    sequence: u64,
    token: Option<SecretString>,
    /// Why the newest value is of no use.
    fault: Option<String>,
}

impl SealedTokens {
    /// For a fetcher without a key.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// For one with the keys in a file. What is wrong with it is said without a word of its content.
    pub(crate) fn open(bus: Bus, path: &Path) -> Result<Self, String> {
        let named = |what: &dyn Display| format!("{}: {what}", path.display());
        let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| named(&error))?;
        let keys = TokenKey::read_all(&text).map_err(|error| named(&error))?;
        if keys.is_empty() {
            return Err(named(&"there is no key in it; `latchkey source token-key` makes one"));
        }
        Ok(Self(Some(Arc::new(Inner { bus, keys, tokens: RwLock::default() }))))
    }

    /// Whether there is a key to open any.
    pub(crate) const fn has_keys(&self) -> bool {
        self.0.is_some()
    }

    /// The source's token, or why there is none.
    pub(crate) fn token(&self, source: &SourceId) -> Result<SecretString, String> {
        let Some(inner) = &self.0 else {
            return Err("this fetcher has no key to open it: set fetcher.token_key_file".into());
        };
        let tokens = inner.tokens.read().unwrap_or_else(PoisonError::into_inner);
        match tokens.get(source) {
            Some(Opened { token: Some(token), .. }) => Ok(token.clone()),
            Some(Opened { fault: Some(fault), .. }) => Err(fault.clone()),
            _ => Err(format!("the bucket TOKENS has none; write one with `latchkey source seal {source}`")),
        }
    }

    /// Why the newest value of the source is of no use, while an older one may be in use.
    pub(crate) fn fault(&self, source: &SourceId) -> Option<String> {
        let inner = self.0.as_ref()?;
        let tokens = inner.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.get(source).and_then(|opened| opened.fault.clone())
    }

    /// Takes in a value. Returns whether it is a token that can be used.
    pub(crate) fn take_in(&self, source: &SourceId, sequence: u64, value: Result<&BucketValue, &Undecodable>) -> bool {
        let Some(inner) = &self.0 else { return false };
        let read = match value.map(BucketValue::text) {
            Ok(Some(sealed)) => seal::open(&inner.keys, source, sealed).map(Some).map_err(|closed| closed.to_string()),
            Ok(None) => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        let mut tokens = inner.tokens.write().unwrap_or_else(PoisonError::into_inner);
        let opened = tokens.entry(source.clone()).or_default();
        // Looked up by itself while it was on its way.
        if sequence <= opened.sequence {
            return false;
        }
        opened.sequence = sequence;
        match read {
            Ok(token) => {
                opened.fault = None;
                opened.token = token;
                opened.token.is_some()
            }
            Err(fault) => {
                tracing::warn!(%source, reason = fault, "the sealed token cannot be opened; the one in use stays");
                opened.fault = Some(fault);
                false
            }
        }
    }

    /// Looks at the bucket itself: a token that was just written may still be on its way here.
    pub(crate) async fn look(&self, source: &SourceId) {
        let Some(inner) = &self.0 else { return };
        match inner.bus.token(source).await {
            Ok(Some(stored)) => {
                self.take_in(source, stored.sequence, Ok(&stored.message));
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%source, %error, "the bucket TOKENS cannot be read; the token in use stays"),
        }
    }
}
