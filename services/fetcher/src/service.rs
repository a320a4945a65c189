//! Takes tasks, as many at once as there are permits, and answers each.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use latchkey_bus::{Bus, Delivered};
use latchkey_contracts::{
    Chain,
    task::{Task, task::Kind},
};
use latchkey_core::{
    audit::Schedule,
    budget::Limits,
    polling::{Circumstances, Failure, Input, Off, Outcome, Report, until_next},
};
use latchkey_runtime::{Shutdown, clock};
use tokio::sync::{Semaphore, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    audit::{self, After, Audits, Order, Reader},
    budget::Budgets,
    lanes::{Lanes, SLOW},
    memory::Memories,
    metrics::Metrics,
    performer::{self, Performer},
    roster::{Duty, Member, Roster},
    source::Source,
};

/// How often a long turn extends its lease: three times within the consumer's `ack_wait` of 30 s.
const LEASE_RENEWAL: Duration = Duration::from_secs(10);

/// When a task for a source that this fetcher does not know is offered again, perhaps to one that does.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);

/// When an audit is offered again that this fetcher is not to make.
const OFF_PAUSE: Duration = Duration::from_mins(10);

/// When a slow chain is offered again that found too many of its kind at work.
const CROWDED_PAUSE: Duration = Duration::from_secs(10);

/// A source that cannot be used is looked at again after this at the latest: what is missing may have come.
const REPAIR_PAUSE: Duration = Duration::from_secs(30);

/// Polls chains.
pub struct Fetcher(Arc<Inner>);

struct Inner {
    roster: Roster,
    permits: Arc<Semaphore>,
    lanes: Lanes,
    bus: Bus,
    budgets: Budgets,
    audits: Audits,
    metrics: Metrics,
    memories: Memories,
}

/// What becomes of a task.
enum Answer {
    /// It is due again after this.
    Later(Duration),
    /// Nobody is to do it any more.
    Never,
}

impl Fetcher {
    pub(crate) fn new(
        roster: Roster,
        concurrency: NonZeroUsize,
        limits: Limits,
        schedule: Option<Schedule>,
        bus: Bus,
        metrics: Metrics,
    ) -> Self {
        Self(Arc::new(Inner {
            roster,
            permits: Arc::new(Semaphore::new(concurrency.get())),
            lanes: Lanes::new(concurrency),
            budgets: Budgets::new(bus.clone(), limits, metrics.clone()),
            audits: Audits::new(schedule),
            bus,
            metrics,
            memories: Memories::default(),
        }))
    }

    /// Every chain that the configuration file names.
    #[must_use]
    pub fn chains(&self) -> Vec<Chain> {
        self.0.roster.chains()
    }

    /// Creates the tasks that are missing and works until the soft shutdown; then finishes or hands back what it holds.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), latchkey_bus::Error> {
        let (ready, is_ready) = oneshot::channel();
        let follow = Box::pin(self.0.roster.follow(&shutdown, || _ = ready.send(())));
        let work = async {
            match is_ready.await {
                Ok(()) => self.work(&shutdown).await,
                // The other side has failed, and says why.
                Err(_) => Ok(()),
            }
        };
        tokio::try_join!(follow, work).map(|_| ())
    }

    async fn work(&self, shutdown: &Shutdown) -> Result<(), latchkey_bus::Error> {
        let mut tasks = self.0.bus.tasks().await?;
        let turns = TaskTracker::new();
        loop {
            let permit = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                permit = Arc::clone(&self.0.permits).acquire_owned() => permit.expect("the semaphore is never closed"),
            };
            let task = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                task = tasks.next() => task?,
            };
            let (inner, shutdown) = (Arc::clone(&self.0), shutdown.clone());
            turns.spawn(async move {
                if is_poll(&task) {
                    inner.answer(task, &shutdown).await;
                    drop(permit);
                } else {
                    // Reading the past takes no place from polling.
                    drop(permit);
                    inner.reread(task, &shutdown).await;
                }
            });
        }
        tasks.close().await;
        turns.close();
        tokio::select! {
            () = turns.wait() => {}
            () = shutdown.hard().cancelled() => {}
        }
        Ok(())
    }
}

