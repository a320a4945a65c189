//! A feed that is paged by tokens, in memory: asked by when its events were inserted, which is later than they happened, by days for some.
//!
//! Tokens are refused for ever at any moment, and fetchers die; pages are real ones, and what is recognised is looked back for in them.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Feed, page::RawPage};
use latchkey_core::{
    body,
    cursor::Cursor,
    duplicates::{Breadth, Window},
    event_time,
    feed::Definition,
    instant,
    look_back::{LookBack, MAX_PAGES, latest_event_up_to, uuids},
    page::{self, PageView},
    page_token::{Ask, Place, SETTLED_AFTER},
    polling::{Action, Fetched, History, Input, LastPage, Outcome, Policy, Position, Published, Request, Turn},
};
use proptest::prelude::*;

use crate::world::{PAGE_SIZE, bad_request, policy, start};

const FEED: Feed = Feed::AuditEventsV3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

struct Event {
    inserted: Timestamp,
    happened: Timestamp,
}

/// The feed, the chain's stored pages, its checkpoint, and whoever polls it.
struct World {
    order: Order,
    now: Timestamp,
    events: Vec<Event>,
    /// Tokens of older generations are refused for ever.
    generation: usize,
    stored: Vec<RawPage>,
    /// Retention has removed all pages up to this sequence.
    expired: usize,
    checkpoint: Option<(Position, History)>,
    /// Pages that a fetcher looks back over at most.
    most: u32,
    /// Pages that were stored when it did so last.
    looked_back_at: usize,
}

#[derive(Clone, Debug)]
enum Happening {
    /// So many events are inserted, each so many seconds after the one before, so many hours after it happened.
    Grow { events: u32, apart: i32, late: i64 },
    /// All tokens that were given out are refused for ever.
    Refuse,
    /// Retention removes what is an hour older than the newest page, if a recovery is under way that may need it.
    Fade,
    /// A turn, of so many steps at most before the fetcher dies.
    Turn { steps: usize },
}

