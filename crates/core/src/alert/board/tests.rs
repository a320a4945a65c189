mod planned;
mod readers;

use latchkey_contracts::{
    Object,
    alert::{
        Alert,
        alert::{Change, State},
    },
    drift::{Change as Drifted, Drift, change},
    reread::{Found, Reread},
    window,
};

use super::*;
use crate::{
    instant,
    polling::TokenFault,
    verdict::{Outcome, lag::Look, rejections::Batch, samples::look},
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn chain_of(source: &str, feed: Feed) -> Chain {
    Chain { source: source.parse().unwrap(), feed }
}

fn chain() -> Chain {
    chain_of("acme", Feed::AuditEvents)
}

/// Polled at 0, next at 60.
fn window(outcome: Outcome) -> ChainWindow {
    window_of(chain(), outcome)
}

fn window_of(chain: Chain, outcome: Outcome) -> ChainWindow {
    ChainWindow {
        chain,
        source_label: "Acme".into(),
        polled_at: at(0),
        next_poll_at: at(60),
        first_polled_at: at(0),
        last_success_at: Some(at(0)),
        last_arrival_at: Some(at(0)),
        consecutive_failures: 1,
        outcome,
        events_total: 0,
        token_expires_at: None,
        clock_skew: None,
        position_at: None,
        host: String::new(),
        token_fault: None,
    }
}

fn refused(reason: &str) -> Outcome {
    Outcome::Refused { reason: reason.into(), http_status: Some(401), detail: String::new() }
}

fn board(windows: impl IntoIterator<Item = ChainWindow>) -> Board {
    let mut board = Board::new(Policies::default(), Timing::default(), at(0));
    for window in windows {
        assert!(board.observe(window));
    }
    board
}

/// Kind, what it is about, and what becomes of it, of every step; all are taken.
fn sweep(board: &mut Board, now: i64) -> Vec<String> {
    let (steps, _) = board.sweep(at(now));
    take(board, steps)
}

fn take(board: &mut Board, steps: Vec<Step>) -> Vec<String> {
    let take = |step| match step {
        Step::Read { kind, about } => format!("{} {about} read", kind.as_str()),
        Step::Publish { kind, about, alert, expected } => {
            let muted = if alert.muted { ", muted" } else { "" };
            let told = format!("{} {about} {:?}{muted} after {expected}", kind.as_str(), alert.change());
            board.learn(kind, &about, Known { sequence: expected + 1, last: Some(*alert) });
            told
        }
    };
    let mut told: Vec<_> = steps.into_iter().map(take).collect();
    told.sort();
    told
}

#[test]
fn an_alert_follows_the_last_one() {
    let mut board = board([window(refused("unauthorized"))]);
    assert_eq!(sweep(&mut board, 1), ["poll_refused acme/audit_events Raised after 0"]);
    assert_eq!(sweep(&mut board, 2), [""; 0]);
    board.observe(window(Outcome::Quiet));
    let steps = board.settle(&chain(), at(3));
    assert_eq!(take(&mut board, steps), ["poll_refused acme/audit_events Resolved after 1"]);
}

#[test]
fn what_was_raised_elsewhere_is_not_raised_again() {
    let mut board = board([window(refused("unauthorized"))]);
    let raised = Alert {
        state: State::Raised.into(),
        change: Change::Raised.into(),
        severity: 3,
        generation: 1,
        ..Alert::default()
    };
    let raised = Alert { reason: "unauthorized".into(), told_at_unix_nano: 1, ..raised };
    let about = About::Chain(chain());
    board.learn(Kind::PollRefused, &about, Known { sequence: 9, last: Some(raised) });
    assert_eq!(sweep(&mut board, 1), [""; 0]);
    // What is older than what is known comes late, and says nothing.
    board.learn(Kind::PollRefused, &about, Known { sequence: 8, last: None });
    assert_eq!(sweep(&mut board, 2), [""; 0]);
}

#[test]
fn calm_is_measured_anew_when_a_clock_was_set() {
    let mut board = board([]);
    let see = |board: &mut Board, outcome, second| {
        let polled = (at(second), at(second + 60));
        board.observe(ChainWindow { polled_at: polled.0, next_poll_at: polled.1, ..window(outcome) });
        sweep(board, second)
    };
    let about = "poll_refused acme/audit_events";
    for (second, change, sequence) in [(1, "Raised", 0), (3, "Raised", 2), (5, "Raised", 4)] {
        assert_eq!(see(&mut board, refused("unauthorized"), second), [format!("{about} {change} after {sequence}")]);
        // The third time it is flapping, and ends after half an hour of calm.
        let ended = if second < 5 { vec![format!("{about} Resolved after {}", sequence + 1)] } else { vec![] };
        assert_eq!(see(&mut board, Outcome::Quiet, second + 1), ended);
    }
    for set_to in [18_000, 10] {
        board.watch_anew(at(set_to));
        assert_eq!(see(&mut board, Outcome::Quiet, set_to), [""; 0]);
    }
    assert_eq!(see(&mut board, Outcome::Quiet, 10 + 30 * 60), [format!("{about} Resolved after 5")]);
}

#[test]
fn what_may_be_wrong_is_read_before_anything_is_written() {
    let mut board = board([window(refused("unauthorized"))]);
    let about = About::Chain(chain());
    board.doubt(Kind::PollRefused, &about);
    assert_eq!(sweep(&mut board, 1), ["poll_refused acme/audit_events read"]);
    board.learn(Kind::PollRefused, &about, Known { sequence: 4, last: None });
    assert_eq!(sweep(&mut board, 1), ["poll_refused acme/audit_events Raised after 4"]);
}

#[test]
fn an_outage_is_one_alert() {
    let many = || (0..5).map(|number| chain_of(&format!("s{number}"), Feed::ItemUsages));
    let mut board = board(many().map(|chain| window_of(chain, refused("timeout"))));
    // One failure each is none to speak of, but no chain is told of alone from here on.
    assert_eq!(sweep(&mut board, 1), [""; 0]);
    for chain in many() {
        board.observe(ChainWindow { consecutive_failures: 5, ..window_of(chain, refused("timeout")) });
    }
    let steps = board.settle(&chain_of("s0", Feed::ItemUsages), at(2));
    assert_eq!(take(&mut board, steps), [""; 0]);
    assert_eq!(sweep(&mut board, 2), ["outage all Raised after 0"]);
    // It lifts: what still fails is told of by itself.
    for chain in many().skip(1) {
        board.observe(window_of(chain, Outcome::Quiet));
    }
    assert_eq!(sweep(&mut board, 3), ["outage all Resolved after 1", "poll_refused s0/item_usages Raised after 0"]);
}

#[test]
fn a_silent_source_is_one_alert() {
    let day = 24 * 3_600;
    let silent = |feed| ChainWindow {
        polled_at: at(day),
        next_poll_at: at(day + 60),
        ..window_of(chain_of("acme", feed), Outcome::Quiet)
    };
    let mut board = board(Feed::USUAL.map(silent));
    assert_eq!(sweep(&mut board, day), [""; 0]);
    assert_eq!(sweep(&mut board, day + 1), ["source_drop_off acme Raised after 0"]);
    // One feed wakes up, and the others are on their own.
    board.observe(ChainWindow { last_arrival_at: Some(at(day)), ..silent(Feed::AuditEvents) });
    assert_eq!(
        sweep(&mut board, day + 2),
        [
            "drop_off acme/item_usages Raised after 0",
            "drop_off acme/sign_in_attempts Raised after 0",
            "source_drop_off acme Resolved after 1",
        ]
    );
}

#[test]
fn what_is_silenced_is_written_and_not_told() {
    let mut board = board([window(refused("unauthorized"))]);
    let about = About::Source("acme".parse().unwrap());
    let begin = silence::Silence { about: &about, kinds: &[], from: at(0), until: at(100), by: "Ada", note: "" }
        .begin(None, at(0));
    board.learn_silence(about, Known { sequence: 1, last: Some(begin) });
    assert_eq!(sweep(&mut board, 1), ["poll_refused acme/audit_events Raised, muted after 0"]);
    assert_eq!(sweep(&mut board, 99), [""; 0]);
    assert_eq!(sweep(&mut board, 100), ["poll_refused acme/audit_events Reminded after 1"]);
}

#[test]
fn a_gap_in_watching_delays_the_verdict_of_death() {
    let mut board = board([window(Outcome::Quiet)]);
    assert_eq!(board.judge(&chain(), at(10_000)).unwrap().poll.as_str(), "dead");
    board.watch_anew(at(9_900));
    assert_eq!(board.judge(&chain(), at(10_000)).unwrap().poll.as_str(), "unknown");
    assert_eq!(board.judge(&chain(), at(10_081)).unwrap().poll.as_str(), "dead");
}

#[test]
fn what_validation_refuses_is_raised_and_resolved_an_hour_later() {
    let mut board = board([window(Outcome::Quiet)]);
    let batch = Batch { at: at(0), items: 1, page: true, fault: "json at $".into() };
    board.refuse(&chain(), &batch);
    // One that is not polled is no chain to speak of.
    board.refuse(&chain_of("gone", Feed::ItemUsages), &batch);
    assert_eq!(sweep(&mut board, 1), ["rejections acme/audit_events Raised after 0"]);
    let polled = ChainWindow { polled_at: at(3_600), next_poll_at: at(3_660), ..window(Outcome::Quiet) };
    board.observe(polled);
    assert_eq!(sweep(&mut board, 3_599), [""; 0]);
    assert_eq!(sweep(&mut board, 3_600), ["rejections acme/audit_events Resolved after 1"]);
    assert!(board.refused.is_empty());
}

#[test]
fn people_are_reminded_of_what_others_look_after() {
    let mut board = board([]);
    board.timing.remind_every = Some(SignedDuration::from_hours(4));
    let raised = Alert {
        state: State::Raised.into(),
        change: Change::Raised.into(),
        told_at_unix_nano: crate::instant::to_unix_nano(at(0)),
        ..Alert::default()
    };
    board.learn(Kind::SchemasRefused, &About::Line, Known { sequence: 3, last: Some(raised) });
    assert_eq!(sweep(&mut board, 4 * 3_600 - 1), [""; 0]);
    assert_eq!(sweep(&mut board, 4 * 3_600), ["schemas_refused all Reminded after 3"]);
}

#[test]
fn what_is_wrong_with_a_removed_chain_is_over() {
    let mut board = board([window(refused("unauthorized"))]);
    assert_eq!(sweep(&mut board, 1), ["poll_refused acme/audit_events Raised after 0"]);
    assert!(board.observe(window(Outcome::Removed)));
    assert_eq!(sweep(&mut board, 2), ["poll_refused acme/audit_events Resolved after 1"]);
    // Nobody polls it, and nobody is to: also long after it is not called dead.
    assert_eq!(sweep(&mut board, 100_000), [""; 0]);
}

#[test]
fn a_token_that_only_one_of_two_fetchers_can_use_is_one_alert() {
    let polled = |second: i64, since: Option<i64>| ChainWindow {
        polled_at: at(second),
        next_poll_at: at(second + 60),
        last_success_at: Some(at(second)),
        token_expires_at: Some(at(30 * 24 * 3_600)),
        token_fault: since.map(|since| TokenFault { reason: "token_file: no token".into(), since: at(since) }),
        ..window(Outcome::Quiet)
    };
    let mut board = board([polled(0, Some(0))]);
    let poll = |board: &mut Board, second, since| {
        board.observe(polled(second, since));
        let steps = board.settle(&chain(), at(second));
        take(board, steps)
    };
    assert_eq!(poll(&mut board, 300, Some(0)), ["data_at_risk acme/audit_events Raised after 0"]);
    // They take turns.
    for (second, since) in [(360, None), (420, Some(0)), (480, None), (540, Some(0)), (600, None)] {
        assert_eq!(poll(&mut board, second, since), [""; 0], "{second}");
    }
    // Who has just started cannot have met it yet.
    let known = board.alerts[&(Kind::DataAtRisk, About::Chain(chain()))].known.clone();
    let mut second = Board::new(Policies::default(), Timing::default(), at(600));
    second.learn(Kind::DataAtRisk, &About::Chain(chain()), known);
    assert_eq!(poll(&mut second, 839, None), [""; 0]);
    assert_eq!(poll(&mut board, 839, None), [""; 0]);
    assert_eq!(poll(&mut board, 840, None), ["data_at_risk acme/audit_events Resolved after 1"]);
    assert_eq!(poll(&mut second, 900, None), ["data_at_risk acme/audit_events Resolved after 1"]);
}

fn drift(second: i64) -> Drift {
    let change = Drifted { kind: change::Kind::Field.into(), path: "$.zone".into(), ..Drifted::default() };
    let at = instant::to_unix_nano(at(second));
    Drift { first_unix_nano: at, last_unix_nano: at, changes: vec![change], ..Drift::default() }
}

/// The chain, active at this second and polled once an hour.
fn active(source: &str, second: i64) -> ChainWindow {
    let arrived = ChainWindow { last_arrival_at: Some(at(second)), ..window(Outcome::Active) };
    ChainWindow {
        polled_at: at(second),
        next_poll_at: at(second + 3_600),
        chain: chain_of(source, Feed::AuditEvents),
        ..arrived
    }
}

/// A look at the normalizer: what waits for it has come at this second, if anything does.
fn normalizer(second: i64, oldest: Option<i64>) -> window::Window {
    let waits =
        Look { pending: 1, ack_pending: 0, oldest_at: oldest.map(at), moved_at: Some(at(second)), ..look(second) };
    readers::normalizer([if oldest.is_some() { waits } else { readers::done(second) }])
}

#[test]
fn drift_is_raised_and_resolved_when_events_come_without_it() {
    let mut board = board([active("acme", 0)]);
    board.drift(&chain(), &drift(0));
    // One that is not polled is no chain to speak of.
    board.drift(&chain_of("gone", Feed::ItemUsages), &drift(0));
    assert_eq!(sweep(&mut board, 119), [""; 0]);
    assert_eq!(sweep(&mut board, 120), ["schema_drift acme/audit_events Raised after 0"]);
    board.observe(active("acme", 3_590));
    // What has come waits for a normalizer.
    board.see(&normalizer(3_800, Some(3_590)));
    assert_eq!(sweep(&mut board, 3_800), [""; 0]);
    board.see(&normalizer(3_830, None));
    assert_eq!(sweep(&mut board, 3_830), ["schema_drift acme/audit_events Resolved after 1"]);
}

#[test]
fn an_alerter_that_comes_later_knows_of_drift_what_the_first_does() {
    let mut first = board([active("acme", 0)]);
    let report = |changes: &[(change::Kind, &str, i64)]| {
        let nano = |second: i64| instant::to_unix_nano(at(second));
        let change = |(kind, path, last): &(change::Kind, &str, i64)| Drifted {
            kind: (*kind).into(),
            path: (*path).into(),
            first_unix_nano: nano(0),
            last_unix_nano: nano(*last),
            ..Drifted::default()
        };
        let last_unix_nano = changes.iter().map(|(.., last)| nano(*last)).max().unwrap();
        let changes = changes.iter().map(change).collect();
        Drift { first_unix_nano: nano(0), last_unix_nano, changes, ..Drift::default() }
    };
    first.drift(&chain(), &report(&[(change::Kind::Type, "$.count", 60)]));
    let raised = sweep(&mut first, 120);
    assert_eq!(raised, ["schema_drift acme/audit_events Raised after 0"]);
    // The bucket's value holds what was met before beside what was met last.
    let newest = report(&[(change::Kind::Type, "$.count", 60), (change::Kind::Field, "$.zone", 3_000)]);
    first.drift(&chain(), &newest);
    let mut second = board([active("acme", 3_000)]);
    second.drift(&chain(), &newest);
    let about = About::Chain(chain());
    let known = first.alerts[&(Kind::SchemaDrift, about.clone())].known.clone();
    second.learn(Kind::SchemaDrift, &about, known);
    first.observe(active("acme", 3_000));
    // Both say the same, also when the type is as it should be again, and also if one of their clocks is ahead.
    assert_eq!((sweep(&mut first, 3_655), sweep(&mut second, 3_665)), (vec![], vec![]));
    let newest = report(&[(change::Kind::Type, "$.count", 60), (change::Kind::Field, "$.zone", 3_660)]);
    first.drift(&chain(), &newest);
    second.drift(&chain(), &newest);
    let updated = ["schema_drift acme/audit_events Updated after 1"];
    assert_eq!(sweep(&mut first, 3_661), updated);
    assert_eq!(sweep(&mut second, 3_671), updated);
}

#[test]
fn a_log_type_that_many_sources_differ_from_is_one_alert() {
    let sources = ["a", "b", "c", "d", "e"];
    let mut board = board(sources.map(|source| active(source, 0)));
    let differ = |board: &mut Board, source: &str, second| {
        board.drift(&chain_of(source, Feed::AuditEvents), &drift(second));
    };
    // One was the first by minutes. The others come one by one, and none of them is told of.
    differ(&mut board, "a", 0);
    assert_eq!(sweep(&mut board, 120), ["schema_drift a/audit_events Raised after 0"]);
    for (source, second) in [("b", 121), ("c", 180)] {
        differ(&mut board, source, second);
        assert_eq!(sweep(&mut board, second + 1), [""; 0]);
    }
    differ(&mut board, "d", 239);
    let one = ["schema_drift OnePassword-AuditEvent Raised after 0", "schema_drift a/audit_events Resolved after 1"];
    assert_eq!(sweep(&mut board, 240), one);
    differ(&mut board, "e", 250);
    assert_eq!(sweep(&mut board, 400), [""; 0]);
    // The schema is patched, and nobody can see it before somebody normalizes events.
    board.see(&normalizer(3_850, Some(300)));
    for source in sources {
        board.observe(active(source, 3_700));
    }
    assert_eq!(sweep(&mut board, 3_850), [""; 0]);
    // One account still has something of its own.
    board.see(&normalizer(3_860, None));
    differ(&mut board, "c", 3_700);
    assert_eq!(sweep(&mut board, 3_860), ["schema_drift OnePassword-AuditEvent Resolved after 1"]);
    assert_eq!(sweep(&mut board, 3_861), ["schema_drift c/audit_events Raised after 0"]);
}

#[test]
fn the_drift_of_a_log_type_does_not_end_by_silence() {
    let sources = ["a", "b", "c", "d"];
    let mut board = board(sources.map(|source| active(source, 0)));
    for source in sources {
        board.drift(&chain_of(source, Feed::AuditEvents), &drift(0));
    }
    assert_eq!(sweep(&mut board, 120), ["schema_drift OnePassword-AuditEvent Raised after 0"]);
    // Everything is normalized, and nothing has come: nobody knows how the next event will look.
    let silent = |board: &mut Board, second| {
        board.see(&normalizer(second, None));
        sweep(board, second)
    };
    assert_eq!(silent(&mut board, 4_000), [""; 0]);
    // Events of three come without it: what one is silent about is no common cause.
    for (source, second) in [("a", 4_010), ("b", 4_020)] {
        board.observe(active(source, second));
        assert_eq!(silent(&mut board, second + 150), [""; 0], "{source}");
    }
    board.observe(active("c", 4_200));
    assert_eq!(silent(&mut board, 4_350), ["schema_drift OnePassword-AuditEvent Resolved after 1"]);
}

#[test]
fn drift_of_which_nothing_is_kept_is_over() {
    let mut board = board([active("acme", 0)]);
    let raised =
        Alert { state: State::Raised.into(), change: Change::Raised.into(), told_at_unix_nano: 1, ..Alert::default() };
    for kind in [Kind::SchemaDrift, Kind::DeliveriesExhausted] {
        let about =
            if kind == Kind::SchemaDrift { About::Chain(chain()) } else { About::Object(Object::named("other")) };
        board.learn(kind, &about, Known { sequence: 1, last: Some(raised.clone()) });
    }
    board.observe(active("acme", 3_500));
    assert_eq!(sweep(&mut board, 3_599), [""; 0]);
    let over = ["deliveries_exhausted other Resolved after 1", "schema_drift acme/audit_events Resolved after 1"];
    assert_eq!(sweep(&mut board, 3_600), over);
}

#[test]
fn what_an_audit_has_missed_is_raised_and_resolved_by_the_next() {
    let mut board = board([active("acme", 0)]);
    let missing = Reread {
        missing_at_unix_nano: instant::to_unix_nano(at(1)),
        last_missing: Some(Found { missing: 2, repaired: 2, ..Found::default() }),
        ..Reread::default()
    };
    board.audited(&chain(), &missing);
    assert_eq!(sweep(&mut board, 2), ["events_missed acme/audit_events Raised after 0"]);
    board.observe(active("acme", 4_000));
    assert_eq!(sweep(&mut board, 4_000), [""; 0]);
    board.audited(&chain(), &Reread { complete_at_unix_nano: instant::to_unix_nano(at(3_900)), ..missing });
    assert_eq!(sweep(&mut board, 4_001), ["events_missed acme/audit_events Resolved after 1"]);
}

#[test]
fn an_outage_of_one_host_is_one_alert() {
    let of = |host: &str, number: usize, outcome: Outcome, failures| ChainWindow {
        host: host.into(),
        consecutive_failures: failures,
        ..window_of(chain_of(&format!("{host}{number}"), Feed::ItemUsages), outcome)
    };
    let mut board = board((0..4).map(|number| of("us", number, Outcome::Quiet, 0)));
    for number in 0..3 {
        board.observe(of("eu", number, refused("timeout"), 1));
    }
    // One failure each: it may become one cause, and nobody is told of alone.
    assert_eq!(sweep(&mut board, 1), [""; 0]);
    for number in 0..3 {
        board.observe(of("eu", number, refused("timeout"), 5));
        let steps = board.settle(&chain_of(&format!("eu{number}"), Feed::ItemUsages), at(2));
        assert_eq!(take(&mut board, steps), [""; 0]);
    }
    assert_eq!(sweep(&mut board, 2), ["outage eu Raised after 0"]);
    // It spreads to all: the alert that is raised stays, and the other hosts have none of their own.
    for number in 0..4 {
        board.observe(of("us", number, refused("timeout"), 5));
    }
    assert_eq!(sweep(&mut board, 3), ["outage all Raised after 0"]);
    for (host, count) in [("us", 4), ("eu", 3)] {
        for number in 0..count {
            board.observe(of(host, number, Outcome::Quiet, 0));
        }
    }
    assert_eq!(sweep(&mut board, 4), ["outage all Resolved after 1", "outage eu Resolved after 1"]);
}
