//! Performs what the polling machine decides, for one turn of one chain.

use latchkey_bus::{Bus, Publication};
use latchkey_contracts::{
    Chain,
    page::{RawPage, ResetCursor, raw_page},
};
use latchkey_core::{
    body,
    duplicates::{Uuids, Window},
    instant, page,
    page_id::page_id,
    polling::{self, Action, Failure, Fetched, Input, LastPage, Published, Report, Request, Settled, Turn},
};
use latchkey_events_api as events_api;
use latchkey_runtime::clock;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, info_span};

use crate::{
    memory::{Memory, Remembered},
    metrics::Metrics,
    source::Source,
};

/// A page between being fetched and being stored.
struct Held {
    page: RawPage,
    fresh: Uuids,
    new_items: u32,
    span: Span,
}

/// Everything one turn needs.
pub(crate) struct Performer<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) source: &'a Source,
    pub(crate) bus: &'a Bus,
    pub(crate) metrics: &'a Metrics,
    pub(crate) memory: Memory,
    held: Option<Held>,
}

impl<'a> Performer<'a> {
    pub(crate) fn new(
        chain: &'a Chain,
        source: &'a Source,
        bus: &'a Bus,
        metrics: &'a Metrics,
        memory: Memory,
    ) -> Self {
        Self { chain, source, bus, metrics, memory, held: None }
    }

