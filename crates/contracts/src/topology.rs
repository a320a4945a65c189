//! Streams and consumers as data: what must exist on the server, and why it is shaped so.
//!
//! The bus creates what is missing and refuses to start on any difference; nothing is ever deleted or reconfigured behind the
//! operator's back. Retention is by limits everywhere: interest retention drops what nobody consumes yet, and work queues allow
//! one reader and no replay.

use std::time::Duration;

/// What happens to a publish when a stream is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// The oldest messages go.
    Old,
    /// The publish is refused, and its sender waits: nothing unread is lost.
    New,
}

/// One stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The stream's name.
    pub name: &'static str,
    /// What people should know who meet it in a tool.
    pub description: &'static str,
    /// The subjects it captures.
    pub subjects: &'static [&'static str],
    /// How long messages live; `None` for ever.
    pub max_age: Option<Duration>,
    /// Messages kept per subject; `None` without bound.
    pub max_messages_per_subject: Option<i64>,
    /// Share of [`Limits::max_bytes`] that this stream may fill, in per cent.
    pub share: u8,
    /// What happens when it is full.
    pub discard: Discard,
    /// How long a `Nats-Msg-Id` is remembered. The server keeps about 200 bytes per id.
    pub duplicate_window: Duration,
}

/// The bound on what all streams together may store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes over all streams.
    pub max_bytes: i64,
    /// Copies of each stream: 1, or 3 on a cluster.
    pub replicas: usize,
}

impl Default for Limits {
    /// 16 GiB on one server: about fifty million events in PAGES and as many in EVENTS.
    fn default() -> Self {
        Self { max_bytes: 16 << 30, replicas: 1 }
    }
}

/// Raw pages: the replay buffer and the checkpoint of every chain. Discards new, so unread pages are never evicted.
pub const PAGES: Stream = Stream {
    name: "PAGES",
    description: "Raw pages of 1Password's Events API, byte-exact; the newest of a chain is its checkpoint",
    subjects: &["latchkey.v1.page.*.*"],
    max_age: Some(Duration::from_hours(7 * 24)),
    max_messages_per_subject: None,
    share: 40,
    discard: Discard::New,
    duplicate_window: Duration::from_mins(2),
};

/// Proofs of polling, one per chain. A stream of its own, so that a full PAGES still lets a fetcher say that it is stuck, and so
/// that the sequences of PAGES are those of pages alone (docs/adr/0001).
pub const CHECKPOINTS: Stream = Stream {
    name: "CHECKPOINTS",
    description: "Outcome of the last turn of each chain",
    subjects: &["latchkey.v1.checkpoint.*.*"],
    max_age: None,
    max_messages_per_subject: Some(1),
    share: 2,
    discard: Discard::Old,
    duplicate_window: Duration::from_mins(2),
};

/// Duties, one per chain and kind.
pub const TASKS: Stream = Stream {
    name: "TASKS",
    description: "One message per chain; a delayed nak is the schedule",
    subjects: &["latchkey.v1.task.*.*.*"],
    max_age: None,
    max_messages_per_subject: Some(1),
    share: 2,
    discard: Discard::New,
    duplicate_window: Duration::from_mins(2),
};

/// Normalized events. The duplicate window outlasts the longest redelivery: `ack_wait` of [`NORMALIZER`] many times over.
pub const EVENTS: Stream = Stream {
    name: "EVENTS",
    description: "Validated, enriched events in batches of one page",
    subjects: &["latchkey.v1.event.*.*.*"],
    max_age: Some(Duration::from_hours(7 * 24)),
    max_messages_per_subject: None,
    share: 44,
    discard: Discard::New,
    duplicate_window: Duration::from_mins(20),
};

/// Items that validation refused, with their bytes.
pub const REJECTIONS: Stream = Stream {
    name: "REJECTIONS",
    description: "Items refused by validation: path, rule, raw bytes",
    subjects: &["latchkey.v1.rejection.*.*"],
    max_age: Some(Duration::from_hours(30 * 24)),
    max_messages_per_subject: None,
    share: 6,
    discard: Discard::New,
    duplicate_window: Duration::from_mins(20),
};

/// Progress of each sink.
pub const DELIVERIES: Stream = Stream {
    name: "DELIVERIES",
    description: "Plan and commit of each sink",
    subjects: &["latchkey.v1.delivery.*"],
    max_age: None,
    max_messages_per_subject: Some(1),
    share: 2,
    discard: Discard::Old,
    duplicate_window: Duration::from_mins(2),
};

