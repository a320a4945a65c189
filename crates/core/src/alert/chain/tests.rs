use super::*;
use crate::verdict::{
    Outcome, Policy, Watch, judge,
    samples::{at, refused, window},
};

/// A moment in the life of a chain.
#[derive(Clone, Copy, Debug)]
enum Now {
    Quiet,
    Active,
    Hiccup,
    Refused,
    Unreachable,
    Off,
    Dead,
    Unknown,
    Silent,
    Empty,
}

const DAY: i64 = 24 * 60 * 60;

fn judged(now: Now) -> (ChainWindow, Judgement) {
    let (window, at_second, watched_since) = match now {
        Now::Quiet => (window(), 650, 0),
        Now::Active => (ChainWindow { outcome: Outcome::Active, ..window() }, 650, 0),
        Now::Hiccup => (refused("timeout", 1), 650, 0),
        Now::Refused => (refused("unauthorized", 1), 650, 0),
        Now::Unreachable => (refused("timeout", 5), 650, 0),
        Now::Off => (ChainWindow { outcome: Outcome::Off, ..window() }, 650, 0),
        Now::Dead => (window(), 2 * DAY, 0),
        Now::Unknown => (window(), 2 * DAY, 2 * DAY),
        Now::Silent => (ChainWindow { last_arrival_at: Some(at(-2 * DAY)), ..window() }, 650, 0),
        Now::Empty => (ChainWindow { last_arrival_at: None, first_polled_at: at(-2 * DAY), ..window() }, 650, 0),
    };
    let judgement = judge(&window, None, Watch::since(at(watched_since)), at(at_second), &Policy::default());
    (window, judgement)
}

fn found(kind: Kind, now: Now, shared: Shared) -> Finding {
    let (window, judgement) = judged(now);
    find(kind, &window, &judgement, shared, at(650))
}

/// Every kind's answer: alarm, clear, unsure.
fn check(now: Now, shared: Shared, expect: &str) {
    let word = |kind| match found(kind, now, shared) {
        Finding::Alarm(_) => 'A',
        Finding::Clear => 'c',
        Finding::Unsure | Finding::Covered | Finding::Gone => '?',
    };
    let words: String = [Kind::PollDead, Kind::PollRefused, Kind::DropOff].into_iter().map(word).collect();
    assert_eq!(words, expect, "{now:?}, {shared:?}");
}

#[test]
fn findings_by_kind() {
    let nothing = Shared::NOTHING;
    check(Now::Quiet, nothing, "ccc");
    check(Now::Active, nothing, "ccc");
    check(Now::Hiccup, nothing, "c??");
    check(Now::Refused, nothing, "cA?");
    check(Now::Unreachable, nothing, "cA?");
    check(Now::Off, nothing, "ccc");
    check(Now::Dead, nothing, "A??");
    check(Now::Unknown, nothing, "???");
    check(Now::Silent, nothing, "ccA");
    check(Now::Empty, nothing, "ccA");
}

#[test]
fn what_is_told_of_elsewhere_is_neither_raised_nor_resolved() {
    for stage in [Stage::Forming, Stage::Standing] {
        let refusals = Shared { refusals: stage, ..Shared::NOTHING };
        check(Now::Unreachable, refusals, "c??");
        // The source's own fault is its own alert, also in an outage; and a good answer is one.
        check(Now::Refused, refusals, "cA?");
        check(Now::Quiet, refusals, "ccc");
        let deaths = Shared { deaths: stage, ..Shared::NOTHING };
        check(Now::Dead, deaths, "???");
        check(Now::Quiet, deaths, "ccc");
    }
    let silence = Shared { silence: true, ..Shared::NOTHING };
    check(Now::Silent, silence, "cc?");
    check(Now::Quiet, silence, "ccc");
}

