//! The figures as people read them.

use std::{
    io::{self, Write},
    time::Duration,
};

use super::{reading::Reading, watch};
use crate::{
    number::{count, grouped},
    usage::Usage,
};

const MIB: f64 = 1_048_576.0;

/// What all figures are of.
pub(super) struct Figures {
    pub(super) sources: u32,
    pub(super) audits: bool,
    /// From the fetcher's start until every chain had been polled.
    pub(super) warm: Duration,
}

/// A stretch of time, and what was seen before, after and during it.
pub(super) struct Stretch {
    pub(super) before: Reading,
    pub(super) after: Reading,
    pub(super) polls: watch::Stretch,
}

impl Figures {
    pub(super) fn head(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{} sources of three feeds, polled once a minute by one fetcher, audits {}; all were polled {:.0} s after its start",
            grouped(f64::from(self.sources)),
            if self.audits { "on" } else { "off" },
            self.warm.as_secs_f64(),
        )
    }
}

/// A stretch, as soon as it is measured.
pub(super) fn stretch(out: &mut impl Write, what: &str, stretch: &Stretch) -> io::Result<()> {
    let Stretch { before, after, polls } = stretch;
    let seconds = after.at.duration_since(before.at).as_secs_f64();
    let cores = |of: fn(&Reading) -> Usage| {
        let share =
            |time: fn(&Usage) -> Duration| time(&of(after)).saturating_sub(time(&of(before))).as_secs_f64() / seconds;
        let (user, kernel) = (share(|usage| usage.user), share(|usage| usage.system));
        format!("{:.2} cores (user {user:.2}, kernel {kernel:.2})", user + kernel)
    };
    let [median, late, latest] = polls.late([500, 990, 1000]).map(|late| late.as_secs_f64());
    writeln!(out, "\n{what}, for {seconds:.0} s; others kept {:.1} cores busy", after.others(before))?;
    writeln!(out, "  polls        {:.1} a second", count(polls.polls) / seconds)?;
    writeln!(
        out,
        "  late         {median:.3} s in the middle, 99 of 100 within {late:.3} s, all within {latest:.3} s"
    )?;
    let mib = |usage: &Usage| count(usage.resident) / MIB;
    writeln!(out, "  fetcher      {}, {:.0} MiB", cores(|reading| reading.fetcher), mib(&after.fetcher))?;
    writeln!(out, "  nats-server  {}, {:.0} MiB", cores(|reading| reading.nats), mib(&after.nats))?;
    writeln!(out, "  messages     {:.1} a poll", count(after.messages - before.messages) / count(polls.polls.max(1)))?;
    writeln!(out, "  connections  {} to the simulator", after.connections)
}

/// How long each change took.
pub(super) fn changes(out: &mut impl Write, changes: &[(&str, Duration)]) -> io::Result<()> {
    writeln!(out, "\na source, until all feeds show it")?;
    changes.iter().try_for_each(|(what, took)| writeln!(out, "  {what:<12} {:.2} s", took.as_secs_f64()))
}

/// The most memory that was ever used.
pub(super) fn peaks(out: &mut impl Write, reading: &Reading) -> io::Result<()> {
    let mib = |usage: &Usage| count(usage.peak) / MIB;
    writeln!(out, "\npeaks: fetcher {:.0} MiB, nats-server {:.0} MiB", mib(&reading.fetcher), mib(&reading.nats))
}