impl Inner {
    async fn answer(&self, task: Delivered<Task>, shutdown: &Shutdown) {
        let answered = match self.judge(&task, shutdown).await {
            Answer::Later(delay) => task.nak(delay).await,
            Answer::Never => task.term().await,
        };
        if let Err(error) = answered {
            // Nobody hears the answer, so the task comes again when its lease ends.
            tracing::warn!(subject = task.subject, %error, "a task could not be handed back");
        }
    }

    /// Reads a chain's past again for a turn.
    async fn reread(&self, task: Delivered<Task>, shutdown: &Shutdown) {
        let answered = match self.turn_of_past(&task, shutdown).await {
            After::Again(delay) => task.nak(delay).await,
            After::Done => task.ack().await,
        };
        if let Err(error) = answered {
            tracing::warn!(subject = task.subject, %error, "a task could not be answered");
        }
    }

    async fn turn_of_past(&self, task: &Delivered<Task>, shutdown: &Shutdown) -> After {
        let known = chain(task).and_then(|chain| self.roster.get(&chain.source).map(|member| (chain, member)));
        let Some((chain, member)) = known else { return After::Again(UNKNOWN_PAUSE) };
        // A source that rests, or is removed, has its past left alone; with a removed one the duty goes.
        let Duty::Poll(source) = &member.duty else { return After::Again(OFF_PAUSE) };
        if !member.lists(chain.feed) {
            return After::Again(UNKNOWN_PAUSE);
        }
        // Audits may be switched off here and not elsewhere.
        let order = task.message.as_ref().ok().and_then(|message| Order::of(message, self.audits.schedule));
        let Some(order) = order else { return After::Again(OFF_PAUSE) };
        let Ok(_place) = self.audits.places.try_acquire() else { return After::Again(audit::NO_PLACE_PAUSE) };
        let stop = either(&member.stop, shutdown.soft());
        let reader = Reader {
            chain: &chain,
            source,
            bus: &self.bus,
            budgets: &self.budgets,
            metrics: &self.metrics,
            order: &order,
            random: rand::random(),
            stop: &stop.0,
        };
        let turn = member.turns.track_future(reader.turn());
        tokio::select! {
            after = turn => after,
            _ = renew(task) => After::Again(UNKNOWN_PAUSE),
        }
    }

    async fn judge(&self, task: &Delivered<Task>, shutdown: &Shutdown) -> Answer {
        let known = chain(task).and_then(|chain| self.roster.get(&chain.source).map(|member| (chain, member)));
        let Some((chain, member)) = known else { return Answer::Later(UNKNOWN_PAUSE) };
        if member.lists(chain.feed) {
            let member = self.roster.try_again(&member);
            return Answer::Later(self.duty(task, &chain, &member, shutdown).await);
        }
        if member.is_of_file() {
            // Another fetcher's file may list it.
            return Answer::Later(UNKNOWN_PAUSE);
        }
        drop(self.memories.take(&chain));
        self.roster.retire(&chain, &member).await;
        Answer::Never
    }

    /// Does what is to be done for the chain while extending its lease. Returns when the chain is due again.
    async fn duty(&self, task: &Delivered<Task>, chain: &Chain, member: &Member, shutdown: &Shutdown) -> Duration {
        let work = member.turns.track_future(async {
            match &member.duty {
                Duty::Poll(source) => self.poll(chain, source, &member.stop, shutdown).await,
                Duty::Pause => self.rest(chain, member, &Input::Off(Off::Paused)).await,
                Duty::Removed { .. } => self.rest(chain, member, &Input::Off(Off::Removed)).await,
                Duty::Misconfigured { reason, .. } => {
                    let failed = Input::FetchFailed(misconfigured(reason));
                    self.rest(chain, member, &failed).await.min(REPAIR_PAUSE)
                }
            }
        });
        tokio::select! {
            delay = work => delay,
            never = renew(task) => never,
        }
    }

