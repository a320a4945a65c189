//! Where people and programs are told: one place with its manners.
//!
//! Each kind of place has a module in two halves. The pure one renders a transition as the place wants to read it, from values
//! alone, and golden files hold it to that. The other makes one attempt to send it, within a time-out, and says how that failed; whether and
//! when there is another attempt is the notifier's business.

pub(crate) mod alertmanager;
pub(crate) mod email;
mod failure;
mod http;
mod origin;
pub(crate) mod pagerduty;
mod resender;
mod secret;
pub(crate) mod slack;
mod template;
pub(crate) mod webhook;

use jiff::Timestamp;

pub(crate) use self::{
    failure::Failure,
    http::{Address, Poster, send},
    origin::Origin,
    resender::Resender,
    secret::SecretFile,
};
use crate::notification::Notification;

/// One place with its name.
pub(crate) struct Destination {
    pub(crate) name: String,
    pub(crate) channel: Channel,
}

/// How a place is told.
pub(crate) enum Channel {
    Alertmanager(alertmanager::Alertmanager),
    Email(email::Email),
    PagerDuty(pagerduty::PagerDuty),
    Slack(slack::Slack),
    Webhook(webhook::Webhook),
}

impl Destination {
    /// Whether it forgets what it is not told again.
    pub(crate) fn forgets(&self) -> bool {
        matches!(self.channel, Channel::Alertmanager(_))
    }

    /// One attempt. Every place can be told of the same transition twice, and knows it again as far as its interface lets it.
    pub(crate) async fn deliver(&self, notification: &Notification, now: Timestamp) -> Result<(), Failure> {
        match &self.channel {
            Channel::Alertmanager(alertmanager) => alertmanager.post(&[notification], now).await,
            Channel::Email(email) => email.send(notification, now).await,
            Channel::PagerDuty(pagerduty) => pagerduty.post(notification).await,
            Channel::Slack(slack) => slack.post(notification).await,
            Channel::Webhook(webhook) => webhook.post(notification, now).await,
        }
    }
}

#[cfg(test)]
mod tests;
