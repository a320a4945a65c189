//! Carries transitions from ALERTS to one destination.
//!
//! Each destination has a consumer of its own, so the server keeps its progress and counts its attempts, over restarts and for all
//! alerters together: one that fails makes no other be told twice, later or never. One delivery is open at a time. A destination
//! that mirrors states must not hear "raised" after "resolved", and one that is down needs no second attempt beside the first.
//!
//! What fails is tried again after a pause that grows, and given up aloud after the last attempt: an error in the log and a metric; in ALERTS it
//! stays. What comes late and was overtaken by a later transition of its alert is left out, so a destination that comes back is
//! told what is and not all that was.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::{Bus, Delivered, Error, patiently};
use latchkey_contracts::{About, alert::Alert};
use latchkey_core::{
    alert::{self, Kind},
    backoff::Backoff,
};
use latchkey_runtime::{Shutdown, clock};
use tracing::Span;

use crate::{
    destination::{Destination, Failure},
    metrics::Metrics,
    notification::Notification,
    routing::Routes,
    take::{self, Answer, Tell},
};

/// Pauses between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

/// Attempts for what may be refused for its content: eight minutes of them, so that a destination that refuses everything is told of as
/// failing, and one notification that nobody will ever take does not hold the others back for long.
const ATTEMPTS_FOR_CONTENT: u32 = 10;

/// What is older than this at its first attempt waited behind others.
const LATE: SignedDuration = SignedDuration::from_mins(1);

pub(crate) struct Notifier {
    bus: Bus,
    destination: Arc<Destination>,
    routes: Arc<Routes>,
    attempts: Attempts,
    /// How long its consumer may be missing before it is made anew: long enough for others to be told.
    anew_after: SignedDuration,
    metrics: Metrics,
    /// What was over before is not told. It stays where a consumer is made anew: what has ended while there was none is news.
    since: Timestamp,
    /// The newest transition that this alerter has answered for, by sequence and time: where the stream itself is made anew, its sequences
    /// begin again.
    answered: Option<(u64, Timestamp)>,
}

/// How often, and with which pauses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempts {
    most: u32,
    pauses: Backoff,
}

impl Attempts {
    pub(crate) fn new(most: u32) -> Self {
        let pauses = Backoff::new(PAUSES.0, PAUSES.1).expect("one second is shorter than five minutes");
        Self { most, pauses }
    }

    /// What follows when the `attempt`-th attempt (1 is the first) failed. A destination's own failing is never given up: it shows
    /// that the destination has not come back.
    fn after(self, failure: &Failure, attempt: u32, is_own: bool) -> Answer {
        let most = if failure.may_be_the_content() { self.most.min(ATTEMPTS_FOR_CONTENT) } else { self.most };
        if attempt >= most && !is_own {
            return Answer::Abandon;
        }
        Answer::Again { after: self.pauses.ceiling(attempt).max(failure.retry_after().unwrap_or_default()) }
    }
}

impl Notifier {
    pub(crate) async fn open(
        bus: Bus,
        destination: Arc<Destination>,
        routes: Arc<Routes>,
        attempts: Attempts,
        anew_after: SignedDuration,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let since = patiently(|| bus.ensure_destination(&destination.name)).await?;
        Ok(Self { bus, destination, routes, attempts, anew_after, metrics, since, answered: None })
    }