    /// Runs the turn to its end. When `stop` is cancelled, a fetch under way is dropped and the turn ends at the page before it.
    pub(crate) async fn run(mut self, jitter: f64, stop: &CancellationToken) -> (Report, Memory) {
        let (mut turn, mut action) = Turn::begin(self.source.policy(), jitter, clock::now());
        loop {
            let input = match action {
                Action::Finish(report) => return (*report, self.memory),
                Action::Recover => self.recover().await,
                Action::Publish { expected } => self.publish(expected).await,
                Action::Fetch(request) => {
                    let fetched = tokio::select! {
                        biased;
                        () = stop.cancelled() => None,
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
            action = step.action;
        }
    }

    async fn recover(&self) -> Input {
        match futures::future::try_join(self.bus.last_page(self.chain), self.bus.last_checkpoint(self.chain)).await {
            Ok((last_page, checkpoint)) => {
                let last_page = match last_page.map(|stored| last_page_of(stored.sequence, &stored.message)).transpose()
                {
                    Ok(last_page) => last_page,
                    Err(error) => return self.bus_failed(&error),
                };
                let checkpoint = checkpoint.map(|stored| polling::read_checkpoint(&stored.message));
                Input::Recovered { last_page, checkpoint }
            }
            Err(error) => self.bus_failed(&error),
        }
    }

    async fn fetch(&mut self, request: &Request, turn: &Turn) -> Input {
        // A root of its own: one trace follows one page, from here to the file it ends in.
        let span = info_span!(parent: None, "page", source = %self.chain.source, feed = %self.chain.feed);
        let started = std::time::Instant::now();
        let ask = self.source.page_request(request);
        let answer = self.source.client.page(self.chain.feed, &ask).instrument(span.clone()).await;
        self.metrics.page_fetched(started.elapsed().as_secs_f64());
        let read = answer.as_ref().map_err(failure).and_then(|response| {
            let view = response.page().map_err(|error| failure(&error))?;
            Ok((response.body.clone(), view))
        });
        let (body, view) = match read {
            Ok(read) => read,
            Err(failure) => return Input::FetchFailed(failure),
        };
        if view.items.is_empty() {
            return Input::Fetched(Fetched {
                page_id: page_id(self.chain, &wire_request(&ask), &body),
                cursor: view.cursor,
                has_more: view.has_more,
                items: 0,
                new_items: 0,
            });
        }
        let window = match self.window(turn.sequence()).await {
            Ok(window) => window,
            Err(error) => return self.bus_failed(&error),
        };
        let marked = window.mark(&view.items);
        let fetched = Fetched {
            page_id: page_id(self.chain, &wire_request(&ask), &body),
            cursor: view.cursor.clone(),
            has_more: view.has_more,
            items: u32::try_from(view.items.len()).expect("a page has a bounded number of items"),
            new_items: marked.new_items,
        };
        let packed = body::pack(&body);
        let page = RawPage {
            page_id: fetched.page_id.clone(),
            source: self.chain.source.to_string(),
            source_label: self.source.label.clone(),
            feed: self.chain.feed.to_string(),
            request: Some(wire_request(&ask)),
            next_cursor: fetched.cursor.as_str().into(),
            has_more: fetched.has_more,
            fetched_at_unix_nano: instant::to_unix_nano(clock::now()),
            api_version: "v2".into(),
            item_count: fetched.items,
            duplicates: marked.duplicates,
            previous_sequence: turn.sequence(),
            body_size: body.len() as u64,
            body: packed,
            events_total: turn.events_total() + u64::from(marked.new_items),
        };
        self.held = Some(Held { page, fresh: marked.fresh, new_items: marked.new_items, span });
        Input::Fetched(fetched)
    }

    async fn publish(&self, expected: u64) -> Input {
        let Some(held) = &self.held else { return Input::BusFailed };
        match self.bus.publish_page(self.chain, &held.page, expected).instrument(held.span.clone()).await {
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
            }
        }
    }

    /// The chain's window up to its newest page, rebuilt by walking the pages back if this process does not have it.
    async fn window(&mut self, sequence: u64) -> Result<&Window, latchkey_bus::Error> {
        let remembered = match self.memory.window.take() {
            Some(remembered) if remembered.sequence == sequence => remembered,
            _ => Remembered { sequence, window: walk_back(self.bus, sequence).await? },
        };
        Ok(&self.memory.window.insert(remembered).window)
    }

    fn bus_failed(&self, error: &latchkey_bus::Error) -> Input {
        tracing::warn!(source = %self.chain.source, feed = %self.chain.feed, %error, "the turn ends: the bus gave no answer");
        Input::BusFailed
    }
}

async fn walk_back(bus: &Bus, newest: u64) -> Result<Window, latchkey_bus::Error> {
    let mut window = Window::default();
    let mut sequence = newest;
    while sequence > 0 {
        // Retention may have removed the rest.
        let Some(stored) = bus.page_at(sequence).await? else { break };
        let uuids = uuids(&stored.message);
        if !window.recall(uuids) {
            break;
        }
        sequence = stored.message.previous_sequence;
    }
    Ok(window)
}

/// The uuids of a stored page; none if it cannot be read, which costs at worst that an event is taken for a new one.
fn uuids(stored: &RawPage) -> Uuids {
    let size = usize::try_from(stored.body_size).unwrap_or(body::MAX_BYTES);
    let fresh = |body: &[u8]| page::read(body).map(|view| Window::default().mark(&view.items).fresh);
    body::unpack(&stored.body, size, fresh).ok().and_then(Result::ok).unwrap_or_default()
}

fn last_page_of(sequence: u64, page: &RawPage) -> Result<LastPage, latchkey_bus::Error> {
    Ok(LastPage {
        sequence,
        page_id: page.page_id.clone(),
        cursor: page.next_cursor.parse().map_err(|_| latchkey_bus::Error::unreadable_page(sequence))?,
        fetched_at: instant::from_unix_nano(page.fetched_at_unix_nano),
        has_news: page.item_count as usize > page.duplicates.len(),
        events_total: page.events_total,
    })
}

fn wire_request(request: &events_api::PageRequest) -> raw_page::Request {
    match request {
        events_api::PageRequest::Reset { limit, start, .. } => {
            raw_page::Request::Reset(ResetCursor { limit: *limit, start_unix_nano: instant::to_unix_nano(*start) })
        }
        events_api::PageRequest::Continue { cursor } => raw_page::Request::Cursor(cursor.as_str().into()),
    }
}

fn failure(error: &events_api::Error) -> Failure {
    Failure {
        reason: error.reason(),
        http_status: error.http_status().unwrap_or_default(),
        retry_after: error.retry_after(),
        transient: error.is_transient(),
        detail: format!("{error}; {}", error.next_step()),
    }
}
