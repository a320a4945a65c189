//! Bounds of a turn, each with its reason.

use std::time::Duration;

use jiff::SignedDuration;

/// Pages that one turn may store before it hands the chain back, so that a long backlog starves nobody.
pub const MAX_PAGES: u32 = 64;

/// How long a turn goes on before it hands the chain back: its checkpoint is the proof that somebody polls, and it is written at the
/// turn's end. With a last page that takes its whole time-out, a proof is never older than the two minutes a watcher waits for it.
pub const MAX_TURN: SignedDuration = SignedDuration::from_secs(45);

/// Empty pages in a row that may claim there is more.
pub const MAX_EMPTY_PAGES: u32 = 8;

/// Conflicts and unanswered publishes after which a turn gives up.
pub const MAX_DISTURBANCES: u32 = 4;

/// The longest pause a server can impose by Retry-After.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Refusals in a row after which a cursor is given up: the second time it is not a hiccup.
pub const MAX_CURSOR_REFUSALS: u32 = 2;

/// After as much time of rate limits it is the limit of the hour that is used up, not that of the minute.
pub(super) const MINUTE_WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// Pause before a chain is taken up again on which somebody else was seen at work.
pub(super) const CONTENDED_PAUSE: Duration = Duration::from_secs(5);
