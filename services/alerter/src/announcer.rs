//! Announces transitions on this machine: in the log and on standard output.
//!
//! Neither is tried again: who reads them reads on. All alerters share one consumer, so a transition is announced by one of them.

use std::io::{self, Write};

use latchkey_bus::{Bus, Delivered, Error};
use latchkey_contracts::{alert::Alert, topology::ALERTS};
use latchkey_core::alert;
use latchkey_runtime::Shutdown;
use tracing::Span;

use crate::{
    metrics::Metrics,
    notification::Notification,
    take::{self, Answer, Tell},
};

pub(crate) struct Announcer {
    bus: Bus,
    stdout: bool,
    metrics: Metrics,
}

impl Announcer {
    pub(crate) fn new(bus: Bus, stdout: bool, metrics: Metrics) -> Self {
        Self { bus, stdout, metrics }
    }

    /// Announces until the soft shutdown.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) -> Result<(), Error> {
        let transitions = self.bus.alerts();
        take::each(transitions, shutdown, &mut self).await
    }

    fn announce(&self, delivered: &Delivered<Alert>) -> Answer {
        let sequence = delivered.sequence;
        if delivered.message.as_ref().is_ok_and(|alert| !alert::is_told(alert)) {
            return Answer::Done;
        }
        let readable = delivered.message.as_ref().ok().and_then(|alert| Notification::new(sequence, alert));
        let Some(notification) = readable else {
            self.metrics.unreadable(ALERTS.name);
            tracing::error!(
                sequence,
                "a message of ALERTS is no transition of an alert; it stays in the stream unannounced"
            );
            return Answer::Abandon;
        };
        log(&notification);
        self.metrics.notified("log");
        if self.stdout {
            self.print(&notification);
        }
        Answer::Done
    }

    fn print(&self, notification: &Notification) {
        let mut line = notification.to_json();
        line.push('\n');
        let mut stdout = io::stdout().lock();
        match stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => self.metrics.notified("stdout"),
            Err(error) => {
                self.metrics.notification_failed("stdout");
                tracing::warn!(sequence = notification.sequence, %error, "standard output does not take notifications");
            }
        }
    }
}

impl Tell for Announcer {
    fn span(&self, sequence: u64) -> Span {
        tracing::info_span!("announce", sequence)
    }

    async fn tell(&mut self, delivered: &Delivered<Alert>) -> Answer {
        self.announce(delivered)
    }
}

fn log(notification: &Notification) {
    let Notification { sequence, kind, code, source, feed, object, since, generation, change, .. } = notification;
    let Notification { summary, next_step, .. } = notification;
    if notification.state == "raised" {
        tracing::warn!(code, kind, source, feed, object, %since, generation, sequence, next_step, "alert {change}: {summary}");
    } else {
        tracing::info!(code, kind, source, feed, object, %since, generation, sequence, "alert {change}: {summary}");
    }
}
