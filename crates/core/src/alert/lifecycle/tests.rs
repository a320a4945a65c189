use super::*;
use crate::verdict::samples::at;

/// An alert as two minutes' steps show it: what is found at each, and what is told.
struct Life {
    kind: Kind,
    about: About,
    last: Option<Alert>,
    muted: bool,
    clear_since: Option<Timestamp>,
    now: i64,
}

impl Life {
    fn new() -> Self {
        let about = About::Source("acme".parse().unwrap());
        Self { kind: Kind::PollRefused, about, last: None, muted: false, clear_since: None, now: 0 }
    }

    /// The next moment: `A` an alarm, `W` a worse one, `O` one for another reason, `c` clear, `?` unsure, `o` told of by
    /// another, `g` gone. The transition, with its generation; `m` if it is muted.
    fn step(&mut self, found: char, seconds: i64) -> String {
        self.now += seconds;
        let alarm = |severity, reason: &'static str| {
            Finding::Alarm(Alarm {
                since: at(0),
                severity,
                reason: reason.into(),
                summary: "what is".into(),
                next_step: "what to do".into(),
            })
        };
        let finding = match found {
            'A' => alarm(Severity::Warning, "timeout"),
            'O' => alarm(Severity::Warning, "unauthorized"),
            'W' => alarm(Severity::Critical, "timeout"),
            'c' => Finding::Clear,
            '?' => Finding::Unsure,
            'o' => Finding::Covered,
            'g' => Finding::Gone,
            _ => unreachable!("no such finding"),
        };
        self.clear_since = match finding {
            Finding::Clear => self.clear_since.or(Some(at(self.now))),
            _ => None,
        };
        let around = Circumstances {
            about: &self.about,
            label: "Acme",
            muted: self.muted,
            clear_since: self.clear_since,
            remind_every: Some(SignedDuration::from_hours(4)),
            now: at(self.now),
        };
        let Some(alert) = next(self.last.as_ref(), self.kind, &finding, &around) else { return "-".into() };
        let change = match alert.change() {
            Change::Raised => "raised",
            Change::Updated => "updated",
            Change::Reminded => "reminded",
            Change::Acknowledged => "acknowledged",
            Change::Resolved => "resolved",
            Change::Unspecified => unreachable!("a transition says what it is"),
        };
        let told = format!("{change} {}{}", alert.generation, if alert.muted { " m" } else { "" });
        self.last = Some(alert);
        told
    }

    /// Steps of two minutes, and what is told of at all.
    fn live(&mut self, moments: &str) -> Vec<String> {
        moments.chars().map(|found| self.step(found, 120)).filter(|told| told != "-").collect()
    }
}

#[test]
fn an_alert_is_raised_and_resolved_once_each() {
    let live = |moments| Life::new().live(moments);
    assert_eq!(live("c?cc"), [""; 0]);
    assert_eq!(live("AAA?Acc"), ["raised 1", "resolved 1"]);
    assert_eq!(live("AcA"), ["raised 1", "resolved 1", "raised 2"]);
    // Nobody knows better: it stays.
    assert_eq!(live("A????"), ["raised 1"]);
}

#[test]
fn a_worse_severity_is_told_at_once_and_another_cause_after_a_while() {
    let live = |moments| Life::new().live(moments);
    assert_eq!(live("AW"), ["raised 1", "updated 1"]);
    assert_eq!(live("WA"), ["raised 1"]);
    assert_eq!(live("WAA"), ["raised 1"]);
    assert_eq!(live("WAAA"), ["raised 1", "updated 1"]);
    assert_eq!(live("AOOO"), ["raised 1", "updated 1"]);
    assert_eq!(live("AOAO"), ["raised 1", "updated 1"]);
}

#[test]
fn the_third_raise_within_an_hour_is_a_flapping_one() {
    let mut life = Life::new();
    assert_eq!(life.live("AcAcA"), ["raised 1", "resolved 1", "raised 2", "resolved 2", "raised 3"]);
    assert!(life.last.as_ref().unwrap().flapping);
    // Comes and goes, and is one alert.
    assert_eq!(life.live("cAccAcccAccccccccccccccc"), [""; 0]);
    assert_eq!(life.step('?', 120), "-");
    // Half an hour of calm without a break.
    assert_eq!(life.live(&"c".repeat(15)), [""; 0]);
    assert_eq!(life.step('c', 120), "resolved 3");
    // Its beginnings are forgotten after an hour.
    assert_eq!(life.step('A', 3_600), "raised 4");
    assert!(!life.last.as_ref().unwrap().flapping);
    assert_eq!(life.step('c', 120), "resolved 4");
}

#[test]
fn what_another_alert_tells_of_is_told_of_no_more() {
    let mut life = Life::new();
    assert_eq!(life.live("oAoooA"), ["raised 1", "resolved 1", "raised 2"]);
    // Also of one that flaps: there is no calm to wait for.
    assert_eq!(life.live("cAo"), ["resolved 2", "raised 3", "resolved 3"]);
    let resolved = life.last.unwrap();
    assert!(resolved.flapping && resolved.told_at_unix_nano == 0);
    assert_eq!(
        resolved.summary,
        "What is wrong with Acme goes on, and another alert tells of it together with others."
    );
}

