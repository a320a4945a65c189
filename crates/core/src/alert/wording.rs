//! What alerts say to people, where several kinds say it alike.

use std::fmt::{self, Write};

use jiff::SignedDuration;
use latchkey_contracts::About;

use super::Kind;
use crate::verdict::{ChainWindow, Refusal};

/// That another alert tells of it.
pub(super) fn covered(about: &About, label: &str) -> String {
    format!("What is wrong with {} goes on, and another alert tells of it together with others.", who(about, label))
}

/// That what it is about is not there any more.
pub(super) fn gone(about: &About, label: &str) -> String {
    match about {
        About::Chain(_) | About::Source(_) => format!("{} was removed.", who(about, label)),
        About::Object(_) | About::Line => format!("{} was taken out of use.", who(about, label)),
    }
}

fn who(about: &About, label: &str) -> String {
    match about {
        About::Chain(chain) => format!("{} of {label}", chain.feed),
        // What nobody has on the board any more is known by the name that its alert has.
        About::Object(object) if label.is_empty() => object.as_str().to_owned(),
        About::Source(_) | About::Object(_) => label.to_owned(),
        About::Line => "the line".to_owned(),
    }
}

/// That it is over.
pub(super) fn resolved(kind: Kind, about: &About, label: &str) -> String {
    let who = who(about, label);
    match kind {
        Kind::PollDead => format!("{who} is polled again."),
        Kind::PollRefused => format!("{who} can be read again."),
        Kind::DropOff | Kind::SourceDropOff => format!("Events of {who} arrive again."),
        Kind::DataAtRisk => format!("{who} has time again."),
        Kind::ClockSkew => "The fetchers' clocks agree with 1Password's again.".into(),
        Kind::Rejections => format!("Events of {who} pass validation again."),
        Kind::SchemaDrift => format!("Events of {who} are as their schema says again."),
        Kind::EventsMissed => format!("Audits of {who} find everything again."),
        Kind::Outage if matches!(about, About::Line) => "Most feeds can be read again.".into(),
        Kind::Outage => format!("Most feeds of {who} can be read again."),
        Kind::PollingStopped => "Most feeds are polled again.".into(),
        Kind::SchemasRefused => "The newest schemas are in use again.".into(),
        Kind::LookupsRefused => "The newest lookup tables are in use again.".into(),
        Kind::LookupStale => format!("The lookup table {who} is fresh again."),
        Kind::ReaderStopped => format!("{who} reads again."),
        Kind::ReaderBehind => format!("{who} keeps up again."),
        Kind::ReaderStuck => format!("{who} gets all its messages acknowledged again."),
        Kind::ReaderSetBack => format!("{who} goes forward again."),
        Kind::UnreadEvicted => format!("{who} loses no further messages."),
        Kind::DestinationFailing => format!("{who} takes notifications again."),
        Kind::DeliveriesExhausted => format!("All messages of {who} are delivered again."),
        Kind::StreamFilling => format!("Stream {who} has room again."),
    }
}

/// A feed's name for people. It is written only where something is said: of most feeds there is nothing to say.
pub(super) fn chain(window: &ChainWindow) -> impl fmt::Display {
    fmt::from_fn(|formatter| write!(formatter, "{} of {}", window.chain.feed, window.source_label))
}

pub(super) fn cause(refusal: &Refusal) -> String {
    let mut text = refusal.reason.clone();
    if let Some(status) = refusal.http_status {
        // Writing into a String cannot fail.
        let _ = write!(text, ", HTTP {status}");
    }
    if !refusal.detail.is_empty() {
        let _ = write!(text, " ({})", refusal.detail);
    }
    text.push('.');
    text
}

/// A span in the unit that people think in.
pub(super) fn left(span: SignedDuration) -> String {
    let (unit, count) = match span.as_secs() {
        seconds @ ..120 => ("s", seconds),
        seconds @ ..7_200 => ("min", seconds / 60),
        seconds @ ..172_800 => ("h", seconds / 3_600),
        seconds => ("days", seconds / 86_400),
    };
    format!("{count} {unit}")
}
