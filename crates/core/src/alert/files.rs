//! Alerts about the files that normalizers watch: a new version cannot be used.
//!
//! There is one alert for all normalizers, though each looks at the files at moments of its own, and a change reaches one of them
//! before another. So what a normalizer says resolves the alert only if it loaded the files after the raise: the version that works
//! from before proves nothing. And who still refuses what another has seen repaired waits for a while before it raises the alert
//! again. The moments are those of several machines; between clocks further apart than two looks, a repair is seen one change late.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::alert::{
    Alert,
    alert::{Change, State},
};

use super::{Kind, is_raised};
use crate::instant;

/// How long a repair may take from one normalizer to the next. Mounted directories follow their source within a minute or two.
const REPAIR_ARRIVES_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// The longest reason in an alert, in characters: a few faults with file, line and path. The log has all of them.
const MAX_REASON_CHARS: usize = 1_000;

/// Files that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Schemas of log types.
    Schemas,
    /// Lookup tables and their definitions.
    Lookups,
}

/// How files stand with one normalizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Their newest version is in use.
    InUse {
        /// When it was loaded.
        since: Timestamp,
    },
    /// Their newest version cannot be used; the one before is.
    Refused {
        /// When that was first seen, whatever has changed about it since.
        since: Timestamp,
        /// File, line, path and what is wrong there; no data of tables.
        reason: String,
    },
}

impl Files {
    /// Their stable word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schemas => "schemas",
            Self::Lookups => "lookups",
        }
    }

    /// The stable word of their alert, in subjects and messages.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        self.alert().as_str()
    }

    const fn alert(self) -> Kind {
        match self {
            Self::Schemas => Kind::SchemasRefused,
            Self::Lookups => Kind::LookupsRefused,
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Schemas => "schemas",
            Self::Lookups => "lookup tables",
        }
    }

    const fn next_step(self) -> &'static str {
        match self {
            Self::Schemas => {
                "Correct the files of normalizer.schemas; they are read again when one changes. `latchkey schema check` names \
                 every fault."
            }
            Self::Lookups => {
                "Correct the files of normalizer.lookups or of the bucket LOOKUPS; they are read again when one changes. \
                 `latchkey lookup check` names every fault."
            }
        }
    }
}

impl Standing {
    /// A version was refused.
    pub fn refuse(&mut self, reason: String, now: Timestamp) {
        let since = match self {
            Self::Refused { since, .. } => *since,
            Self::InUse { .. } => now,
        };
        *self = Self::Refused { since, reason };
    }
}

/// The transition that follows from `standing` after `previous`, the alert's last one; `None` if the alert stays as it is.
#[must_use]
pub fn transition(previous: Option<&Alert>, files: Files, standing: &Standing, now: Timestamp) -> Option<Alert> {
    let raised = previous.filter(|alert| is_raised(alert));
    let generation = previous.map_or(0, |alert| alert.generation);
    let judged_at = previous.map(|alert| instant::from_unix_nano(alert.judged_at_unix_nano));
    let alert = Alert {
        kind: files.kind().into(),
        code: files.alert().code().into(),
        severity: files.alert().severity().into(),
        judged_at_unix_nano: instant::to_unix_nano(now),
        told_at_unix_nano: instant::to_unix_nano(now),
        ..Alert::default()
    };
    let noun = files.noun();
    match (standing, raised, judged_at) {
        (Standing::Refused { since, reason }, None, resolved_at)
            if resolved_at.is_none_or(|at| counts(*since, at, now)) =>
        {
            let reason: String = reason.chars().take(MAX_REASON_CHARS).collect();
            Some(Alert {
                state: State::Raised.into(),
                change: Change::Raised.into(),
                since_unix_nano: instant::to_unix_nano(*since),
                summary: format!("New {noun} are refused since {since:.0}, and the ones before stay in use: {reason}"),
                next_step: files.next_step().into(),
                generation: generation + 1,
                ..alert
            })
        }
        (Standing::InUse { since }, Some(raised), Some(raised_at)) if *since > raised_at => Some(Alert {
            state: State::Resolved.into(),
            change: Change::Resolved.into(),
            since_unix_nano: raised.since_unix_nano,
            summary: format!("The newest {noun} are in use again."),
            generation,
            ..alert
        }),
        _ => None,
    }
}

/// Whether a refusal is another than the one that was resolved, or one that no repair reaches.
fn counts(since: Timestamp, resolved_at: Timestamp, now: Timestamp) -> bool {
    since > resolved_at || now.duration_since(resolved_at) >= REPAIR_ARRIVES_WITHIN
}

#[cfg(test)]
mod tests;
