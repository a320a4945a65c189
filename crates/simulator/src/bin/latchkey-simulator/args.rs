//! The program's arguments, and the accounts they describe.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Parser, ValueEnum};
use jiff::Timestamp;
use latchkey_simulator::{AccountConfig, Profile, RateLimits};

/// A stand-in for 1Password's Events API: serves invented events to any collector.
///
/// The same seed and arguments give the same accounts, tokens and events every time; give --until as well to fix the time
/// they span.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Address to serve HTTP on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8790")]
    pub(crate) listen: SocketAddr,

    /// Address to serve HTTPS on, with a certificate made for this run.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8791")]
    pub(crate) tls_listen: SocketAddr,

    /// Further host name for the certificate (repeatable); this machine's loopback names are always in it.
    #[arg(long = "tls-name", value_name = "HOST")]
    pub(crate) tls_names: Vec<String>,

    /// Seed of all content.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Number of accounts, named account-1, account-2, …
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) accounts: u32,

    /// What the feeds hold at the start.
    #[arg(long, value_enum, default_value_t = ProfileName::Company)]
    profile: ProfileName,

    /// Length of a company's history, 1 to 17.
    #[arg(long, value_name = "N", default_value_t = 3)]
    weeks: u32,

    /// Multiplies a company's activity (1 is some ten thousand events a week).
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    factor: f64,

    /// Events per feed of the bulk profile.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: u64,

    /// When the last event arrives; now if absent. A moment in the future gives feeds that grow.
    #[arg(long, value_name = "RFC3339")]
    until: Option<Timestamp>,

    /// Share of events that the API shows again, as the real one does now and then (0 to 1).
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    repeat_rate: f64,

    /// Enforce 1Password's rate limits: 600 requests a minute and 30,000 an hour for each account.
    #[arg(long)]
    rate_limits: bool,

    /// Host in the tokens' `aud` claim.
    #[arg(long, value_name = "HOST", default_value = "events.1password.com")]
    audience: String,

    /// Write each account's token to DIR/<account>.token (mode 0600).
    #[arg(long, value_name = "DIR")]
    pub(crate) write_tokens: Option<PathBuf>,

    /// Write items.jsonl, vaults.jsonl and users.jsonl, which name the identifiers in the events, to DIR.
    #[arg(long, value_name = "DIR")]
    pub(crate) write_lookups: Option<PathBuf>,

    /// Write the certificate of the authority behind the HTTPS certificate to FILE.
    #[arg(long, value_name = "FILE")]
    pub(crate) write_ca: Option<PathBuf>,

    /// Only write the lookup tables, and serve nothing.
    #[arg(long, requires = "write_lookups")]
    pub(crate) lookups_only: bool,
}

const EXAMPLES: &str = "\
Examples:
  Three weeks of a small company, with its token and certificate in files:
    latchkey-simulator --write-tokens ./tokens --write-ca ./ca.pem --write-lookups ./lookups

  A page of it:
    curl -H \"Authorization: Bearer $(cat ./tokens/account-1.token)\" -d '{\"limit\":3,\"start_time\":\"2020-01-01T00:00:00Z\"}' \\
      http://127.0.0.1:8790/api/v2/signinattempts

  A million events in each feed, for measuring a collector:
    latchkey-simulator --profile bulk --events 1000000

While it runs, /_simulator/ledger, /_simulator/dataset (both ?account=NAME&feed=sign_in_attempts|item_usages|audit_events),
/_simulator/requests, /_simulator/accounts and /_simulator/ca.pem tell what was served, what exists and who asked.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProfileName {
    /// Forty people with office hours, failed sign-ins, exports and late arrivals.
    Company,
    /// Many events in little memory.
    Bulk,
    /// Nothing.
    Empty,
}

impl Args {
    /// The accounts to serve.
    pub(crate) fn account_configs(&self, now: Timestamp) -> Vec<AccountConfig> {
        let until = self.until.unwrap_or(now);
        let profile = match self.profile {
            ProfileName::Company => Profile::Company { weeks: self.weeks, until, factor: self.factor },
            ProfileName::Bulk => Profile::Bulk { events_per_feed: self.events, until },
            ProfileName::Empty => Profile::Empty,
        };
        let account = |number| AccountConfig {
            repeat_rate: self.repeat_rate,
            rate_limits: self.rate_limits.then(RateLimits::default),
            audience: self.audience.clone(),
            ..AccountConfig::new(format!("account-{number}"), profile.clone())
        };
        (1..=self.accounts).map(account).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
        let args = Args::parse_from(["latchkey-simulator", "--accounts", "2", "--profile", "empty", "--rate-limits"]);
        let accounts = args.account_configs(Timestamp::UNIX_EPOCH);
        assert_eq!(
            accounts.iter().map(|account| account.name.as_str()).collect::<Vec<_>>(),
            ["account-1", "account-2"]
        );
        assert!(accounts.iter().all(|account| account.rate_limits == Some(RateLimits::default())));
    }
}
