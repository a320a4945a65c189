//! The program's arguments, and the accounts they describe.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use latchkey_simulator::{AccountConfig, Clock, Feed, Profile};

use self::{budgets::Budgets, growth::Growth};

mod budgets;
mod growth;

/// A stand-in for 1Password's Events API: serves invented events to any collector, misbehaves as told, and says what the
/// collector lost.
///
/// Point a collector at it with a token it wrote, let it work, and compare: `latchkey-simulator compare`. The same seed and
/// arguments give the same accounts, tokens, events and faults every time; give --until as well to fix the time they span.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compare a collector's uuids, read from standard input, with what it should have.
    ///
    /// One uuid on each line, bare or as the `uuid` of a JSON object. Exits 0 if every visible event is there exactly once,
    /// 1 if something is lost, missed, doubled or unknown, 64 if it cannot compare.
    Compare(Compare),
    /// List every fault that a plan can hold, each as it is written there.
    Faults,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Where the simulator runs, as HTTP URL; or the address of its ledger with ?account= and &feed= to look at less.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8790")]
    pub(crate) ledger: String,
}

/// What to serve, and how.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to serve HTTP on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8790", help_heading = ADDRESSES)]
    pub(crate) listen: SocketAddr,

    /// Address to serve HTTPS on, with a certificate made for this run.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8791", help_heading = ADDRESSES)]
    pub(crate) tls_listen: SocketAddr,

    /// Further host name for the certificate (repeatable); this machine's loopback names are always in it.
    #[arg(long = "tls-name", value_name = "HOST", help_heading = ADDRESSES)]
    pub(crate) tls_names: Vec<String>,

    /// Seed of all content.
    #[arg(long, default_value_t = 1, help_heading = CONTENT)]
    pub(crate) seed: u64,

    /// Number of accounts, named account-1, account-2, …
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = CONTENT,
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) accounts: u32,

    /// What the feeds hold at the start.
    #[arg(long, value_enum, default_value_t = ProfileName::Company, help_heading = CONTENT)]
    profile: ProfileName,

    /// Length of a company's history, 1 to 17.
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = CONTENT)]
    weeks: u32,

    /// Multiplies a company's activity (1 is some ten thousand events a week).
    #[arg(long, value_name = "X", default_value_t = 1.0, help_heading = CONTENT)]
    factor: f64,

    /// Events per feed of the bulk profile.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, help_heading = CONTENT)]
    events: u64,

    /// When the last event arrives; now if absent. A moment in the future gives feeds that grow.
    #[arg(long, value_name = "RFC3339", help_heading = CONTENT)]
    until: Option<Timestamp>,

    #[command(flatten)]
    growth: Growth,

    /// What goes wrong, and when: a plan in YAML or JSON. `latchkey-simulator faults` lists what there is.
    #[arg(long, value_name = "FILE", help_heading = TROUBLE)]
    pub(crate) faults: Option<PathBuf>,

    /// Share of events that the API shows again, as the real one does now and then (0 to 1).
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, help_heading = TROUBLE)]
    repeat_rate: f64,

    #[command(flatten)]
    budgets: Budgets,

    /// Host in the tokens' `aud` claim.
    #[arg(long, value_name = "HOST", default_value = "events.1password.com", help_heading = TOKENS)]
    audience: String,

    /// When the tokens expire; never if absent.
    #[arg(long, value_name = "RFC3339", help_heading = TOKENS)]
    expires: Option<Timestamp>,

    /// Feeds the tokens may read, separated by commas.
    #[arg(long, value_name = "FEEDS", value_delimiter = ',', help_heading = TOKENS,
        default_value = "sign_in_attempts,item_usages,audit_events")]
    features: Vec<Feed>,

    /// Write each account's token to DIR/<account>.token (mode 0600).
    #[arg(long, value_name = "DIR", help_heading = FILES)]
    pub(crate) write_tokens: Option<PathBuf>,

    /// Write items.jsonl, vaults.jsonl and users.jsonl, which name the identifiers in the events, to DIR.
    #[arg(long, value_name = "DIR", help_heading = FILES)]
    pub(crate) write_lookups: Option<PathBuf>,

    /// Write the certificate of the authority behind the HTTPS certificate to FILE.
    #[arg(long, value_name = "FILE", help_heading = FILES)]
    pub(crate) write_ca: Option<PathBuf>,

    /// Only write the lookup tables, and serve nothing.
    #[arg(long, requires = "write_lookups", help_heading = FILES)]
    pub(crate) lookups_only: bool,
}

const ADDRESSES: &str = "Addresses";
const CONTENT: &str = "Content";
const TROUBLE: &str = "Faults and limits";
const TOKENS: &str = "Tokens";
const FILES: &str = "Files";

const EXAMPLES: &str = "\
Examples:
  Three weeks of a small company, with its token and certificate in files:
    latchkey-simulator --write-tokens ./tokens --write-ca ./ca.pem --write-lookups ./lookups

  A page of it:
    curl -H \"Authorization: Bearer $(cat ./tokens/account-1.token)\" -d '{\"limit\":3,\"start_time\":\"2020-01-01T00:00:00Z\"}' \\
      http://127.0.0.1:8790/api/v2/signinattempts

  What a collector lost, from the records it wrote:
    cat out/*.jsonl | latchkey-simulator compare

  Every tenth request refused, every third page with doubles (plan.yml), a minute's events in a second:
    latchkey-simulator --live 60 --speed 60 --faults plan.yml
      rules:
        - {when: {rate: 0.1}, fault: {status: {code: 503}}}
        - {when: {every: 3}, fault: {doubled: {share: 0.05, across: true}}}

  A million events in each feed, for measuring a collector:
    latchkey-simulator --profile bulk --events 1000000

While it runs, http://127.0.0.1:8790/_simulator/ lists what can be asked and changed: ledger, requests, faults, tokens.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProfileName {
    /// Forty people with office hours, failed sign-ins, exports and late arrivals.
    Company,
    /// Many events in little memory.
    Bulk,
    /// Nothing.
    Empty,
}

impl Serve {
    /// The clock to serve by.
    pub(crate) fn clock(&self) -> anyhow::Result<Clock> {
        self.growth.clock()
    }

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
            rate_limits: self.budgets.get(),
            live: self.growth.live(),
            features: self.features.clone(),
            expires_at: self.expires,
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
        Program::command().debug_assert();
        let args =
            Program::parse_from(["latchkey-simulator", "--accounts", "2", "--profile", "empty", "--rate-limits"]).serve;
        let accounts = args.account_configs(Timestamp::UNIX_EPOCH);
        assert_eq!(
            accounts.iter().map(|account| account.name.as_str()).collect::<Vec<_>>(),
            ["account-1", "account-2"]
        );
        assert!(accounts.iter().all(|account| account.rate_limits.is_some() && account.live.is_none()));
    }
}
