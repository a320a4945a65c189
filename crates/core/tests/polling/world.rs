//! An API, a stream that refuses wrong expectations, and fetchers, in memory.

mod kept;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{Chain, Feed};
use latchkey_core::{
    backoff::Backoff,
    cursor::Cursor,
    polling::{
        Action, Failure, Fetched, Head, History, Input, Outcome, Policy, Position, Published, Report, Request, Settled,
        Turn,
    },
};

pub(crate) const PAGE_SIZE: u32 = 3;

/// How long a step of a turn takes.
pub(crate) const STEP: SignedDuration = SignedDuration::from_millis(200);

const MAX_STEPS: i32 = 2_000;

#[derive(Clone, Debug)]
pub(crate) struct Page {
    id: String,
    /// The sequence that it was published onto.
    previous: u64,
    cursor: Cursor,
    /// Those that are not marked as stored before.
    events: Vec<usize>,
    pub(crate) total: u64,
    newest: Option<Timestamp>,
    latest: Option<Timestamp>,
    older_until: Option<Timestamp>,
    recovering_from: Option<Timestamp>,
    recoveries: u32,
}

pub(crate) struct World {
    pub(crate) events: usize,
    /// Between two events.
    spacing: SignedDuration,
    /// By how many of these the clocks of devices were ahead that sent some of them.
    pub(crate) ahead: BTreeMap<usize, i32>,
    /// Stored events that a fetcher recalls at most when it looks back.
    pub(crate) memory: usize,
    /// What time it is; `None`: that of the newest event.
    moment: Option<Timestamp>,
    /// Every page ever stored; its sequence is its place, counted from 1.
    pub(crate) stored: Vec<Page>,
    /// Retention has removed all pages up to this sequence.
    expired: usize,
    pub(crate) checkpoint: Option<(Position, History)>,
    head: Option<Head>,
    /// The power has failed, and no turn has ended since.
    has_lost_power: bool,
    /// Publishes without an answer that may still arrive, with what they expect.
    pub(crate) in_flight: Vec<(Page, u64)>,
    /// Cursors of older generations are refused for ever.
    generation: usize,
}

/// One fetcher.
#[derive(Default)]
pub(crate) struct Fetcher {
    pub(crate) running: Option<Running>,
    /// Where its last turn ended, whatever others have done since.
    remembers: Option<(Position, History)>,
    /// What it recognises of a chain that is read again.
    recalled: Option<Recalled>,
}

/// Stored events up to a page.
struct Recalled {
    sequence: u64,
    /// From when on it is all of them.
    from: Timestamp,
    events: BTreeSet<usize>,
}

/// In the middle of a turn.
pub(crate) struct Running {
    turn: Turn,
    action: Action,
    held: Option<Page>,
    steps: i32,
    /// What it asked for since the last progress.
    asked: Vec<Request>,
    began_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Luck {
    Good,
    /// Stored, and the answer is lost.
    AnswerLost,
    /// Not stored, no answer, arrives later.
    Late,
    /// Never stored, no answer.
    Lost,
    ApiFails,
    /// The API answers with this status and asks for so many seconds.
    Refuses(u16, Option<u64>),
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
    /// Retention removes the older half of the pages.
    Fading,
    /// The power fails everywhere, and the newest pages are lost.
    PowerCut,
    /// The page is too large for the bus.
    TooLarge,
    /// The API refuses all cursors that it has given out so far.
    Poison,
}

impl Running {
    /// Each step takes its time.
    fn now(&self) -> Timestamp {
        self.began_at + STEP * self.steps
    }
}

impl World {
    /// A past of so many events, so far apart.
    pub(crate) fn new(events: usize, spacing: SignedDuration) -> Self {
        Self {
            events,
            spacing,
            ahead: BTreeMap::new(),
            memory: usize::MAX,
            moment: None,
            stored: Vec::new(),
            expired: 0,
            checkpoint: None,
            head: None,
            has_lost_power: false,
            in_flight: Vec::new(),
            generation: 0,
        }
    }

