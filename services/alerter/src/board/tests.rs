use latchkey_contracts::{Feed, alert::alert::State};
use latchkey_core::verdict::Outcome;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn chain() -> Chain {
    Chain { source: "acme".parse().unwrap(), feed: Feed::AuditEvents }
}

/// Polled at 0, next at 60.
fn window(outcome: Outcome) -> ChainWindow {
    ChainWindow {
        chain: chain(),
        source_label: "Acme".into(),
        polled_at: at(0),
        next_poll_at: at(60),
        first_polled_at: at(0),
        last_success_at: Some(at(0)),
        last_arrival_at: Some(at(0)),
        consecutive_failures: 1,
        outcome,
    }
}

fn refused() -> ChainWindow {
    window(Outcome::Refused { reason: "unauthorized".into(), http_status: Some(401), detail: String::new() })
}

fn board(window: ChainWindow) -> Board {
    let mut board = Board::new(Policy::default(), at(0));
    assert!(board.observe(window));
    board
}

fn step(board: &Board, kind: Kind, now: i64) -> Step {
    let judgement = board.judge(&chain(), at(now)).unwrap();
    board.step(&chain(), kind, &judgement, at(now))
}

fn known(sequence: u64, last: Option<Alert>, seconds: i64) -> Known {
    Known { sequence, last, at: at(seconds) }
}

#[test]
fn an_alert_is_read_before_it_is_written() {
    let mut board = board(refused());
    assert_eq!(step(&board, Kind::PollRefused, 1), Step::Read);
    board.learn(&chain(), Kind::PollRefused, known(4, None, 1));
    let Step::Publish { alert, expected: 4 } = step(&board, Kind::PollRefused, 1) else { panic!("nothing to publish") };
    assert_eq!(alert.state(), State::Raised);

    board.learn(&chain(), Kind::PollRefused, known(5, Some(alert), 1));
    assert_eq!(step(&board, Kind::PollRefused, 2), Step::Rest);

    board.observe(window(Outcome::Quiet));
    let Step::Publish { alert, expected: 5 } = step(&board, Kind::PollRefused, 3) else { panic!("nothing to publish") };
    assert_eq!(alert.state(), State::Resolved);
}

#[test]
fn what_was_raised_elsewhere_is_not_raised_again() {
    let mut board = board(refused());
    board.learn(&chain(), Kind::PollRefused, known(0, None, 1));
    assert!(matches!(step(&board, Kind::PollRefused, 1), Step::Publish { expected: 0, .. }));
    // A conflict, and what the other one wrote.
    board.forget(&chain(), Kind::PollRefused);
    assert_eq!(step(&board, Kind::PollRefused, 1), Step::Read);
    let raised = Alert { state: State::Raised.into(), generation: 1, ..Alert::default() };
    board.learn(&chain(), Kind::PollRefused, known(9, Some(raised), 1));
    assert_eq!(step(&board, Kind::PollRefused, 1), Step::Rest);
}

#[test]
fn old_knowledge_is_read_again() {
    let mut board = board(refused());
    board.learn(&chain(), Kind::PollDead, known(0, None, 0));
    let calm = window(Outcome::Quiet);
    board.observe(ChainWindow { polled_at: at(599), next_poll_at: at(659), ..calm });
    assert_eq!(step(&board, Kind::PollDead, 599), Step::Rest);
    assert_eq!(step(&board, Kind::PollDead, 600), Step::Read);
}

#[test]
fn an_unsure_verdict_asks_nothing() {
    let board = board(refused());
    assert_eq!(step(&board, Kind::DropOff, 1), Step::Rest);
}

#[test]
fn a_gap_in_watching_delays_the_verdict_of_death() {
    let mut board = board(window(Outcome::Quiet));
    assert_eq!(board.judge(&chain(), at(10_000)).unwrap().poll.as_str(), "dead");
    board.watch_anew(at(9_900));
    assert_eq!(board.judge(&chain(), at(10_000)).unwrap().poll.as_str(), "unknown");
    assert_eq!(board.judge(&chain(), at(10_081)).unwrap().poll.as_str(), "dead");
}
