//! What is found for alerts about streams, their readers, and lookup tables.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{alert::alert::Severity, topology::ALERTS};

use super::{Alarm, Finding, Kind, wording};
use crate::{
    lookup::Staleness,
    verdict::lag::{Eviction, Look, Pace, Patience, Stuck, Window},
};

mod watched;

pub use self::watched::{Role, Watched};

/// Shares of a stream's room, in per cent: a warning from here on, critical from there on, and fine again below the last.
const FILLING: (u64, u64, u64) = (80, 95, 70);

/// Who reads which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    /// The consumer's or the sink's name.
    pub name: &'a str,
    /// The stream's.
    pub stream: &'a str,
    /// What it is.
    pub role: Role,
}

/// What is found for the reader's alert of `kind`, one of [`Role::kinds`]; of others nothing can be said.
#[must_use]
pub fn find(kind: Kind, reader: Reader<'_>, window: &Window, patience: Patience, now: Timestamp) -> Finding {
    match kind {
        Kind::ReaderStopped if reader.role == Role::Duties => unattended(reader, window, patience, now),
        Kind::ReaderBehind if reader.role == Role::Duties => not_taken_up(reader, window, patience, now),
        // It is there; whether it works, its destination's alert tells.
        Kind::ReaderStopped if reader.role == Role::Destination => Finding::Clear,
        Kind::ReaderStopped => stopped(reader, window, window.pace(now, patience)),
        Kind::ReaderBehind => behind(reader, window, patience, window.pace(now, patience)),
        Kind::ReaderSetBack => set_back(reader, window.pace(now, patience)),
        Kind::ReaderStuck => stuck(reader, window.stuck(now, patience), now),
        Kind::UnreadEvicted => evicted(reader, window.eviction(now, patience), now),
        _ => Finding::Unsure,
    }
}

fn stopped(Reader { name, stream, role }: Reader<'_>, window: &Window, pace: Pace) -> Finding {
    let lag = window.newest().map_or(0, Look::lag);
    let (since, reason, what, next_step) = match pace {
        Pace::Stopped { since } if role == Role::Sink => (
            since,
            "no_commit",
            "has delivered nothing",
            "See the forwarder's log, and whether the destination can be written to.",
        ),
        Pace::Stopped { since } => {
            (since, "nobody_pulls", "is read by nobody", "Start the service; its log says what stops it.")
        }
        Pace::Stalled { since } => {
            (since, "no_progress", "has finished nothing", "See the service's log: it says why it hands messages back.")
        }
        Pace::InsufficientData => return Finding::Unsure,
        // The server may have forgotten since when, or nobody may have looked until just now.
        Pace::Ok if lag > 0 && !window.has_moved() => return Finding::Unsure,
        Pace::Ok | Pace::Behind { .. } | Pace::SetBack { .. } => return Finding::Clear,
    };
    alarm(
        Kind::ReaderStopped,
        since,
        reason,
        format!("{name} {what} since {since:.0}, and {lag} messages of {stream} wait."),
        next_step,
    )
}

/// What is found for the alert that a reader has stopped, of a consumer that does not exist.
#[must_use]
pub fn missing(Reader { name, stream, role }: Reader<'_>, since: Timestamp) -> Finding {
    alarm(
        Kind::ReaderStopped,
        since,
        "missing",
        format!("The consumer {name} of {stream} does not exist since {since:.0}: nobody can read."),
        if role == Role::Destination {
            "Find out who has removed it. Alerters make it anew by themselves; if they do not, see their log."
        } else {
            "Find out who has removed it, and restart a service that reads with it: at its start it makes it anew."
        },
    )
}

fn behind(Reader { name, stream, role }: Reader<'_>, window: &Window, patience: Patience, pace: Pace) -> Finding {
    let (lag, age) = window.newest().map_or_else(Default::default, |look| (look.lag(), look.age()));
    match pace {
        Pace::Behind { since } => alarm(
            Kind::ReaderBehind,
            since,
            "",
            format!("{name} falls behind: {lag} messages of {stream} wait, the oldest for {}.", wording::left(age)),
            if role == Role::Sink {
                "See whether the destination is slow; if this follows a first pull of the past, wait."
            } else {
                "Run more replicas; if this follows a first pull of the past, wait."
            },
        ),
        // Whether one that has something unread gets better shows in time.
        Pace::Ok if lag > 0 && !window.is_full(patience) => Finding::Unsure,
        Pace::Ok => Finding::Clear,
        // It is worse than behind, which another alert says.
        Pace::Stopped { .. } | Pace::Stalled { .. } | Pace::SetBack { .. } | Pace::InsufficientData => Finding::Unsure,
    }
}

