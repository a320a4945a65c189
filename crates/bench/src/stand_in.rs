//! The simulator as a process.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{process::Process, programs::Programs};

/// Its first line says where it serves.
const START_LIMIT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// A simulator that serves accounts over HTTPS.
#[derive(Debug)]
pub(crate) struct StandIn {
    pub(crate) process: Process,
    pub(crate) url: String,
    /// Where it is steered.
    pub(crate) plain_url: String,
    tokens: PathBuf,
    pub(crate) ca_file: PathBuf,
    /// Tables with the names of its items, vaults and users.
    pub(crate) lookups: PathBuf,
}

impl StandIn {
    /// Starts it with accounts as `serve` says, and waits until it serves.
    pub(crate) async fn start(programs: &Programs, serve: &[&str], directory: &Path) -> Result<Self> {
        let tokens = directory.join("tokens");
        let (lookups, ca_file) = (directory.join("lookups"), directory.join("ca.pem"));
        for made in [&tokens, &lookups] {
            fs::create_dir_all(made)?;
        }
        let mut command = programs.command("latchkey-simulator")?;
        command
            .args(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"])
            .args(serve)
            .arg("--write-tokens")
            .arg(&tokens)
            .arg("--write-lookups")
            .arg(&lookups)
            .arg("--write-ca")
            .arg(&ca_file);
        let mut process = Process::start("simulator", command, directory)?;
        let deadline = Instant::now() + START_LIMIT;
        let (plain_url, url) = loop {
            if let Some(urls) = urls(&process.log()) {
                break urls;
            }
            ensure!(process.check()?, "the simulator ended at once");
            ensure!(Instant::now() < deadline, "the simulator has not started");
            tokio::time::sleep(POLL).await;
        };
        Ok(Self { process, url, plain_url, tokens, ca_file, lookups })
    }

    /// The file with an account's token. The first account has the number 1.
    pub(crate) fn token_file(&self, account: usize) -> PathBuf {
        self.tokens.join(format!("account-{account}.token"))
    }
}

/// The addresses in the simulator's first line, plain and secure, once that line is whole.
fn urls(log: &str) -> Option<(String, String)> {
    let (first, _) = log.split_once('\n')?;
    let url = |scheme| first.split_ascii_whitespace().find(|word| word.starts_with(scheme)).map(str::to_owned);
    Some((url("http://")?, url("https://")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_read_from_a_whole_line() {
        let line = "latchkey-simulator 1 serves 1 account(s), seed 1, at http://127.0.0.1:1 and https://127.0.0.1:22";
        assert_eq!(urls(line), None);
        let expect = ("http://127.0.0.1:1".to_owned(), "https://127.0.0.1:22".to_owned());
        assert_eq!(urls(&format!("{line}\n  tokens")), Some(expect));
    }
}
