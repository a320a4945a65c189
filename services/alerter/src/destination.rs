//! Destinations on this machine: the log and standard output.
//!
//! Neither is tried again: who reads them reads on. A transition that comes a second time because another destination failed is
//! not announced a second time by the same process.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

use crate::{metrics::Metrics, notification::Notification};

/// Announced transitions that are remembered: more than can be waiting for another attempt.
const REMEMBERED: usize = 1_024;

pub(crate) struct Announcer {
    stdout: bool,
    announced: VecDeque<u64>,
    metrics: Metrics,
}

impl Announcer {
    pub(crate) fn new(stdout: bool, metrics: Metrics) -> Self {
        Self { stdout, announced: VecDeque::new(), metrics }
    }

    /// Announces a transition, once.
    pub(crate) fn announce(&mut self, notification: &Notification) {
        if self.announced.contains(&notification.sequence) {
            return;
        }
        if self.announced.len() == REMEMBERED {
            self.announced.pop_front();
        }
        self.announced.push_back(notification.sequence);
        log(notification);
        self.metrics.notified("log");
        if self.stdout {
            self.print(notification);
        }
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

fn log(notification: &Notification) {
    let Notification { sequence, kind, source, feed, since, generation, summary, next_step, .. } = notification;
    if notification.state == "raised" {
        tracing::warn!(kind, source, feed, %since, generation, sequence, next_step, "alert raised: {summary}");
    } else {
        tracing::info!(kind, source, feed, %since, generation, sequence, "alert resolved: {summary}");
    }
}
