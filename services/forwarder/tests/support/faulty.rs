//! A store that fails on purpose.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result, path::Path,
};
use tokio::sync::Semaphore;

/// What goes wrong, and with which put, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It never begins, nor does one after it.
    HangBefore(usize),
    /// It is stored, but the answer never comes, nor does one after it begin.
    HangAfter(usize),
    /// It and all before it are refused.
    Refuse(usize),
}

/// A store with one fault.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    puts: AtomicUsize,
    struck: Semaphore,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fault: Fault) -> Arc<Self> {
        Arc::new(Self { inner, fault, puts: AtomicUsize::new(0), struck: Semaphore::new(0) })
    }

    /// Waits until the fault has come to pass.
    pub(crate) async fn struck(&self) {
        let struck = tokio::time::timeout(super::LIMIT, self.struck.acquire()).await;
        struck.expect("the fault has not struck in time").expect("the semaphore is never closed").forget();
    }

    async fn hang<T>(&self) -> T {
        self.struck.add_permits(1);
        std::future::pending().await
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "faulty {}", self.inner)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = self.puts.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            Fault::HangBefore(fault) if put >= fault => self.hang().await,
            Fault::HangAfter(fault) if put > fault => std::future::pending().await,
            Fault::HangAfter(fault) if put == fault => {
                self.inner.put_opts(location, payload, options).await?;
                self.hang().await
            }
            Fault::Refuse(fault) if put <= fault => {
                self.struck.add_permits(1);
                Err(object_store::Error::Generic { store: "faulty", source: "refused on purpose".into() })
            }
            Fault::HangBefore(_) | Fault::HangAfter(_) | Fault::Refuse(_) => {
                self.inner.put_opts(location, payload, options).await
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
