use super::*;
use crate::verdict::{
    Outcome, Policy, judge,
    samples::{at, refused, window},
};

/// A moment in the life of a chain.
#[derive(Clone, Copy, Debug)]
enum Now {
    Quiet,
    Active,
    Hiccup,
    Refused,
    Dead,
    Unknown,
    Silent,
}

const DAY: i64 = 24 * 60 * 60;

fn judged(now: Now) -> (ChainWindow, Judgement) {
    let (window, at_second, watched_since) = match now {
        Now::Quiet => (window(), 650, 0),
        Now::Active => (ChainWindow { outcome: Outcome::Active, ..window() }, 650, 0),
        Now::Hiccup => (refused("timeout", 1), 650, 0),
        Now::Refused => (refused("unauthorized", 1), 650, 0),
        Now::Dead => (window(), 2 * DAY, 0),
        Now::Unknown => (window(), 2 * DAY, 2 * DAY),
        Now::Silent => (ChainWindow { last_arrival_at: Some(at(-2 * DAY)), ..window() }, 650, 0),
    };
    let judgement = judge(&window, at(watched_since), at(at_second), &Policy::default());
    (window, judgement)
}

/// Every kind's answer: alarm, clear, unsure.
fn check(now: Now, [poll_dead, poll_refused, drop_off]: [char; 3]) {
    let (_, judgement) = judged(now);
    for (kind, expect) in Kind::ALL.into_iter().zip([poll_dead, poll_refused, drop_off]) {
        let found = match find(kind, &judgement) {
            Finding::Alarm { .. } => 'A',
            Finding::Clear => 'c',
            Finding::Unsure => '?',
        };
        assert_eq!(found, expect, "{kind:?} for {now:?}: {judgement:?}");
    }
}

#[test]
fn findings_by_kind() {
    check(Now::Quiet, ['c', 'c', 'c']);
    check(Now::Active, ['c', 'c', 'c']);
    check(Now::Hiccup, ['c', '?', '?']);
    check(Now::Refused, ['c', 'A', '?']);
    check(Now::Dead, ['A', '?', '?']);
    check(Now::Unknown, ['?', '?', '?']);
    check(Now::Silent, ['c', 'c', 'A']);
}

/// Lets an alert of `kind` live through `moments`; its transitions as `+1` and `-1` with their generations.
fn live(kind: Kind, moments: &[Now]) -> Vec<String> {
    let mut last: Option<Alert> = None;
    let mut told = Vec::new();
    for moment in moments {
        let (window, judgement) = judged(*moment);
        if let Some(alert) = transition(last.as_ref(), kind, &window, &judgement, at(0)) {
            told.push(format!("{}{}", if is_raised(&alert) { '+' } else { '-' }, alert.generation));
            last = Some(alert);
        }
    }
    told
}

#[test]
fn an_alert_is_raised_and_resolved_once_each() {
    use Now::{Active, Dead, Hiccup, Quiet, Refused, Silent, Unknown};
    let nothing: [&str; 0] = [];
    assert_eq!(live(Kind::PollRefused, &[Quiet, Active, Hiccup, Quiet, Silent, Unknown]), nothing);
    assert_eq!(live(Kind::PollRefused, &[Refused, Refused, Hiccup, Refused, Quiet, Quiet]), ["+1", "-1"]);
    assert_eq!(live(Kind::PollRefused, &[Refused, Quiet, Refused, Active, Refused]), ["+1", "-1", "+2", "-2", "+3"]);
    // Nobody knows better: it stays.
    assert_eq!(live(Kind::PollRefused, &[Refused, Dead, Unknown, Hiccup]), ["+1"]);
    assert_eq!(live(Kind::PollDead, &[Quiet, Dead, Dead, Unknown, Refused]), ["+1", "-1"]);
    assert_eq!(live(Kind::DropOff, &[Silent, Refused, Dead, Silent, Active]), ["+1", "-1"]);
}

#[test]
fn a_transition_says_everything() {
    let (window, judgement) = judged(Now::Refused);
    let raised = transition(None, Kind::PollRefused, &window, &judgement, at(650)).unwrap();
    let expect = Alert {
        kind: "poll_refused".into(),
        source: "acme".into(),
        source_label: "Acme".into(),
        feed: "item_usages".into(),
        state: State::Raised.into(),
        since_unix_nano: instant::to_unix_nano(at(540)),
        judged_at_unix_nano: instant::to_unix_nano(at(650)),
        summary: "item_usages of Acme cannot be read since 2023-11-14T22:22:20Z: unauthorized (why).".into(),
        next_step: next_step_of_refusal("unauthorized").into(),
        generation: 1,
    };
    assert_eq!(raised, expect);

    let (window, judgement) = judged(Now::Quiet);
    let resolved = transition(Some(&raised), Kind::PollRefused, &window, &judgement, at(700)).unwrap();
    let expect = Alert {
        state: State::Resolved.into(),
        judged_at_unix_nano: instant::to_unix_nano(at(700)),
        summary: "item_usages of Acme can be read again.".into(),
        next_step: String::new(),
        ..expect
    };
    assert_eq!(resolved, expect);
}

#[test]
fn every_kind_has_its_words() {
    for (kind, now, summary) in [
        (
            Kind::PollDead,
            Now::Dead,
            "is not polled: the last poll was at 2023-11-14T22:23:20Z, the next was due at 2023-11-14T22:24:20Z.",
        ),
        (Kind::DropOff, Now::Silent, "no event has arrived since 2023-11-12T22:13:20Z."),
    ] {
        let (window, judgement) = judged(now);
        let raised = transition(None, kind, &window, &judgement, at(0)).unwrap();
        assert!(raised.summary.ends_with(summary), "{}", raised.summary);
        assert!(!raised.next_step.is_empty());
        assert_eq!(raised.kind, kind.as_str());
    }
}
