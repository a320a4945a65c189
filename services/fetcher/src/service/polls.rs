//! What is to be done for a chain that is due to be polled, by how its source stands.

use std::time::{Duration, Instant};

use latchkey_bus::Delivered;
use latchkey_contracts::{Chain, task::Task};
use latchkey_core::polling::{Circumstances, Failure, Input, Off, Outcome, Report, is_in_place, until_next};
use latchkey_runtime::{Shutdown, clock};

use super::{Inner, UNKNOWN_PAUSE, chain, renew};
use crate::{
    lanes::SLOW,
    memory::{Handout, Place},
    performer::{self, Ended, Performer},
    roster::{Duty, Member},
    source::Source,
    stop::Stop,
};

/// When a slow chain is offered again that found too many of its kind at work.
const CROWDED_PAUSE: Duration = Duration::from_secs(10);

/// A source that cannot be used is looked at again after this at the latest: what is missing may have come.
const REPAIR_PAUSE: Duration = Duration::from_secs(30);

/// What becomes of a task.
pub(super) enum Answer {
    /// It is due again after this.
    Later(Duration),
    /// Nobody is to do it any more.
    Never,
}

impl Inner {
    pub(super) async fn judge(&self, task: &Delivered<Task>, shutdown: &Shutdown) -> Answer {
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
        self.roster.retire(&chain, &member).await;
        Answer::Never
    }

    /// Does what is to be done for the chain while extending its lease. Returns when the chain is due again.
    async fn duty(&self, task: &Delivered<Task>, chain: &Chain, member: &Member, shutdown: &Shutdown) -> Duration {
        let work = member.turns.track_future(async {
            match &member.duty {
                Duty::Poll(source) => {
                    let handout = Handout { sequence: task.sequence, number: task.deliveries };
                    self.poll(chain, source, handout, Stop::new(&member.stop, shutdown.soft())).await
                }
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

    async fn poll(&self, chain: &Chain, source: &Source, handout: Handout, stop: Stop<'_>) -> Duration {
        let now = Instant::now();
        let known = self.roster.memories().recall(chain);
        let placed = is_in_place(chain, source.poll_interval, clock::now());
        if known.is_none() && !placed && !self.lanes.start(now) {
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
        let mut memory = self.roster.memories().take(chain);
        let serves = memory.place.as_ref().and_then(|place| place.serves(handout, now));
        memory.place = memory.place.filter(|_| serves.is_some());
        let performer = Performer::new(chain, source, &self.bus, &self.budgets, &self.lanes, &self.metrics, memory);
        let Ended { mut report, mut memory, waited } = performer.run(rand::random(), stop).await;
        drop(crowded);
        if matches!(report.outcome, Some(Outcome::Quiet | Outcome::Active)) {
            report.delay = until_next(chain, source.poll_interval, clock::now());
        }
        memory.is_slow = now.elapsed().saturating_sub(waited) > SLOW;
        self.record(chain, source, &report).await;
        memory.due = Instant::now().checked_add(report.delay);
        // Without an outcome the position is not certain.
        let last = report.outcome.is_some().then_some((report.position, report.history));
        memory.place = last.map(|last| Place::new(last, handout, serves));
        self.roster.memories().keep(chain.clone(), memory);
        // It may have been removed in the meantime, and nobody comes back to it.
        if !self.roster.lists(chain) {
            self.roster.memories().forget(chain);
        }
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

fn misconfigured(reason: &str) -> Failure {
    Failure {
        reason: "misconfigured",
        http_status: 0,
        retry_after: None,
        transient: false,
        detail: format!("the source cannot be polled as it is set: {reason}"),
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
