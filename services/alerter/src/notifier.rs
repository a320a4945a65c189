//! Carries transitions from ALERTS to their destinations.
//!
//! A transition is acknowledged when every destination has it. A destination that fails gets it again after a pause, which grows
//! with each attempt and survives restarts, because the server keeps count. After the last attempt the transition is given up
//! aloud: an error in the log and a metric; in ALERTS it stays.

use std::time::Duration;

use latchkey_bus::{Bus, Delivered, Error};
use latchkey_contracts::{alert::Alert, topology::ALERTS};
use latchkey_core::backoff::Backoff;
use latchkey_runtime::Shutdown;
use tracing::Instrument;

use crate::{destination::Announcer, metrics::Metrics, notification::Notification, webhook::Webhook};

/// Pauses between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(5));

pub(crate) struct Notifier {
    bus: Bus,
    announcer: Announcer,
    webhook: Option<Webhook>,
    pauses: Backoff,
    metrics: Metrics,
}

/// What becomes of a delivery.
enum Answer {
    Done,
    Again { after: Duration },
    Abandon,
}

impl Notifier {
    pub(crate) fn new(bus: Bus, stdout: bool, webhook: Option<Webhook>, metrics: Metrics) -> Self {
        let pauses = Backoff::new(PAUSES.0, PAUSES.1).expect("one second is shorter than five minutes");
        Self { bus, announcer: Announcer::new(stdout, metrics.clone()), webhook, pauses, metrics }
    }

    /// Delivers until the soft shutdown. What the hard one interrupts is delivered again.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) -> Result<(), Error> {
        let mut transitions = self.bus.alerts().await?;
        loop {
            let delivered = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                delivered = transitions.next() => delivered?,
            };
            let span = tracing::info_span!("notify", sequence = delivered.sequence);
            latchkey_bus::trace::set_parent(&span, delivered.context.clone());
            tokio::select! {
                () = shutdown.hard().cancelled() => return Ok(()),
                () = self.handle(&delivered).instrument(span) => {}
            }
        }
        transitions.close().await;
        Ok(())
    }

    async fn handle(&mut self, delivered: &Delivered<Alert>) {
        let answered = match self.notify(delivered).await {
            Answer::Done => delivered.ack().await,
            Answer::Again { after } => delivered.nak(after).await,
            Answer::Abandon => delivered.term().await,
        };
        if let Err(error) = answered {
            // Nobody hears the answer, so the transition comes again when its lease ends.
            tracing::warn!(sequence = delivered.sequence, %error, "a notification could not be answered for");
        }
    }

    async fn notify(&mut self, delivered: &Delivered<Alert>) -> Answer {
        let sequence = delivered.sequence;
        let readable = delivered.message.as_ref().ok().and_then(|alert| Notification::new(sequence, alert));
        let Some(notification) = readable else {
            self.metrics.unreadable(ALERTS.name);
            tracing::error!(
                sequence,
                "a message of ALERTS is no transition of an alert; it stays in the stream unannounced"
            );
            return Answer::Abandon;
        };
        self.announcer.announce(&notification);
        self.post(&notification, delivered.deliveries).await
    }

    async fn post(&self, notification: &Notification, deliveries: u64) -> Answer {
        let Some(webhook) = &self.webhook else { return Answer::Done };
        let Err(error) = webhook.post(notification).await else {
            self.metrics.notified("webhook");
            return Answer::Done;
        };
        self.metrics.notification_failed("webhook");
        let (sequence, attempt) = (notification.sequence, u32::try_from(deliveries).unwrap_or(u32::MAX));
        if attempt >= webhook.attempts {
            self.metrics.notification_abandoned("webhook");
            tracing::error!(sequence, attempt, %error, "the webhook did not take a notification; it is given up");
            return Answer::Abandon;
        }
        let after = self.pauses.ceiling(attempt);
        tracing::warn!(sequence, attempt, retry_in = ?after, %error, "the webhook did not take a notification");
        Answer::Again { after }
    }
}