    /// It is this time, and whatever is due by then has happened.
    pub(crate) fn be_at(&mut self, moment: Timestamp) {
        self.moment = Some(moment);
        let past = moment.duration_since(start()).as_millis() / self.spacing.as_millis();
        self.events = usize::try_from(past).unwrap();
    }

    /// All events that exist have happened.
    pub(crate) fn now(&self) -> Timestamp {
        self.moment.unwrap_or_else(|| self.arrival_of(self.events))
    }

    fn arrival_of(&self, event: usize) -> Timestamp {
        start() + self.spacing * i32::try_from(event).unwrap()
    }

    /// When an event happened, as it says itself.
    fn time_of(&self, event: usize) -> Timestamp {
        self.arrival_of(event) + self.spacing * self.ahead.get(&event).copied().unwrap_or(0)
    }

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

    pub(crate) fn arrive(&mut self) {
        if let Some((page, expected)) = self.in_flight.pop() {
            self.publish(page, expected);
        }
    }

    fn fetch(&self, request: &Request, turn: &Turn, known: &BTreeSet<usize>) -> Result<(Page, Fetched), Failure> {
        let (from, size, since) = match request {
            Request::From { start, limit } => {
                // A fetcher in the middle of a long turn may have noted the time.
                assert!(*start <= self.now() + STEP * MAX_STEPS, "what happens from now on is asked for");
                (0, usize::try_from(*limit).unwrap(), *start)
            }
            Request::After(cursor) => {
                let (place, since) = cursor.as_str().rsplit_once(' ').unwrap();
                let parts: Vec<usize> = place.split(' ').map(|part| part.parse().unwrap()).collect();
                if parts[0] < self.generation {
                    return Err(bad_request());
                }
                (parts[1], parts[2], since.parse().unwrap())
            }
        };
        // As they arrived, and none that says that it happened before the time which the cursor carries.
        let mut asked_for = (from..self.events).filter(|event| self.time_of(*event) >= since);
        let items: Vec<usize> = asked_for.by_ref().take(size).collect();
        let has_more = asked_for.next().is_some();
        let to = items.last().map_or(from, |last| last + 1);
        let page_id = format!("{request:?} {items:?} {has_more}");
        let newest = items.iter().map(|event| self.time_of(*event)).filter(|time| *time <= self.now()).max();
        let latest = items.iter().map(|event| self.time_of(*event)).max();
        let count = u32::try_from(items.len()).unwrap();
        let events: Vec<usize> = items.into_iter().filter(|event| !known.contains(event)).collect();
        let new_items = u32::try_from(events.len()).unwrap();
        let page = Page {
            id: page_id.clone(),
            previous: turn.sequence(),
            cursor: cursor(self.generation, to, size, since),
            events,
            total: turn.events_total() + u64::from(new_items),
            newest: turn.newest_event_at().max(newest),
            latest: turn.latest_event_at().max(latest),
            older_until: turn.stored_until(),
            recovering_from: turn.recovering_from().filter(|_| has_more),
            recoveries: turn.recoveries(),
        };
        let cursor = page.cursor.clone();
        Ok((
            page,
            Fetched {
                page_id,
                cursor,
                has_more,
                items: count,
                new_items,
                newest_event_at: newest,
                latest_event_at: latest,
            },
        ))
    }

    /// What finds room of all that is stored from a time on, the newest pages first, from when on that is everything, and whether a page that
    /// was wanted is gone. There is always room for what is later than `now`.
    fn recall(&self, from: Timestamp, now: Timestamp, turn: &Turn, room: usize) -> (Recalled, Timestamp, bool) {
        let (sequence, mut bound, mut from, mut is_full) = (turn.sequence(), turn.reached(), from, false);
        let (mut events, mut is_cut) = (BTreeSet::new(), false);
        let kept = self.stored.iter().enumerate().take(usize::try_from(sequence).unwrap()).skip(self.expired);
        for (older, page) in kept.rev() {
            let latest = page.latest.unwrap_or(self.now());
            if !is_full && events.len() + page.events.len() > room {
                bound = Some(latest);
                is_cut = false;
                if latest < now {
                    break;
                }
                (is_full, from) = (true, from.max(now));
            }
            events.extend(page.events.iter().filter(|event| !is_full || self.time_of(**event) >= from));
            bound = page.older_until.map_or(latest, |until| until.min(latest)).into();
            if older == 0 {
                bound = None;
            } else if bound.is_some_and(|bound| bound < from) {
                break;
            }
            is_cut = older == self.expired && page.previous > 0;
        }
        let covered = bound.map_or(from, |bound| from.max(bound + SignedDuration::from_nanos(1)));
        (Recalled { sequence, from: covered, events }, covered, is_cut)
    }