fn unattended(Reader { name, stream, .. }: Reader<'_>, window: &Window, patience: Patience, now: Timestamp) -> Finding {
    let Some(newest) = window.newest() else { return Finding::Unsure };
    let Some(since) = window.unattended_since(now, patience) else {
        // That nobody has looked for a while proves no fetcher.
        return if window.is_unattended() { Finding::Unsure } else { Finding::Clear };
    };
    let duties = newest.asleep + newest.pending;
    alarm(
        Kind::ReaderStopped,
        since,
        "nobody_pulls",
        format!("No {name} asks for the {duties} duties of {stream} since {since:.0}."),
        "Start the fetchers, or let them reach NATS; their log says what stops them.",
    )
}

fn not_taken_up(
    Reader { name, stream, .. }: Reader<'_>,
    window: &Window,
    patience: Patience,
    now: Timestamp,
) -> Finding {
    let Some(newest) = window.newest() else { return Finding::Unsure };
    let (lag, age) = (newest.lag(), wording::left(newest.age()));
    match window.behind_since(now, patience) {
        Some(since) => alarm(
            Kind::ReaderBehind,
            since,
            "",
            format!("{name} falls behind: {lag} duties of {stream} were never taken up, the oldest for {age}."),
            "Run more fetchers, or poll less often; if many sources were just added, wait.",
        ),
        None if lag > 0 && !window.is_full(patience) => Finding::Unsure,
        None => Finding::Clear,
    }
}

fn set_back(Reader { name, stream, .. }: Reader<'_>, pace: Pace) -> Finding {
    match pace {
        Pace::SetBack { at, from, to } => alarm(
            Kind::ReaderSetBack,
            at,
            "",
            format!("{name} has gone back from message {from} of {stream} to {to} and reads them again."),
            "If a consumer was made anew or a stream restored on purpose, nothing; else find out who did.",
        ),
        Pace::InsufficientData => Finding::Unsure,
        _ => Finding::Clear,
    }
}

fn stuck(Reader { name, stream, .. }: Reader<'_>, stuck: Stuck, now: Timestamp) -> Finding {
    let (since, reason, summary) = match stuck {
        Stuck::No => return Finding::Clear,
        Stuck::InsufficientData => return Finding::Unsure,
        Stuck::AckPending { open } => (
            now,
            "ack_pending",
            format!("{name} has {open} deliveries of {stream} open, so that the server hands out no more."),
        ),
        Stuck::Floor { since, sequence } => (
            since,
            "floor",
            format!("{name} does not get message {sequence} of {stream} acknowledged, while others pass."),
        ),
        Stuck::Repeats { since, deliveries, repeats } => (
            since,
            "redelivery",
            format!(
                "{name} was given {deliveries} messages of {stream} since {since:.0}, {repeats} of them not for the first time."
            ),
        ),
    };
    alarm(
        Kind::ReaderStuck,
        since,
        reason,
        summary,
        "See the service's log for why it hands messages back; often another stream is full.",
    )
}

fn evicted(Reader { name, stream, .. }: Reader<'_>, eviction: Eviction, now: Timestamp) -> Finding {
    match eviction {
        Eviction::No => Finding::Clear,
        Eviction::InsufficientData => Finding::Unsure,
        Eviction::Near { at } => {
            let left = wording::left(at.duration_since(now).max(SignedDuration::ZERO));
            alarm(
                Kind::UnreadEvicted,
                now,
                "near",
                format!("{stream} begins to drop messages that {name} has not read in {left}, at {at:.0}."),
                "Start the reader or make it faster now, or give the stream a longer age limit.",
            )
        }
        Eviction::Evicted { at, messages } => alarm(
            Kind::UnreadEvicted,
            at,
            "evicted",
            format!("Up to {messages} messages have left {stream} before {name} had read them."),
            if stream == ALERTS.name {
                "Read what was not told: `latchkey alerts history`."
            } else {
                "Start the reader; then start the feeds again from a point in time before the loss, within 120 days."
            },
        ),
    }
}

