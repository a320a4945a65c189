//! What goes on, for people: a table that is redrawn on a terminal, a line now and then elsewhere.
//!
//! Written to standard error, so that standard output stays free for results.

use std::{
    convert::Infallible,
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use latchkey_contracts::Chain;
use latchkey_core::number::grouped;
use latchkey_fetcher as fetcher;
use latchkey_forwarder::Position;
use latchkey_normalizer as normalizer;
use tokio::sync::watch;

/// How often the table is redrawn.
const REDRAW: Duration = Duration::from_millis(250);

/// How often a plain line is written while something moves.
const LINE: Duration = Duration::from_secs(2);

/// Where the numbers come from.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) chains: Vec<Chain>,
    pub(crate) fetched: fetcher::Metrics,
    pub(crate) normalized: normalizer::Metrics,
    pub(crate) delivered: watch::Receiver<Position>,
}

/// One feed's numbers since this process began.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    name: String,
    pages: u64,
    events: u64,
    rejections: u64,
    waiting: u64,
}

/// All numbers of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    rows: Vec<Row>,
    delivered: u64,
    repeated: u64,
}

impl Sources {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let rows = self.chains.iter().map(|chain| {
            let (pages, events) = self.fetched.stored(chain);
            let counts = self.normalized.normalized(chain);
            let waiting = pages.saturating_sub(counts.pages);
            Row { name: chain.feed.to_string(), pages, events, rejections: counts.rejections, waiting }
        });
        let position = *self.delivered.borrow();
        Snapshot { rows: rows.collect(), delivered: position.events_total, repeated: position.repeated_batches_total }
    }
}

impl Snapshot {
    /// New events that this process has stored.
    pub(crate) fn events(&self) -> u64 {
        self.rows.iter().map(|row| row.events).sum()
    }

    /// Items refused by validation in this process.
    pub(crate) fn rejections(&self) -> u64 {
        self.rows.iter().map(|row| row.rejections).sum()
    }

    /// Events delivered since the sink began.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    fn table(&self, rate: u64) -> String {
        let mut text = String::from("feed                 pages      events  rejected  lag (pages)\n");
        for Row { name, pages, events, rejections, waiting } in &self.rows {
            let (pages, events) = (grouped(*pages), grouped(*events));
            let _ = writeln!(
                text,
                "{name:<17} {pages:>8} {events:>11} {:>9} {:>12}",
                grouped(*rejections),
                grouped(*waiting)
            );
        }
        let _ = write!(text, "delivered {} events in all, {} events/s", grouped(self.delivered), grouped(rate));
        text
    }

    fn line(&self, rate: u64) -> String {
        let feeds = self.rows.iter().map(|row| {
            format!(
                "{} {} pages {} events {} rejected lag {}",
                row.name, row.pages, row.events, row.rejections, row.waiting
            )
        });
        let feeds: Vec<_> = feeds.collect();
        format!("{}; delivered {} events, {rate} events/s", feeds.join("; "), self.delivered)
    }
}

/// Shows progress until dropped.
pub(crate) async fn show(sources: Sources) -> Infallible {
    if std::io::stderr().is_terminal() { redraw(sources).await } else { write_lines(sources).await }
}

async fn redraw(sources: Sources) -> Infallible {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg}").expect("a fixed template"));
    let bar = Cleared(bar);
    let mut pace = Pace::new(&sources.snapshot());
    loop {
        let snapshot = sources.snapshot();
        bar.0.set_message(snapshot.table(pace.rate(&snapshot)));
        tokio::time::sleep(REDRAW).await;
    }
}

/// Leaves the terminal as it was, however the display ends.
struct Cleared(ProgressBar);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn write_lines(sources: Sources) -> Infallible {
    let mut last = sources.snapshot();
    let mut pace = Pace::new(&last);
    loop {
        tokio::time::sleep(LINE).await;
        let snapshot = sources.snapshot();
        let rate = pace.rate(&snapshot);
        if snapshot != last {
            // A closed pipe is no reason to stop collecting.
            let _ = writeln!(std::io::stderr(), "{}", snapshot.line(rate));
        }
        last = snapshot;
    }
}

/// Events delivered per second, over the last few seconds.
struct Pace {
    since: Instant,
    delivered: u64,
    rate: u64,
}

impl Pace {
    const WINDOW: Duration = Duration::from_secs(1);

    fn new(snapshot: &Snapshot) -> Self {
        Self { since: Instant::now(), delivered: snapshot.delivered, rate: 0 }
    }

    fn rate(&mut self, snapshot: &Snapshot) -> u64 {
        let elapsed = self.since.elapsed();
        if elapsed >= Self::WINDOW {
            let new = snapshot.delivered.saturating_sub(self.delivered);
            self.rate = new * 1_000 / u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
            *self = Self { since: Instant::now(), delivered: snapshot.delivered, rate: self.rate };
        }
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up() {
        let row = Row { name: "sign_in_attempts".into(), pages: 12, events: 11_502, rejections: 3, waiting: 0 };
        let snapshot = Snapshot { rows: vec![row], delivered: 30_577, repeated: 0 };
        let table = snapshot.table(9_000);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0].len(), lines[1].len());
        assert_eq!(lines[1], "sign_in_attempts        12      11,502         3            0");
        assert_eq!(lines[2], "delivered 30,577 events in all, 9,000 events/s");
    }
}
