//! How the API misbehaves: every fault that collectors have met, as data.
//!
//! A fault belongs to one of three layers: what comes *instead* of the ordinary answer, what is wrong with the *page*, and what is
//! wrong with its *delivery*. Of the first layer one fault is enough; those of the others add up, so that a page with doubled
//! events can arrive compressed and slowly. An answer that a client cannot use serves nothing: the ledger counts only what
//! a correct collector may take.

use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact;
use serde::{Deserialize, Serialize};

mod effects;
mod plan;
mod schedule;
mod standing;

pub(crate) use self::{
    effects::{Delivery, Effects, Encoding, Ending, Instead, PageFaults, Shape, Slowness},
    plan::{Active, Asked},
    standing::Standing,
};
pub use self::{
    plan::{MAX_RULES, Plan, PlanError, Rule},
    schedule::When,
};

/// What happens to a request instead of, or on top of, its ordinary answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The ordinary answer.
    #[default]
    None,

    // Instead of the answer.
    /// An error status with an error body. Which of the three shapes of error body it has follows from the status.
    Status {
        /// The status: 400 to 599.
        code: u16,
        /// A `Retry-After` header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
    },
    /// 400 for the cursor of this request, from now on for ever; other cursors stay good. Resets are answered as usual.
    RejectCursor,
    /// Status 200 with a web page, as from a captive portal or a proxy.
    Html,
    /// The request is taken and never answered.
    Hang,
    /// The connection is reset (TCP RST) before a byte of the answer.
    Reset,

    // The page.
    /// No events, `has_more` true, and the cursor that was sent.
    EmptyPage,
    /// The page that led to the cursor of this request, once more, with that same cursor.
    SamePage,
    /// The right events, `has_more` true, and the cursor that was sent: following it gives the same events again.
    RepeatedCursor,
    /// `"items": null`; the cursor stays where it was.
    NullItems,
    /// A page without the key `has_more`.
    NoHasMore,
    /// A page without the key `cursor`.
    NoCursor,
    /// Events are shown twice.
    Doubled {
        /// Share of the page's events that are followed by a double, 0 to 1.
        share: f64,
        /// Doubles come from earlier pages instead of this one.
        #[serde(default)]
        across: bool,
    },
    /// The page's events in another order.
    Shuffled,
    /// Events are held back and arrive later, behind newer ones. Events that were served before, and those of bulk feeds,
    /// stay. While the fault strikes, a late event may be held back once more.
    Late {
        /// Share of the page's events, 0 to 1.
        share: f64,
        /// How much later they arrive.
        #[serde(with = "compact::required")]
        by: Duration,
    },
    /// Events are left off the page, and its cursor goes past them: only one who asks again from a point in time sees them.
    Skipped {
        /// Share of the page's events, 0 to 1.
        share: f64,
    },
    /// One more item in the middle of the page that is no event. Empty pages stay empty.
    BadItem(BadItem),
    /// Each event is at least this long, through a field of text that does not compress.
    BigItems {
        /// Bytes of an event, up to [`MAX_ITEM_BYTES`].
        bytes: usize,
    },

    // The delivery.
    /// The answer comes this much later.
    Delay(#[serde(with = "compact::required")] Duration),
    /// The header comes at once, the body in pieces with pauses between them.
    SlowBody {
        /// Number of pieces, 2 to [`MAX_PIECES`].
        pieces: u32,
        /// Before each piece but the first.
        #[serde(with = "compact::required")]
        pause: Duration,
    },
    /// The right `Content-Length`, but the connection ends in the middle of the body.
    Truncated,
    /// Half of the body, under a `Content-Length` that agrees with it.
    CutShort,
    /// The connection is reset (TCP RST) in the middle of the body. Over HTTP/2 the stream is reset, not the connection.
    ResetInBody,
    /// The body is compressed with gzip if the client accepts that.
    Gzip,
    /// The body says that it is compressed with gzip, and does not decompress.
    CorruptGzip,
    /// The body is stretched to this many bytes by blanks before its last byte. The events count as served if the client
    /// takes it to the end.
    HugeBody {
        /// Length of the body, up to [`MAX_BODY_BYTES`].
        bytes: usize,
    },
    /// The `Date` header is wrong by this many seconds: positive ones lie in the future.
    DateSkew {
        /// A day is 86,400.
        seconds: i64,
    },
}

/// When a refused client may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// `Retry-After: 30`.
    Seconds(u64),
    /// `Retry-After: Fri, 02 Oct 2026 00:00:30 GMT`, so many seconds from now.
    DateIn(u64),
}

/// An item that is no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadItem {
    /// An object whose `uuid` is a number and whose `timestamp` is an array.
    WrongTypes,
    /// A text where an object belongs.
    NotAnObject,
    /// Not JSON, and yet balanced in its brackets and quotes: one who parses the whole page loses a thousand events to it.
    Broken,
}

impl BadItem {
    /// The item as it is served.
    pub(crate) const fn json(self) -> &'static str {
        match self {
            Self::WrongTypes => r#"{"uuid":17,"timestamp":["2026"],"client":"none","location":{"latitude":"north"}}"#,
            Self::NotAnObject => r#""not an event""#,
            Self::Broken => r#"{"uuid":"BROKEN","timestamp":2026-10-01,"client":{oops},"user":[,]}"#,
        }
    }
}

/// Longest event that [`Fault::BigItems`] makes.
pub const MAX_ITEM_BYTES: usize = 16 * 1024 * 1024;

