//! What people and programs do about alerts: see what is raised and what was, take an alert on, silence some for a while.
//!
//! One implementation for `latchkey alerts` and for the alerters' own interface. Both work on stream ALERTS as the watchers do: what is written
//! goes onto the last message of its subject, so it meets whatever an alerter writes at the same moment.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::{Bus, Item, Publication, Reader};
use latchkey_contracts::{About, alert::Alert, topology::ALERTS};
use latchkey_core::alert::{Kind, is_raised, lifecycle, silence};
use latchkey_runtime::clock;
use tokio::time::{Duration, timeout};

/// How often somebody else may write to the same alert at the same moment.
const ATTEMPTS: usize = 5;

/// The longest wait for the next message of what is there already.
const NEXT_WITHIN: Duration = Duration::from_secs(30);

/// The most transitions that are asked for at once.
pub const MAX_HISTORY: usize = 10_000;

/// Looks after alerts.
#[derive(Clone, Debug)]
pub struct Desk {
    bus: Bus,
}

/// Who says so, and what others should know: each at most [`silence::MAX_TEXT`] characters in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    by: String,
    note: String,
}

/// What is to be silenced, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// What it covers.
    pub about: About,
    /// Which kinds; none for all.
    pub kinds: Vec<Kind>,
    /// Its beginning; `None` for now.
    pub from: Option<Timestamp>,
    /// Its end.
    pub until: Timestamp,
}

/// What is raised and silenced at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// Alerts that are raised: the worst first, then the oldest.
    pub raised: Vec<Alert>,
    /// Silences that hold or are to come.
    pub silences: Vec<Alert>,
}

/// Which transitions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Only of this.
    pub about: Option<About>,
    /// Only of this kind.
    pub kind: Option<Kind>,
    /// The most, the newest: up to [`MAX_HISTORY`].
    pub limit: usize,
}

/// Something that cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is nothing to acknowledge.
    #[error("{} of {about} is not raised; `latchkey alerts list` says what is", kind.as_str())]
    NotRaised {
        /// The kind that was named.
        kind: Kind,
        /// What it was said to be about.
        about: About,
    },
    /// There is no silence to end.
    #[error("{0} is not silenced")]
    NotSilenced(About),
    /// A silence that ends before it begins, lasts too long, or begins too late.
    #[error("a silence ends after it begins, lasts 30 days at most, and begins within 30 days")]
    Span,
    /// A name or a note that is too long.
    #[error("names and notes have at most {} characters, in one line", silence::MAX_TEXT)]
    Text,
    /// Somebody else writes to the same alert all the time. Worth trying again.
    #[error("somebody else wrote to it {ATTEMPTS} times at the same moment; try again")]
    Contended,
    /// No certain answer. Worth looking whether it was written.
    #[error("it may not have been written ({0}); see `latchkey alerts list`")]
    Unknown(String),
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] latchkey_bus::Error),
}

impl Word {
    /// Checks both texts.
    pub fn new(by: &str, note: &str) -> Result<Self, DeskError> {
        let sound = |text: &str| text.chars().count() <= silence::MAX_TEXT && !text.contains(char::is_control);
        if !sound(by) || !sound(note) {
            return Err(DeskError::Text);
        }
        Ok(Self { by: by.trim().into(), note: note.trim().into() })
    }

    /// Who.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }
}

impl Desk {
    /// A desk over this bus. Streams are made by the services; here nothing is.
    #[must_use]
    pub const fn new(bus: Bus) -> Self {
        Self { bus }
    }

