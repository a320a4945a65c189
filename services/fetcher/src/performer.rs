//! Performs what the polling machine decides, for one turn of one chain.

mod window;
mod wire;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use latchkey_bus::{Bus, Publication};
use latchkey_contracts::{Chain, page::RawPage};
use latchkey_core::{
    body,
    budget::Work,
    duplicates::Uuids,
    event_time,
    feed::Definition,
    instant,
    page_id::page_id,
    polling::{self, Action, Failure, Fetched, Input, Off, Policy, Published, Report, Request, Settled, Turn},
};
use latchkey_events_api as events_api;
use latchkey_runtime::clock;
use tokio::sync::SemaphorePermit;
use tracing::{Instrument, Span, info_span};

pub(crate) use self::wire::last_page_of;
use crate::{
    access::Pass,
    budget::Budgets,
    history,
    lanes::Lanes,
    memory::Memory,
    metrics::Metrics,
    source::Source,
    standing::{self, Standing},
    stop::Stop,
};

/// A page between being fetched and being stored.
struct Held {
    page: RawPage,
    fresh: Uuids,
    new_items: u32,
    span: Span,
}

/// Why there is no answer to look at.
enum Unanswered {
    /// The API gave none.
    Api(events_api::Error),
    /// It came, and was dropped: other pages had all the room.
    NoRoom,
}

impl Unanswered {
    fn failure(&self) -> Failure {
        match self {
            Self::Api(error) => wire::failure(error),
            Self::NoRoom => polling::no_room(),
        }
    }
}

/// Everything one turn needs.
pub(crate) struct Performer<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) source: &'a Source,
    /// The token of this turn.
    pass: Arc<Pass>,
    pub(crate) bus: &'a Bus,
    budgets: &'a Budgets,
    lanes: &'a Lanes,
    pub(crate) metrics: &'a Metrics,
    pub(crate) memory: Memory,
    held: Option<Held>,
    /// For the page that is held.
    room: Option<SemaphorePermit<'a>>,
    /// Time in which nobody but this process was waited for.
    waited: Duration,
}

/// A turn that is over.
pub(crate) struct Ended {
    pub(crate) report: Report,
    pub(crate) memory: Memory,
    /// How much of its time it waited for bounds of ours.
    pub(crate) waited: Duration,
}

impl<'a> Performer<'a> {
    pub(crate) fn new(
        chain: &'a Chain,
        source: &'a Source,
        bus: &'a Bus,
        budgets: &'a Budgets,
        lanes: &'a Lanes,
        metrics: &'a Metrics,
        memory: Memory,
    ) -> Self {
        let pass = source.access.pass();
        Self {
            chain,
            source,
            pass,
            bus,
            budgets,
            lanes,
            metrics,
            memory,
            held: None,
            room: None,
            waited: Duration::ZERO,
        }
    }

    /// Runs the turn to its end. When it is to `stop`, a fetch under way is dropped and the turn ends at the page before it.
    pub(crate) async fn run(mut self, jitter: f64, stop: Stop<'_>) -> Ended {
        self.pass = self.source.access.fresh(self.budgets).await;
        let (mut turn, mut action) = match self.memory.place.take() {
            Some(place) => Turn::resume(self.source.policy(self.chain.feed), jitter, place.last, clock::now()),
            None => Turn::begin(self.source.policy(self.chain.feed), jitter, clock::now()),
        };
        loop {
            let input = match action {
                Action::Finish(report) => return Ended { report: *report, memory: self.memory, waited: self.waited },
                Action::Recover => recover(self.bus, self.chain).await,
                Action::Publish { expected } => self.publish(expected).await,
                Action::LookBack { from } => self.look_back(from, &turn).await,
                Action::Fetch(request) => {
                    let fetched = tokio::select! {
                        biased;
                        () = stop.asked() => None,
                        input = self.fetch(&request, &turn) => Some(input),
                    };
                    let Some(input) = fetched else {
                        action = turn.stop(clock::now());
                        continue;
                    };
                    input
                }
            };
            let step = turn.handle(input, clock::now());
            self.settle(step.settled);
            if matches!((step.settled, &step.action), (Some(Settled::Stored(_)), Action::Fetch(_))) {
                self.leave_head(&turn).await;
            }
            action = step.action;
        }
    }