impl World {
    fn new(order: Order) -> Self {
        Self {
            order,
            now: start(),
            events: Vec::new(),
            generation: 0,
            stored: Vec::new(),
            expired: 0,
            checkpoint: None,
            most: MAX_PAGES,
            looked_back_at: 0,
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match *happening {
            Happening::Grow { events, apart, late } => {
                for _ in 0..events {
                    self.now += SignedDuration::from_secs(apart.into());
                    self.now += SignedDuration::from_secs(self.is_full_moment().into());
                    let happened = self.now - SignedDuration::from_hours(late);
                    self.events.push(Event { inserted: self.now, happened });
                }
            }
            Happening::Refuse => self.generation += 1,
            Happening::Fade => {
                let Some(newest) = self.stored.last().filter(|page| page.recovering_from_unix_nano != 0) else {
                    return;
                };
                let bound = newest.fetched_at_unix_nano - 3_600_000_000_000;
                let older = self.stored.partition_point(|page| page.fetched_at_unix_nano < bound);
                self.expired = self.expired.max(older);
            }
            Happening::Turn { steps } => _ = self.turn(steps),
        }
    }

    /// Whether as much is inserted at this moment as a place can tell from what comes to light there later (docs/completeness.md, One moment).
    fn is_full_moment(&self) -> bool {
        let most = 8 * usize::try_from(PAGE_SIZE).unwrap();
        self.events.iter().rev().take_while(|event| event.inserted == self.now).count() >= most
    }

    /// The body that is answered; `None`: the token is refused.
    fn answer(&self, ask: Ask<'_>) -> Option<String> {
        // What a token leads through is what there was when its way began, or was inserted in the same moment and moves the rest on.
        let [generation, after, until, skipped, limit] = match ask {
            Ask::Token(token) => {
                let parts: Vec<i128> = token.split(' ').map(|part| part.parse().unwrap()).collect();
                parts.try_into().unwrap()
            }
            Ask::After { time, limit } => {
                [self.generation as i128, time.as_nanosecond(), self.now.as_nanosecond(), 0, limit.into()]
            }
        };
        if generation < self.generation as i128 {
            return None;
        }
        let within = |event: &Event| after < event.inserted.as_nanosecond() && event.inserted.as_nanosecond() <= until;
        let mut all: Vec<usize> = (0..self.events.len()).filter(|event| within(&self.events[*event])).collect();
        if self.order == Order::Descending {
            all.reverse();
        }
        let (skip, take) = (usize::try_from(skipped).unwrap(), usize::try_from(limit).unwrap());
        let items: Vec<String> = all.iter().skip(skip).take(take).map(|event| self.item(*event)).collect();
        let next = skip + items.len();
        let token = format!(r#","next_page_token":"{generation} {after} {until} {next} {limit}""#);
        let token = if next < all.len() { token } else { String::new() };
        Some(format!(r#"{{"audit_events":[{}]{token}}}"#, items.join(",")))
    }

    fn item(&self, event: usize) -> String {
        let Event { inserted, happened } = &self.events[event];
        format!(r#"{{"uuid":"{event}","insert_time":"{inserted}","timestamp":"{happened}"}}"#)
    }

    fn recovered(&self) -> Input {
        let last_page = self.stored[self.expired..].last().map(|page| LastPage {
            sequence: self.stored.len() as u64,
            previous_sequence: page.previous_sequence,
            page_id: page.page_id.clone(),
            cursor: page.next_cursor.parse().unwrap(),
            fetched_at: instant::from_unix_nano(page.fetched_at_unix_nano),
            has_news: page.item_count as usize > page.duplicates.len(),
            events_total: page.events_total,
            newest_event_at: instant::optional_from_unix_nano(page.newest_event_unix_nano),
            latest_event_at: Some(latest_event_up_to(page)),
            recovering_from: instant::optional_from_unix_nano(page.recovering_from_unix_nano),
            recoveries: page.recoveries,
        });
        Input::Recovered { last_page, checkpoint: self.checkpoint.clone().map(Box::new) }
    }

    fn page_at(&self, sequence: u64) -> Option<&RawPage> {
        let older = usize::try_from(sequence).unwrap().checked_sub(1)?;
        self.stored.get(older).filter(|_| older >= self.expired)
    }

    /// What is recognised, from when on, and whether a page that was wanted is gone.
    fn look_back(&self, from: Timestamp, now: Timestamp, turn: &Turn, most: u32) -> (Window, Timestamp, bool) {
        let (mut back, mut sequence) =
            (LookBack::new(FEED, from, now, turn.reached(), Breadth::Wide, most), turn.sequence());
        while back.goes_on() {
            let Some(page) = self.page_at(sequence) else { break };
            sequence = back.take(page);
        }
        let is_cut = back.goes_on() && sequence > 0;
        let (window, covered) = back.finish();
        (window, covered, is_cut)
    }

    /// What somebody recognises who has never had the chain: of a recovery under way, what was recalled for it and what has come since.
    /// `None`: it is gone.
    fn window(&self, turn: &Turn) -> Option<Window> {
        if let Some(from) = turn.recovering_from() {
            let since = u32::try_from(self.stored.len() - self.looked_back_at).unwrap();
            let (window, covered, is_cut) = self.look_back(from, from, turn, self.most + since);
            // It was asked for what was inserted later.
            return (!is_cut || covered <= from + SignedDuration::from_nanos(1)).then_some(window);
        }
        let mut window = Window::default();
        self.stored[self.expired..].iter().rev().all(|page| window.recall(uuids(page)));
        Some(window)
    }

    fn fetch(&self, request: &Request, turn: &Turn) -> (Input, Option<RawPage>) {
        let place = match request {
            Request::From { start, limit } => Place::begin(*start, *limit),
            Request::After(cursor) => Place::read(cursor).unwrap(),
        };
        let Some(body) = self.answer(place.ask()) else { return (Input::FetchFailed(bad_request()), None) };
        let view: PageView<'_> = page::read(FEED, body.as_bytes()).unwrap();
        let place = place.after(Definition::of(FEED), &view, Some(self.now), self.now).unwrap();
        let cursor: Cursor = place.cursor().unwrap();
        let Some(window) = self.window(turn) else { return (Input::Forgotten, None) };
        let marked = window.mark(&view.items);
        let (newest, latest) = (event_time::newest(&view.items, self.now), event_time::latest(&view.items, self.now));
        let fetched = Fetched {
            page_id: format!("{request:?} {body}"),
            cursor: cursor.clone(),
            has_more: view.has_more,
            items: u32::try_from(view.items.len()).unwrap(),
            new_items: marked.new_items,
            newest_event_at: newest,
            latest_event_at: latest,
        };
        let page = RawPage {
            page_id: fetched.page_id.clone(),
            feed: FEED.to_string(),
            next_cursor: cursor.as_str().into(),
            has_more: view.has_more,
            fetched_at_unix_nano: instant::to_unix_nano(self.now),
            item_count: fetched.items,
            duplicates: marked.duplicates,
            previous_sequence: turn.sequence(),
            body: body::pack(body.as_bytes()),
            body_size: body.len() as u64,
            events_total: turn.events_total() + u64::from(marked.new_items),
            newest_event_unix_nano: instant::optional_to_unix_nano(turn.newest_event_at().max(newest)),
            latest_event_unix_nano: instant::optional_to_unix_nano(turn.latest_event_at().max(latest)),
            recovering_from_unix_nano: instant::optional_to_unix_nano(turn.recovering_from().filter(|_| view.has_more)),
            recoveries: turn.recoveries(),
            ..RawPage::default()
        };
        (Input::Fetched(fetched), Some(page))
    }

    /// Takes a turn, unless the fetcher dies in it, and returns how it went.
    fn turn(&mut self, steps: usize) -> Option<Outcome> {
        let policy = Policy { overlaps: true, ..policy() };
        let (mut turn, mut action) = Turn::begin(policy, 0.5, self.now);
        let mut held = None;
        for _ in 0..steps {
            let input = match &action {
                Action::Finish(report) => {
                    self.checkpoint = Some((report.position.clone(), report.history.clone()));
                    self.now += SignedDuration::from_mins(1);
                    return report.outcome.clone();
                }
                Action::Recover => self.recovered(),
                Action::LookBack { from } => {
                    self.looked_back_at = self.stored.len();
                    Input::LookedBack { covered: self.look_back(*from, self.now, &turn, self.most).1 }
                }
                Action::Fetch(request) => {
                    let (input, page) = self.fetch(request, &turn);
                    held = page;
                    input
                }
                Action::Publish { expected } => {
                    let last = if self.stored.len() > self.expired { self.stored.len() } else { 0 };
                    assert_eq!(*expected, last as u64, "nobody else is at work");
                    self.stored.push(held.take().expect("only a fetched page is published"));
                    Input::Published(Published::Stored(self.stored.len() as u64))
                }
            };
            action = turn.handle(input, self.now).action;
        }
        None
    }

    /// The uuids of all that is stored and not marked.
    fn unmarked(&self) -> Vec<usize> {
        let mut unmarked = Vec::new();
        for page in &self.stored {
            let size = usize::try_from(page.body_size).unwrap();
            let take = |body: &[u8]| {
                let items = (0..).zip(page::read(FEED, body).unwrap().items);
                let fresh = items.filter(|(index, _)| !page.duplicates.contains(index));
                fresh.map(|(_, item)| item.uuid.unwrap().parse::<usize>().unwrap()).collect::<Vec<_>>()
            };
            unmarked.extend(body::unpack(&page.body, size, take).unwrap());
        }
        unmarked
    }

    /// What recoveries have passed by and an audit brings, which asks by insertion as well.
    fn audited(&self, unmarked: &[usize]) -> Vec<usize> {
        let passed_by = self.checkpoint.as_ref().and_then(|(_, history)| history.passed_by);
        let is_missing = |event: &usize| {
            passed_by.is_some_and(|span| span.holds(self.events[*event].inserted)) && !unmarked.contains(event)
        };
        (0..self.events.len()).filter(is_missing).collect()
    }

    fn assert_complete(&mut self) {
        // A turn that only ends a way from before may not see what came to light since.
        let mut quiet = || self.turn(10_000) == Some(Outcome::Quiet);
        assert!((0..200).any(|_| quiet() && quiet()), "the chain comes to its end");
        let mut unmarked = self.unmarked();
        unmarked.extend(self.audited(&unmarked));
        unmarked.sort_unstable();
        let all: Vec<usize> = (0..self.events.len()).collect();
        assert_eq!(unmarked, all, "everything is stored once");
    }
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (1_u32..60, 0_i32..400, prop_oneof![Just(0_i64), 0_i64..100])
            .prop_map(|(events, apart, late)| Happening::Grow { events, apart, late }),
        2 => Just(Happening::Refuse),
        1 => Just(Happening::Fade),
        6 => prop_oneof![1_usize..60, Just(10_000)].prop_map(|steps| Happening::Turn { steps }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whichever tokens are refused, wherever fetchers die, however late events come, and in whichever order they are given out, and however
    /// little is remembered.
    #[test]
    fn refused_tokens_lose_and_double_nothing(
        happenings in prop::collection::vec(happening(), 1..24),
        order in prop_oneof![Just(Order::Ascending), Just(Order::Descending)],
        most in prop_oneof![Just(MAX_PAGES), 1_u32..12],
    ) {
        let mut world = World { most, ..World::new(order) };
        for happening in &happenings {
            world.happen(happening);
        }
        world.assert_complete();
    }
}

#[test]
fn what_comes_to_light_in_a_moment_of_many_pages_is_stored() {
    let mut world = World::new(Order::Descending);
    let happenings = [
        Happening::Grow { events: 10, apart: 0, late: 0 },
        Happening::Turn { steps: 3 },
        // Moves on what the way under way is to bring.
        Happening::Grow { events: 14, apart: 0, late: 0 },
    ];
    for happening in &happenings {
        world.happen(happening);
    }
    assert!(world.events.iter().all(|event| event.inserted == start()));
    world.assert_complete();
}

#[test]
fn what_came_late_is_not_stored_again_after_a_refused_token() {
    let mut world = World::new(Order::Ascending);
    let happenings = [
        // What came before happened long before.
        Happening::Grow { events: 7, apart: 1, late: 90 },
        Happening::Turn { steps: 10_000 },
        Happening::Grow { events: 9, apart: 1, late: 0 },
        Happening::Turn { steps: 6 },
        Happening::Refuse,
    ];
    for happening in &happenings {
        world.happen(happening);
    }
    world.assert_complete();
    assert_eq!(world.checkpoint.unwrap().1.recoveries, 1);
}

#[test]
fn what_was_stored_on_pages_that_go_during_a_recovery_is_not_stored_again() {
    let mut world = World::new(Order::Descending);
    let happenings = [
        Happening::Grow { events: 13, apart: 1, late: 0 },
        Happening::Turn { steps: 3 },
        Happening::Refuse,
        Happening::Grow { events: 21, apart: 169, late: 0 },
        Happening::Turn { steps: 3 },
        // Begins again, and takes a page of what is new.
        Happening::Turn { steps: 5 },
        Happening::Fade,
    ];
    for happening in &happenings {
        world.happen(happening);
    }
    assert!(world.expired > 0);
    world.assert_complete();
}

#[test]
fn what_was_stored_on_pages_that_are_gone_is_not_stored_again_after_a_refused_token() {
    let mut world = World::new(Order::Descending);
    let happenings = [
        Happening::Grow { events: 9, apart: 400, late: 0 },
        // Begins, takes two pages, and is not polled for so long that none is kept.
        Happening::Turn { steps: 6 },
        Happening::Refuse,
    ];
    for happening in &happenings {
        world.happen(happening);
    }
    let (mut turn, _) = Turn::begin(policy(), 0.5, world.now);
    turn.handle(world.recovered(), world.now);
    let Action::Finish(report) = turn.stop(world.now) else { panic!("the turn goes on") };
    let (position, history) = (report.position, report.history);
    assert_eq!(position.sequence, 2);
    world.expired = world.stored.len();
    world.checkpoint = Some((position, history));
    world.now += SignedDuration::from_hours(24 * 8);
    world.assert_complete();
    assert_eq!(world.checkpoint.unwrap().1.recoveries, 1);
}

#[test]
fn what_comes_to_light_while_a_way_is_interrupted_is_not_passed_by() {
    let mut world = World::new(Order::Descending);
    let happenings = [
        Happening::Grow { events: 9, apart: 0, late: 0 },
        // Dies behind its first page.
        Happening::Turn { steps: 3 },
        Happening::Grow { events: 1, apart: 0, late: 0 },
    ];
    for happening in &happenings {
        world.happen(happening);
    }
    world.now += 2 * SETTLED_AFTER;
    world.assert_complete();
}

#[test]
fn a_place_without_a_token_that_is_refused_is_an_ordinary_refusal() {
    let (position, history) = {
        let mut world = World::new(Order::Ascending);
        world.assert_complete();
        world.checkpoint.unwrap()
    };
    let history = History { cursor_refusals: 1, ..history };
    let (mut turn, _) = Turn::begin(Policy { overlaps: true, ..policy() }, 0.5, start());
    turn.handle(Input::Recovered { last_page: None, checkpoint: Some(Box::new((position, history))) }, start());
    let Action::Finish(report) = turn.handle(Input::FetchFailed(bad_request()), start()).action else {
        panic!("the turn goes on")
    };
    assert_eq!(report.outcome.unwrap().reason(), Some(bad_request().reason));
}
