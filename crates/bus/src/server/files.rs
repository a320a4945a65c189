//! What a private server keeps in its store directory, beside the streams: configuration, token, lock.
//!
//! The directory holds people's sign-ins, and other users of the machine can reach a loopback port: so the files are private and
//! the server asks for a token that only the directory's owner can read. The token stays the same over restarts, so that a
//! client that reconnects is let in again.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::ServerOptions;

/// The most the server's log may grow before it is rotated, in bytes; two rotated files are kept.
const LOG_BYTES: u64 = 16 << 20;
/// What JetStream may store on disk. Every stream carries its own bound; the server's default of three quarters of the free disk
/// would refuse the streams' reservations on a small machine.
const STORE_BYTES: u64 = 1 << 40;

/// The paths inside of one store directory.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) directory: PathBuf,
    /// The server's log; it may lie elsewhere.
    pub(super) log: PathBuf,
}

impl Layout {
    /// Makes the directory, readable by its owner alone.
    pub(super) fn create(options: &ServerOptions) -> io::Result<Self> {
        fs::create_dir_all(&options.store_dir)?;
        fs::set_permissions(&options.store_dir, Permissions::from_mode(0o700))?;
        let directory = options.store_dir.canonicalize()?;
        let log = options.log_file.clone().unwrap_or_else(|| directory.join("nats-server.log"));
        Ok(Self { directory, log })
    }

    pub(super) fn configuration(&self) -> PathBuf {
        self.directory.join("nats-server.conf")
    }

    /// What the server says before it has opened its log.
    pub(super) fn complaints(&self) -> PathBuf {
        self.directory.join("nats-server.err")
    }

    /// Opens the lock file. Two files opened here exclude one another; descriptors inherited from one of them share its lock.
    pub(super) fn open_lock(&self) -> io::Result<File> {
        File::options().create(true).append(true).mode(0o600).open(self.directory.join("lock"))
    }

    pub(super) fn token_file(&self) -> PathBuf {
        self.directory.join("token")
    }

    /// The token of this directory, made at the first start.
    pub(super) fn token(&self) -> io::Result<SecretString> {
        let path = self.token_file();
        match fs::read_to_string(&path) {
            Ok(token) if token.len() == 64 => return Ok(token.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let token = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
        write_private(&path, token.as_bytes())?;
        Ok(token.into())
    }

    /// Writes the server's configuration, as JSON: nats-server reads it, and no path can break out of its quotes.
    pub(super) fn write_configuration(&self, options: &ServerOptions, token: &SecretString) -> io::Result<()> {
        let mut jetstream = json!({ "store_dir": self.directory, "max_file_store": STORE_BYTES });
        if options.sync_always {
            jetstream["sync_interval"] = "always".into();
        }
        let mut configuration = json!({
            "server_name": "latchkey",
            "listen": format!("127.0.0.1:{}", options.port.map_or(-1, i32::from)),
            "ports_file_dir": self.directory,
            "max_payload": options.max_payload,
            "authorization": { "token": token.expose_secret() },
            "jetstream": jetstream,
            "log_file": self.log,
            "logfile_size_limit": LOG_BYTES,
            "logfile_max_num": 3,
        });
        if let Some(port) = options.monitoring_port {
            configuration["http"] = format!("127.0.0.1:{port}").into();
        }
        write_private(&self.configuration(), &serde_json::to_vec_pretty(&configuration)?)
    }

    /// Removes what an earlier server wrote about its ports.
    pub(super) fn clear_ports(&self) -> io::Result<()> {
        for path in self.ports_files()? {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// Process id and address of the server, once it has written both.
    pub(super) fn ports(&self) -> io::Result<Option<(i32, String)>> {
        Ok(self.ports_files()?.iter().find_map(|path| {
            let pid = path.file_stem()?.to_str()?.rsplit_once('_')?.1.parse().ok()?;
            let ports: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
            let address = ports["nats"][0].as_str()?.strip_prefix("nats://")?.to_owned();
            Some((pid, address))
        }))
    }

    fn ports_files(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "ports") {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().create_new(true).write(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Binary, MINIMUM};

    fn layout(store_dir: PathBuf) -> Layout {
        let binary = Binary { path: "nats-server".into(), version: MINIMUM };
        Layout::create(&ServerOptions::new(binary, store_dir)).unwrap()
    }

    #[test]
    fn the_token_is_private_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let layout = layout(directory.path().join("store"));
        let token = layout.token().unwrap();
        assert_eq!(token.expose_secret().len(), 64);
        assert_eq!(layout.token().unwrap().expose_secret(), token.expose_secret());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&layout.directory.join("token")), 0o600);
        assert_eq!(mode(&layout.directory), 0o700);
    }

    #[test]
    fn ports_are_read_only_when_they_are_whole() {
        let directory = tempfile::tempdir().unwrap();
        let layout = layout(directory.path().to_owned());
        let path = layout.directory.join("nats-server_4711.ports");
        assert_eq!(layout.ports().unwrap(), None);
        fs::write(&path, r#"{"nats":["nats://127.0"#).unwrap();
        assert_eq!(layout.ports().unwrap(), None);
        fs::write(&path, r#"{"nats":["nats://127.0.0.1:4222"]}"#).unwrap();
        assert_eq!(layout.ports().unwrap(), Some((4711, "127.0.0.1:4222".into())));
        layout.clear_ports().unwrap();
        assert!(!path.exists());
    }
}
