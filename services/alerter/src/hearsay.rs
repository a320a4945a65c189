//! What others say of chains and consumers: refused and drifting events, audits, and messages that the server gives up.
//!
//! None of it is a verdict: the board takes it in and judges at the next tick.

use jiff::Timestamp;
use latchkey_bus::{Advisories, Bus, Error, GivenUp, Item, Reader};
use latchkey_contracts::{
    Chain,
    drift::Drift,
    rejection::RejectionBatch,
    reread::Reread,
    topology::{DRIFTS, REJECTIONS, REREADS, STREAMS},
};
use latchkey_core::{
    alert::board::Board,
    instant,
    verdict::rejections::{self, Batch},
};
use latchkey_runtime::clock;

/// Everybody who is listened to.
pub(crate) struct Hearsay {
    rejections: Reader<RejectionBatch>,
    drifts: Reader<Drift>,
    rereads: Reader<Reread>,
    advisories: Advisories,
}

/// One thing that was said.
pub(crate) enum Heard {
    Rejection(Item<RejectionBatch>),
    Drift(Item<Drift>),
    Reread(Box<Item<Reread>>),
    GivenUp(GivenUp),
}

/// A message that cannot be read.
pub(crate) struct Unreadable;

impl Hearsay {
    pub(crate) async fn open(bus: &Bus) -> Result<Self, Error> {
        // What is judged, also for one who has just started.
        let since = clock::now().saturating_sub(rejections::SPAN).unwrap_or_default();
        Ok(Self {
            rejections: bus.rejections_since(since).await?,
            drifts: bus.watch_drifts().await?,
            rereads: bus.watch_rereads().await?,
            advisories: bus.advisories().await?,
        })
    }

    /// The next thing that is said. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Heard, Error> {
        Ok(tokio::select! {
            item = self.rejections.next() => Heard::Rejection(item?),
            item = self.drifts.next() => Heard::Drift(item?),
            item = self.rereads.next() => Heard::Reread(Box::new(item?)),
            given_up = self.advisories.next() => Heard::GivenUp(given_up?),
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
            Self::GivenUp(_) => "",
        }
    }

    /// Tells the board. What is about no chain or stream of ours is nobody's business.
    pub(crate) fn tell(&self, board: &mut Board, now: Timestamp) -> Result<(), Unreadable> {
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
                    board.drift(&chain, report);
                }
            }
            Self::Reread(item) => {
                let reread = item.message.as_ref().map_err(|_| Unreadable)?;
                // Backfills and comparisons are somebody's, who reads what they find.
                if let Some(chain) = chain(&reread.source, &reread.feed).filter(|_| is_audit(&item.subject)) {
                    board.audited(&chain, reread);
                }
            }
            Self::GivenUp(GivenUp { stream, consumer, sequence }) => {
                if STREAMS.iter().any(|ours| ours.name == stream) {
                    board.give_up(consumer, stream, *sequence, now);
                }
            }
        }
        Ok(())
    }
}

fn chain(source: &str, feed: &str) -> Option<Chain> {
    Some(Chain { source: source.parse().ok()?, feed: feed.parse().ok()? })
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