    async fn poll(&self, chain: &Chain, source: &Source, stop: &CancellationToken, shutdown: &Shutdown) -> Duration {
        let now = Instant::now();
        let known = self.memories.recall(chain);
        if known.is_none() && !self.lanes.start(now) {
            return until_next(chain, source.poll_interval, clock::now());
        }
        let crowded = match known {
            Some(known) if known.is_slow => match self.lanes.slow() {
                Some(lane) => Some(lane),
                None => return CROWDED_PAUSE,
            },
            _ => None,
        };
        if let Some(due) = known.and_then(|known| known.due) {
            self.metrics.taken_up(now.saturating_duration_since(due).as_secs_f64());
        }
        let stop = either(stop, shutdown.soft());
        let performer =
            Performer::new(chain, source, &self.bus, &self.budgets, &self.metrics, self.memories.take(chain));
        let (mut report, mut memory) = performer.run(rand::random(), &stop.0).await;
        drop(crowded);
        if matches!(report.outcome, Some(Outcome::Quiet | Outcome::Active)) {
            report.delay = until_next(chain, source.poll_interval, clock::now());
        }
        memory.is_slow = now.elapsed() > SLOW;
        self.record(chain, source, &report).await;
        memory.due = Instant::now().checked_add(report.delay);
        self.memories.keep(chain.clone(), memory);
        report.delay
    }

    async fn rest(&self, chain: &Chain, member: &Member, why: &Input) -> Duration {
        let report = performer::rest(chain, member.policy, &self.bus, why).await;
        if let Some(outcome) = &report.outcome {
            self.metrics.turn_ended(chain, outcome);
        }
        let circumstances = Circumstances { source_label: member.label.clone(), ..Circumstances::default() };
        self.roster.publish(chain, &report, &circumstances).await;
        report.delay
    }

    async fn record(&self, chain: &Chain, source: &Source, report: &Report) {
        let Some(outcome) = &report.outcome else { return };
        self.metrics.turn_ended(chain, outcome);
        log(chain, outcome, report);
        let circumstances = source.circumstances();
        self.metrics.token_expires(&source.id, circumstances.token_expires_at);
        self.roster.publish(chain, report, &circumstances).await;
    }
}

/// What cannot be read is handed back with a pause, as a poll of an unknown chain is.
fn is_poll(task: &Delivered<Task>) -> bool {
    task.message.as_ref().map_or(true, |message| matches!(message.kind(), Kind::Poll | Kind::Unspecified))
}

fn chain(task: &Delivered<Task>) -> Option<Chain> {
    let message = task.message.as_ref().ok()?;
    Some(Chain { source: message.source.parse().ok()?, feed: message.feed.parse().ok()? })
}

/// Cancelled with either, for as long as the guard lives.
fn either(
    one: &CancellationToken,
    other: &CancellationToken,
) -> (CancellationToken, tokio_util::task::AbortOnDropHandle<()>) {
    let (both, other) = (one.child_token(), other.clone());
    let cancel = both.clone();
    let watch = tokio::spawn(async move {
        other.cancelled().await;
        cancel.cancel();
    });
    (both, tokio_util::task::AbortOnDropHandle::new(watch))
}

fn misconfigured(reason: &str) -> Failure {
    Failure {
        reason: "misconfigured",
        http_status: 0,
        retry_after: None,
        transient: false,
        detail: format!("the source cannot be polled as it is set: {reason}"),
    }
}

async fn renew(task: &Delivered<Task>) -> Duration {
    loop {
        tokio::time::sleep(LEASE_RENEWAL).await;
        if let Err(error) = task.progress().await {
            tracing::debug!(%error, "the lease could not be extended; the expected sequence protects the chain all the same");
        }
    }
}

/// A change of state is worth a line; a poll that went as the one before is not.
fn log(chain: &Chain, outcome: &Outcome, report: &Report) {
    let (source, feed) = (&chain.source, chain.feed);
    match outcome {
        Outcome::Refused(failure) => tracing::warn!(
            %source, %feed, reason = failure.reason, status = failure.http_status, failures = report.history.consecutive_failures,
            retry_in = ?report.delay, "poll refused: {}", failure.detail
        ),
        Outcome::Quiet | Outcome::Active | Outcome::Behind | Outcome::Off(_) => {
            tracing::debug!(%source, %feed, events_total = report.history.events_total, "polled");
        }
    }
}
