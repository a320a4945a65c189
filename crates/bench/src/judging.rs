//! How long it takes to judge every chain there may be, and what that costs in memory.
//!
//! A board of ten thousand sources with three feeds each, as an alerter with the default policies has it: most are fine, some silent,
//! some refused. What is measured is one sweep, with all its alerts raised before, as it is done every few seconds.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Chain, Feed};
use latchkey_core::{
    alert::board::{Board, Known, Policies, Step, Timing},
    verdict::{ChainWindow, Outcome},
};

use crate::usage::Usage;

/// Sources of the board.
const SOURCES: usize = 10_000;

/// Sweeps of which the median counts.
const SWEEPS: usize = 21;

/// What judging costs.
#[derive(Debug)]
pub(crate) struct Judging {
    pub(crate) chains: u64,
    pub(crate) raised: u64,
    pub(crate) median: Duration,
    pub(crate) slowest: Duration,
    /// The most memory that the process had at once, in bytes.
    pub(crate) peak: u64,
}

pub(crate) fn run(now: Timestamp) -> Result<Judging> {
    let mut board = Board::new(Policies::default(), Timing::default(), now - SignedDuration::from_hours(1));
    let mut chains = 0;
    for number in 0..SOURCES {
        for feed in Feed::USUAL {
            let chain = Chain { source: format!("source-{number:05}").parse()?, feed };
            board.observe(window(chain, number, now));
            chains += 1;
        }
    }
    let (steps, _) = board.sweep(now);
    let raised = steps.len() as u64;
    for step in steps {
        if let Step::Publish { kind, about, alert, .. } = step {
            board.learn(kind, &about, Known { sequence: 1, last: Some(*alert) });
        }
    }
    let mut took: Vec<_> = (0..SWEEPS)
        .map(|_| {
            let started = Instant::now();
            let (steps, sight) = board.sweep(now);
            let took = started.elapsed();
            // What was raised before is not raised again.
            assert!(steps.is_empty() && sight.polls.len() as u64 == chains, "a second sweep has nothing to say");
            took
        })
        .collect();
    took.sort_unstable();
    let usage = Usage::of(std::process::id()).context("/proc cannot be read: this benchmark needs Linux")?;
    Ok(Judging { chains, raised, median: took[SWEEPS / 2], slowest: took[SWEEPS - 1], peak: usage.peak })
}

/// Of a hundred sources one is refused and two are silent.
fn window(chain: Chain, number: usize, now: Timestamp) -> ChainWindow {
    let refused = Outcome::Refused { reason: "unauthorized".into(), http_status: Some(401), detail: "revoked".into() };
    let hours = if number % 100 < 3 { 30 } else { 1 };
    ChainWindow {
        source_label: format!("Company {number}"),
        chain,
        polled_at: now,
        next_poll_at: now + SignedDuration::from_secs(60),
        first_polled_at: now - SignedDuration::from_hours(1_000),
        last_success_at: Some(now),
        last_arrival_at: Some(now - SignedDuration::from_hours(hours)),
        consecutive_failures: 0,
        outcome: if number.is_multiple_of(100) { refused } else { Outcome::Quiet },
        events_total: 1_000,
        token_expires_at: Some(now + SignedDuration::from_hours(24 * 90)),
        clock_skew: Some(SignedDuration::from_millis(400)),
        position_at: Some(now),
        host: "events.1password.com".into(),
    }
}
