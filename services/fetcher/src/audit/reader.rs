//! One turn of reading a chain's past again.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use latchkey_bus::{Bus, Error, Publication};
use latchkey_contracts::Chain;
use latchkey_core::{
    audit::{Obstacle, Schedule, Span},
    cursor::Cursor,
    instant,
    polling::{self, History, Position},
};
use latchkey_events_api::{self as events_api, PageRequest};
use latchkey_runtime::clock;
use tokio::sync::SemaphorePermit;

use super::{
    After, Audits, LIGHT, Order, off_pause,
    repair::{Repair, Repaired},
    state::State,
    stored::Stored,
};
use crate::{
    access::Pass,
    budget::Budgets,
    lanes::Lanes,
    metrics::Metrics,
    source::Source,
    standing::{self, Standing},
    stop::Stop,
};

/// Pages after which a turn hands its task back, so that a long reading shares its place with others.
const MAX_PAGES: u32 = 64;

/// How long a turn goes on before it does: well within what the state's readers wait for news.
const MAX_TURN: Duration = Duration::from_secs(45);

/// Pause after a failure of the API or of the bus.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);

/// Pause until a chain is looked at again that has never been at its feed's end.
const BEHIND_PAUSE: Duration = Duration::from_secs(10);

/// Everything one turn needs.
pub(crate) struct Reader<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) source: &'a Source,
    pub(crate) bus: &'a Bus,
    pub(crate) budgets: &'a Budgets,
    pub(crate) lanes: &'a Lanes,
    pub(crate) metrics: &'a Metrics,
    pub(crate) audits: &'a Audits,
    pub(crate) order: &'a Order,
    /// Uniform in `[0, 1)`.
    pub(crate) random: f64,
    pub(crate) stop: Stop<'a>,
}

/// Where the chain stands.
pub(super) struct Tip {
    pub(super) position: Position,
    pub(super) history: History,
}

/// A turn under way.
struct Turn {
    pass: std::sync::Arc<Pass>,
    pages: u32,
    began: Instant,
}

/// How reading a span ended.
enum Flow {
    SpanDone,
    Pause(Duration, &'static str),
}

impl Reader<'_> {
    /// Reads on, and says when to come back.
    pub(crate) async fn turn(self) -> After {
        match self.try_turn().await {
            Ok(after) => after,
            Err(error) => {
                let (source, feed, kind) = (&self.chain.source, self.chain.feed, self.order.kind());
                tracing::warn!(%source, %feed, kind, %error, "reading the past again is interrupted: the bus gave no answer");
                After::Again(FAILURE_PAUSE)
            }
        }
    }

    async fn try_turn(&self) -> Result<After, Error> {
        let stored = self.bus.last_reread(self.order.kind(), self.chain).await?;
        let (sequence, message) = stored.map(|stored| (stored.sequence, stored.message)).unwrap_or_default();
        let mut state = State { message, sequence };
        if self.is_idle(&state).await? {
            return Ok(After::Again(off_pause(self.random)));
        }
        let mut tip = self.tip().await?;
        if let Some(after) = self.begin(&mut state, &tip).await? {
            return Ok(after);
        }
        let Some(_room) = self.audits.room(tip.history.events_total) else {
            return Ok(After::Again(self.order.pause(self.random)));
        };
        let mut turn = Turn { pass: self.source.access.fresh(self.budgets).await, pages: 0, began: Instant::now() };
        loop {
            let span = state.span(self.start(&tip));
            if span.is_empty() {
                return self.finish(state).await;
            }
            match self.span(&mut state, &mut tip, span, &mut turn).await? {
                Flow::SpanDone => {}
                Flow::Pause(pause, trouble) => {
                    self.note(&mut state, trouble);
                    self.save(&mut state).await?;
                    return Ok(After::Again(pause));
                }
            }
        }
    }

    /// What stays undelivered is told of, once. Alerters see it in the reading's state.
    fn note(&self, state: &mut State, trouble: &'static str) {
        let is_news = state.interrupted(trouble, clock::now());
        if trouble.is_empty() {
            return;
        }
        let (source, feed, kind) = (&self.chain.source, self.chain.feed, self.order.kind());
        self.metrics.reread_held_up(kind, trouble);
        if is_news && Obstacle::read(trouble).is_some() {
            tracing::warn!(%source, %feed, kind, trouble, "the past holds events that cannot be published; trying again until they can");
        }
    }

    /// Whether nobody asks for anything, so that the chain's newest page need not be read. What only that page tells of, the next turn's
    /// checkpoint does too.
    async fn is_idle(&self, state: &State) -> Result<bool, Error> {
        if state.is_open() || !matches!(self.order, Order::Audit(None)) {
            return Ok(false);
        }
        let checkpoint = self.bus.last_checkpoint(self.chain).await?;
        let history = checkpoint.map(|stored| polling::read_checkpoint(&stored.message).1);
        Ok(history.is_none_or(|history| state.passed_by(&history).is_none()))
    }