    async fn fetch(&mut self, request: &Request, turn: &Turn) -> Input {
        // Who waits for the budget holds no page.
        self.room = None;
        if self.source.access.excludes(self.chain.feed) {
            return Input::Off(Off::OutOfScope);
        }
        let began = Instant::now();
        let taken = self.budgets.take_or_wait(&self.pass.account, Work::Live).await;
        self.waited += began.elapsed();
        if let Err(wait) = taken {
            return Input::FetchFailed(polling::over_budget(wait));
        }
        // A root of its own: one trace follows one page, from here to the file it ends in.
        let span = info_span!(parent: None, "page", source = %self.chain.source, feed = %self.chain.feed);
        let ask = Source::page_request(request);
        let answer = self.ask(&ask).instrument(span.clone()).await;
        if matches!(answer, Err(Unanswered::Api(events_api::Error::Unauthorized)))
            && self.source.access.excludes_by_now(self.chain.feed, &self.pass, self.budgets).await
        {
            return Input::Off(Off::OutOfScope);
        }
        let read = answer.as_ref().map_err(Unanswered::failure).and_then(|response| {
            let view = response.page(clock::now()).map_err(|error| wire::failure(&error))?;
            Ok((response.body.clone(), view))
        });
        let (body, view) = match read {
            Ok(read) => read,
            Err(failure) => return Input::FetchFailed(failure),
        };
        if view.items.is_empty() {
            return Input::Fetched(Fetched {
                page_id: page_id(self.chain, &wire::request(&ask), &body),
                cursor: view.cursor,
                has_more: view.has_more,
                items: 0,
                new_items: 0,
                newest_event_at: None,
                latest_event_at: None,
            });
        }
        let remembered = match self.window(turn).await {
            Ok(Some(remembered)) => remembered,
            Ok(None) => return Input::Forgotten,
            Err(error) => return self.bus_failed(&error),
        };
        let marked = remembered.window.mark(&view.items);
        let carries = remembered.since_carried >= history::RECENT_EVERY;
        let recent = if carries { remembered.window.recent().into() } else { Bytes::new() };
        let fetched_at = clock::now();
        let fetched = Fetched {
            page_id: page_id(self.chain, &wire::request(&ask), &body),
            cursor: view.cursor.clone(),
            has_more: view.has_more,
            items: u32::try_from(view.items.len()).expect("a page has a bounded number of items"),
            new_items: marked.new_items,
            newest_event_at: event_time::newest(&view.items, fetched_at),
            latest_event_at: event_time::latest(&view.items, fetched_at),
        };
        let newest_event_at = turn.newest_event_at().max(fetched.newest_event_at);
        let latest_event_at = turn.latest_event_at().max(fetched.latest_event_at);
        let packed = body::pack(&body);
        let page = RawPage {
            page_id: fetched.page_id.clone(),
            source: self.chain.source.to_string(),
            source_label: self.source.label.clone(),
            feed: self.chain.feed.to_string(),
            request: Some(wire::request(&ask)),
            next_cursor: fetched.cursor.as_str().into(),
            has_more: fetched.has_more,
            fetched_at_unix_nano: instant::to_unix_nano(fetched_at),
            api_version: Definition::of(self.chain.feed).api_version.clone(),
            item_count: fetched.items,
            duplicates: marked.duplicates,
            previous_sequence: turn.sequence(),
            body_size: body.len() as u64,
            body: packed,
            events_total: turn.events_total() + u64::from(marked.new_items),
            newest_event_unix_nano: instant::optional_to_unix_nano(newest_event_at),
            recovering_from_unix_nano: instant::optional_to_unix_nano(
                turn.recovering_from().filter(|_| fetched.has_more),
            ),
            recoveries: turn.recoveries(),
            older_until_unix_nano: instant::optional_to_unix_nano(turn.stored_until()),
            latest_event_unix_nano: instant::optional_to_unix_nano(latest_event_at),
            recent,
        };
        self.held = Some(Held { page, fresh: marked.fresh, new_items: marked.new_items, span });
        Input::Fetched(fetched)
    }

    /// One request; a second one only if the token was replaced since the turn began.
    async fn ask(&mut self, request: &events_api::PageRequest) -> Result<events_api::Response, Unanswered> {
        let answer = self.ask_once(request).await;
        if !matches!(answer, Err(Unanswered::Api(events_api::Error::Unauthorized))) {
            return answer;
        }
        let Some(pass) = self.source.access.replaced(&self.pass).await else { return answer };
        self.pass = pass;
        // So rare that it does not wait; it counts all the same.
        let _ = self.budgets.take(&self.pass.account, Work::Live).await;
        self.ask_once(request).await
    }

