//! The figures as people read them.

use std::{
    io::{self, Write},
    time::Duration,
};

use latchkey_contracts::Feed;

use super::{ACCOUNTS, Comparison, Kills, Struck};
use crate::number::{count, grouped};

pub(super) struct Figures<'a> {
    pub(super) minutes: u16,
    pub(super) kills: Kills,
    pub(super) struck: &'a Struck,
    pub(super) comparison: Comparison,
    /// From the end of the troubles until everything was there.
    pub(super) repaired: Duration,
}

impl Figures<'_> {
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { minutes, kills, struck, comparison, repaired } = self;
        let number = |number: u64| grouped(count(number));
        writeln!(
            out,
            "{minutes} min of a poll every second, which are the polls of {:.1} h at one a minute: {ACCOUNTS} accounts, {} feeds",
            f64::from(*minutes),
            ACCOUNTS * Feed::USUAL.len(),
        )?;
        writeln!(out, "kill -9      fetcher {}, nats-server {}", kills.fetcher, kills.nats)?;
        let faults = struck.faults.iter().map(|(name, times)| format!("{name} {times}")).collect::<Vec<_>>().join(", ");
        writeln!(
            out,
            "requests     {}, with {} faults",
            number(struck.requests),
            number(struck.faults.values().sum())
        )?;
        writeln!(out, "faults       {faults}")?;
        writeln!(
            out,
            "stored       {} pages, {} of them by audits; {} items were sent again, and marked",
            number(comparison.pages),
            number(comparison.repairs),
            number(comparison.marked),
        )?;
        writeln!(
            out,
            "events       {}: {} lost, {} doubled; complete {:.0} s after the last trouble",
            number(comparison.events),
            number(comparison.lost),
            number(comparison.doubled),
            repaired.as_secs_f64(),
        )
    }
}
