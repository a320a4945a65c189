//! What the benchmark is asked to do.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use latchkey_contracts::Feed;

/// Measures how fast the line drains a simulated account to files, and what it costs.
///
/// The simulator serves over HTTPS, a private nats-server stores on disk, and the real programs run as processes of their own. Linux
/// only: processor time and memory are read from /proc.
#[derive(Debug, Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Arguments {
    /// Events in all feeds together.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=50_000_000))]
    pub(crate) events: u64,

    /// Measure normalizing alone, on one core and beside other ways: no programs, no nats-server.
    #[arg(long)]
    pub(crate) alone: bool,

    /// Measure judging thirty thousand chains, and nothing else.
    #[arg(long, conflicts_with = "alone")]
    pub(crate) judging: bool,

    /// Compare learned silence with timers on made-up years, and nothing else.
    #[arg(long, conflicts_with_all = ["alone", "judging"])]
    pub(crate) silence: bool,

    /// Measure one fetcher that polls so many sources, three feeds a minute each, and nothing else.
    #[arg(long, value_name = "N", conflicts_with_all = ["alone", "judging", "silence"], value_parser = clap::value_parser!(u32).range(4..=10_000))]
    pub(crate) sources: Option<u32>,

    /// How long each of the two stretches is that `--sources` measures.
    #[arg(long, requires = "sources", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) minutes: u16,

    /// Have the past of `--sources` audited, as it is by default.
    #[arg(long, requires = "sources")]
    pub(crate) audits: bool,

    /// Poll for so many minutes with everything going wrong that may, then compare what is stored with what the API has: 24 minutes hold the
    /// polls of a day.
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["alone", "judging", "silence", "sources"], value_parser = clap::value_parser!(u16).range(1..=1440))]
    pub(crate) soak: Option<u16>,

    /// Write the pages and lookup tables that are normalized there, a file each, for comparison with other programs.
    #[arg(long, value_name = "DIR", requires = "alone")]
    pub(crate) write_pages: Option<PathBuf>,

    /// Which feeds, with an equal share of the events each.
    #[arg(long, value_delimiter = ',', default_value = "sign_in_attempts,item_usages")]
    pub(crate) feeds: Vec<Feed>,

    /// How files are compressed.
    #[arg(long, value_enum, default_value_t = Compression::None)]
    pub(crate) compression: Compression,

    /// Drains in a row, each from nothing; the one with the median speed is shown in full. 0: as `--alone`.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=99))]
    pub(crate) runs: u8,

    /// Run `latchkey up --until-caught-up` in place of four services.
    #[arg(long)]
    pub(crate) single_process: bool,

    /// Where streams and files are written, in a directory that is removed afterwards: the disk that is measured.
    #[arg(long, value_name = "DIR", default_value = "target/tmp")]
    pub(crate) dir: PathBuf,

    /// Take the release programs as they are, instead of having cargo bring them up to date.
    #[arg(long)]
    pub(crate) no_build: bool,

    /// Keep what a run has written: streams, files, logs.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// How files are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    None,
    Zstd,
}

impl Compression {
    /// The word in configurations.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zstd => "zstd",
        }
    }
}

impl Arguments {
    /// Whether nothing is to be drained.
    pub(crate) fn only_alone(&self) -> bool {
        self.alone || self.runs == 0
    }

    /// Events of one feed.
    pub(crate) fn events_per_feed(&self) -> u64 {
        self.events / self.feeds.len().max(1) as u64
    }

    /// Events that are to be delivered: what a division leaves over is never made.
    pub(crate) fn expected(&self) -> u64 {
        self.events_per_feed() * self.feeds.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
        let arguments = Arguments::parse_from([
            "bench",
            "--events",
            "1000",
            "--feeds",
            "item_usages,audit_events,sign_in_attempts",
        ]);
        assert_eq!((arguments.events_per_feed(), arguments.expected()), (333, 999));
    }

    #[test]
    fn no_runs_are_normalizing_alone() {
        let check = |arguments: &[&str], expect: Option<bool>| {
            let arguments = Arguments::try_parse_from([&["bench"], arguments].concat());
            assert_eq!(arguments.ok().map(|arguments| arguments.only_alone()), expect);
        };
        check(&[], Some(false));
        check(&["--alone"], Some(true));
        check(&["--runs", "0"], Some(true));
        check(&["--alone", "--write-pages", "pages"], Some(true));
        check(&["--write-pages", "pages"], None);
    }
}