    /// Opens the window that is asked for, unless it is open. `Some`: there is nothing to read at this moment.
    async fn begin(&self, state: &mut State, tip: &Tip) -> Result<Option<After>, Error> {
        let now = clock::now();
        let (id, mut window) = match self.order {
            Order::Window { id, .. } if state.message.id == *id => {
                return Ok((!state.is_open()).then_some(After::Done));
            }
            Order::Window { id, window, .. } => (id.as_str(), *window),
            Order::Audit(_) if state.is_open() => return Ok(None),
            Order::Audit(schedule) => {
                let passed_by = state.passed_by(&tip.history);
                let window = match passed_by {
                    // Where polling goes on, it has left all of it behind.
                    Some((window, recovery_at)) if tip.history.caught_up_at >= Some(recovery_at.max(window.to)) => {
                        state.take_up(recovery_at);
                        window
                    }
                    _ => match self.scheduled(state, *schedule, now).await? {
                        Ok(window) => window,
                        Err(pause) if passed_by.is_some() => return Ok(Some(After::Again(pause.min(BEHIND_PAUSE)))),
                        Err(pause) => return Ok(Some(After::Again(pause))),
                    },
                };
                ("", Span { from: window.from.max(self.start(tip)), ..window })
            }
        };
        // What the chain has not read yet is not missing; and two readings of it could not tell what the other delivers.
        let Some(caught_up_at) = tip.history.caught_up_at.filter(|_| tip.position.cursor.is_some()) else {
            if let Order::Window { .. } = self.order {
                state.begin("", window, now);
                state.message.trouble = "not_caught_up".into();
                self.save(state).await?;
            }
            return Ok(Some(After::Again(BEHIND_PAUSE)));
        };
        window.to = window.to.min(caught_up_at);
        state.begin(id, window, now);
        self.save(state).await?;
        Ok(None)
    }

    /// The window that is due, or how long until one is.
    async fn scheduled(
        &self,
        state: &mut State,
        schedule: Option<Schedule>,
        now: Timestamp,
    ) -> Result<Result<Span, Duration>, Error> {
        let Some(schedule) = schedule else { return Ok(Err(off_pause(self.random))) };
        let before = state.due();
        let mut due = before;
        let window = schedule.next(&mut due, self.random, now);
        due.write(&mut state.message);
        if window.is_none() && due != before {
            self.save(state).await?;
        }
        Ok(window.ok_or_else(|| schedule.wait(&due, now)))
    }

    /// Before this polling never asked for anything.
    pub(super) fn start(&self, tip: &Tip) -> Timestamp {
        tip.history.start(self.source.start)
    }

    /// Reads a span on, and keeps what is stored of it if it is not read to its end.
    async fn span(&self, state: &mut State, tip: &mut Tip, span: Span, turn: &mut Turn) -> Result<Flow, Error> {
        let is_begun = !state.message.cursor.is_empty();
        let mut stored = self.stored(tip, span, is_begun).await?;
        let flow = self.read_on(state, tip, span, &mut stored, turn).await?;
        if let Flow::Pause(..) = flow
            && tip.history.events_total > LIGHT
        {
            self.audits.kept.keep(self.chain.clone(), self.order.kind(), stored);
        }
        Ok(flow)
    }

    /// What the chain has stored of a span. What was kept of it knows what the API has shown, so it is of no use where that begins again.
    async fn stored(&self, tip: &Tip, span: Span, is_begun: bool) -> Result<Stored, Error> {
        if let Some(mut kept) = self.audits.kept.take(self.chain, self.order.kind(), span)
            && is_begun
            && kept.start == self.start(tip)
            && kept.catch_up(self.bus, tip.position.sequence).await?
            && kept.known.span() == span
        {
            return Ok(kept);
        }
        let ever_stored = tip.history.events_total > 0;
        Stored::gather(self.bus, self.chain.feed, tip.position.sequence, ever_stored, span, self.start(tip)).await
    }