    async fn ask_once(&mut self, request: &events_api::PageRequest) -> Result<events_api::Response, Unanswered> {
        let (mut started, asked_at) = (Instant::now(), clock::now());
        self.room = None;
        let answer = self.pass.client.ask(self.chain.feed, request).await;
        let answered_at = clock::now();
        let answer = match answer {
            Ok(answer) => {
                let began = Instant::now();
                self.room = self.lanes.page().await;
                let waited = began.elapsed();
                self.waited += waited;
                started += waited;
                if self.room.is_none() {
                    return Err(Unanswered::NoRoom);
                }
                answer.read().await
            }
            Err(error) => Err(error),
        };
        self.metrics.page_fetched(started.elapsed().as_secs_f64());
        if let Err(events_api::Error::RateLimited { retry_after }) = &answer {
            self.budgets.refused(&self.pass.account, *retry_after).await;
        }
        if let Some(date) = answer.as_ref().ok().and_then(|response| response.date)
            && let Some(skew) = self.source.answered(date, asked_at, answered_at)
        {
            self.metrics.clock_is_ahead(self.chain, skew);
        }
        answer.map_err(Unanswered::Api)
    }

    async fn publish(&mut self, expected: u64) -> Input {
        let Some(held) = &mut self.held else { return Input::BusFailed };
        let (bus, chain) = (self.bus, self.chain);
        let published = async {
            let published = bus.publish_page(chain, &held.page, expected).await;
            if !matches!(published, Ok(Publication::TooLarge { .. })) || held.page.recent.is_empty() {
                return published;
            }
            // A page that fits goes out; what it was to carry can wait for a smaller one.
            held.page.recent = Bytes::new();
            bus.publish_page(chain, &held.page, expected).await
        };
        match published.instrument(held.span.clone()).await {
            Ok(Publication::Stored { sequence } | Publication::Repeated { sequence }) => {
                Input::Published(Published::Stored(sequence))
            }
            Ok(Publication::Conflict) => Input::Published(Published::Conflict),
            Ok(Publication::Full) => Input::Published(Published::Full),
            Ok(Publication::TooLarge { .. }) => Input::Published(Published::TooLarge),
            Ok(Publication::Unknown) => Input::Published(Published::Unknown),
            Err(error) => self.bus_failed(&error),
        }
    }

    fn settle(&mut self, settled: Option<Settled>) {
        let Some(settled) = settled else { return };
        let Some(held) = self.held.take() else { return };
        if let Settled::Stored(sequence) = settled {
            self.metrics.page_stored(self.chain, held.new_items, held.page.duplicates.len());
            if let Some(remembered) = &mut self.memory.window {
                remembered.window.remember(held.fresh);
                remembered.sequence = sequence;
                remembered.since_carried = if held.page.recent.is_empty() { remembered.since_carried + 1 } else { 0 };
            }
        }
    }

    /// For who comes back to the chain after its pages are gone. The turn's end has the checkpoint.
    async fn leave_head(&self, turn: &Turn) {
        if let Err(error) = self.bus.leave_head(self.chain, &turn.head(self.chain)).await {
            tracing::warn!(source = %self.chain.source, feed = %self.chain.feed, %error, "the turn goes on without");
        }
    }

    fn bus_failed(&self, error: &latchkey_bus::Error) -> Input {
        bus_failed(self.chain, error)
    }
}

/// A turn that asks nobody: the chain keeps its place, and its checkpoint says why.
pub(crate) async fn rest(chain: &Chain, policy: Policy, bus: &Bus, why: &Input) -> Report {
    let (mut turn, mut action) = Turn::begin(policy, 0.0, clock::now());
    loop {
        let input = match action {
            Action::Finish(report) => return *report,
            Action::Recover => recover(bus, chain).await,
            _ => why.clone(),
        };
        action = turn.handle(input, clock::now()).action;
    }
}

async fn recover(bus: &Bus, chain: &Chain) -> Input {
    match standing::read(bus, chain).await {
        Ok(Standing { last_page, checkpoint }) => Input::Recovered { last_page, checkpoint: checkpoint.map(Box::new) },
        Err(error) => bus_failed(chain, &error),
    }
}

fn bus_failed(chain: &Chain, error: &latchkey_bus::Error) -> Input {
    tracing::warn!(source = %chain.source, feed = %chain.feed, %error, "the turn ends: the bus gave no answer");
    Input::BusFailed
}
