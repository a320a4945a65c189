//! Secrets are in files, and read for each attempt: one that is rotated is used at once.

use std::{fs, path::PathBuf};

use secrecy::SecretString;

use super::Failure;

/// A secret's file holds one line; anything larger is another file.
const MAX_BYTES: u64 = 16 << 10;

/// A file with one secret and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct SecretFile(PathBuf);

impl SecretFile {
    /// The file, which has to be readable from the start.
    pub(crate) fn new(path: PathBuf) -> Result<Self, Failure> {
        let file = Self(path);
        file.read()?;
        Ok(file)
    }

    /// The file is small and local.
    pub(crate) fn read(&self) -> Result<SecretString, Failure> {
        let unusable = |reason: &dyn ToString| Failure::Secret(format!("{}: {}", self.0.display(), reason.to_string()));
        let size = fs::metadata(&self.0).map_err(|error| unusable(&error))?.len();
        if size > MAX_BYTES {
            return Err(unusable(&"too large"));
        }
        let text = fs::read_to_string(&self.0).map_err(|error| unusable(&error))?;
        match text.trim() {
            "" => Err(unusable(&"empty")),
            secret if secret.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(secret.into()),
            _ => Err(unusable(&"not one word of plain characters")),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_is_one_word() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let read = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            SecretFile(path.clone()).read().map(|secret| secret.expose_secret().to_owned())
        };
        assert_eq!(read(b"s3cret\n").unwrap(), "s3cret");
        let too_large = vec![b'x'; 20_000];
        for (content, reason) in
            [(&b" \n"[..], "empty"), (b"two words", "not one word of plain characters"), (&too_large, "too large")]
        {
            let error = read(content).unwrap_err().to_string();
            assert_eq!(error, format!("the file cannot be used: {}: {reason}", path.display()));
        }
        assert!(SecretFile::new(directory.path().join("none")).is_err());
    }
}
