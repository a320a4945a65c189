//! The stand-in for 1Password as these tests use it: one account, all feeds, in this process.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use latchkey_simulator::{AccountConfig, Feed, Profile, Simulator, clock};

/// The account, and the name of its source.
pub const ACCOUNT: &str = "acme";

/// How many events count as much, and how many are added: many pages at the page limits of tests that kill.
const SAMPLE: usize = 2_000;

/// What an operator has of an account.
#[derive(Debug)]
pub struct AccountFiles {
    /// The file with the token.
    pub token: PathBuf,
    /// The directory with the lookup tables.
    pub lookups: PathBuf,
    /// The certificate of the authority behind HTTPS.
    pub ca: PathBuf,
}

/// A company with three weeks of events, some ten thousand a week times `factor`, of which the API shows some again.
pub async fn company(factor: f64) -> Result<Simulator> {
    let profile = Profile::Company { weeks: 3, until: clock::now(), factor };
    let account = AccountConfig { repeat_rate: 0.05, ..AccountConfig::new(ACCOUNT, profile) };
    Ok(Simulator::builder().seed(20).account(account).start().await?)
}

/// How many events of all feeds exist.
pub fn existing(simulator: &Simulator) -> Result<usize> {
    Feed::ALL.into_iter().try_fold(0, |sum, feed| Ok(sum + simulator.dataset(ACCOUNT, feed)?.len()))
}

/// Adds events to every feed of which nearly everything has been served, so that collecting does not come to its end.
pub fn keep_busy(simulator: &Simulator) -> Result<()> {
    for feed in Feed::ALL {
        let left = simulator.dataset(ACCOUNT, feed)?.len().saturating_sub(simulator.ledger(ACCOUNT, feed)?.len());
        if left < SAMPLE {
            simulator.append_sample(ACCOUNT, feed, SAMPLE)?;
        }
    }
    Ok(())
}

/// Writes the files of the account.
pub fn write_account(simulator: &Simulator, directory: &Path) -> Result<AccountFiles> {
    let (token, lookups, ca) = (directory.join("acme.token"), directory.join("lookups"), directory.join("ca.pem"));
    fs::write(&token, simulator.token(ACCOUNT)?)?;
    fs::create_dir_all(&lookups)?;
    let tables = simulator.lookups(ACCOUNT)?;
    fs::write(lookups.join("items.jsonl"), tables.items)?;
    fs::write(lookups.join("vaults.jsonl"), tables.vaults)?;
    fs::write(lookups.join("users.jsonl"), tables.users)?;
    fs::write(&ca, simulator.ca_pem())?;
    Ok(AccountFiles { token, lookups, ca })
}
