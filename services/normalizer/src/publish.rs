//! Publishes what a page became.
//!
//! Rejections first, then events, each under an id that follows from the page. Nothing here is retried: whatever fails, the page is
//! handed back and all of it is published again. The order matters when the page is judged by other schemas by then: an item that is
//! on record as refused may become an event too, but none that was refused before can be missing from both.

use latchkey_bus::{Bus, Publication};

use crate::work::{self, Origin, Output};

/// Why a page is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfinished {
    /// A stream discards new messages: whoever reads it is behind.
    #[error("the stream is full")]
    Full,
    /// No answer; it may or may not be stored.
    #[error("no answer to a publish")]
    Unknown,
    /// A part of the events does not fit into a message.
    #[error("part {0} does not fit into a message")]
    TooLarge(usize),
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] latchkey_bus::Error),
}

impl Unfinished {
    /// A stable word for metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unknown => "unknown",
            Self::TooLarge(_) => "too_large",
            Self::Bus(_) => "bus",
        }
    }
}

/// Publishes every part and every rejection.
pub(crate) async fn publish(bus: &Bus, origin: &Origin, output: &Output) -> Result<(), Unfinished> {
    let batches = work::rejection_batches(origin, output, bus.max_payload());
    for (part, batch) in (0..).zip(&batches) {
        judge(bus.publish_rejections(&origin.chain, batch, part).await?, None)?;
    }
    let log_type = origin.chain.feed.log_type();
    for (part, batch) in output.batches.iter().enumerate() {
        judge(bus.publish_events(&origin.chain.source, log_type, batch).await?, Some(part))?;
    }
    Ok(())
}

/// `part` is that of events; rejections were packed to fit.
fn judge(publication: Publication, part: Option<usize>) -> Result<(), Unfinished> {
    match publication {
        Publication::Stored { .. } | Publication::Repeated { .. } => Ok(()),
        Publication::Full => Err(Unfinished::Full),
        Publication::TooLarge { .. } => Err(part.map_or(Unfinished::Unknown, Unfinished::TooLarge)),
        // A conflict cannot be, since no sequence is expected: as good as no answer.
        Publication::Unknown | Publication::Conflict => Err(Unfinished::Unknown),
    }
}
