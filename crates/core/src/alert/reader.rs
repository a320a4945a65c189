//! What is found for alerts about streams, their readers, and lookup tables.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::alert::alert::Severity;

use super::{Alarm, Finding, Kind, wording};
use crate::{
    lookup::Staleness,
    verdict::lag::{Eviction, Look, Pace, Patience, Stuck, Window},
};

/// The kinds that are about one reader.
pub const KINDS: [Kind; 5] =
    [Kind::ReaderStopped, Kind::ReaderBehind, Kind::ReaderStuck, Kind::ReaderSetBack, Kind::UnreadEvicted];

/// The reason of an alert about messages that are gone.
pub const EVICTED: &str = "evicted";

/// Shares of a stream's room, in per cent: a warning from here on, critical from there on, and fine again below the last.
const FILLING: (u64, u64, u64) = (80, 95, 70);

/// Who reads which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    /// The consumer's or the sink's name.
    pub name: &'a str,
    /// The stream's.
    pub stream: &'a str,
    /// Whether it is a sink.
    pub is_sink: bool,
}

/// What is found for the reader's alert of `kind`, one of [`KINDS`]; of others nothing can be said.
#[must_use]
pub fn find(kind: Kind, reader: Reader<'_>, window: &Window, patience: Patience, now: Timestamp) -> Finding {
    match kind {
        Kind::ReaderStopped => stopped(reader, window, window.pace(now, patience)),
        Kind::ReaderBehind => behind(reader, window, window.pace(now, patience)),
        Kind::ReaderSetBack => set_back(reader, window.pace(now, patience)),
        Kind::ReaderStuck => stuck(reader, window.stuck(now), now),
        Kind::UnreadEvicted => evicted(reader, window.eviction(now, patience), now),
        _ => Finding::Unsure,
    }
}

fn stopped(Reader { name, stream, is_sink }: Reader<'_>, window: &Window, pace: Pace) -> Finding {
    let lag = window.newest().map_or(0, Look::lag);
    let (since, reason, what, next_step) = match pace {
        Pace::Stopped { since } if is_sink => (
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

fn behind(Reader { name, stream, is_sink }: Reader<'_>, window: &Window, pace: Pace) -> Finding {
    let (lag, age) = window.newest().map_or_else(Default::default, |look| (look.lag(), look.age()));
    match pace {
        Pace::Behind { since } => alarm(
            Kind::ReaderBehind,
            since,
            "",
            format!("{name} falls behind: {lag} messages of {stream} wait, the oldest for {}.", wording::left(age)),
            if is_sink {
                "See whether the destination is slow; if this follows a first pull of the past, wait."
            } else {
                "Run more replicas; if this follows a first pull of the past, wait."
            },
        ),
        Pace::Ok => Finding::Clear,
        // It is worse than behind, which another alert says.
        Pace::Stopped { .. } | Pace::Stalled { .. } | Pace::SetBack { .. } | Pace::InsufficientData => Finding::Unsure,
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
            EVICTED,
            format!("Up to {messages} messages have left {stream} before {name} had read them."),
            "Start the reader; then start the feeds again from a point in time before the loss, within 120 days.",
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
    use crate::verdict::samples::at;

    fn word(finding: &Finding) -> char {
        match finding {
            Finding::Alarm(alarm) if alarm.severity == Severity::Critical => 'C',
            Finding::Alarm(_) => 'W',
            Finding::Clear => 'c',
            Finding::Unsure => '?',
        }
    }

    const SINK: Reader<'static> = Reader { name: "files", stream: "EVENTS", is_sink: true };

    /// Stopped, behind, set back.
    fn check(pace: Pace, expect: &str) {
        let window = Window::default();
        let found = [stopped(SINK, &window, pace), behind(SINK, &window, pace), set_back(SINK, pace)];
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