/// Transitions of alerts: history, and the state of each alert in its last message.
pub const ALERTS: Stream = Stream {
    name: "ALERTS",
    description: "Alerts raised and resolved",
    subjects: &["latchkey.v1.alert.*.*.*"],
    max_age: None,
    max_messages_per_subject: Some(64),
    share: 2,
    discard: Discard::Old,
    duplicate_window: Duration::from_mins(2),
};

/// Audits and backfills: how far each is, and what it found.
pub const REREADS: Stream = Stream {
    name: "REREADS",
    description: "Progress and findings of audits and backfills",
    subjects: &["latchkey.v1.reread.*.*.*"],
    max_age: None,
    max_messages_per_subject: Some(1),
    share: 1,
    discard: Discard::Old,
    duplicate_window: Duration::from_mins(2),
};

/// Requests taken of each account. What is older than the longest window counts for nothing, so nothing stays of an account that is gone.
pub const BUDGETS: Stream = Stream {
    name: "BUDGETS",
    description: "Requests taken of each account's limits",
    subjects: &["latchkey.v1.budget.*"],
    max_age: Some(Duration::from_hours(2)),
    max_messages_per_subject: Some(1),
    share: 1,
    discard: Discard::Old,
    duplicate_window: Duration::from_mins(2),
};

/// Every stream of the system.
pub const STREAMS: [Stream; 9] = [PAGES, CHECKPOINTS, TASKS, EVENTS, REJECTIONS, DELIVERIES, ALERTS, REREADS, BUDGETS];

/// One bucket of the object store: files by name, each replaced as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name; its stream is called `OBJ_` and this.
    pub name: &'static str,
    /// What people should know who meet it in a tool.
    pub description: &'static str,
    /// It may hold [`Limits::max_bytes`] divided by this, in addition to what the streams hold. While a file is replaced, both
    /// versions count.
    pub divisor: i64,
}

/// Lookup tables and their definitions, for every normalizer. By default 1 GiB: room for two versions of the largest table, and as much
/// again.
pub const LOOKUPS: Bucket =
    Bucket { name: "LOOKUPS", description: "Lookup tables: data and definitions, by file name", divisor: 16 };

/// Every bucket of the system.
pub const BUCKETS: [Bucket; 1] = [LOOKUPS];

/// A key-value bucket, laid out as NATS clients lay it out, so that the `nats` tool can read and write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The stream behind it: its name is `KV_` and the bucket's. Its share does not count.
    pub stream: Stream,
    /// It may hold [`Limits::max_bytes`] divided by this, in addition to what the streams hold.
    pub divisor: i64,
}

impl KeyValue {
    /// A bucket that keeps one value of each key, with no share in what the streams hold.
    const fn new(
        name: &'static str,
        description: &'static str,
        subjects: &'static [&'static str],
        max_age: Option<Duration>,
        discard: Discard,
        divisor: i64,
    ) -> Self {
        let (max_messages_per_subject, share, duplicate_window) = (Some(1), 0, Duration::from_mins(2));
        let stream =
            Stream { name, description, subjects, max_age, max_messages_per_subject, share, discard, duplicate_window };
        Self { stream, divisor }
    }
}

/// How long what is seen and not renewed is of use.
const A_WEEK: Option<Duration> = Some(Duration::from_hours(7 * 24));

/// Sources that come and go while fetchers run: a value per source. By default 64 MiB, hundreds of thousands.
pub const SOURCES: KeyValue = KeyValue::new(
    "KV_SOURCES",
    "Sources: what a fetcher's configuration file says of one, as JSON, and never a token",
    &["$KV.SOURCES.>"],
    None,
    Discard::New,
    256,
);

/// How events differ from their schemas: a value per chain whose events do. By default 128 MiB, more than a hundred thousand chains; what
/// is of last week is of no use.
pub const DRIFTS: KeyValue = KeyValue::new(
    "KV_DRIFTS",
    "How events differ from their schemas, by chain: paths, types and counts",
    &["$KV.DRIFTS.>"],
    A_WEEK,
    Discard::Old,
    128,
);

/// What alerters have learned of feeds: a value of half a kilobyte per chain with an adaptive policy. By default 128 MiB, a hundred thousand
/// chains. A smaller one keeps those that were kept last: a bucket that refused what is new would refuse to replace what is old, too.
pub const HABITS: KeyValue =
    KeyValue::new("KV_HABITS", "Learned habits of feeds, by chain", &["$KV.HABITS.>"], None, Discard::Old, 128);

