//! Where a source's token is kept, and how it is read from there.

use std::{fs, path::PathBuf};

use latchkey_contracts::SourceId;
use secrecy::SecretString;

use crate::sealed_tokens::SealedTokens;

/// A token file holds one line; anything larger is another file.
const MAX_TOKEN_FILE: u64 = 64 << 10;

/// A place that has a token and nothing else.
#[derive(Clone)]
pub(crate) enum Keeper {
    /// A file, which may be replaced at any time.
    File(PathBuf),
    /// A variable of the environment, which stays as long as the process.
    Variable(String),
    /// The bucket TOKENS, where it is sealed.
    Sealed(SourceId, SealedTokens),
}

impl Keeper {
    /// The configuration key that names it.
    pub(crate) const fn key(&self) -> &'static str {
        match self {
            Self::File(_) => "token_file",
            Self::Variable(_) => "token_env",
            Self::Sealed(..) => "token_sealed",
        }
    }

    /// Whether reading it is a look into memory.
    pub(crate) const fn is_at_hand(&self) -> bool {
        matches!(self, Self::Sealed(..))
    }

    /// Its text as it stands there. Blocks for as long as the file system does.
    pub(crate) fn read(&self) -> Result<SecretString, String> {
        match self {
            Self::File(path) => {
                let unreadable = |error: std::io::Error| format!("{}: {error}", path.display());
                if fs::metadata(path).map_err(unreadable)?.len() > MAX_TOKEN_FILE {
                    return Err(format!("{} is too large for a token", path.display()));
                }
                fs::read_to_string(path).map(SecretString::from).map_err(unreadable)
            }
            Self::Variable(name) => {
                std::env::var(name).map(SecretString::from).map_err(|_| format!("{name} is not set, or is no text"))
            }
            Self::Sealed(source, tokens) => tokens.token(source),
        }
    }

    /// Why what was put there last cannot even be read, while an older token may be in use.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::Sealed(source, tokens) => tokens.fault(source),
            Self::File(_) | Self::Variable(_) => None,
        }
    }

    /// Makes sure that reading gives what is there at this moment.
    pub(crate) async fn look(&self) {
        if let Self::Sealed(source, tokens) = self {
            tokens.look(source).await;
        }
    }
}
