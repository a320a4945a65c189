use super::*;
use crate::verdict::samples::{at, refused, window};

const LONG_AGO: i64 = -1_000_000;

/// One row: the window, the moment, since when it is watched; the verdict's word.
fn check(window: &ChainWindow, now: i64, watched_since: i64, expect: &str) {
    let verdict = poll(window, Watch::since(at(watched_since)), at(now));
    assert_eq!(verdict.as_str(), expect, "{verdict:?} at {now} for {window:?}");
    assert!(Poll::WORDS.contains(&verdict.as_str()));
}

fn lasting(window: &ChainWindow, now: i64) -> bool {
    match poll(window, Watch::since(at(LONG_AGO)), at(now)) {
        Poll::Refused(refusal) => refusal.lasting,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_1_overdue_is_dead_only_for_who_has_watched() {
    // Due at 660; three intervals of 60 s make the grace 180 s.
    for (now, watched_since, expect) in [
        (660, LONG_AGO, "quiet"),
        (840, LONG_AGO, "quiet"),
        (841, LONG_AGO, "dead"),
        (1_000_000, LONG_AGO, "dead"),
        (841, 661, "unknown"),
        (841, 841, "unknown"),
        (1_000_000, 1_000_000 - 180, "unknown"),
        (1_000_000, 1_000_000 - 181, "dead"),
    ] {
        check(&window(), now, watched_since, expect);
    }
    assert_eq!(poll(&window(), Watch::since(at(LONG_AGO)), at(841)), Poll::Dead { since: at(660) });
}

#[test]
fn rule_1_grace_is_two_minutes_at_least() {
    for interval in [0, 1, 40] {
        let window = ChainWindow { next_poll_at: at(600 + interval), ..window() };
        check(&window, 600 + interval + 120, LONG_AGO, "quiet");
        check(&window, 600 + interval + 121, LONG_AGO, "dead");
    }
    let hourly = ChainWindow { next_poll_at: at(600 + 3_600), ..window() };
    check(&hourly, 600 + 4 * 3_600, LONG_AGO, "quiet");
    check(&hourly, 601 + 4 * 3_600, LONG_AGO, "dead");
}

#[test]
fn rule_1_comes_before_rule_2() {
    check(&refused("unauthorized", 9), 841, LONG_AGO, "dead");
}

#[test]
fn rule_2_refused_carries_why_and_since_when() {
    let window = ChainWindow {
        outcome: Outcome::Refused { reason: "unauthorized".into(), http_status: Some(401), detail: "why".into() },
        ..refused("unauthorized", 1)
    };
    let refusal = Refusal {
        reason: "unauthorized".into(),
        http_status: Some(401),
        detail: "why".into(),
        since: at(540),
        lasting: true,
    };
    assert_eq!(poll(&window, Watch::since(at(LONG_AGO)), at(601)), Poll::Refused(refusal.clone()));
    let never_answered = ChainWindow { last_success_at: None, ..window };
    assert_eq!(
        poll(&never_answered, Watch::since(at(LONG_AGO)), at(601)),
        Poll::Refused(Refusal { since: at(0), ..refusal })
    );
}

#[test]
fn rule_2_what_needs_somebody_lasts_at_once() {
    for reason in
        ["unauthorized", "forbidden", "bad_request", "not_found", "tls", "stream_full", "no_progress", "new_word"]
    {
        assert!(lasting(&refused(reason, 1), 601), "{reason}");
    }
}

#[test]
fn rule_2_what_may_pass_lasts_after_a_while() {
    for reason in PASSING {
        // The last answer came at 540.
        for (failures, now, expect) in
            [(1, 601, false), (4, 601, false), (5, 601, true), (2, 839, false), (2, 840, true), (1, 840, false)]
        {
            assert_eq!(lasting(&refused(reason, failures), now), expect, "{reason} {failures} {now}");
        }
    }
}

#[test]
fn rules_3_and_4_events_make_the_difference() {
    check(&ChainWindow { outcome: Outcome::Active, ..window() }, 601, LONG_AGO, "active");
    check(&window(), 601, LONG_AGO, "quiet");
}

#[test]
fn a_clock_that_is_behind_harms_nothing() {
    check(&window(), -5_000, LONG_AGO, "quiet");
    check(&window(), -5_000, 0, "quiet");
}
