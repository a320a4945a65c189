//! The simulator as a process: the account that is drained.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{arguments::Arguments, process::Process, programs::Programs};

/// Its first line says where it serves.
const START_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// A simulator that serves one account over HTTPS.
#[derive(Debug)]
pub(crate) struct StandIn {
    pub(crate) process: Process,
    pub(crate) url: String,
    pub(crate) token_file: PathBuf,
    pub(crate) ca_file: PathBuf,
    /// Tables with the names of its items, vaults and users.
    pub(crate) lookups: PathBuf,
}

impl StandIn {
    /// Starts it and waits until it serves.
    pub(crate) async fn start(programs: &Programs, arguments: &Arguments, directory: &Path) -> Result<Self> {
        let tokens = directory.join("tokens");
        let (lookups, ca_file) = (directory.join("lookups"), directory.join("ca.pem"));
        for made in [&tokens, &lookups] {
            fs::create_dir_all(made)?;
        }
        let mut command = programs.command("latchkey-simulator")?;
        command
            .args(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--profile", "bulk", "--events"])
            .arg(arguments.events_per_feed().to_string())
            .arg("--write-tokens")
            .arg(&tokens)
            .arg("--write-lookups")
            .arg(&lookups)
            .arg("--write-ca")
            .arg(&ca_file);
        let mut process = Process::start("simulator", command, directory)?;
        let deadline = Instant::now() + START_LIMIT;
        let url = loop {
            if let Some(url) = https_url(&process.log()) {
                break url;
            }
            ensure!(process.check()?, "the simulator ended at once");
            ensure!(Instant::now() < deadline, "the simulator has not started");
            tokio::time::sleep(POLL).await;
        };
        let token_file = fs::read_dir(&tokens)?.next().context("the simulator has written no token")??.path();
        Ok(Self { process, url, token_file, ca_file, lookups })
    }
}

/// The address in the simulator's first line, once that line is whole.
fn https_url(log: &str) -> Option<String> {
    let (first, _) = log.split_once('\n')?;
    first.split_ascii_whitespace().find(|word| word.starts_with("https://")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_a_whole_line() {
        let line = "latchkey-simulator 1 serves 1 account(s), seed 1, at http://127.0.0.1:1 and https://127.0.0.1:22";
        assert_eq!(https_url(line), None);
        assert_eq!(https_url(&format!("{line}\n  tokens")).as_deref(), Some("https://127.0.0.1:22"));
    }
}