/// Whether a stream fills up.
#[must_use]
pub fn filling(stream: &str, bytes: u64, max_bytes: u64, now: Timestamp) -> Finding {
    if max_bytes == 0 {
        return Finding::Clear;
    }
    let per_cent = u64::try_from(u128::from(bytes) * 100 / u128::from(max_bytes)).unwrap_or(u64::MAX);
    let (warning, critical, fine) = FILLING;
    if per_cent < fine {
        return Finding::Clear;
    }
    if per_cent < warning {
        return Finding::Unsure;
    }
    Finding::Alarm(Alarm {
        since: now,
        severity: if per_cent >= critical { Severity::Critical } else { Severity::Warning },
        reason: "".into(),
        summary: format!("Stream {stream} is {per_cent} % full; when it is full, whoever writes to it waits."),
        next_step: "Find the reader that does not keep up, or give the streams more room.".into(),
    })
}

/// Whether a lookup table's data are too old.
#[must_use]
pub fn stale(table: &str, staleness: Staleness, now: Timestamp) -> Finding {
    let Staleness::Stale { by } = staleness else { return Finding::Clear };
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    alarm(
        Kind::LookupStale,
        now.saturating_sub(by).unwrap_or(now),
        "",
        format!("The data of lookup table {table} are {} older than they may be.", wording::left(by)),
        "See whether what refreshes the table runs: `latchkey lookup sync`, or your own job.",
    )
}

