//! The output: a directory or an object store, where objects appear whole or not at all.
//!
//! Object stores make an object visible when its upload is complete; in a directory it is written beside its place and then
//! renamed into it. Errors and names shown here are free of keys: an address may carry some in its user or query part.

use std::{
    fmt, fs, io,
    path::{self, PathBuf},
    sync::Arc,
    time::Duration,
};

use object_store::{ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, path::Path};
use url::Url;

/// How long one object may take to be written or looked for. The store's client tries again by itself within that time.
const CALL_LIMIT: Duration = Duration::from_mins(5);

/// Whose variables are options of a store. Others are none of its business, though they may be called `TOKEN` or `REGION`.
const OPTION_PREFIXES: [&str; 3] = ["aws_", "google_", "azure_"];

/// Where objects are written.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    root: Path,
    /// The root as a directory, if it is one.
    directory: Option<PathBuf>,
    shown: String,
}

/// An output that cannot be used. Permanent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither a directory nor a URL that is understood.
    #[error("{shown}: {reason}; name a directory, or a URL with file, s3, gs or az")]
    Address {
        /// The address without secrets.
        shown: String,
        /// Why not.
        reason: String,
    },
    /// The directory cannot be made or written to.
    #[error("directory {}: {source}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// An object that could not be written, or not be looked for. Nothing of it is visible.
#[derive(Debug, thiserror::Error)]
#[error("object {name} in {shown}: {reason}")]
pub struct WriteError {
    name: String,
    shown: String,
    reason: String,
}