    async fn read_on(
        &self,
        state: &mut State,
        tip: &mut Tip,
        mut span: Span,
        stored: &mut Stored,
        turn: &mut Turn,
    ) -> Result<Flow, Error> {
        if stored.known.span() != span {
            state.message.cursor.clear();
            span = stored.known.span();
        }
        state.message.span_to_unix_nano = instant::to_unix_nano(span.to);
        loop {
            if self.stop.is_asked() || turn.pages >= MAX_PAGES || turn.began.elapsed() >= MAX_TURN {
                return Ok(Flow::Pause(Duration::ZERO, ""));
            }
            if let Err(wait) = self.budgets.take(&turn.pass.account, self.order.work()).await {
                return Ok(Flow::Pause(wait, ""));
            }
            let cursor: Option<Cursor> = state.message.cursor.parse().ok();
            let limit = state.page_limit(self.source.page_limit);
            let request = match &cursor {
                Some(cursor) => PageRequest::Continue { cursor: cursor.clone() },
                None => PageRequest::Reset { limit, start: span.from, end: Some(span.to) },
            };
            let answer = tokio::select! {
                biased;
                () = self.stop.asked() => return Ok(Flow::Pause(Duration::ZERO, "")),
                answer = self.ask(&turn.pass, &request) => answer,
            };
            let (response, _room) = match answer {
                Ok(answer) => answer,
                Err(events_api::Error::BadRequest) if cursor.is_some() => {
                    state.message.cursor.clear();
                    return Ok(Flow::Pause(FAILURE_PAUSE, "cursor_refused"));
                }
                // What a cursor continues has pages of one size, so smaller ones need another beginning.
                Err(events_api::Error::TooLarge { .. }) if state.ask_for_less() => continue,
                Err(error) => return Ok(self.failed(&error, turn).await),
            };
            let view = match response.page(clock::now()) {
                Ok(view) => view,
                Err(error) => return Ok(self.failed(&error, turn).await),
            };
            turn.pages += 1;
            let judged = stored.known.judge(&view.items);
            let repair = Repair {
                reader: self,
                span,
                limit,
                cursor: state.message.cursor.clone(),
                body: &response.body,
                view: &view,
            };
            let judged = match repair.publish(judged, stored, tip).await? {
                Repaired::Stored(judged) => judged,
                Repaired::Full => return Ok(Flow::Pause(FAILURE_PAUSE, Obstacle::StreamFull.word())),
                Repaired::TooLarge if state.ask_for_less() => continue,
                Repaired::TooLarge => {
                    return Ok(Flow::Pause(FAILURE_PAUSE, Obstacle::PageTooLarge.word()));
                }
                Repaired::Contended => return Ok(Flow::Pause(FAILURE_PAUSE, Obstacle::Contended.word())),
            };
            stored.known.show(&view.items);
            let missing = judged.missing.len() as u64;
            let found = state.found();
            found.requests += 1;
            found.events += judged.present + missing;
            found.present += judged.present;
            found.missing += missing;
            found.unjudged += judged.unjudged;
            found.repaired += if self.order.delivers() { missing } else { 0 };
            if view.has_more && cursor.as_ref() == Some(&view.cursor) {
                return Ok(Flow::Pause(FAILURE_PAUSE, "no_progress"));
            }
            if view.has_more {
                state.page_done(missing > 0);
                state.message.cursor = view.cursor.as_str().into();
            } else {
                state.arrived_at(span.to);
            }
            self.save(state).await?;
            if !view.has_more {
                return Ok(Flow::SpanDone);
            }
        }
    }

    /// The answer, and the room that it takes up.
    async fn ask(
        &self,
        pass: &Pass,
        request: &PageRequest,
    ) -> Result<(events_api::Response, [SemaphorePermit<'_>; 2]), events_api::Error> {
        let answer = pass.client.ask(self.chain.feed, request).await?;
        let room = self.lanes.past_page().await;
        Ok((answer.read().await?, room))
    }

    async fn failed(&self, error: &events_api::Error, turn: &Turn) -> Flow {
        if let events_api::Error::RateLimited { retry_after } = error {
            self.budgets.refused(&turn.pass.account, *retry_after).await;
        }
        Flow::Pause(error.retry_after().unwrap_or_default().max(FAILURE_PAUSE), error.reason())
    }

    async fn finish(&self, mut state: State) -> Result<After, Error> {
        let now = clock::now();
        state.finish(now);
        self.save(&mut state).await?;
        let found = *state.found();
        self.metrics.reread_finished(self.chain, self.order.kind(), &found);
        let (source, feed, kind) = (&self.chain.source, self.chain.feed, self.order.kind());
        if found.missing > 0 {
            let (missing, repaired, events) = (found.missing, found.repaired, found.events);
            tracing::warn!(%source, %feed, kind, missing, repaired, events, "the past holds events that polling did not bring");
        }
        Ok(match self.order {
            Order::Audit(Some(schedule)) => After::Again(schedule.wait(&state.due(), now)),
            Order::Audit(None) => After::Again(off_pause(self.random)),
            Order::Window { .. } => After::Done,
        })
    }

    /// Refused if somebody else goes on with this reading: then the turn ends here.
    async fn save(&self, state: &mut State) -> Result<(), Error> {
        state.message.source = self.chain.source.to_string();
        state.message.feed = self.chain.feed.to_string();
        state.message.updated_at_unix_nano = instant::to_unix_nano(clock::now());
        let published = self.bus.publish_reread(self.order.kind(), self.chain, &state.message, state.sequence).await?;
        match published {
            Publication::Stored { sequence } | Publication::Repeated { sequence } => state.sequence = sequence,
            other => return Err(Error::not_stored("noting how far a reading is", other)),
        }
        Ok(())
    }

    pub(super) async fn tip(&self) -> Result<Tip, Error> {
        let Standing { last_page, checkpoint } = standing::read(self.bus, self.chain).await?;
        let (position, history) = polling::recover(last_page, checkpoint);
        Ok(Tip { position, history })
    }

    /// How late events are that only this reading found.
    pub(super) fn note_lateness(&self, times: impl Iterator<Item = Option<Timestamp>>, now: Timestamp) {
        for time in times.flatten() {
            self.metrics.found_late(self.order.kind(), now.duration_since(time).as_secs_f64());
        }
    }
}
