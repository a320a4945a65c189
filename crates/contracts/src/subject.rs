//! Where messages travel: every subject of the system, built from identifiers.
//!
//! No other code formats a subject, so what a service publishes and what a consumer filters cannot drift apart. The version in
//! the prefix changes only when a message's meaning does.

use crate::{Chain, Feed, LogType, SourceId};

/// The raw pages of a chain. Literal, because the expected sequence is only safe on literal subjects.
#[must_use]
pub fn page(chain: &Chain) -> String {
    format!("latchkey.v1.page.{}.{}", chain.source, chain.feed)
}

/// The checkpoint of a chain.
#[must_use]
pub fn checkpoint(chain: &Chain) -> String {
    format!("latchkey.v1.checkpoint.{}.{}", chain.source, chain.feed)
}

/// The polling duty of a chain.
#[must_use]
pub fn poll_task(chain: &Chain) -> String {
    format!("latchkey.v1.task.poll.{}.{}", chain.source, chain.feed)
}

/// The normalized events of a source. The log type contributes two tokens: `OnePassword.SignInAttempt`.
#[must_use]
pub fn events(source: &SourceId, log_type: LogType) -> String {
    format!("latchkey.v1.event.{source}.{log_type}")
}

/// The refused items of a chain.
#[must_use]
pub fn rejections(chain: &Chain) -> String {
    format!("latchkey.v1.rejection.{}.{}", chain.source, chain.feed)
}

/// The progress of a sink. `sink` follows the rules of a source's name.
#[must_use]
pub fn delivery(sink: &SourceId) -> String {
    format!("latchkey.v1.delivery.{sink}")
}

/// The transitions of one alert; `kind` is a stable word of `core::alert`. Without a source it is about the whole line; such kinds
/// are others than those of sources, so a source called `all` is no hazard.
#[must_use]
pub fn alert(kind: &str, source: Option<&SourceId>, feed: Option<Feed>) -> String {
    let (source, feed) = (source.map_or("all", SourceId::as_str), feed.map_or("all", Feed::as_str));
    format!("latchkey.v1.alert.{kind}.{source}.{feed}")
}
