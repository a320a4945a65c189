//! When the past is read again, as an operator sets it.

use jiff::SignedDuration;
use latchkey_core::audit::Schedule;
use serde::{Deserialize, Serialize};

/// When which part of the past is read again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// Whether it is done at all; what people order is done all the same.
    pub enabled: bool,
    /// Events younger than this are left alone: they may still be on their way. 15 min by default.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub lag: SignedDuration,
    /// How often the recent past is read: hourly by default.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub recent_every: SignedDuration,
    /// How far back: 26 h by default.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub recent_reach: SignedDuration,
    /// How often a longer stretch is read: daily by default.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub wide_every: SignedDuration,
    /// How far back: 72 h by default.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub wide_reach: SignedDuration,
    /// How often a day anywhere in the past is read: daily by default.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub older_every: SignedDuration,
    /// How far back it may lie: 7 days by default, which is how long pages are kept to compare with.
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub older_reach: SignedDuration,
}

impl Default for AuditConfig {
    fn default() -> Self {
        let Schedule { lag, recent, wide, older } = Schedule::default();
        Self {
            enabled: true,
            lag,
            recent_every: recent.0,
            recent_reach: recent.1,
            wide_every: wide.0,
            wide_reach: wide.1,
            older_every: older.0,
            older_reach: older.1,
        }
    }
}

impl AuditConfig {
    /// No audit more often than this: each reads pages of a day.
    const SHORTEST: SignedDuration = SignedDuration::from_secs(1);

    pub(super) fn schedule(&self) -> Schedule {
        let bounded =
            |every: SignedDuration, reach: SignedDuration| (every.max(Self::SHORTEST), reach.max(SignedDuration::ZERO));
        Schedule {
            lag: self.lag.max(SignedDuration::ZERO),
            recent: bounded(self.recent_every, self.recent_reach),
            wide: bounded(self.wide_every, self.wide_reach),
            older: bounded(self.older_every, self.older_reach),
        }
    }
}
