//! What is found for alerts about the whole line: causes that chains have in common, and the clock.

use jiff::{SignedDuration, Timestamp};

use super::{Alarm, Finding, Kind, next_step};
use crate::verdict::outage::{Cause, Stage};

/// A skew from which on time windows and tokens begin to be judged wrongly, and one below which it is fine. The API's dates are whole
/// seconds, and an answer takes some.
const SKEW: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(60), SignedDuration::from_secs(30));

/// Whether most chains are refused for one cause: all of them, or those of one host.
#[must_use]
pub fn outage(cause: &Cause, host: Option<&str>) -> Finding {
    common(cause, Kind::Outage, |cause, since| {
        let Cause { failing, of, reason, .. } = cause;
        let feeds = host.map_or_else(|| "feeds".to_owned(), |host| format!("feeds of {host}"));
        let summary =
            format!("{failing} of {of} {feeds} cannot be read since {since:.0}, most of them for one cause: {reason}.");
        (summary, next_step::of_refusal(reason))
    })
}

/// Whether most chains are not polled.
#[must_use]
pub fn polling_stopped(cause: &Cause) -> Finding {
    common(cause, Kind::PollingStopped, |Cause { failing, of, .. }, since| {
        let summary = format!("{failing} of {of} feeds are not polled; the first was due at {since:.0}.");
        (summary, "Check that fetchers run and reach NATS; their log says what stops them.")
    })
}

fn common(cause: &Cause, kind: Kind, say: impl Fn(&Cause, Timestamp) -> (String, &'static str)) -> Finding {
    match (cause.stage, cause.since) {
        // Nobody to judge is no proof that all is well.
        _ if cause.of == 0 => Finding::Unsure,
        (Stage::Standing, Some(since)) => {
            let (summary, next_step) = say(cause, since);
            Finding::Alarm(Alarm {
                since,
                severity: kind.severity(),
                reason: cause.reason.clone().into(),
                summary,
                next_step: next_step.into(),
            })
        }
        (Stage::Forming, _) => Finding::Unsure,
        (Stage::None | Stage::Standing, _) => Finding::Clear,
    }
}

/// Whether fetchers' clocks and 1Password's differ, by what the answers of the last polls showed.
#[must_use]
pub fn clock_skew(skews: impl IntoIterator<Item = SignedDuration>, now: Timestamp) -> Finding {
    let Some(worst) = skews.into_iter().max_by_key(|skew| skew.unsigned_abs()) else { return Finding::Unsure };
    if worst.abs() < SKEW.1 {
        return Finding::Clear;
    }
    if worst.abs() < SKEW.0 {
        return Finding::Unsure;
    }
    let side = if worst.is_positive() { "ahead of" } else { "behind" };
    Finding::Alarm(Alarm {
        since: now,
        severity: Kind::ClockSkew.severity(),
        reason: "".into(),
        summary: format!("A fetcher's clock is {} s {side} 1Password's.", worst.abs().as_secs()),
        next_step:
            "Set the clocks of the machines that run fetchers, best by NTP: silence and expiry are judged by them."
                .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::at;

    fn word(finding: &Finding) -> char {
        match finding {
            Finding::Alarm(_) => 'A',
            Finding::Clear => 'c',
            Finding::Unsure | Finding::Covered | Finding::Gone => '?',
        }
    }

    #[test]
    fn a_skew_has_an_entry_and_an_exit() {
        for (skews, expect) in
            [(&[][..], '?'), (&[0, 29, -29], 'c'), (&[0, 59], '?'), (&[0, -59], '?'), (&[0, 60], 'A'), (&[0, -90], 'A')]
        {
            let skews = skews.iter().map(|seconds| SignedDuration::from_secs(*seconds));
            assert_eq!(word(&clock_skew(skews.clone(), at(0))), expect, "{skews:?}");
        }
        let Finding::Alarm(alarm) = clock_skew([SignedDuration::from_secs(-90)], at(0)) else { unreachable!() };
        assert_eq!(alarm.summary, "A fetcher's clock is 90 s behind 1Password's.");
    }

    #[test]
    fn a_common_cause_is_told_of_when_it_stands() {
        let cause = |stage, of| Cause { stage, failing: 3, of, since: Some(at(0)), reason: "timeout".into() };
        for (stage, of, expect) in
            [(Stage::None, 4, 'c'), (Stage::Forming, 4, '?'), (Stage::Standing, 4, 'A'), (Stage::None, 0, '?')]
        {
            assert_eq!(word(&outage(&cause(stage, of), None)), expect, "{stage:?}");
            assert_eq!(word(&polling_stopped(&cause(stage, of))), expect, "{stage:?}");
        }
        let Finding::Alarm(alarm) = outage(&cause(Stage::Standing, 4), None) else { unreachable!() };
        assert_eq!(
            alarm.summary,
            "3 of 4 feeds cannot be read since 2023-11-14T22:13:20Z, most of them for one cause: timeout."
        );
    }
}