#[test]
fn every_alarm_says_what_is_and_what_to_do() {
    for (kind, now, severity, reason, summary) in [
        (
            Kind::PollDead,
            Now::Dead,
            Severity::Critical,
            "",
            "item_usages of Acme is not polled: the last poll was at 2023-11-14T22:23:20Z, the next was due at 2023-11-14T22:24:20Z.",
        ),
        (
            Kind::PollRefused,
            Now::Refused,
            Severity::Critical,
            "unauthorized",
            "item_usages of Acme cannot be read since 2023-11-14T22:22:20Z: unauthorized (why).",
        ),
        (
            Kind::PollRefused,
            Now::Unreachable,
            Severity::Warning,
            "timeout",
            "item_usages of Acme cannot be read since 2023-11-14T22:22:20Z: timeout (why).",
        ),
        (
            Kind::DropOff,
            Now::Silent,
            Severity::Warning,
            "",
            "item_usages of Acme is polled without fault, but no event has arrived since 2023-11-12T22:13:20Z.",
        ),
        (
            Kind::DropOff,
            Now::Empty,
            Severity::Warning,
            "never_began",
            "item_usages of Acme is polled without fault since 2023-11-12T22:13:20Z, but no event has ever arrived.",
        ),
    ] {
        let Finding::Alarm(alarm) = found(kind, now, Shared::NOTHING) else { panic!("no alarm: {kind:?} {now:?}") };
        assert_eq!((alarm.severity, &*alarm.reason, &*alarm.summary), (severity, reason, summary));
        assert!(!alarm.next_step.is_empty());
    }
}

#[test]
fn a_clock_that_runs_out_is_told_of_in_time() {
    let find = |window: &ChainWindow| {
        let judgement = judge(window, None, Watch::since(at(0)), at(650), &Policy::default());
        find(Kind::DataAtRisk, window, &judgement, Shared::NOTHING, at(650))
    };
    assert_eq!(find(&window()), Finding::Unsure);
    let token = |days: i64| ChainWindow { token_expires_at: Some(at(650 + days * DAY)), ..window() };
    assert_eq!(find(&token(30)), Finding::Clear);
    for (window, severity, reason, summary) in [
        (
            token(10),
            Severity::Warning,
            "token_expiry",
            "The token of item_usages of Acme ends at 2023-11-24T22:24:10Z, in 10 days.",
        ),
        (
            token(1),
            Severity::Critical,
            "token_expiry",
            "The token of item_usages of Acme ends at 2023-11-15T22:24:10Z, in 24 h.",
        ),
        (
            token(-1),
            Severity::Critical,
            "token_expiry",
            "The token of item_usages of Acme has ended at 2023-11-13T22:24:10Z.",
        ),
        (
            ChainWindow { position_at: Some(at(650 - 115 * DAY)), ..window() },
            Severity::Critical,
            "retention",
            "item_usages of Acme is so far behind that 1Password begins to delete what may be unread in 5 days, at 2023-11-19T22:24:10Z.",
        ),
        (
            ChainWindow { position_at: Some(at(650 - 121 * DAY)), ..window() },
            Severity::Critical,
            "retention",
            "item_usages of Acme is so far behind that 1Password has deleted what may be unread since 2023-11-13T22:24:10Z.",
        ),
    ] {
        let Finding::Alarm(alarm) = find(&window) else { panic!("no alarm") };
        assert_eq!((alarm.severity, &*alarm.reason, &*alarm.summary), (severity, reason, summary));
    }
}

#[test]
fn a_new_token_that_cannot_be_used_is_told_of_while_the_old_one_works() {
    let fault = |since: i64| Some(TokenFault { reason: "token_file: no token".into(), since: at(since) });
    let find = |window: ChainWindow| {
        let judgement = judge(&window, None, Watch::since(at(0)), at(650), &Policy::default());
        assert_eq!(judgement.poll, Poll::Quiet);
        match find(Kind::DataAtRisk, &window, &judgement, Shared::NOTHING, at(650)) {
            Finding::Alarm(alarm) => format!("{:?} {} {}", alarm.severity, alarm.reason, alarm.summary),
            other => format!("{other:?}"),
        }
    };
    let fine = || ChainWindow { token_expires_at: Some(at(30 * DAY)), ..window() };
    let told = "Warning token_unusable The newest token of item_usages of Acme cannot be used since 2023-11-14T22:19:10Z, and the one \
                before is still in use: token_file: no token.";
    assert_eq!(find(ChainWindow { token_fault: fault(350), ..fine() }), told);
    // Between two files there is none for a moment.
    assert_eq!(find(ChainWindow { token_fault: fault(351), ..fine() }), "Unsure");
    assert_eq!(find(fine()), "Clear");
    // It is the reason why a token that runs out is still in use.
    let ends = ChainWindow { token_expires_at: Some(at(650 + DAY)), token_fault: fault(640), ..window() };
    let told = "Critical token_expiry The token of item_usages of Acme ends at 2023-11-15T22:24:10Z, in 24 h. A newer token cannot be \
                used: token_file: no token.";
    assert_eq!(find(ends), told);
}