    /// What is raised and silenced at `now`.
    pub async fn list(&self, now: Timestamp) -> Result<Standing, DeskError> {
        let mut standing = Standing::default();
        let take = |item: Item<Alert>| match item.message {
            Ok(alert) if alert.kind == silence::WORD => standing.silences.push(alert),
            Ok(alert) if is_raised(&alert) => standing.raised.push(alert),
            _ => {}
        };
        self.each(self.bus.watch_alerts(), take).await?;
        standing.silences.retain(|silence| silence::is_open(silence, now));
        standing.raised.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.since_unix_nano));
        Ok(standing)
    }

    /// Transitions that are kept, oldest first.
    pub async fn history(&self, question: &Question) -> Result<Vec<Alert>, DeskError> {
        let limit = question.limit.clamp(1, MAX_HISTORY);
        let mut kept = VecDeque::new();
        let take = |item: Item<Alert>| {
            let Some(alert) = item.message.ok().filter(|alert| question.asks_for(alert)) else { return };
            if kept.len() == limit {
                kept.pop_front();
            }
            kept.push_back(alert);
        };
        self.each(self.bus.alert_history(), take).await?;
        Ok(kept.into())
    }

    /// Somebody takes the alert on.
    pub async fn acknowledge(&self, kind: Kind, about: &About, word: &Word) -> Result<Alert, DeskError> {
        let next = |last: Option<&Alert>| {
            let acknowledged = last.and_then(|last| lifecycle::acknowledge(last, &word.by, &word.note, clock::now()));
            acknowledged.ok_or_else(|| DeskError::NotRaised { kind, about: about.clone() })
        };
        self.write(kind.as_str(), about, next).await
    }

    /// Begins or plans a silence, in the place of the one before of the same.
    pub async fn silence(&self, quiet: &Quiet, word: &Word) -> Result<Alert, DeskError> {
        let now = clock::now();
        let Quiet { about, kinds, from, until } = quiet;
        let (from, until) = (from.unwrap_or(now).max(now), *until);
        let span = until.duration_since(from);
        if span <= SignedDuration::ZERO || span > silence::MAX || from.duration_since(now) > silence::MAX {
            return Err(DeskError::Span);
        }
        let silence = silence::Silence { about, kinds, from, until, by: &word.by, note: &word.note };
        self.write(silence::WORD, about, |last| Ok(silence.begin(last, now))).await
    }

    /// Ends a silence before its time.
    pub async fn end_silence(&self, about: &About) -> Result<Alert, DeskError> {
        let next = |last: Option<&Alert>| {
            last.and_then(|last| silence::end(last, clock::now())).ok_or_else(|| DeskError::NotSilenced(about.clone()))
        };
        self.write(silence::WORD, about, next).await
    }

    /// What is in the stream at this moment; what comes later is left for the next time.
    async fn each(&self, mut reader: Reader<Alert>, mut take: impl FnMut(Item<Alert>)) -> Result<(), DeskError> {
        let state = self.bus.stream_state(&ALERTS).await?;
        if state.messages == 0 {
            return Ok(());
        }
        loop {
            let item = timeout(NEXT_WITHIN, reader.next()).await;
            let item = item.map_err(|_| DeskError::Unknown("reading ALERTS: no message in time".into()))??;
            let is_last = item.sequence >= state.last || item.pending == 0;
            take(item);
            if is_last {
                return Ok(());
            }
        }
    }

    /// Publishes what `next` makes of the last transition onto it.
    async fn write(
        &self,
        kind: &str,
        about: &About,
        next: impl Fn(Option<&Alert>) -> Result<Alert, DeskError>,
    ) -> Result<Alert, DeskError> {
        for _ in 0..ATTEMPTS {
            let stored = self.bus.last_alert_about(kind, about).await?;
            let alert = next(stored.as_ref().map(|stored| &stored.message))?;
            let expected = stored.map_or(0, |stored| stored.sequence);
            match self.bus.publish_alert_about(kind, about, &alert, expected).await? {
                Publication::Stored { .. } | Publication::Repeated { .. } => return Ok(alert),
                Publication::Conflict => {}
                other => return Err(DeskError::Unknown(format!("{other:?}"))),
            }
        }
        Err(DeskError::Contended)
    }
}

impl Question {
    fn asks_for(&self, alert: &Alert) -> bool {
        let named = |about: &About| match about {
            About::Line => alert.source.is_empty() && alert.object.is_empty(),
            // A source's alerts and those of its feeds; or an object that is called so.
            About::Source(source) => alert.source == source.as_str() || alert.object == source.as_str(),
            about => (about.source(), about.feed(), about.object()) == (&*alert.source, &*alert.feed, &*alert.object),
        };
        self.about.as_ref().is_none_or(named) && self.kind.is_none_or(|kind| kind.as_str() == alert.kind)
    }
}
