//! The polling machine in a small world: an API, a stream that refuses wrong expectations, fetchers that crash.
//!
//! The world delays, loses and repeats as the real one does: acknowledgements vanish, publishes arrive after their time-out, another
//! fetcher works on the same chain, retention removes old pages. Whatever happens, the stored pages hold every event once, in order.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use latchkey_core::{
    backoff::Backoff,
    polling::{
        Action, Failure, Fetched, History, Input, LastPage, Outcome, Policy, Position, Published, Report, Request,
        Settled, Turn,
    },
};
use proptest::prelude::*;

const PAGE_SIZE: usize = 3;

#[derive(Clone, Debug)]
struct Page {
    id: String,
    cursor: usize,
    events: std::ops::Range<usize>,
    total: u64,
}

#[derive(Default)]
struct World {
    events: usize,
    /// Every page ever stored; its sequence is its place, counted from 1.
    stored: Vec<Page>,
    /// Retention has removed all pages up to this sequence.
    expired: usize,
    checkpoint: Option<(Position, History)>,
    /// Publishes without an answer that may still arrive, with what they expect.
    in_flight: Vec<(Page, u64)>,
}

/// One fetcher in the middle of a turn.
struct Running {
    turn: Turn,
    action: Action,
    held: Option<Page>,
    steps: usize,
}

#[derive(Clone, Copy, Debug)]
enum Luck {
    Good,
    /// Stored, and the answer is lost.
    AnswerLost,
    /// Not stored, no answer, arrives later.
    Late,
    /// Never stored, no answer.
    Lost,
    ApiFails,
    BusFails,
    Full,
    /// The fetcher dies.
    Crash,
    /// An earlier unanswered publish arrives just before this step.
    Arrival,
    /// A new event appears.
    Growth,
    /// Retention removes the pages, where none is newer than the checkpoint.
    Expiry,
}

fn luck() -> impl Strategy<Value = Luck> {
    use Luck::{AnswerLost, ApiFails, Arrival, BusFails, Crash, Expiry, Full, Good, Growth, Late, Lost};
    prop_oneof![
        8 => Just(Good),
        2 => Just(Arrival),
        2 => Just(Growth),
        1 => prop::sample::select(vec![AnswerLost, Late, Lost]),
        1 => prop::sample::select(vec![ApiFails, BusFails, Full, Crash, Expiry]),
    ]
}

impl World {
    /// The subject's last sequence, as the server sees it: 0 if retention has removed everything.
    fn last(&self) -> usize {
        if self.stored.len() > self.expired { self.stored.len() } else { 0 }
    }

    fn publish(&mut self, page: Page, expected: u64) -> Published {
        if self.last() as u64 != expected {
            return Published::Conflict;
        }
        self.stored.push(page);
        Published::Stored(self.stored.len() as u64)
    }

    fn arrive(&mut self) {
        if let Some((page, expected)) = self.in_flight.pop() {
            self.publish(page, expected);
        }
    }

    /// Seven days pass in which nothing arrives, and nothing is on its way either.
    fn expire(&mut self) {
        let known = self.checkpoint.as_ref().map_or(0, |(position, _)| position.sequence);
        if known == self.stored.len() as u64 && self.in_flight.is_empty() {
            self.expired = self.stored.len();
        }
    }

    fn fetch(&self, request: &Request, total: u64) -> (Page, Fetched) {
        let from: usize = match request {
            Request::From(_) => 0,
            Request::After(cursor) => cursor.as_str().parse().unwrap(),
        };
        let to = (from + PAGE_SIZE).min(self.events);
        let has_more = to < self.events;
        let items = u32::try_from(to - from).unwrap();
        // The same request and the same answer give the same id.
        let page_id = format!("{from}..{to} {has_more}");
        let page = Page { id: page_id.clone(), cursor: to, events: from..to, total: total + u64::from(items) };
        (page, Fetched { page_id, cursor: cursor(to), has_more, items, new_items: items })
    }

    fn recovered(&self) -> Input {
        let last_page = self.stored[self.expired..].last().map(|page| LastPage {
            sequence: self.stored.len() as u64,
            page_id: page.id.clone(),
            cursor: cursor(page.cursor),
            fetched_at: now(),
            has_news: !page.events.is_empty(),
            events_total: page.total,
        });
        Input::Recovered { last_page, checkpoint: self.checkpoint.clone() }
    }

    fn publish_with(&mut self, luck: Luck, page: Page, expected: u64) -> Published {
        match luck {
            Luck::AnswerLost => {
                self.publish(page, expected);
                Published::Unknown
            }
            Luck::Late => {
                self.in_flight.push((page, expected));
                Published::Unknown
            }
            Luck::Lost => Published::Unknown,
            Luck::Full => Published::Full,
            _ => self.publish(page, expected),
        }
    }

