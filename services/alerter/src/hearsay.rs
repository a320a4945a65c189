//! What others say: of chains, that events are refused or drift and what audits find; of streams and their readers, how they look.
//!
//! None of it is a verdict: the board takes it in and judges at the next tick.

use jiff::Timestamp;
use latchkey_bus::{Bus, Error, Item, Reader};
use latchkey_contracts::{
    Chain,
    drift::Drift,
    rejection::RejectionBatch,
    reread::Reread,
    topology::{DRIFTS, REJECTIONS, REREADS, WINDOWS},
    window::Window,
};
use latchkey_core::{
    alert::board::Board,
    instant,
    verdict::rejections::{self, Batch},
};

/// Everybody who is listened to.
pub(crate) struct Hearsay {
    rejections: Reader<RejectionBatch>,
    drifts: Reader<Drift>,
    rereads: Reader<Reread>,
    windows: Reader<Window>,
}

/// One thing that was said.
pub(crate) enum Heard {
    Rejection(Item<RejectionBatch>),
    Drift(Item<Drift>),
    Reread(Box<Item<Reread>>),
    Window(Box<Item<Window>>),
}

/// A message that cannot be read.
pub(crate) struct Unreadable;

impl Hearsay {
    pub(crate) fn new(bus: &Bus, now: Timestamp) -> Self {
        // What is judged, also for one who has just started.
        let since = now.saturating_sub(rejections::SPAN).unwrap_or_default();
        Self {
            rejections: bus.rejections_since(since),
            drifts: bus.watch_drifts(),
            rereads: bus.watch_rereads(),
            windows: bus.watch_windows(),
        }
    }

    /// The next thing that is said. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Heard, Error> {
        Ok(tokio::select! {
            item = self.rejections.next() => Heard::Rejection(item?),
            item = self.drifts.next() => Heard::Drift(item?),
            item = self.rereads.next() => Heard::Reread(Box::new(item?)),
            item = self.windows.next() => Heard::Window(Box::new(item?)),
        })
    }
}

impl Heard {
    /// The stream or bucket it comes from.
    pub(crate) const fn stream(&self) -> &'static str {
        match self {
            Self::Rejection(_) => REJECTIONS.name,
            Self::Drift(_) => DRIFTS.stream.name,
            Self::Reread(_) => REREADS.name,
            Self::Window(_) => WINDOWS.stream.name,
        }
    }

    /// Tells the board. What is about no chain of ours is nobody's business.
    pub(crate) fn tell(&self, board: &mut Board) -> Result<(), Unreadable> {
        match self {
            Self::Rejection(item) => {
                let batch = item.message.as_ref().map_err(|_| Unreadable)?;
                if let Some(chain) = chain(&batch.source, &batch.feed) {
                    board.refuse(&chain, &refused(batch));
                }
            }
            Self::Drift(item) => {
                // A value that somebody has deleted with a tool is empty, which reads as a report of nothing.
                let report = item.message.as_ref().map_err(|_| Unreadable)?;
                if let Some(chain) = chain(&report.source, &report.feed) {
                    board.drift(&chain, &held(report, item.published_at));
                }
            }
            Self::Reread(item) => {
                let reread = item.message.as_ref().map_err(|_| Unreadable)?;
                // Backfills and comparisons are somebody's, who reads what they find.
                if let Some(chain) = chain(&reread.source, &reread.feed).filter(|_| is_audit(&item.subject)) {
                    board.audited(&chain, reread);
                }
            }
            Self::Window(item) => board.see(item.message.as_ref().map_err(|_| Unreadable)?),
        }
        Ok(())
    }
}

fn chain(source: &str, feed: &str) -> Option<Chain> {
    Some(Chain { source: source.parse().ok()?, feed: feed.parse().ok()? })
}

/// The report with no time after the one at which the server has stored it: a normalizer whose clock is ahead met nothing in the future, where
/// drift would stand until it comes.
fn held(report: &Drift, published_at: Timestamp) -> Drift {
    let most = instant::to_unix_nano(published_at);
    let mut held = report.clone();
    for change in &mut held.changes {
        change.first_unix_nano = change.first_unix_nano.min(most);
        change.last_unix_nano = change.last_unix_nano.min(most);
    }
    held.first_unix_nano = held.first_unix_nano.min(most);
    held.last_unix_nano = held.last_unix_nano.min(most);
    held
}

fn is_audit(subject: &str) -> bool {
    subject.split('.').nth(3) == Some("audit")
}

fn refused(batch: &RejectionBatch) -> Batch {
    let fault = batch.rejections.last().and_then(|rejection| rejection.problems.first());
    Batch {
        at: instant::from_unix_nano(batch.rejected_at_unix_nano),
        items: batch.rejections.iter().filter(|rejection| rejection.item.is_some()).count() as u64,
        page: batch.rejections.iter().any(|rejection| rejection.item.is_none()),
        fault: fault.map_or_else(String::new, |problem| format!("{} at {}", problem.rule, problem.path)),
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::drift::Change;

    use super::*;

    #[test]
    fn nobody_meets_drift_in_the_future() {
        let of = |first, last| Change { first_unix_nano: first, last_unix_nano: last, ..Change::default() };
        let report =
            |first, last, changes| Drift { first_unix_nano: first, last_unix_nano: last, changes, ..Drift::default() };
        let published_at = instant::from_unix_nano(1_000);
        let ahead = report(900, 5_000, vec![of(900, 999), of(4_000, 5_000)]);
        assert_eq!(held(&ahead, published_at), report(900, 1_000, vec![of(900, 999), of(1_000, 1_000)]));
        let past = report(10, 20, vec![of(10, 20)]);
        assert_eq!(held(&past, published_at), past);
    }
}