    /// What a fetcher recognises: during a recovery what it has recalled for it, or does again if somebody else has; else the API does not
    /// repeat. `None`: it is gone.
    fn known<'a>(&self, turn: &Turn, recalled: &'a mut Option<Recalled>) -> Option<&'a BTreeSet<usize>> {
        let serves = |recalled: &Recalled| turn.recovering_from().is_none_or(|from| recalled.from <= from);
        let kept = recalled.take().filter(|recalled| recalled.sequence == turn.sequence() && serves(recalled));
        let recalled = recalled.insert(match (turn.recovering_from(), kept) {
            (None, _) => Recalled { sequence: turn.sequence(), from: Timestamp::MAX, events: BTreeSet::new() },
            (Some(_), Some(kept)) => kept,
            (Some(from), None) => {
                let (recalled, covered, is_cut) = self.recall(from, from, turn, self.memory.saturating_mul(2));
                if is_cut && covered > from {
                    return None;
                }
                Recalled { from, ..recalled }
            }
        });
        Some(&recalled.events)
    }

    /// What recoveries have passed by is read by an audit, which compares it with all that is stored.
    pub(crate) fn audit(&mut self) {
        let Some((position, history)) = self.checkpoint.clone() else { return };
        let Some(passed_by) = history.passed_by else { return };
        let stored: BTreeSet<usize> = self.unmarked().collect();
        let is_missing = |event: &usize| passed_by.holds(self.time_of(*event)) && !stored.contains(event);
        let events: Vec<usize> = (0..self.events).filter(is_missing).collect();
        let total = history.events_total + events.len() as u64;
        let last = self.stored.last().expect("a chain that was read again has pages").clone();
        self.stored.push(Page { id: "audit".into(), events, total, ..last });
        self.checkpoint = Some((position, History { events_total: total, ..history }));
    }

    pub(crate) fn unmarked(&self) -> impl Iterator<Item = usize> {
        self.stored.iter().flat_map(|page| page.events.clone())
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
            Luck::TooLarge => Published::TooLarge,
            _ => self.publish(page, expected),
        }
    }

    /// One step of a fetcher, which begins a turn if it has none. A crash or the turn's end leaves it without one. Returns when the chain
    /// is due again if the turn has ended.
    pub(crate) fn step(&mut self, fetcher: &mut Fetcher, luck: Luck) -> Option<Duration> {
        let running = fetcher.running.get_or_insert_with(|| {
            let began_at = self.now();
            let (turn, action) = match fetcher.remembers.take() {
                Some(last) => Turn::resume(policy(), 0.5, last, began_at),
                None => Turn::begin(policy(), 0.5, began_at),
            };
            Running { turn, action, held: None, steps: 0, asked: Vec::new(), began_at }
        });
        running.steps += 1;
        assert!(running.steps < MAX_STEPS, "a turn has a bound");
        match luck {
            Luck::Crash => {
                *fetcher = Fetcher::default();
                return None;
            }
            Luck::Arrival => self.arrive(),
            Luck::Growth => self.events += 1,
            Luck::Poison => self.generation += 1,
            _ => {}
        }
        if let Action::Fetch(request) = &running.action {
            assert!(!running.asked.contains(request), "no request is made twice without progress between");
            running.asked.push(request.clone());
        }
        let input = match (&running.action, luck) {
            (Action::Finish(report), _) => {
                self.finish(report);
                // An uncertain position is none to go on from.
                let certain = report.outcome.is_some();
                let remembers = certain.then(|| (report.position.clone(), report.history.clone()));
                let delay = report.delay;
                *fetcher = Fetcher { running: None, remembers, recalled: fetcher.recalled.take() };
                return Some(delay);
            }
            (Action::Recover | Action::LookBack { .. } | Action::Publish { .. }, Luck::BusFails) => Input::BusFailed,
            (Action::Recover, _) => self.recovered(),
            (Action::Fetch(_), Luck::ApiFails) => Input::FetchFailed(failure()),
            (Action::Fetch(_), Luck::Refuses(code, retry_after)) => Input::FetchFailed(refusal(code, retry_after)),
            (Action::LookBack { from }, _) => {
                let (recalled, covered, _) = self.recall(*from, self.now(), &running.turn, self.memory);
                fetcher.recalled = Some(recalled);
                Input::LookedBack { covered }
            }
            (Action::Fetch(request), _) => {
                let known = self.known(&running.turn, &mut fetcher.recalled);
                match known.map(|known| self.fetch(request, &running.turn, known)) {
                    Some(Ok((page, fetched))) => {
                        running.held = Some(page);
                        Input::Fetched(fetched)
                    }
                    Some(Err(failure)) => Input::FetchFailed(failure),
                    None => Input::Forgotten,
                }
            }
            (Action::Publish { expected }, luck) => {
                let page = running.held.clone().expect("only a fetched page is published");
                Input::Published(self.publish_with(luck, page, *expected))
            }
        };
        let published = matches!(input, Input::Published(_));
        let step = running.turn.handle(input, running.now());
        if let Some(Settled::Stored(sequence)) = step.settled {
            let page = running.held.take().expect("only a held page settles");
            let there = &self.stored[usize::try_from(sequence).unwrap() - 1];
            assert_eq!(there.id, page.id, "the receipt is true");
            if let Some(recalled) = &mut fetcher.recalled {
                recalled.events.extend(page.events);
                recalled.sequence = sequence;
            }
            if matches!(step.action, Action::Fetch(_)) {
                let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages };
                self.head = Some(Head::read(Timestamp::UNIX_EPOCH, &running.turn.head(&chain)));
            }
        }
        if let (Action::Fetch(Request::After(after)), true) = (&step.action, published) {
            let stored = self.stored.iter().any(|page| page.cursor == *after);
            assert!(stored, "a cursor counts only after its page is stored");
        }
        // A conflict or a missing answer is no progress of ours, and yet the world has changed: the position is read anew.
        if published || step.action == Action::Recover {
            running.asked.clear();
        }
        running.action = step.action;
        None
    }

    fn finish(&mut self, report: &Report) {
        if let Some(Outcome::Refused(_)) = report.outcome {
            assert!(report.delay > Duration::ZERO, "a failure is followed by a pause");
        }
        if report.outcome.is_some() {
            self.checkpoint = Some((report.position.clone(), report.history.clone()));
            self.has_lost_power = false;
        }
    }
}

