//! Where messages travel: every subject of the system, built from identifiers.
//!
//! No other code formats a subject, so what a service publishes and what a consumer filters cannot drift apart. The version in
//! the prefix changes only when a message's meaning does.

use crate::{About, Chain, Feed, LogType, Object, SourceId};

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

/// The chain's value in the bucket HEADS.
#[must_use]
pub fn head(chain: &Chain) -> String {
    format!("$KV.HEADS.{}.{}", chain.source, chain.feed)
}

/// The polling duty of a chain.
#[must_use]
pub fn poll_task(chain: &Chain) -> String {
    format!("latchkey.v1.task.poll.{}.{}", chain.source, chain.feed)
}

/// The duty to audit a chain.
#[must_use]
pub fn audit_task(chain: &Chain) -> String {
    format!("latchkey.v1.task.audit.{}.{}", chain.source, chain.feed)
}

/// The order to fetch a window of a chain's past.
#[must_use]
pub fn backfill_task(chain: &Chain) -> String {
    format!("latchkey.v1.task.backfill.{}.{}", chain.source, chain.feed)
}

/// The order to compare a window of a chain's past.
#[must_use]
pub fn compare_task(chain: &Chain) -> String {
    format!("latchkey.v1.task.compare.{}.{}", chain.source, chain.feed)
}

/// How far a chain's past has been read again; `kind` is audit, backfill or compare.
#[must_use]
pub fn reread(kind: &str, chain: &Chain) -> String {
    format!("latchkey.v1.reread.{kind}.{}.{}", chain.source, chain.feed)
}

/// What has been taken of an account's requests. `account` is the account's digest: hex digits.
#[must_use]
pub fn budget(account: &str) -> String {
    format!("latchkey.v1.budget.{account}")
}

/// A source's value in the bucket SOURCES.
#[must_use]
pub fn source(source: &SourceId) -> String {
    format!("{SOURCE}{source}")
}

/// A source's sealed token in the bucket TOKENS.
#[must_use]
pub fn token(source: &SourceId) -> String {
    format!("{TOKEN}{source}")
}

/// The source that a subject of the bucket SOURCES or TOKENS is about; `None` if it can name none.
#[must_use]
pub fn source_of(subject: &str) -> Option<SourceId> {
    subject.strip_prefix(SOURCE).or_else(|| subject.strip_prefix(TOKEN))?.parse().ok()
}

const SOURCE: &str = "$KV.SOURCES.";
const TOKEN: &str = "$KV.TOKENS.";

/// The chain's value in the bucket DRIFTS.
#[must_use]
pub fn drift(chain: &Chain) -> String {
    format!("$KV.DRIFTS.{}.{}", chain.source, chain.feed)
}

/// The chain's value in the bucket HABITS.
#[must_use]
pub fn habit(chain: &Chain) -> String {
    format!("$KV.HABITS.{}.{}", chain.source, chain.feed)
}

/// The value of a stream in the bucket WINDOWS.
#[must_use]
pub fn window_of_stream(stream: &str) -> String {
    format!("$KV.WINDOWS.stream.{stream}")
}

/// The value of a stream's reader in the bucket WINDOWS.
#[must_use]
pub fn window_of_reader(stream: &str, reader: &str) -> String {
    format!("$KV.WINDOWS.reader.{stream}.{}", Object::named(reader).as_str())
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

/// The transitions of the alert of `kind` about this. An object stands where a source would; kinds about objects are others.
#[must_use]
pub fn alert_about(kind: &str, about: &About) -> String {
    match about {
        About::Line => alert(kind, None, None),
        About::Source(source) => alert(kind, Some(source), None),
        About::Chain(chain) => alert(kind, Some(&chain.source), Some(chain.feed)),
        About::Object(object) => format!("latchkey.v1.alert.{kind}.{}.all", object.as_str()),
    }
}
