//! The polling machine in a small world: an API, a stream that refuses wrong expectations, fetchers that crash.
//!
//! The world delays, loses and repeats as the real one does: acknowledgements vanish, publishes arrive after their time-out, another
//! fetcher works on the same chain, retention removes old pages, cursors are refused for ever. Whatever happens, the stored pages hold
//! every event once.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod recoveries;
mod soak;
mod tokens;
mod world;

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use latchkey_core::polling::{
    Action, Failure, Fetched, History, Input, LastPage, MAX_EMPTY_PAGES, MAX_PAGES, Off, Outcome, PAGE_TOO_LARGE,
    Policy, Position, Published, Refusal, Request, Settled, TOO_LARGE, Turn,
};
use proptest::prelude::*;

use self::world::{Fetcher, Luck, World, bad_request, failure, now, policy, start};

/// So that the overlap of a recovery holds a few pages of events.
const SPACING: SignedDuration = SignedDuration::from_hours(3);

fn luck() -> impl Strategy<Value = Luck> {
    use Luck::{
        AnswerLost, ApiFails, Arrival, BusFails, Crash, Expiry, Fading, Full, Good, Growth, Late, Lost, Poison,
        PowerCut, TooLarge,
    };
    prop_oneof![
        8 => Just(Good),
        2 => Just(Arrival),
        2 => Just(Growth),
        1 => prop::sample::select(vec![AnswerLost, Late, Lost]),
        1 => prop::sample::select(vec![ApiFails, BusFails, Full, Crash, Expiry, Fading, PowerCut, TooLarge, Poison]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Two fetchers work on the chain, step by step in any order. They recall little, and clocks of devices are ahead, by a day at most.
    #[test]
    fn every_event_is_stored_once(
        initial in 0_usize..20,
        ahead in prop::collection::btree_map(0_usize..30, 1_i32..9, 0..4),
        memory in 3_usize..40,
        steps in prop::collection::vec((0_usize..2, luck()), 0..300),
    ) {
        let mut world = World::new(initial, SPACING);
        (world.ahead, world.memory) = (ahead, memory);
        let mut fetchers = [Fetcher::default(), Fetcher::default()];
        for (fetcher, luck) in steps {
            match luck {
                // Retention strikes when all have been dead for long, whatever they were at.
                Luck::Expiry | Luck::Fading | Luck::PowerCut => {
                    fetchers = [Fetcher::default(), Fetcher::default()];
                    match luck {
                        Luck::Expiry => world.expire(),
                        Luck::Fading => world.fade(),
                        _ => world.lose_power(),
                    }
                }
                luck => drop(world.step(&mut fetchers[fetcher], luck)),
            }
        }
        // The disturbances end; a few quiet turns bring everything home.
        while !world.in_flight.is_empty() {
            world.arrive();
        }
        // A cursor may have to be refused twice before the chain begins again.
        for mut fetcher in fetchers.into_iter().chain([Fetcher::default(), Fetcher::default(), Fetcher::default()]) {
            world.step(&mut fetcher, Luck::Good);
            while fetcher.running.is_some() {
                world.step(&mut fetcher, Luck::Good);
            }
        }
        world.audit();
        let stored: Vec<usize> = world.unmarked().collect::<BTreeSet<_>>().into_iter().collect();
        prop_assert_eq!(world.unmarked().count(), stored.len(), "nothing is stored twice");
        prop_assert_eq!(stored, (0..world.events).collect::<Vec<_>>());
        let total = world.stored.last().map_or(0, |page| page.total);
        prop_assert_eq!(total, world.events as u64);
        prop_assert_eq!(world.checkpoint.map(|(_, history)| history.events_total), Some(total));
    }

    /// Whatever the API and the bus answer, a turn ends soon.
    #[test]
    fn every_sequence_of_answers_ends(answers in prop::collection::vec((0_u8..8, any::<bool>(), 0_u32..4), 1..400), refusals in 0_u32..3, overlaps: bool) {
        let (mut turn, mut action) = Turn::begin(Policy { overlaps, ..policy() }, 0.0, now());
        let mut alike = 0;
        let history = History { cursor_refusals: refusals, ..History::default() };
        let checkpoint = Some((Position { cursor: "old".parse().ok(), ..Position::default() }, history));
        for (step, (kind, has_more, items)) in answers.into_iter().cycle().enumerate() {
            prop_assert!(step < 1_000, "no end");
            let input = match &action {
                Action::Finish(report) => {
                    let failed = matches!(report.outcome, Some(Outcome::Refused(_)));
                    prop_assert!(!failed || report.delay > Duration::ZERO);
                    break;
                }
                Action::Recover if kind == 0 => Input::BusFailed,
                Action::Recover => Input::Recovered { last_page: None, checkpoint: checkpoint.clone().map(Box::new) },
                Action::LookBack { from } => Input::LookedBack { covered: *from },
                Action::Fetch(_) if kind == 6 && items == 0 => Input::Off(Off::OutOfScope),
                Action::Fetch(_) if kind == 6 => Input::FetchFailed(bad_request()),
                Action::Fetch(_) if kind == 7 => Input::FetchFailed(Failure { reason: TOO_LARGE, ..failure() }),
                Action::Fetch(_) if kind == 1 => Input::FetchFailed(failure()),
                Action::Fetch(_) if kind == 5 && items == 0 => Input::Forgotten,
                // The API stands still: the same cursor for ever.
                Action::Fetch(_) => Input::Fetched(Fetched {
                    page_id: format!("page {}", kind % 2),
                    cursor: "stuck".parse().unwrap(),
                    has_more,
                    items,
                    new_items: items.saturating_sub(1),
                    newest_event_at: None,
                    latest_event_at: None,
                }),
                Action::Publish { .. } => Input::Published(match kind {
                    2 => Published::Conflict,
                    3 => Published::Unknown,
                    4 => Published::Full,
                    5 => Published::TooLarge,
                    _ => Published::Stored(step as u64),
                }),
            };
            let next = turn.handle(input, now()).action;
            alike = if next == action { alike + 1 } else { 0 };
            prop_assert!(alike <= 8, "the same step again and again");
            action = next;
        }
    }
}

fn after_page_seven() -> Turn {
    after_page_seven_with(policy())
}

fn after_page_seven_with(policy: Policy) -> Turn {
    let (mut turn, _) = Turn::begin(policy, 0.0, now());
    let last_page = LastPage {
        sequence: 7,
        previous_sequence: 0,
        page_id: "seven".into(),
        cursor: "a".parse().unwrap(),
        fetched_at: now(),
        has_news: true,
        events_total: 7,
        newest_event_at: None,
        latest_event_at: None,
        recovering_from: None,
        recoveries: 0,
    };
    turn.handle(Input::Recovered { last_page: Some(last_page), checkpoint: None }, now());
    turn
}

fn page(cursor: &str, has_more: bool, items: u32) -> Fetched {
    Fetched {
        page_id: "eight".into(),
        cursor: cursor.parse().unwrap(),
        has_more,
        items,
        new_items: items,
        newest_event_at: None,
        latest_event_at: None,
    }
}

/// Stood at the feed's end an hour ago.
fn an_hour_ago() -> (Position, History) {
    let caught_up_at = Some(now() - SignedDuration::from_hours(1));
    (Position { cursor: "old".parse().ok(), ..Position::default() }, History { caught_up_at, ..History::default() })
}

/// The refusal that a page leads to, if it leads to one.
fn refusal(page: Fetched) -> Option<&'static str> {
    match after_page_seven().handle(Input::Fetched(page), now()).action {
        Action::Finish(report) => match report.outcome {
            Some(Outcome::Refused(failure)) => Some(failure.reason),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_page_with_items_is_published_onto_its_predecessor() {
    let step = after_page_seven().handle(Input::Fetched(page("b", true, 3)), now());
    assert_eq!(step.action, Action::Publish { expected: 7 });
}

/// Two fetchers in recoveries of the same chain ask the same and get the same; between their places the chain may have grown.
#[test]
fn the_same_page_further_on_is_somebody_elses() {
    let mut turn = after_page_seven();
    turn.handle(Input::Fetched(page("b", true, 3)), now());
    turn.handle(Input::Published(Published::Conflict), now());
    let stored = |sequence, previous_sequence| LastPage {
        sequence,
        previous_sequence,
        page_id: "eight".into(),
        cursor: "b".parse().unwrap(),
        fetched_at: now(),
        has_news: true,
        events_total: 20,
        newest_event_at: None,
        latest_event_at: None,
        recovering_from: None,
        recoveries: 0,
    };
    let ours = turn.clone().handle(Input::Recovered { last_page: Some(stored(8, 7)), checkpoint: None }, now());
    assert_eq!(ours.settled, Some(Settled::Stored(8)));
    let theirs = turn.handle(Input::Recovered { last_page: Some(stored(9, 8)), checkpoint: None }, now());
    assert_eq!((theirs.settled, turn.events_total()), (Some(Settled::Dropped), 20));
}

#[test]
fn what_an_overlap_brings_again_is_not_stored_again() {
    let mut turn = after_page_seven_with(Policy { overlaps: true, ..policy() });
    for number in 0..2 * MAX_EMPTY_PAGES {
        // Each leads on by another cursor, until one is the last.
        let known = Fetched { new_items: 0, ..page(&format!("known {number}"), true, 9) };
        let step = turn.handle(Input::Fetched(known), now());
        assert!(matches!(step.action, Action::Fetch(Request::After(_))), "{step:?}");
    }
    let Action::Finish(report) =
        turn.handle(Input::Fetched(Fetched { new_items: 0, ..page("end", false, 9) }), now()).action
    else {
        panic!("the end is the end")
    };
    assert_eq!((report.outcome, report.position.cursor), (Some(Outcome::Quiet), "end".parse().ok()));
    // Where nothing overlaps, such a page is a page like any other.
    let again = Fetched { new_items: 0, ..page("known", true, 9) };
    let action = after_page_seven().handle(Input::Fetched(again), now()).action;
    assert_eq!(action, Action::Publish { expected: 7 });
}

#[test]
fn an_overlap_that_leads_nowhere_ends_within_the_turns_bounds() {
    let mut turn = after_page_seven_with(Policy { overlaps: true, ..policy() });
    for number in 1..=MAX_PAGES {
        let known = Fetched { new_items: 0, ..page(&format!("known {number}"), true, 9) };
        match turn.handle(Input::Fetched(known), now()).action {
            Action::Fetch(_) => assert!(number < MAX_PAGES, "no end"),
            Action::Finish(report) => assert_eq!((number, report.outcome), (MAX_PAGES, Some(Outcome::Behind))),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_empty_page_with_more_behind_it_leads_on() {
    let step = after_page_seven().handle(Input::Fetched(page("b", true, 0)), now());
    assert_eq!(step.action, Action::Fetch(Request::After("b".parse().unwrap())));
}

#[test]
fn a_feed_that_stands_still_and_claims_more_is_a_failure() {
    assert_eq!(refusal(page("a", true, 0)), Some("no_progress"));
    assert_eq!(refusal(Fetched { new_items: 0, ..page("a", true, 5) }), Some("no_progress"));
    assert_eq!(refusal(Fetched { page_id: "seven".into(), ..page("a", true, 5) }), Some("no_progress"));
    assert_eq!(refusal(page("a", false, 0)), None);
}

#[test]
fn a_page_that_is_never_stored_is_asked_for_less_and_less_often() {
    let mut pauses = Vec::new();
    let mut checkpoint = None;
    for _ in 0..4 {
        let (mut turn, _) = Turn::begin(policy(), 1.0, now());
        turn.handle(Input::Recovered { last_page: None, checkpoint: checkpoint.take().map(Box::new) }, now());
        turn.handle(Input::Fetched(page("b", true, 3)), now());
        let step = turn.handle(Input::Published(Published::Full), now());
        let Action::Finish(report) = step.action else { panic!("the turn goes on") };
        pauses.push(report.delay.as_secs());
        checkpoint = Some((report.position, report.history));
    }
    assert_eq!(pauses, [1, 2, 4, 8]);
}

#[test]
fn retry_after_is_honoured_up_to_its_bound() {
    let check = |retry_after: u64, expect: u64| {
        let retry_after = Some(Duration::from_secs(retry_after));
        let limited = Failure { reason: "rate_limited", http_status: 429, retry_after, ..failure() };
        let step = after_page_seven().handle(Input::FetchFailed(limited), now());
        let Action::Finish(report) = step.action else { panic!("the turn goes on") };
        assert_eq!(report.delay, Duration::from_secs(expect));
    };
    check(30, 30);
    check(1_000_000, 3_600);
}

#[test]
fn a_long_turn_hands_the_chain_back_between_two_pages() {
    let outcome_after = |seconds: i64| {
        let mut turn = after_page_seven();
        let later = now() + SignedDuration::from_secs(seconds);
        turn.handle(Input::Fetched(page("b", true, 3)), later);
        match turn.handle(Input::Published(Published::Stored(8)), later).action {
            Action::Finish(report) => report.outcome,
            _ => None,
        }
    };
    assert_eq!(outcome_after(44), None);
    assert_eq!(outcome_after(45), Some(Outcome::Behind));
}

#[test]
fn an_uncertain_position_never_becomes_a_checkpoint() {
    let (mut turn, action) = Turn::begin(policy(), 0.0, now());
    assert_eq!(action, Action::Recover);
    let Action::Finish(report) = turn.handle(Input::BusFailed, now()).action else { panic!("the turn goes on") };
    assert_eq!(report.outcome, None);
    assert!(report.delay > Duration::ZERO);
}

#[test]
fn a_single_event_that_is_too_large_is_a_named_halt() {
    let (mut turn, _) = Turn::begin(policy(), 1.0, now());
    turn.handle(Input::Recovered { last_page: None, checkpoint: None }, now());
    for limit in [1, 0] {
        turn.handle(Input::Fetched(page("b", true, 3)), now());
        let step = turn.handle(Input::Published(Published::TooLarge), now());
        assert_eq!(step.settled, Some(Settled::Dropped));
        match (limit, step.action) {
            (1, action) => assert_eq!(action, Action::Fetch(Request::From { start: start(), limit })),
            (_, Action::Finish(report)) => {
                assert_eq!(report.outcome.unwrap().reason(), Some(PAGE_TOO_LARGE));
                assert_eq!(report.position.cursor, None);
            }
            (_, action) => panic!("{action:?}"),
        }
    }
}

#[test]
fn a_minute_of_rate_limits_means_the_hours_limit() {
    let limited = Failure { reason: "rate_limited", http_status: 429, ..failure() };
    let pause = |since: i64, reason: &str, retry_after: Option<u64>| {
        let since = now() - SignedDuration::from_secs(since);
        let refusal = Some(Refusal { reason: reason.into(), since });
        let history = History { consecutive_failures: 1, refusal, ..History::default() };
        let (mut turn, _) = Turn::begin(policy(), 1.0, now());
        turn.handle(
            Input::Recovered { last_page: None, checkpoint: Some(Box::new((Position::default(), history))) },
            now(),
        );
        let retry_after = retry_after.map(Duration::from_secs);
        let step = turn.handle(Input::FetchFailed(Failure { retry_after, ..limited.clone() }), now());
        let Action::Finish(report) = step.action else { panic!("the turn goes on") };
        assert_eq!(report.history.refusal.unwrap().since == since, reason == "rate_limited");
        report.delay.as_secs()
    };
    assert_eq!(pause(59, "rate_limited", None), 2);
    assert_eq!(pause(60, "rate_limited", None), 600);
    assert_eq!(pause(600, "server_error", None), 2);
    // The server knows better.
    assert_eq!(pause(600, "rate_limited", Some(7)), 7);
}

#[test]
fn a_feed_out_of_scope_is_off_and_keeps_its_place() {
    let (mut turn, _) = Turn::begin(policy(), 1.0, now());
    turn.handle(Input::Recovered { last_page: None, checkpoint: Some(Box::new(an_hour_ago())) }, now());
    let Action::Finish(report) = turn.handle(Input::Off(Off::OutOfScope), now()).action else {
        panic!("the turn goes on")
    };
    assert_eq!((report.outcome, report.position), (Some(Outcome::Off(Off::OutOfScope)), an_hour_ago().0));
    assert_eq!(report.delay, policy().poll_interval);
}

#[test]
fn a_clock_that_jumps_neither_ends_nor_endangers_a_turn_for_long() {
    for jump in [-10_000_000, 10_000_000] {
        let mut turn = after_page_seven();
        let later = now() + SignedDuration::from_secs(jump);
        turn.handle(Input::Fetched(page("b", true, 3)), later);
        let step = turn.handle(Input::Published(Published::Stored(8)), later);
        assert_eq!(step.settled, Some(Settled::Stored(8)));
        let goes_on = matches!(step.action, Action::Fetch(Request::After(_)));
        assert_eq!(goes_on, jump < 0, "{:?}", step.action);
    }
}
