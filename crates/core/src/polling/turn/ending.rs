//! How a turn ends, and when the chain is due again.

use std::time::Duration;

use jiff::Timestamp;

use super::Turn;
use crate::{
    backoff::Backoff,
    polling::{
        Failure, History, Outcome, Report,
        action::Action,
        bounds::{MAX_RETRY_AFTER, MINUTE_WINDOW},
    },
};

impl Turn {
    pub(super) fn caught_up(&mut self, now: Timestamp) -> Action {
        self.history.progressed();
        // When the answer was made is not known; it was not before the turn began.
        self.history.caught_up_at = Some(self.began_at);
        let outcome = if self.arrived > 0 { Outcome::Active } else { Outcome::Quiet };
        self.finish(outcome, self.policy.poll_interval, now)
    }

    pub(super) fn fail(&mut self, failure: &Failure, now: Timestamp) -> Action {
        self.history.failed();
        let pause = self.backoff(failure, now).pause(self.history.consecutive_failures, self.jitter);
        let asked = failure.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        self.finish(Outcome::Refused(failure.clone()), pause.max(asked), now)
    }

    pub(super) fn backoff(&self, failure: &Failure, now: Timestamp) -> Backoff {
        let limited_for_long = failure.is_rate_limit()
            && failure.retry_after.is_none()
            && self.history.refused_for(failure.reason, now) >= MINUTE_WINDOW;
        match failure.transient {
            _ if limited_for_long => self.policy.hourly,
            true => self.policy.transient,
            false => self.policy.permanent,
        }
    }

    pub(super) fn finish(&self, outcome: Outcome, delay: Duration, now: Timestamp) -> Action {
        let mut history = self.past();
        history.polled(&outcome, now);
        Action::Finish(Box::new(Report { position: self.position.clone(), history, outcome: Some(outcome), delay }))
    }

    /// A chain that has a cursor has begun.
    pub(super) fn past(&self) -> History {
        let mut history = self.history.clone();
        if self.position.cursor.is_some() {
            history.began_from.get_or_insert(self.policy.start);
        }
        history
    }

    pub(super) fn hand_back(&self, delay: Duration) -> Action {
        let report = Report { position: self.position.clone(), history: self.history.clone(), outcome: None, delay };
        Action::Finish(Box::new(report))
    }
}
