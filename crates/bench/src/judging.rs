//! How long it takes to judge every chain there may be, and what that costs in memory.
//!
//! A board of ten thousand sources with three feeds each: most are fine, some silent, some refused. Once as an alerter with the default policies
//! has it, and once with all there may be: every feed has learned habits, every feed's events differ from their schema, and every feed's past is
//! audited. What is measured is one sweep, with all its alerts raised before, as it is done every few seconds.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use latchkey_contracts::{
    Chain, Feed,
    drift::{Change, Drift, change},
    habit::Habit as Kept,
    reread::{Found, Reread},
};
use latchkey_core::{
    alert::board::{Board, Known, Policies, SourcePolicies, Step, Timing},
    instant,
    verdict::{Calendar, ChainWindow, Habit, Outcome, Policy, Silence, adaptive::SLOT},
};

use crate::usage::Usage;

/// Sources of the board.
const SOURCES: usize = 10_000;

/// Sweeps of which the median counts.
const SWEEPS: usize = 21;

/// What a sweep may take: a fiftieth of the time between two. And the process: what a small machine has to spare.
pub(crate) const BAR: (Duration, u64) = (Duration::from_millis(100), 200 << 20);

/// What judging costs.
#[derive(Debug)]
pub(crate) struct Judging {
    /// What the board knows.
    pub(crate) name: &'static str,
    pub(crate) chains: u64,
    pub(crate) raised: u64,
    pub(crate) median: Duration,
    pub(crate) slowest: Duration,
    /// The most memory that the process had at once, in bytes.
    pub(crate) peak: u64,
}

pub(crate) fn run(now: Timestamp) -> Result<[Judging; 2]> {
    let begun = now - SignedDuration::from_hours(1);
    let plain = measure("default policies", Board::new(Policies::default(), Timing::default(), begun), now)?;
    let adaptive = Policy { drop_off: Some(Silence::default().adaptive(TimeZone::UTC)) };
    let feeds = std::array::from_fn(|_| adaptive.clone());
    let everybody = SourcePolicies { whole: adaptive, feeds, ..SourcePolicies::default() };
    let mut board = Board::new(Policies { everybody, ..Policies::default() }, Timing::default(), begun);
    let habits = [learned(now, silent_for(SOURCES - 1))?, learned(now, silent_for(0))?];
    for (number, chain) in chains().enumerate() {
        let (chain, is_silent) = (chain?, silent_for(number / Feed::USUAL.len()) == silent_for(0));
        board.recall(chain.clone(), &habits[usize::from(is_silent)]);
        board.drift(&chain, &drift(now));
        board.audited(&chain, &audit(number, now));
    }
    Ok([plain, measure("habits, drift and audits of all", board, now)?])
}

fn chains() -> impl Iterator<Item = Result<Chain>> {
    (0..SOURCES)
        .flat_map(|number| Feed::USUAL.map(|feed| Ok(Chain { source: format!("source-{number:05}").parse()?, feed })))
}

fn measure(name: &'static str, mut board: Board, now: Timestamp) -> Result<Judging> {
    // The peak is that of this board; proc(5).
    fs::write("/proc/self/clear_refs", "5")
        .context("the peak of memory cannot be reset: this benchmark needs Linux")?;
    let mut count = 0;
    for (number, chain) in chains().enumerate() {
        board.observe(window(chain?, number / Feed::USUAL.len(), now));
        count += 1;
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
            assert!(steps.is_empty() && sight.polls.len() as u64 == count, "a second sweep has nothing to say");
            took
        })
        .collect();
    took.sort_unstable();
    let usage = Usage::of(std::process::id()).context("/proc cannot be read: this benchmark needs Linux")?;
    Ok(Judging { name, chains: count, raised, median: took[SWEEPS / 2], slowest: took[SWEEPS - 1], peak: usage.peak })
}

/// Three weeks in which something came once an hour, and nothing of late.
fn learned(now: Timestamp, silent_for: SignedDuration) -> Result<Kept> {
    let (mut habit, mut at) = (Habit::default(), now - SignedDuration::from_hours(3 * 7 * 24));
    let chain = Chain { source: "anybody".parse()?, feed: Feed::ItemUsages };
    let mut arrived = at;
    for slot in 0_u32.. {
        if at >= now {
            break;
        }
        if slot.is_multiple_of(12) && at <= now - silent_for {
            arrived = at;
        }
        let last_arrival_at = Some(arrived);
        let polled = ChainWindow { last_arrival_at, last_success_at: Some(at), ..window(chain.clone(), 50, at) };
        habit.observe(&polled, &Calendar::default(), &TimeZone::UTC);
        at += SLOT;
    }
    Ok(habit.keep(&chain, now))
}

/// Four changes since an hour ago, the last of them a moment ago.
fn drift(now: Timestamp) -> Drift {
    let (first, last) = (instant::to_unix_nano(now - SignedDuration::from_hours(1)), instant::to_unix_nano(now));
    let change = |path: &str| Change {
        kind: change::Kind::Field.into(),
        path: path.into(),
        sample: "string of 15 bytes".into(),
        count: 1_000,
        first_unix_nano: first,
        last_unix_nano: last,
    };
    let changes = ["$.location.timezone", "$.client.build", "$.session.device", "$.user.kind"].map(change).into();
    Drift { first_unix_nano: first, last_unix_nano: last, changes, ..Drift::default() }
}

/// Of a hundred feeds one has missed something.
fn audit(number: usize, now: Timestamp) -> Reread {
    let ago = |hours| instant::to_unix_nano(now - SignedDuration::from_hours(hours));
    let missing = number.is_multiple_of(100);
    Reread {
        missing_at_unix_nano: if missing { ago(1) } else { 0 },
        last_missing: missing.then(|| Found { missing: 2, repaired: 2, ..Found::default() }),
        complete_at_unix_nano: ago(2),
        ..Reread::default()
    }
}

/// Of a hundred sources three have brought nothing for long.
const fn silent_for(source: usize) -> SignedDuration {
    SignedDuration::from_hours(if source % 100 < 3 { 30 } else { 1 })
}

/// Of a hundred sources one is refused and two are silent.
fn window(chain: Chain, number: usize, now: Timestamp) -> ChainWindow {
    let refused = Outcome::Refused { reason: "unauthorized".into(), http_status: Some(401), detail: "revoked".into() };
    ChainWindow {
        source_label: format!("Company {number}"),
        chain,
        polled_at: now,
        next_poll_at: now + SignedDuration::from_secs(60),
        first_polled_at: now - SignedDuration::from_hours(1_000),
        last_success_at: Some(now),
        last_arrival_at: Some(now - silent_for(number)),
        consecutive_failures: 0,
        outcome: if number.is_multiple_of(100) { refused } else { Outcome::Quiet },
        events_total: 1_000,
        token_expires_at: Some(now + SignedDuration::from_hours(24 * 90)),
        clock_skew: Some(SignedDuration::from_millis(400)),
        position_at: Some(now),
        host: "events.1password.com".into(),
        token_fault: None,
    }
}