impl Store {
    /// Opens an output; `environment` holds the options of object stores under their usual names. With `fsync`, files survive power
    /// loss.
    pub fn open(
        output: &str,
        fsync: bool,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, OpenError> {
        if !output.contains("://") {
            return Self::open_directory(path::Path::new(output), fsync);
        }
        let invalid = |reason: String| OpenError::Address { shown: without_secrets(output), reason };
        let url = Url::parse(output).map_err(|error| invalid(error.to_string()))?;
        if url.scheme() == "file" {
            let directory = url.to_file_path().map_err(|()| invalid("not a path of this machine".into()))?;
            return Self::open_directory(&directory, fsync);
        }
        let options = environment
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .filter(|(name, _)| OPTION_PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
        let (objects, root) = object_store::parse_url_opts(&url, options)
            .map_err(|error| invalid(without_queries(&error.to_string())))?;
        Ok(Self { objects: objects.into(), root, directory: None, shown: without_secrets(output) })
    }

    /// A store opened by the caller.
    #[must_use]
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        let shown = objects.to_string();
        Self { objects, root: Path::default(), directory: None, shown }
    }

    /// Writes an object: whole, or not at all.
    pub(crate) async fn put(&self, name: &str, content: PutPayload) -> Result<(), WriteError> {
        let path = self.path(name);
        self.bounded(name, async { self.objects.put(&path, content).await.map(drop) }).await?;
        if let Some(directory) = &self.directory {
            forget(directory.join(name)).await;
        }
        Ok(())
    }

    /// Whether the object is there, hence whole.
    pub(crate) async fn holds(&self, name: &str) -> Result<bool, WriteError> {
        let path = self.path(name);
        let head = async {
            match self.objects.head(&path).await {
                Ok(_) => Ok(true),
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.bounded(name, head).await
    }

    /// Removes what a killed process left of this object beside its place. A directory only; elsewhere nothing is left.
    pub(crate) fn sweep(&self, name: &str) {
        let Some(place) = self.directory.as_ref().map(|directory| directory.join(name)) else { return };
        let Some((folder, file)) = place.parent().zip(place.file_name().and_then(|file| file.to_str())) else { return };
        // Leftovers do no harm; what cannot be read or removed stays.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let unfinished = entry.file_name().to_str().is_some_and(|other| {
                let number = other.strip_prefix(file).and_then(|rest| rest.strip_prefix('#'));
                number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
            });
            if unfinished {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn open_directory(directory: &path::Path, fsync: bool) -> Result<Self, OpenError> {
        let open = || {
            let absolute = path::absolute(directory)?;
            fs::create_dir_all(&absolute)?;
            // The one sure way to learn whether one may write is to write.
            drop(tempfile::tempfile_in(&absolute)?);
            let objects = LocalFileSystem::new_with_prefix(&absolute).map_err(io::Error::other)?;
            Ok((absolute, objects.with_fsync(fsync)))
        };
        let (absolute, objects) =
            open().map_err(|source| OpenError::Directory { directory: directory.to_owned(), source })?;
        let shown = absolute.display().to_string();
        Ok(Self { objects: Arc::new(objects), root: Path::default(), directory: Some(absolute), shown })
    }

    fn path(&self, name: &str) -> Path {
        self.root.parts().chain(Path::from(name).parts()).collect()
    }

    async fn bounded<T>(
        &self,
        name: &str,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, WriteError> {
        let failed = |reason| WriteError { name: name.into(), shown: self.shown.clone(), reason };
        match tokio::time::timeout(CALL_LIMIT, call).await {
            Ok(result) => result.map_err(|error| failed(without_queries(&error.to_string()))),
            Err(_) => Err(failed(format!("no answer within {} s", CALL_LIMIT.as_secs()))),
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for Store {
    /// Clients of object stores hold keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Store").field(&self.shown).finish()
    }
}

/// Lets the system drop its copy of a file that is safe on the disk.
///
/// Nobody reads a file at once that the next pages will follow in seconds, and keeping gigabytes of them costs what does get read its
/// place in memory. Each new file then takes the memory of the one before, which is several times quicker than fresh memory of a
/// virtual machine. Advice only: where it is not understood, nothing is lost.
async fn forget(file: PathBuf) {
    #[cfg(target_os = "linux")]
    let _ = tokio::task::spawn_blocking(move || {
        let advise = |file: fs::File| rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        fs::File::open(file).map(advise)
    })
    .await;
    #[cfg(not(target_os = "linux"))]
    drop(file);
}

/// An address without its user and query parts.
fn without_secrets(address: &str) -> String {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let authority_end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..authority_end].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host..])
        }
        None => address.to_owned(),
    }
}

/// A text without the queries of the addresses in it, where shared-access signatures stand, and without the server's answer at its end
/// (XML or JSON), which may repeat the request with its keys.
fn without_queries(text: &str) -> String {
    let text = text.split(['<', '{']).next().unwrap_or_default().trim_end_matches([' ', ':']);
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        inside = match character {
            '?' => true,
            _ if character.is_whitespace() || matches!(character, '"' | '\'' | ')' | '>' | ',') => false,
            _ => inside,
        };
        if !inside {
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(output: &str) -> Result<Store, OpenError> {
        latchkey_runtime::install_crypto();
        let environment =
            [("AWS_REGION", "eu-central-1"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key")];
        Store::open(output, false, environment.map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        assert_eq!(without_secrets("s3://key:secret@bucket/a/b?token=1"), "s3://bucket/a/b");
        assert_eq!(without_secrets("s3://bucket"), "s3://bucket");
        assert_eq!(without_secrets("./out"), "./out");
        assert_eq!(
            without_queries("error sending request for url (https://store.example.com/c/o?sig=secret&se=1): refused"),
            "error sending request for url (https://store.example.com/c/o): refused"
        );
        assert_eq!(
            without_queries(
                "Server returned non-2xx status code: 403 Forbidden: <?xml?><Error>x-amz-security-token:secret"
            ),
            "Server returned non-2xx status code: 403 Forbidden"
        );
    }

    #[test]
    fn what_is_no_output_is_refused_in_plain_words() {
        for (bad, word) in [("ftp://192.0.2.1/a", "s3"), ("s3://", "s3"), ("file://host/a", "path")] {
            let error = open(bad).unwrap_err().to_string();
            assert!(error.contains(word), "{bad}: {error}");
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = open(file.join("below").to_str().unwrap()).unwrap_err();
        assert!(matches!(error, OpenError::Directory { .. }), "{error}");
    }

    #[test]
    fn object_stores_open_without_being_spoken_to() {
        let store = open("s3://bucket/some/prefix").unwrap();
        assert_eq!(store.path("a/b.ndjson").as_ref(), "some/prefix/a/b.ndjson");
        assert!(!format!("{store:?} {store}").contains("key"));
    }

    #[tokio::test]
    async fn a_file_appears_whole_and_what_was_left_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        let root = Url::from_directory_path(directory.path()).unwrap();
        let store = Store::open(root.as_str(), true, []).unwrap();
        let name = "OnePassword.SignInAttempt/2026-01-02/1-2.ndjson";
        assert!(!store.holds(name).await.unwrap());
        let place = directory.path().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place.with_extension("ndjson#1"), "half").unwrap();
        fs::write(place.with_extension("ndjson#keep"), "mine").unwrap();
        store.sweep(name);
        store.put(name, "whole\n".into()).await.unwrap();
        assert!(store.holds(name).await.unwrap());
        let mut left: Vec<_> =
            fs::read_dir(place.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["1-2.ndjson", "1-2.ndjson#keep"]);
        assert_eq!(fs::read_to_string(place).unwrap(), "whole\n");
    }
}
