//! A server for tests: an empty store that vanishes with it.
//!
//! Tests run against what production runs against. Each test that asks gets a server of its own on a free port, so tests
//! neither meet nor wait for one another.

use std::ops::{Deref, DerefMut};

use tempfile::TempDir;

use super::{Error, ObtainOptions, Server, ServerOptions, obtain};

/// A [`Server`] whose store is a temporary directory. Dropping it, also by a panicking test, leaves no process and no file.
#[derive(Debug)]
pub struct Scratch {
    // Fields drop in this order: the server must be gone before its directory.
    server: Server,
    directory: TempDir,
}

impl Scratch {
    /// The directory that holds the store; a place for a test's other files too.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

impl Deref for Scratch {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// Starts a server for one test, fetching the binary at the first time ever on this machine.
pub async fn scratch() -> Result<Scratch, Error> {
    scratch_with(ServerOptions::MAX_PAYLOAD).await
}

/// The same for a test that is about the largest message, in bytes.
pub async fn scratch_with(max_payload: usize) -> Result<Scratch, Error> {
    let binary = obtain(ObtainOptions::default(), |_| {}).await?;
    let io = |source| Error::Io { what: "a temporary directory cannot be made", source };
    let directory = tempfile::Builder::new().prefix("latchkey-nats-").tempdir().map_err(io)?;
    let options = ServerOptions::new(binary, directory.path().join("nats"));
    let server = Server::start(ServerOptions { max_payload, ..options }).await?;
    Ok(Scratch { server, directory })
}