    /// Delivers until the soft shutdown. What the hard one interrupts is delivered again.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) -> Result<(), Error> {
        loop {
            let transitions = self.bus.destination(&self.destination.name);
            match take::each(transitions, shutdown, &mut self).await {
                Err(Error::Missing { .. }) => {}
                ended => return ended,
            }
            let (destination, pause) = (&self.destination.name, self.anew_after.unsigned_abs());
            tracing::error!(destination, anew_in = ?pause, "a destination's consumer does not exist; somebody has removed it");
            let anew = async {
                tokio::time::sleep(pause).await;
                patiently(|| self.bus.ensure_destination(&self.destination.name)).await
            };
            tokio::select! {
                () = shutdown.soft().cancelled() => return Ok(()),
                made = anew => { made?; }
            }
        }
    }

    async fn notify(&self, delivered: &Delivered<Alert>) -> Answer {
        // What cannot be read is counted once, by whoever announces.
        let told = delivered.message.as_ref().ok().filter(|alert| alert::is_told(alert));
        let Some((alert, notification)) =
            told.and_then(|alert| Some((alert, Notification::new(delivered.sequence, alert)?)))
        else {
            return Answer::Done;
        };
        if (notification.state == "resolved" && self.knows(delivered))
            || !self.routes.lead(&notification, &self.destination.name)
        {
            return Answer::Done;
        }
        let now = clock::now();
        let is_late = delivered.deliveries > 1 || now.duration_since(delivered.published_at) > LATE;
        if is_late && self.is_overtaken(alert, delivered.sequence).await {
            self.metrics.notification_overtaken(&self.destination.name);
            tracing::info!(sequence = delivered.sequence, "a later transition of the same alert is told instead");
            return Answer::Done;
        }
        match self.destination.deliver(&notification, now).await {
            Ok(()) => {
                self.metrics.notified(&self.destination.name);
                Answer::Done
            }
            Err(failure) => self.fail(&failure, &notification, delivered.deliveries),
        }
    }

    /// Whether the destination needs not hear of this end: it was before its time, or its consumer was made anew and brings it again.
    fn knows(&self, delivered: &Delivered<Alert>) -> bool {
        let is_answered = |(sequence, at)| delivered.sequence <= sequence && delivered.published_at <= at;
        delivered.published_at < self.since || self.answered.is_some_and(is_answered)
    }

    async fn is_overtaken(&self, alert: &Alert, sequence: u64) -> bool {
        let Some(about) = About::read(&alert.source, &alert.feed, &alert.object) else { return false };
        match self.bus.last_alert_about(&alert.kind, &about).await {
            Ok(last) => last.is_some_and(|last| last.sequence > sequence && alert::is_told(&last.message)),
            // Told twice rather than never.
            Err(_) => false,
        }
    }

    fn fail(&self, failure: &Failure, notification: &Notification, deliveries: u64) -> Answer {
        let name = &self.destination.name;
        self.metrics.notification_failed(name);
        let (sequence, attempt) = (notification.sequence, u32::try_from(deliveries).unwrap_or(u32::MAX));
        let is_own = notification.kind == Kind::DestinationFailing.as_str() && notification.object == *name;
        let answer = self.attempts.after(failure, attempt, is_own);
        match answer {
            Answer::Again { after } => {
                tracing::warn!(sequence, attempt, retry_in = ?after, error = %failure, "{name} did not take a notification");
            }
            Answer::Done | Answer::Abandon => {
                self.metrics.notification_abandoned(name);
                tracing::error!(sequence, attempt, error = %failure, "{name} did not take a notification; it is given up");
            }
        }
        answer
    }
}

impl Tell for Notifier {
    fn span(&self, sequence: u64) -> Span {
        tracing::info_span!("notify", sequence, destination = self.destination.name)
    }

    async fn tell(&mut self, delivered: &Delivered<Alert>) -> Answer {
        let answer = self.notify(delivered).await;
        if matches!(answer, Answer::Done | Answer::Abandon) {
            self.answered = self.answered.max(Some((delivered.sequence, delivered.published_at)));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn status(status: StatusCode, retry_after: Option<u64>) -> Failure {
        Failure::Status { status, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn pauses_grow_until_the_notification_is_given_up() {
        let again = |seconds| Answer::Again { after: Duration::from_secs(seconds) };
        let (down, wrong) = (StatusCode::SERVICE_UNAVAILABLE, StatusCode::BAD_REQUEST);
        for (failure, attempt, is_own, expect) in [
            (Failure::Timeout, 1, false, again(1)),
            (Failure::Connect, 2, false, again(2)),
            (status(down, None), 9, false, again(256)),
            (status(down, None), 19, false, again(300)),
            (status(down, None), 20, false, Answer::Abandon),
            (status(down, None), 20, true, again(300)),
            (status(down, Some(7)), 1, false, again(7)),
            (status(down, Some(7)), 5, false, again(16)),
            (status(wrong, None), 9, false, again(256)),
            (status(wrong, None), 10, false, Answer::Abandon),
            (Failure::Smtp(554), 10, false, Answer::Abandon),
            (Failure::Smtp(451), 10, false, again(300)),
        ] {
            assert_eq!(Attempts::new(20).after(&failure, attempt, is_own), expect, "{failure} {attempt} {is_own}");
        }
    }
}
