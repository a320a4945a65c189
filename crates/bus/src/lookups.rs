//! Lookup tables in NATS: files in an object store, each replaced as a whole.
//!
//! A reader sees the old file or the new one. One that is replaced while it is read fails to be read, and is there at the next try.

use std::time::Duration;

use async_nats::jetstream::object_store::{GetErrorKind, InfoErrorKind, ObjectMetadata, ObjectStore};
use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use latchkey_contracts::topology::LOOKUPS;
use tokio::{io::AsyncReadExt, time::timeout};

use crate::{connect::Bus, error::Error, stored::timestamp};

/// The most files that are listed.
const MAX_FILES: usize = 1_000;

/// Bound of listing the files, and of removing one.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Bound of reading or writing one file. A file whose pieces are removed while it is read would never end.
const TRANSFER_TIMEOUT: Duration = Duration::from_mins(5);

const REMOVING: &str = "removing a lookup table";

/// A file of the bucket, without its content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookupFile {
    /// Its name: `items.jsonl`.
    pub name: String,
    /// Its content's hash, as the client that put it there says.
    pub digest: Option<String>,
    /// Its length in bytes.
    pub size: u64,
    /// When it was put there.
    pub modified: Option<Timestamp>,
}

impl Bus {
    /// The files with lookup tables and their definitions, by name.
    pub async fn lookup_files(&self) -> Result<Vec<LookupFile>, Error> {
        let listing = async {
            let list = self.lookups().await?.list().await.map_err(|error| failed("listing lookup tables", &error))?;
            let files: Vec<_> = list.try_collect().await.map_err(|error| failed("listing lookup tables", &error))?;
            Ok(files)
        };
        let found = within(LIST_TIMEOUT, "listing lookup tables", listing).await?;
        if found.len() > MAX_FILES {
            return Err(Error::Settings(format!("bucket {} holds more than {MAX_FILES} files", LOOKUPS.name)));
        }
        let file = |info: async_nats::jetstream::object_store::ObjectInfo| LookupFile {
            name: info.name,
            digest: info.digest,
            size: info.size as u64,
            modified: info.modified.map(timestamp),
        };
        let mut files: Vec<_> = found.into_iter().map(file).collect();
        files.sort_unstable();
        Ok(files)
    }

    /// A file's content; `None` if it is no longer as listed. The hash is checked.
    pub async fn lookup_file(&self, file: &LookupFile) -> Result<Option<Bytes>, Error> {
        let reading = async {
            let mut object = match self.lookups().await?.get(&file.name).await {
                Ok(object) => object,
                Err(error) if error.kind() == GetErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(failed("reading a lookup table", &error)),
            };
            let info = object.info();
            if info.digest != file.digest || info.size as u64 != file.size {
                return Ok(None);
            }
            // Bounded by what the caller knows and accepts.
            let mut content = Vec::with_capacity(info.size);
            let read = object.read_to_end(&mut content).await;
            read.map_err(|error| failed("reading a lookup table", &error))?;
            Ok(Some(content.into()))
        };
        within(TRANSFER_TIMEOUT, "reading a lookup table", reading).await
    }

    /// Puts a file there, in the place of one of the same name.
    pub async fn put_lookup_file(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let mut content = content;
        let writing = async {
            let metadata = ObjectMetadata { name: name.into(), ..ObjectMetadata::default() };
            let put = self.lookups().await?.put(metadata, &mut content).await;
            put.map(|_| ()).map_err(|error| failed("storing a lookup table", &error))
        };
        within(TRANSFER_TIMEOUT, "storing a lookup table", writing).await
    }

    /// Removes a file; says whether there was one.
    pub async fn delete_lookup_file(&self, name: &str) -> Result<bool, Error> {
        let removing = async {
            let bucket = self.lookups().await?;
            match bucket.info(name).await {
                // What was removed before leaves a mark.
                Ok(info) if info.deleted => Ok(false),
                Ok(_) => bucket.delete(name).await.map(|()| true).map_err(|error| failed(REMOVING, &error)),
                Err(error) if error.kind() == InfoErrorKind::NotFound => Ok(false),
                Err(error) => Err(failed(REMOVING, &error)),
            }
        };
        within(LIST_TIMEOUT, REMOVING, removing).await
    }

    async fn lookups(&self) -> Result<ObjectStore, Error> {
        let bucket = self.jetstream.get_object_store(LOOKUPS.name).await;
        bucket.map_err(|error| failed("opening the lookup tables", &error))
    }
}

fn failed(action: &'static str, error: &dyn std::fmt::Display) -> Error {
    Error::unavailable(action, error)
}

async fn within<T>(
    bound: Duration,
    action: &'static str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(bound, work).await.unwrap_or_else(|_| Err(Error::unavailable(action, "no end within the time-out")))
}
