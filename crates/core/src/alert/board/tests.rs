use latchkey_contracts::{
    Object,
    alert::{
        Alert,
        alert::{Change, State},
    },
    drift::{Change as Drifted, Drift, change},
    reread::{Found, Reread},
};

use super::*;
use crate::{
    instant,
    verdict::{Outcome, lag::Look, rejections::Batch},
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
fn a_reader_that_stands_still_is_raised_and_resolved() {
    let look = |second, pending| Look {
        at: at(second),
        first: 1,
        last: 100,
        floor: 100 - pending,
        delivered: 100 - pending,
        pending,
        ack_pending: 0,
        redelivered: 0,
        waiting: Some(0),
        max_ack_pending: Some(256),
        oldest_at: (pending > 0).then(|| at(-1_000)),
        moved_at: Some(at(-1_000)),
        max_age: None,
    };
    let survey = |look| Survey {
        readers: vec![Seen { name: "normalizer".into(), stream: "PAGES", is_sink: false, look }],
        streams: vec![("PAGES", (96, 100))],
        tables: None,
        destinations: Vec::new(),
    };
    let mut board = board([]);
    board.survey(survey(look(0, 10)));
    let raised = ["reader_stopped normalizer Raised after 0", "stream_filling PAGES Raised after 0"];
    assert_eq!(sweep(&mut board, 1), raised);
    // No look, no news: the alerter may be cut off.
    assert_eq!(sweep(&mut board, 100_000), [""; 0]);
    board.survey(survey(look(30, 0)));
    assert_eq!(sweep(&mut board, 31), ["reader_stopped normalizer Resolved after 1"]);
}

#[test]
fn what_a_new_watcher_cannot_have_seen_is_not_over() {
    let nano = crate::instant::to_unix_nano;
    let raised = |kind: Kind, reason: &str, second| Alert {
        kind: kind.as_str().into(),
        state: State::Raised.into(),
        change: Change::Raised.into(),
        reason: reason.into(),
        since_unix_nano: nano(at(second)),
        raises_unix_nano: vec![nano(at(second))],
        told_at_unix_nano: nano(at(second)),
        ..Alert::default()
    };
    let look = |second: i64| Look {
        at: at(second),
        first: 50,
        last: 100,
        floor: 100,
        delivered: 100,
        pending: 0,
        ack_pending: 0,
        redelivered: 0,
        waiting: Some(1),
        max_ack_pending: Some(256),
        oldest_at: None,
        moved_at: Some(at(second)),
        max_age: None,
    };
    let mut board = board([]);
    let about = About::Object(Object::named("normalizer"));
    board.learn(
        Kind::UnreadEvicted,
        &about,
        Known { sequence: 3, last: Some(raised(Kind::UnreadEvicted, "evicted", -60)) },
    );
    board.learn(Kind::ReaderSetBack, &about, Known { sequence: 4, last: Some(raised(Kind::ReaderSetBack, "", -60)) });
    let mut sweep_at = |second| {
        let seen = Seen { name: "normalizer".into(), stream: "PAGES", is_sink: false, look: look(second) };
        board.survey(Survey { readers: vec![seen], streams: Vec::new(), tables: None, destinations: Vec::new() });
        sweep(&mut board, second)
    };
    sweep_at(0);
    assert_eq!(sweep_at(30), [""; 0]);
    assert_eq!(sweep_at(599), [""; 0]);
    assert_eq!(sweep_at(600), ["reader_set_back normalizer Resolved after 4"]);
    assert_eq!(sweep_at(24 * 3_600 - 61), [""; 0]);
    assert_eq!(sweep_at(24 * 3_600 - 60), ["unread_evicted normalizer Resolved after 3"]);
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
fn a_destination_is_failing_as_of_the_newest_look() {
    let look = |since: Option<i64>, seen: i64| Survey {
        destinations: vec![("chat".into(), Waiting { since: since.map(at), at: at(seen) })],
        ..Survey::default()
    };
    let mut board = board([]);
    board.survey(look(Some(0), 299));
    assert_eq!(sweep(&mut board, 1_000), [""; 0]);
    board.survey(look(Some(0), 1_000));
    assert_eq!(sweep(&mut board, 1_001), ["destination_failing chat Raised after 0"]);
    // Its own alert waits there: the destination has not come back, whatever else was given up.
    board.survey(look(Some(1_001), 1_100));
    assert_eq!(sweep(&mut board, 1_101), [""; 0]);
    board.survey(look(None, 1_200));
    assert_eq!(sweep(&mut board, 1_201), ["destination_failing chat Resolved after 1"]);
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

fn drift(second: i64) -> Drift {
    let change = Drifted { kind: change::Kind::Field.into(), path: "$.zone".into(), ..Drifted::default() };
    let at = instant::to_unix_nano(at(second));
    Drift { first_unix_nano: at, last_unix_nano: at, changes: vec![change], ..Drift::default() }
}

/// The chain, active at this second.
fn active(source: &str, second: i64) -> ChainWindow {
    let arrived = ChainWindow { last_arrival_at: Some(at(second)), ..window(Outcome::Active) };
    ChainWindow {
        polled_at: at(second),
        next_poll_at: at(second + 60),
        chain: chain_of(source, Feed::AuditEvents),
        ..arrived
    }
}

#[test]
fn drift_is_raised_and_resolved_when_events_come_without_it() {
    let mut board = board([active("acme", 0)]);
    board.drift(&chain(), &drift(0));
    // One that is not polled is no chain to speak of.
    board.drift(&chain_of("gone", Feed::ItemUsages), &drift(0));
    assert_eq!(sweep(&mut board, 1), ["schema_drift acme/audit_events Raised after 0"]);
    board.observe(active("acme", 0));
    assert_eq!(sweep(&mut board, 3_600), ["poll_dead acme/audit_events Raised after 0"]);
    board.observe(active("acme", 3_600));
    assert_eq!(sweep(&mut board, 3_601), ["poll_dead acme/audit_events Resolved after 1"]);
    board.observe(active("acme", 3_700));
    assert_eq!(sweep(&mut board, 3_719), [""; 0]);
    assert_eq!(sweep(&mut board, 3_720), ["schema_drift acme/audit_events Resolved after 1"]);
}

#[test]
fn a_log_type_that_many_sources_differ_from_is_one_alert() {
    let sources = ["a", "b", "c", "d", "e"];
    let mut board = board(sources.map(|source| active(source, 0)));
    for source in sources {
        board.drift(&chain_of(source, Feed::AuditEvents), &drift(0));
    }
    assert_eq!(sweep(&mut board, 1), ["schema_drift OnePassword-AuditEvent Raised after 0"]);
    // The schema is patched; one account still has something of its own.
    for source in sources {
        board.observe(active(source, 3_500));
    }
    board.drift(&chain_of("c", Feed::AuditEvents), &drift(3_500));
    let over = ["schema_drift OnePassword-AuditEvent Resolved after 1", "schema_drift c/audit_events Raised after 0"];
    assert_eq!(sweep(&mut board, 3_620), over);
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
fn messages_that_are_given_up_are_raised_for_an_hour() {
    let mut board = board([]);
    board.give_up("normalizer", "PAGES", 7, at(0));
    assert_eq!(sweep(&mut board, 1), ["deliveries_exhausted normalizer Raised after 0"]);
    assert_eq!(sweep(&mut board, 3_599), [""; 0]);
    assert_eq!(sweep(&mut board, 3_600), ["deliveries_exhausted normalizer Resolved after 1"]);
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