/// What alerters have seen of streams and their readers: a value of some kilobytes for each. By default 128 MiB, for which a thousand
/// sinks are no burden; what is of last week is of no use.
pub const WINDOWS: KeyValue = KeyValue::new(
    "KV_WINDOWS",
    "Looks of alerters at streams and their readers",
    &["$KV.WINDOWS.>"],
    A_WEEK,
    Discard::Old,
    128,
);

/// Bearer tokens of sources, sealed to a key that only fetchers hold. Overwritten and removed ones are gone at once. By default 64 MiB.
pub const TOKENS: KeyValue = KeyValue::new(
    "KV_TOKENS",
    "Sealed tokens of sources; who has the key can open them, and nobody else",
    &["$KV.TOKENS.>"],
    None,
    Discard::New,
    256,
);

/// Where chains stand in the middle of a turn: a value of half a kilobyte per chain, which outlives the pages that say the same
/// (docs/adr/0007). By default 64 MiB, a hundred thousand chains; the oldest go first, and are the first to be of no use.
pub const HEADS: KeyValue = KeyValue::new(
    "KV_HEADS",
    "Where chains stand in the middle of a turn, for when their pages are gone",
    &["$KV.HEADS.>"],
    None,
    Discard::Old,
    256,
);

/// Every key-value bucket of the system.
pub const KEY_VALUES: [KeyValue; 6] = [SOURCES, TOKENS, DRIFTS, HABITS, WINDOWS, HEADS];

/// One durable pull consumer with explicit acknowledgement and unlimited deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The consumer's durable name.
    pub name: &'static str,
    /// The stream it reads.
    pub stream: &'static str,
    /// How long a delivery may stay unanswered before it goes to somebody else: the lease.
    pub ack_wait: Duration,
    /// Deliveries that may be open at once, over all readers.
    pub max_ack_pending: i64,
}

/// The fetchers' shared duty list. Every chain is always either in work or sleeping in a delayed nak, hence pending, once to be polled and
/// once to be audited: half of the bound on pending deliveries is the bound on chains.
pub const FETCHER: Consumer =
    Consumer { name: "fetcher", stream: TASKS.name, ack_wait: Duration::from_secs(30), max_ack_pending: 100_000 };

/// The normalizers' shared reader of pages. Pages that are handed back with a delay, because one feed's rejections find their stream full,
/// say, stay pending: the bound leaves room for the pages of all others.
pub const NORMALIZER: Consumer =
    Consumer { name: "normalizer", stream: PAGES.name, ack_wait: Duration::from_mins(1), max_ack_pending: 4_096 };

/// The alerters' shared reader of alerts, for their logs.
pub const NOTIFIER: Consumer =
    Consumer { name: "notifier", stream: ALERTS.name, ack_wait: Duration::from_mins(1), max_ack_pending: 256 };

/// What each destination of alerts has a consumer like, called `notifier-` and the destination's name: each has its own progress and its own
/// attempts, so that one that fails holds no other back. One delivery is open at a time: what happened later is not told before what
/// happened earlier, whatever number of alerters there is. The lease outlasts the longest attempt.
pub const DESTINATION: Consumer =
    Consumer { name: "notifier-*", stream: ALERTS.name, ack_wait: Duration::from_mins(1), max_ack_pending: 1 };

/// The consumer of the destination with this name.
#[must_use]
pub fn consumer_of(destination: &str) -> String {
    DESTINATION.name.replace('*', destination)
}

/// The destination whose consumer is called so; `None` if it is none's.
#[must_use]
pub fn destination_of(consumer: &str) -> Option<&str> {
    consumer.strip_prefix(DESTINATION.name.trim_end_matches('*')).filter(|name| !name.is_empty())
}

/// Every durable consumer of the system, beside those of destinations. Sinks have none: their progress is in DELIVERIES (docs/adr/0002).
pub const CONSUMERS: [Consumer; 3] = [FETCHER, NORMALIZER, NOTIFIER];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_share_exactly_what_there_is() {
        assert_eq!(STREAMS.iter().map(|stream| u32::from(stream.share)).sum::<u32>(), 100);
    }

    #[test]
    fn a_destination_is_known_by_its_consumer() {
        assert_eq!(consumer_of("chat"), "notifier-chat");
        assert_eq!(destination_of("notifier-chat"), Some("chat"));
        assert_eq!((destination_of(NOTIFIER.name), destination_of("normalizer")), (None, None));
    }

    #[test]
    fn the_duplicate_window_outlasts_redelivery() {
        assert!(EVENTS.duplicate_window >= NORMALIZER.ack_wait * 10);
        assert!(REJECTIONS.duplicate_window >= NORMALIZER.ack_wait * 10);
        assert!(PAGES.max_age.unwrap() > EVENTS.duplicate_window);
    }
}