    /// One step of a fetcher, which begins a turn if it has none. A crash or the turn's end leaves it without one.
    fn step(&mut self, fetcher: &mut Option<Running>, luck: Luck) {
        let running = fetcher.get_or_insert_with(|| {
            let (turn, action) = Turn::begin(policy(), 0.5, now());
            Running { turn, action, held: None, steps: 0 }
        });
        running.steps += 1;
        assert!(running.steps < 2_000, "a turn has a bound");
        match luck {
            Luck::Crash => return *fetcher = None,
            Luck::Arrival => self.arrive(),
            Luck::Growth => self.events += 1,
            _ => {}
        }
        let input = match (&running.action, luck) {
            (Action::Finish(report), _) => {
                self.finish(report);
                return *fetcher = None;
            }
            (Action::Recover | Action::Publish { .. }, Luck::BusFails) => Input::BusFailed,
            (Action::Recover, _) => self.recovered(),
            (Action::Fetch(_), Luck::ApiFails) => Input::FetchFailed(failure()),
            (Action::Fetch(request), _) => {
                let (page, fetched) = self.fetch(request, running.turn.events_total());
                running.held = Some(page);
                Input::Fetched(fetched)
            }
            (Action::Publish { expected }, luck) => {
                let page = running.held.clone().expect("only a fetched page is published");
                Input::Published(self.publish_with(luck, page, *expected))
            }
        };
        let published = matches!(input, Input::Published(_));
        let step = running.turn.handle(input, now());
        if let Some(Settled::Stored(sequence)) = step.settled {
            let page = running.held.take().expect("only a held page settles");
            let there = &self.stored[usize::try_from(sequence).unwrap() - 1];
            assert_eq!(there.id, page.id, "the receipt is true");
        }
        if let (Action::Fetch(Request::After(after)), true) = (&step.action, published) {
            let stored = self.stored.iter().any(|page| cursor(page.cursor) == *after);
            assert!(stored, "a cursor counts only after its page is stored");
        }
        running.action = step.action;
    }

    fn finish(&mut self, report: &Report) {
        if let Some(Outcome::Refused(_)) = report.outcome {
            assert!(report.delay > Duration::ZERO, "a failure is followed by a pause");
        }
        if report.outcome.is_some() {
            self.checkpoint = Some((report.position.clone(), report.history.clone()));
        }
    }
}

fn cursor(position: usize) -> latchkey_core::cursor::Cursor {
    position.to_string().parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn policy() -> Policy {
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(5)).unwrap();
    Policy { poll_interval: Duration::from_mins(1), start: now(), transient: backoff, permanent: backoff }
}

fn failure() -> Failure {
    Failure { reason: "server_error", http_status: 503, retry_after: None, transient: true, detail: String::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Two fetchers work on the chain, step by step in any order.
    #[test]
    fn every_event_is_stored_once_and_in_order(
        initial in 0_usize..20,
        steps in prop::collection::vec((0_usize..2, luck()), 0..300),
    ) {
        let mut world = World { events: initial, ..World::default() };
        let mut fetchers = [None, None];
        for (fetcher, luck) in steps {
            match luck {
                // A turn is over long before retention strikes.
                Luck::Expiry if fetchers.iter().all(Option::is_none) => world.expire(),
                luck => world.step(&mut fetchers[fetcher], luck),
            }
        }
        // The disturbances end; a few quiet turns bring everything home.
        while !world.in_flight.is_empty() {
            world.arrive();
        }
        for mut fetcher in fetchers.into_iter().chain([None, None]) {
            world.step(&mut fetcher, Luck::Good);
            while fetcher.is_some() {
                world.step(&mut fetcher, Luck::Good);
            }
        }
        let stored: Vec<usize> = world.stored.iter().flat_map(|page| page.events.clone()).collect();
        prop_assert_eq!(stored, (0..world.events).collect::<Vec<_>>());
        let total = world.stored.last().map_or(0, |page| page.total);
        prop_assert_eq!(total, world.events as u64);
        prop_assert_eq!(world.checkpoint.map(|(_, history)| history.events_total), Some(total));
    }

    /// Whatever the API and the bus answer, a turn ends soon.
    #[test]
    fn every_sequence_of_answers_ends(answers in prop::collection::vec((0_u8..8, any::<bool>(), 0_u32..4), 1..400)) {
        let (mut turn, mut action) = Turn::begin(policy(), 0.0, now());
        let mut alike = 0;
        for (step, (kind, has_more, items)) in answers.into_iter().cycle().enumerate() {
            prop_assert!(step < 1_000, "no end");
            let input = match &action {
                Action::Finish(report) => {
                    let failed = matches!(report.outcome, Some(Outcome::Refused(_)));
                    prop_assert!(!failed || report.delay > Duration::ZERO);
                    break;
                }
                Action::Recover if kind == 0 => Input::BusFailed,
                Action::Recover => Input::Recovered { last_page: None, checkpoint: None },
                Action::Fetch(_) if kind == 1 => Input::FetchFailed(failure()),
                // The API stands still: the same cursor for ever.
                Action::Fetch(_) => Input::Fetched(Fetched {
                    page_id: format!("page {}", kind % 2),
                    cursor: "stuck".parse().unwrap(),
                    has_more,
                    items,
                    new_items: items.saturating_sub(1),
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
    let (mut turn, _) = Turn::begin(policy(), 0.0, now());
    let last_page = LastPage {
        sequence: 7,
        page_id: "seven".into(),
        cursor: "a".parse().unwrap(),
        fetched_at: now(),
        has_news: true,
        events_total: 7,
    };
    turn.handle(Input::Recovered { last_page: Some(last_page), checkpoint: None }, now());
    turn
}

fn page(cursor: &str, has_more: bool, items: u32) -> Fetched {
    Fetched { page_id: "eight".into(), cursor: cursor.parse().unwrap(), has_more, items, new_items: items }
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
        turn.handle(Input::Recovered { last_page: None, checkpoint: checkpoint.take() }, now());
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