fn cursor(generation: usize, position: usize, limit: usize, since: Timestamp) -> Cursor {
    format!("{generation} {position} {limit} {since}").parse().unwrap()
}

pub(crate) fn start() -> Timestamp {
    now() - SignedDuration::from_hours(24 * 100)
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

pub(crate) fn policy() -> Policy {
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(5)).unwrap();
    let hourly = Backoff::new(Duration::from_mins(5), Duration::from_mins(15)).unwrap();
    Policy {
        poll_interval: Duration::from_mins(1),
        start: start(),
        transient: backoff,
        permanent: backoff,
        hourly,
        page_limit: PAGE_SIZE,
        overlaps: false,
    }
}

pub(crate) fn failure() -> Failure {
    Failure { reason: "server_error", http_status: 503, retry_after: None, transient: true, detail: String::new() }
}

/// What a status means, as the client tells it.
fn refusal(code: u16, retry_after: Option<u64>) -> Failure {
    let (reason, transient) = match code {
        200 => ("malformed", true),
        401 => ("unauthorized", false),
        403 => ("forbidden", false),
        429 => ("rate_limited", true),
        _ => ("server_error", true),
    };
    let retry_after = retry_after.map(Duration::from_secs);
    Failure { reason, http_status: code, retry_after, transient, detail: String::new() }
}

pub(crate) fn bad_request() -> Failure {
    Failure { reason: "bad_request", http_status: 400, transient: false, ..failure() }
}
