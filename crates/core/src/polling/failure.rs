//! Why a turn brings nothing, in words that stay.

use std::time::Duration;

/// Why no page came, or could not be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A stable word for metrics and alerts.
    pub reason: &'static str,
    /// The HTTP status; 0 if there was none.
    pub http_status: u16,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// Whether it may heal by itself.
    pub transient: bool,
    /// What the operator should know, free of secrets and personal data.
    pub detail: String,
}

/// The word for a body beyond the client's bound.
pub const TOO_LARGE: &str = "too_large";

/// The word for a page beyond the bus's bound.
pub const PAGE_TOO_LARGE: &str = "page_too_large";

/// The word for a cursor that the API refuses.
pub const CURSOR_REFUSED: &str = "cursor_refused";

/// The word for a recovery under way that lasted until what it was to recognise was gone from the stream.
pub(super) const PAGES_GONE: &str = "pages_gone";

impl Failure {
    /// The API understood the request and does not want it: a continuing request has nothing in it but the cursor.
    pub(super) fn refuses_the_request(&self) -> bool {
        self.http_status == 400
    }

    /// Asking for fewer events helps.
    pub(super) fn is_of_size(&self) -> bool {
        matches!(self.reason, TOO_LARGE | PAGE_TOO_LARGE)
    }

    pub(super) fn is_rate_limit(&self) -> bool {
        self.http_status == 429
    }
}

pub(super) fn cursor_refused() -> Failure {
    Failure {
        reason: CURSOR_REFUSED,
        http_status: 400,
        retry_after: None,
        transient: true,
        detail: "1Password refuses the chain's cursor (400); if it does so again, the feed is read again from a point in time, without \
                 doubles"
            .into(),
    }
}

pub(super) fn no_progress() -> Failure {
    ours("no_progress", 200, true, "the API claims there is more and repeats itself; asking again later")
}

pub(super) fn stream_full() -> Failure {
    let detail = "stream PAGES is full and evicts nothing unread; raise its limit or let readers catch up";
    ours("stream_full", 0, true, detail)
}

pub(super) fn page_too_large() -> Failure {
    let detail = "a single event exceeds max_payload of the NATS server; raise max_payload, 8 MB is enough";
    ours(PAGE_TOO_LARGE, 0, false, detail)
}

pub(super) fn bus_silent() -> Failure {
    ours("bus_unavailable", 0, true, "NATS did not answer; the page is fetched again")
}

/// Nothing is asked: the account's requests are used up.
#[must_use]
pub fn over_budget(wait: Duration) -> Failure {
    let detail = "the requests that 1Password allows this account are used up, by all who use it; asking again when there are some";
    Failure { retry_after: Some(wait), ..ours("over_budget", 0, true, detail) }
}

/// An answer came, and could not be held.
#[must_use]
pub fn no_room() -> Failure {
    let detail = "the fetcher's room for pages was taken up by others for too long; asking again later";
    ours("no_room", 0, true, detail)
}

fn ours(reason: &'static str, http_status: u16, transient: bool, detail: &str) -> Failure {
    Failure { reason, http_status, retry_after: None, transient, detail: detail.into() }
}
