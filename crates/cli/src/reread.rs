//! Has the line's fetchers read a source's past again, and follows how far they are.
//!
//! The fetchers have the tokens, so the work is ordered from them: a task in NATS, whose progress is a message in NATS. Stopping this
//! command stops nothing; giving it again follows what is under way.

use std::{
    io::{IsTerminal, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use latchkey_bus::Bus;
use latchkey_contracts::{
    Chain, Feed, SourceId,
    reread::Reread,
    task::{Task, task::Kind},
};
use latchkey_core::instant;
use latchkey_runtime::{Exit, Failure, clock};

use crate::lookup::NatsOptions;

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Without a sign of life for as long, something is said.
const SILENCE: SignedDuration = SignedDuration::from_mins(2);

/// Which part of which past.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The source
    source: SourceId,
    /// From this event time on
    #[arg(long, value_name = "RFC3339")]
    from: Timestamp,
    /// Up to this event time (default: now)
    #[arg(long, value_name = "RFC3339")]
    to: Option<Timestamp>,
    /// Which feed; may be given several times (default: all)
    #[arg(long)]
    feed: Vec<Feed>,
    #[command(flatten)]
    nats: NatsOptions,
}

/// Orders it for each feed, one after the other, and prints what was found.
pub(crate) fn run(arguments: &Arguments, kind: Kind, print: fn(&Chain, &Reread) -> String) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(work(arguments, kind, print)));
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    // Standard error may be closed; the exit code says it too.
    let _ = writeln!(std::io::stderr(), "latchkey: {error:#}");
    let failure = error.downcast_ref::<Failure>();
    if matches!(failure, Some(Failure::Configuration(_))) { Exit::Configuration } else { Exit::Internal }.into()
}

async fn work(arguments: &Arguments, kind: Kind, print: fn(&Chain, &Reread) -> String) -> anyhow::Result<()> {
    let to = arguments.to.unwrap_or_else(clock::now);
    if arguments.from >= to {
        return Err(Failure::Configuration("--from must lie before --to".into()).into());
    }
    let bus = arguments.nats.connect().await?;
    let feeds = if arguments.feed.is_empty() { Feed::ALL.to_vec() } else { arguments.feed.clone() };
    for feed in feeds {
        let chain = Chain { source: arguments.source.clone(), feed };
        if bus.last_checkpoint(&chain).await?.is_none() {
            anyhow::ensure!(
                arguments.feed.is_empty(),
                "{chain} was never polled: check the names, and that a fetcher has it"
            );
            continue;
        }
        let id = order(&bus, &chain, kind, arguments.from, to).await?;
        let done = follow(&bus, &chain, kind, &id).await?;
        writeln!(std::io::stdout(), "{}", print(&chain, &done))?;
    }
    bus.close().await;
    Ok(())
}

fn word(kind: Kind) -> &'static str {
    if kind == Kind::Backfill { "backfill" } else { "compare" }
}

/// Orders the window, or finds the same order under way; then the fetchers are only reminded of it.
async fn order(bus: &Bus, chain: &Chain, kind: Kind, from: Timestamp, to: Timestamp) -> anyhow::Result<String> {
    let begun = bus.last_reread(word(kind), chain).await?.map(|stored| stored.message);
    let same = begun.filter(|begun| begun.finished_at_unix_nano == 0 && begun.id.starts_with(&format!("{from}/")));
    let id = same.map_or_else(|| format!("{from}/{to}/{}", clock::now()), |begun| begun.id);
    // Its own end, not that of this command, if that was "now" both times.
    let to = id.split('/').nth(1).and_then(|text| text.parse().ok()).unwrap_or(to);
    let order = Task {
        kind: kind.into(),
        source: chain.source.to_string(),
        feed: chain.feed.to_string(),
        id: id.clone(),
        from_unix_nano: instant::to_unix_nano(from),
        to_unix_nano: instant::to_unix_nano(to),
    };
    bus.order_reread(chain, &order).await?;
    Ok(id)
}

async fn follow(bus: &Bus, chain: &Chain, kind: Kind, id: &str) -> anyhow::Result<Reread> {
    let began = clock::now();
    let mut said = String::new();
    loop {
        let reread = bus.last_reread(word(kind), chain).await?.map(|stored| stored.message);
        let ours = reread.filter(|reread| reread.id == id || reread.trouble == "not_caught_up");
        if let Some(reread) = ours.clone().filter(|reread| reread.finished_at_unix_nano != 0 && reread.id == id) {
            return Ok(reread);
        }
        let line = progress(ours.as_ref(), began, clock::now());
        if line != said {
            say(chain, &line);
            said = line;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn say(chain: &Chain, line: &str) {
    let mut err = std::io::stderr();
    // On a terminal the line is written over and over. Standard error may be closed.
    let _ = if err.is_terminal() { write!(err, "\r\x1b[K{chain}: {line}") } else { writeln!(err, "{chain}: {line}") };
}

/// How far it is, and when it should be done: the rest takes as long by the hour of event time as what is done.
fn progress(reread: Option<&Reread>, began: Timestamp, now: Timestamp) -> String {
    let Some(reread) = reread else {
        return if now.duration_since(began) < SILENCE {
            "waiting for a fetcher".into()
        } else {
            "no fetcher takes the order: check that one runs and has this source".into()
        };
    };
    if !reread.trouble.is_empty() {
        return match reread.trouble.as_str() {
            "not_caught_up" => "waiting until polling has caught up".into(),
            trouble => format!("waiting after {trouble}"),
        };
    }
    let whole = reread.to_unix_nano.saturating_sub(reread.from_unix_nano).max(1);
    let done = reread.at_unix_nano.saturating_sub(reread.from_unix_nano).clamp(0, whole);
    let percent = i128::from(done) * 100 / i128::from(whole);
    let found = reread.found.unwrap_or_default();
    let line = format!("{percent} %, {} events read, {} new", found.events, found.missing);
    if done == 0 {
        return line;
    }
    let taken = now.duration_since(instant::from_unix_nano(reread.started_at_unix_nano));
    let left = taken.as_nanos() * i128::from(whole - done) / i128::from(done);
    let seconds = i64::try_from(left / 1_000_000_000).unwrap_or(i64::MAX);
    format!("{line}, about {:#} left", SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::reread::Found;

    use super::*;

    #[test]
    fn progress_says_how_far_and_how_long() {
        let second = |second: i64| Timestamp::from_second(second).unwrap();
        let nano = |at| instant::to_unix_nano(second(at));
        let reread = Reread {
            from_unix_nano: nano(1_000),
            to_unix_nano: nano(2_000),
            at_unix_nano: nano(1_250),
            started_at_unix_nano: nano(90_000),
            found: Some(Found { events: 7, missing: 2, ..Found::default() }),
            ..Reread::default()
        };
        let check = |reread: Option<&Reread>, now, expect: &str| {
            assert_eq!(progress(reread, second(90_000), second(now)), expect);
        };
        check(Some(&reread), 90_010, "25 %, 7 events read, 2 new, about 30s left");
        check(None, 90_010, "waiting for a fetcher");
        check(None, 90_200, "no fetcher takes the order: check that one runs and has this source");
        let behind = Reread { trouble: "not_caught_up".into(), ..reread };
        check(Some(&behind), 90_010, "waiting until polling has caught up");
    }
}
