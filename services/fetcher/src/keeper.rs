//! Where a source's token is kept, and how it is read from there.

use std::{fs, path::PathBuf};

use secrecy::SecretString;

/// A token file holds one line; anything larger is another file.
const MAX_TOKEN_FILE: u64 = 64 << 10;

/// A place that has a token and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// A file, which may be replaced at any time.
    File(PathBuf),
    /// A variable of the environment, which stays as long as the process.
    Variable(String),
}

impl Keeper {
    /// The configuration key that names it.
    pub(crate) const fn key(&self) -> &'static str {
        match self {
            Self::File(_) => "token_file",
            Self::Variable(_) => "token_env",
        }
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
        }
    }
}
