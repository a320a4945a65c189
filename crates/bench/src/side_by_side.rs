//! Several ways to do the same work, measured in turns.
//!
//! Whatever else the machine does meets all of them alike, and the fastest round of each counts: neighbours take caches and cycles
//! and only ever slow a round down. Counted in the thread's own processor time.

use std::{
    fs,
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::number::{count, grouped};

/// How often each way has its turn.
const ROUNDS: usize = 5;

/// How often a way does all of the work in one turn: the kernel counts a thread's time in steps of milliseconds.
const REPETITIONS: u32 = 10;

/// Does all of the work once, and says how many events that were.
pub(crate) type Way<'a> = &'a mut dyn FnMut() -> u64;

/// What doing all of the work once takes, for each way. All of them must come to `events`.
pub(crate) fn fastest<const WAYS: usize>(events: u64, ways: [Way<'_>; WAYS]) -> Result<[Duration; WAYS]> {
    let mut fastest = [Duration::MAX; WAYS];
    let mut ways = ways;
    for _ in 0..ROUNDS {
        for (way, fastest) in ways.iter_mut().zip(&mut fastest) {
            let before = thread_time()?;
            let made: u64 = (0..REPETITIONS).map(|_| way()).sum();
            let taken = thread_time()?.saturating_sub(before) / REPETITIONS;
            ensure!(made == events * u64::from(REPETITIONS), "{made} of {} events", events * u64::from(REPETITIONS));
            *fastest = taken.min(*fastest);
        }
    }
    Ok(fastest)
}

/// So many events in this time, in words.
pub(crate) fn speed(events: u64, taken: Duration) -> String {
    let seconds = taken.as_secs_f64();
    let (per_second, nanos) = (count(events) / seconds, seconds * 1e9 / count(events));
    format!("{} events/s, {} ns per event", grouped(per_second), grouped(nanos))
}

/// One way's line below the one it is compared with.
pub(crate) fn line(
    out: &mut impl Write,
    way: &str,
    events: u64,
    taken: Duration,
    compared_with: Duration,
) -> io::Result<()> {
    let times = compared_with.as_secs_f64() / taken.as_secs_f64();
    writeln!(out, "  {way:<26}{times:>8.2} times as fast: {}", speed(events, taken))
}

/// Processor time of the calling thread: the first field of its `schedstat`, in nanoseconds.
fn thread_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")
        .context("/proc cannot be read: this benchmark needs Linux")?;
    let nanos = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    Ok(Duration::from_nanos(nanos.context("schedstat has another form than the kernel's documentation says")?))
}