fn alarm(kind: Kind, since: Timestamp, reason: &'static str, summary: String, next_step: &'static str) -> Finding {
    Finding::Alarm(Alarm {
        since,
        severity: kind.severity(),
        reason: reason.into(),
        summary,
        next_step: next_step.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verdict::{
        lag::Given,
        samples::{at, look},
    };

    fn word(finding: &Finding) -> char {
        match finding {
            Finding::Alarm(alarm) if alarm.severity == Severity::Critical => 'C',
            Finding::Alarm(_) => 'W',
            Finding::Clear => 'c',
            Finding::Unsure | Finding::Covered | Finding::Gone => '?',
        }
    }

    const SINK: Reader<'static> = Reader { name: "files", stream: "EVENTS", role: Role::Sink };

    /// Stopped, behind, set back.
    fn check(pace: Pace, expect: &str) {
        let moves = |step: i64| Look { floor: 70 + step.unsigned_abs(), ..look(step * 30) };
        let window: Window = (0..=16).map(moves).collect();
        let found =
            [stopped(SINK, &window, pace), behind(SINK, &window, Patience::default(), pace), set_back(SINK, pace)];
        assert_eq!(found.iter().map(word).collect::<String>(), expect, "{pace:?}");
    }

    #[test]
    fn findings_by_pace() {
        check(Pace::Ok, "ccc");
        check(Pace::Behind { since: at(0) }, "cWc");
        check(Pace::Stalled { since: at(0) }, "C?c");
        check(Pace::Stopped { since: at(0) }, "C?c");
        check(Pace::SetBack { at: at(0), from: 9, to: 1 }, "c?W");
        check(Pace::InsufficientData, "???");
    }

    #[test]
    fn a_reader_that_stood_still_is_there_again_when_it_moves() {
        let find = |looks: &[Look]| word(&stopped(SINK, &looks.iter().copied().collect(), Pace::Ok));
        // What the looks before have seen is gone, after a gap in them.
        assert_eq!(find(&[look(0)]), '?');
        assert_eq!(find(&[look(0), look(30)]), '?');
        assert_eq!(find(&[look(0), Look { floor: 91, ..look(30) }]), 'c');
        assert_eq!(find(&[Look { pending: 0, ack_pending: 0, ..look(0) }]), 'c');
    }

    #[test]
    fn a_fetcher_is_there_again_when_it_asks() {
        let asleep = |second, waiting, given| Look {
            asleep: 9,
            pending: 0,
            ack_pending: 0,
            waiting: Some(waiting),
            given: Some(Given { deliveries: given, since: at(0) }),
            ..look(second)
        };
        let reader = Reader { name: "fetcher", stream: "TASKS", role: Role::Duties };
        let find = |looks: &[Look]| {
            let window: Window = looks.iter().copied().collect();
            word(&find(Kind::ReaderStopped, reader, &window, Patience::default(), looks.last().unwrap().at))
        };
        // As after a gap in looks.
        assert_eq!(find(&[asleep(0, 0, 7)]), '?');
        assert_eq!(find(&[asleep(0, 0, 7), asleep(30, 0, 7)]), '?');
        // One that asks, or has taken one up in between.
        assert_eq!(find(&[asleep(0, 1, 7)]), 'c');
        assert_eq!(find(&[asleep(0, 0, 7), asleep(30, 0, 8)]), 'c');
        // There are none.
        assert_eq!(find(&[Look { asleep: 0, ..asleep(0, 0, 7) }]), 'c');
    }

    #[test]
    fn whether_one_that_fell_behind_gets_better_shows_in_time() {
        let find = |window: &Window| word(&behind(SINK, window, Patience::default(), Pace::Ok));
        assert_eq!(find(&[look(0), look(30)].into_iter().collect()), '?');
        assert_eq!(find(&[look(0), Look { pending: 0, ack_pending: 0, ..look(30) }].into_iter().collect()), 'c');
        assert_eq!(find(&(0..=16).map(|step| look(step * 30)).collect()), 'c');
    }

    /// What is found of duties of which so many sleep and so many were never handed out, where so many ask.
    fn duties(asleep: u64, pending: u64, waiting: u64) -> Vec<String> {
        let duties = |step: i64| Look {
            asleep,
            pending: if pending == 0 { 0 } else { pending + step.unsigned_abs() },
            ack_pending: 0,
            waiting: Some(waiting),
            ..look(step * 30)
        };
        let window: Window = (0..=16).map(duties).collect();
        let reader = Reader { name: "fetcher", stream: "TASKS", role: Role::Duties };
        let find = |kind: &Kind| match find(*kind, reader, &window, Patience::default(), at(480)) {
            Finding::Alarm(alarm) => format!("{} {}", alarm.reason, alarm.summary),
            other => word(&other).into(),
        };
        Role::Duties.kinds().iter().map(find).collect()
    }

    #[test]
    fn duties_that_sleep_are_no_lag_and_those_that_nobody_asks_for_are_told_of() {
        assert_eq!(duties(9, 0, 1), ["c", "c"]);
        let alone = "nobody_pulls No fetcher asks for the 9 duties of TASKS since 2023-11-14T22:13:20Z.";
        assert_eq!(duties(9, 0, 0), [alone, "c"]);
        let behind = " fetcher falls behind: 21 duties of TASKS were never taken up, the oldest for 10 s.";
        assert_eq!(duties(9, 5, 1), ["c", behind]);
    }

    #[test]
    fn what_comes_again_and_again_is_told_of() {
        let found = stuck(SINK, Stuck::Repeats { since: at(0), deliveries: 100, repeats: 60 }, at(30));
        let Finding::Alarm(alarm) = found else { panic!("most come again") };
        assert_eq!(alarm.reason, "redelivery");
        let summary =
            "files was given 100 messages of EVENTS since 2023-11-14T22:13:20Z, 60 of them not for the first time.";
        assert_eq!(alarm.summary, summary);
    }

    #[test]
    fn a_stream_fills_and_empties_with_a_gap_between() {
        for (bytes, expect) in [(0, 'c'), (69, 'c'), (70, '?'), (79, '?'), (80, 'W'), (94, 'W'), (95, 'C'), (100, 'C')]
        {
            assert_eq!(word(&filling("PAGES", bytes, 100, at(0))), expect, "{bytes} %");
        }
        assert_eq!(word(&filling("PAGES", 5, 0, at(0))), 'c');
    }

    #[test]
    fn a_loss_and_a_threat_are_told_apart() {
        let find = |eviction| match evicted(SINK, eviction, at(0)) {
            Finding::Alarm(alarm) => format!("{}: {}", alarm.reason, alarm.summary),
            other => format!("{other:?}"),
        };
        assert_eq!(find(Eviction::No), "Clear");
        assert_eq!(
            find(Eviction::Near { at: at(7_200) }),
            "near: EVENTS begins to drop messages that files has not read in 2 h, at 2023-11-15T00:13:20Z."
        );
        assert_eq!(
            find(Eviction::Evicted { at: at(0), messages: 8 }),
            "evicted: Up to 8 messages have left EVENTS before files had read them."
        );
    }

    #[test]
    fn a_stale_table_is_told_of() {
        assert_eq!(word(&stale("items", Staleness::Fresh, at(0))), 'c');
        assert_eq!(word(&stale("items", Staleness::Late, at(0))), 'c');
        assert_eq!(word(&stale("items", Staleness::Stale { by: Duration::from_hours(5) }, at(0))), 'W');
    }
}