#[test]
fn what_is_gone_is_told_of_no_more() {
    let mut life = Life::new();
    // Also if it flaps.
    assert_eq!(life.live("gAgcAcAg"), ["raised 1", "resolved 1", "raised 2", "resolved 2", "raised 3", "resolved 3"]);
    assert_eq!(life.last.unwrap().summary, "Acme was removed.");
}

#[test]
fn raises_far_apart_are_no_flapping() {
    let mut life = Life::new();
    for generation in 1..=5 {
        assert_eq!(life.step('A', 1_801), format!("raised {generation}"));
        assert_eq!(life.step('c', 120), format!("resolved {generation}"));
    }
    assert_eq!(life.last.unwrap().raises_unix_nano.len(), 4);
}

#[test]
fn people_are_reminded_until_somebody_acknowledges() {
    let mut life = Life::new();
    assert_eq!(life.step('A', 0), "raised 1");
    assert_eq!(life.step('A', 4 * 3_600 - 1), "-");
    assert_eq!(life.step('?', 1), "reminded 1");
    assert_eq!(life.step('A', 4 * 3_600), "reminded 1");
    let acknowledged = acknowledge(life.last.as_ref().unwrap(), "Ada", "on it", at(life.now)).unwrap();
    assert_eq!(
        (acknowledged.change(), &*acknowledged.acknowledged_by, &*acknowledged.note),
        (Change::Acknowledged, "Ada", "on it")
    );
    life.last = Some(acknowledged);
    assert_eq!(life.step('A', 9 * 3_600), "-");
    // What gets worse is another matter.
    assert_eq!(life.step('W', 120), "updated 1");
    assert_eq!(life.last.as_ref().unwrap().acknowledged_by, "");
    assert_eq!(life.step('W', 4 * 3_600), "reminded 1");
    assert_eq!(life.step('c', 120), "resolved 1");
    let last = life.last.unwrap();
    assert_eq!(acknowledge(&last, "Ada", "", at(0)), None);
    // Whoever was told of the lesser one may be another than who was told of the worse.
    assert_eq!(last.told_severities, [Severity::Warning, Severity::Critical].map(i32::from));
}

#[test]
fn what_nobody_was_told_of_is_told_when_the_silence_ends() {
    let mut life = Life::new();
    life.muted = true;
    assert_eq!(life.step('A', 0), "raised 1 m");
    assert_eq!(life.step('A', 9 * 3_600), "-");
    life.muted = false;
    assert_eq!(life.step('A', 1), "reminded 1");
    assert_eq!(life.step('c', 1), "resolved 1");
    // What nobody was told of needs no end.
    life.muted = true;
    assert_eq!(life.step('A', 1), "raised 2 m");
    assert_eq!(life.step('c', 1), "resolved 2 m");
    // Whoever heard of the beginning hears of the end.
    life.muted = false;
    assert_eq!(life.step('A', 4_000), "raised 3");
    life.muted = true;
    assert_eq!(life.step('c', 1), "resolved 3");
}

#[test]
fn a_transition_says_everything() {
    let mut life = Life::new();
    life.step('A', 650);
    let expect = Alert {
        kind: "poll_refused".into(),
        code: "LK102".into(),
        source: "acme".into(),
        source_label: "Acme".into(),
        state: State::Raised.into(),
        change: Change::Raised.into(),
        severity: Severity::Warning.into(),
        reason: "timeout".into(),
        since_unix_nano: instant::to_unix_nano(at(0)),
        judged_at_unix_nano: instant::to_unix_nano(at(650)),
        told_at_unix_nano: instant::to_unix_nano(at(650)),
        summary: "what is".into(),
        next_step: "what to do".into(),
        generation: 1,
        raises_unix_nano: vec![instant::to_unix_nano(at(650))],
        told_severities: vec![Severity::Warning.into()],
        ..Alert::default()
    };
    assert_eq!(life.last, Some(expect.clone()));
    life.step('c', 50);
    let expect = Alert {
        state: State::Resolved.into(),
        change: Change::Resolved.into(),
        judged_at_unix_nano: instant::to_unix_nano(at(700)),
        told_at_unix_nano: 0,
        summary: "Acme can be read again.".into(),
        next_step: String::new(),
        ..expect
    };
    assert_eq!(life.last, Some(expect));
}

#[test]
fn an_alert_of_a_writer_that_knew_less_lives_on() {
    let mut life = Life::new();
    let raised = Alert {
        state: State::Raised.into(),
        generation: 7,
        judged_at_unix_nano: instant::to_unix_nano(at(0)),
        ..Alert::default()
    };
    life.last = Some(raised);
    assert_eq!(life.step('?', 60), "-");
    assert_eq!(life.step('c', 60), "resolved 7");
}