/// Longest body that [`Fault::HugeBody`] makes. It is written as it is sent, and never held.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024 * 1024;

/// Most pieces of a slow body.
pub const MAX_PIECES: u32 = 10_000;

impl Fault {
    /// The names of all faults.
    pub const NAMES: [&'static str; 27] = [
        "none",
        "status",
        "reject_cursor",
        "html",
        "hang",
        "reset",
        "empty_page",
        "same_page",
        "repeated_cursor",
        "null_items",
        "no_has_more",
        "no_cursor",
        "doubled",
        "shuffled",
        "late",
        "skipped",
        "bad_item",
        "big_items",
        "delay",
        "slow_body",
        "truncated",
        "cut_short",
        "reset_in_body",
        "gzip",
        "corrupt_gzip",
        "huge_body",
        "date_skew",
    ];

    /// The name that plans and the request log use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Status { .. } => "status",
            Self::RejectCursor => "reject_cursor",
            Self::Html => "html",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::EmptyPage => "empty_page",
            Self::SamePage => "same_page",
            Self::RepeatedCursor => "repeated_cursor",
            Self::NullItems => "null_items",
            Self::NoHasMore => "no_has_more",
            Self::NoCursor => "no_cursor",
            Self::Doubled { .. } => "doubled",
            Self::Shuffled => "shuffled",
            Self::Late { .. } => "late",
            Self::Skipped { .. } => "skipped",
            Self::BadItem(_) => "bad_item",
            Self::BigItems { .. } => "big_items",
            Self::Delay(_) => "delay",
            Self::SlowBody { .. } => "slow_body",
            Self::Truncated => "truncated",
            Self::CutShort => "cut_short",
            Self::ResetInBody => "reset_in_body",
            Self::Gzip => "gzip",
            Self::CorruptGzip => "corrupt_gzip",
            Self::HugeBody { .. } => "huge_body",
            Self::DateSkew { .. } => "date_skew",
        }
    }

    /// The bound that this fault breaks, if it breaks one.
    pub(crate) fn broken_bound(&self) -> Option<&'static str> {
        match *self {
            Self::Status { code, .. } if !(400..=599).contains(&code) => Some("a status must be 400 to 599"),
            Self::Doubled { share, .. } | Self::Late { share, .. } | Self::Skipped { share }
                if !(0.0..=1.0).contains(&share) =>
            {
                Some("a share must be 0 to 1")
            }
            Self::BigItems { bytes } if bytes > MAX_ITEM_BYTES => Some("an item is 16 MiB at most"),
            Self::HugeBody { bytes } if bytes > MAX_BODY_BYTES => Some("a body is 16 GiB at most"),
            Self::SlowBody { pieces, .. } if !(2..=MAX_PIECES).contains(&pieces) => Some("pieces must be 2 to 10,000"),
            Self::DateSkew { seconds } if seconds.unsigned_abs() > MAX_SKEW => Some("a date is 100 years off at most"),
            _ => None,
        }
    }
}

/// A hundred years in seconds: beyond, dates have no spelling in HTTP.
const MAX_SKEW: u64 = 100 * 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_spelt_by_its_name() {
        let check = |json: &str, fault: Fault| {
            assert_eq!(serde_json::from_str::<Fault>(json).unwrap(), fault);
            assert_eq!(serde_json::to_string(&fault).unwrap(), json);
            assert!(json.contains(fault.name()));
        };
        check(r#""html""#, Fault::Html);
        check(r#"{"status":{"code":503}}"#, Fault::Status { code: 503, retry_after: None });
        check(
            r#"{"status":{"code":429,"retry_after":{"date_in":30}}}"#,
            Fault::Status { code: 429, retry_after: Some(RetryAfter::DateIn(30)) },
        );
        check(r#"{"delay":"1s 500ms"}"#, Fault::Delay(Duration::from_millis(1500)));
        check(r#"{"late":{"share":0.5,"by":"2h"}}"#, Fault::Late { share: 0.5, by: Duration::from_hours(2) });
        check(r#"{"bad_item":"broken"}"#, Fault::BadItem(BadItem::Broken));
    }

    #[test]
    fn bounds_are_checked() {
        let check = |fault: Fault, fine: bool| assert_eq!(fault.broken_bound().is_none(), fine, "{fault:?}");
        check(Fault::Status { code: 200, retry_after: None }, false);
        check(Fault::Status { code: 599, retry_after: None }, true);
        check(Fault::Doubled { share: f64::NAN, across: false }, false);
        check(Fault::Late { share: 1.1, by: Duration::ZERO }, false);
        check(Fault::SlowBody { pieces: 1, pause: Duration::ZERO }, false);
        check(Fault::BigItems { bytes: MAX_ITEM_BYTES + 1 }, false);
        check(Fault::HugeBody { bytes: MAX_BODY_BYTES }, true);
        check(Fault::DateSkew { seconds: i64::MIN }, false);
    }

    #[test]
    fn a_broken_item_is_no_json_and_yet_balanced() {
        let text = BadItem::Broken.json();
        assert!(serde_json::from_str::<serde_json::Value>(text).is_err());
        let count = |wanted: char| text.chars().filter(|character| *character == wanted).count();
        assert_eq!((count('{'), count('['), count('"') % 2), (count('}'), count(']'), 0));
        for whole in [BadItem::WrongTypes, BadItem::NotAnObject] {
            assert!(serde_json::from_str::<serde_json::Value>(whole.json()).is_ok());
        }
    }
}
