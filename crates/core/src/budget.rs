//! How many requests an account may still be asked, and for what.
//!
//! 1Password takes 600 requests a minute and 30,000 an hour. All fetchers and all kinds of work of an account share one [`Budget`]: they
//! take some requests of it at a time and spend them within [`GRANT_LIFETIME`]. Every stretch of time of a window's length, wherever it
//! begins, has at most as many requests as the window allows, whatever 1Password takes a minute to be.
//!
//! Live polls may take all of it. A backfill leaves a quarter untouched and an audit half, so there is always something left for what comes
//! before them. A 429 means that somebody else takes part too, or that the limits are others than we think: the level sinks at once and
//! rises again within an hour.

mod key;
mod window;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::budget as wire;

pub use self::key::AccountKey;
use self::window::{Hour, Minute};
use crate::instant;

/// How long requests that were taken may be spent.
pub const GRANT_LIFETIME: Duration = Duration::from_secs(5);

/// The most requests taken at once.
pub const MAX_GRANT: u32 = 32;

/// The longest that live polls wait because of a 429 that another chain got: each chain waits as long as its own answers ask for.
pub const MAX_LIVE_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// The longest that anything waits because of a 429.
const MAX_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// How long everything waits after a 429 that does not say.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// Requests under way are refused together: within this time it is one refusal.
const ONE_REFUSAL: SignedDuration = SignedDuration::from_secs(10);

/// Thousandths: of the limits.
const FULL: u32 = 1000;

/// The level never sinks below: 30 requests a minute, enough for a poll of every feed.
const LOWEST: u32 = 50;

/// From nothing to full.
const RECOVERY: SignedDuration = SignedDuration::from_hours(1);

/// What an account may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In any minute.
    pub per_minute: u32,
    /// In any hour.
    pub per_hour: u32,
}

impl Default for Limits {
    /// As 1Password documents them.
    fn default() -> Self {
        Self { per_minute: 600, per_hour: 30_000 }
    }
}

impl Limits {
    /// What a fetcher allows itself that cannot reach the budget: an eighth.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { per_minute: (self.per_minute / 8).max(1), per_hour: (self.per_hour / 8).max(1) }
    }
}

/// What requests are for, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Polling.
    Live,
    /// Fetching the past because somebody waits for it.
    Backfill,
    /// Reading the past again.
    Audit,
}

impl Work {
    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Backfill => "backfill",
            Self::Audit => "audit",
        }
    }

    /// How much of a window may be taken, by whomever, for this work to take more: in thousandths.
    const fn share(self) -> u32 {
        match self {
            Self::Live => 1000,
            Self::Backfill => 750,
            Self::Audit => 500,
        }
    }
}

/// What has been taken of an account's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    minute: Minute,
    hour: Hour,
    refusal: Option<Refusal>,
    paused_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal {
    at: Timestamp,
    level: u32,
}

impl Budget {
    /// Takes up to `want` requests, at least one, or says how long to wait before asking again.
    pub fn take(&mut self, limits: Limits, work: Work, want: u32, now: Timestamp) -> Result<u32, Duration> {
        if let Some(pause) = self.pause(work, now) {
            return Err(pause);
        }
        self.minute.turn(now);
        self.hour.turn(now);
        let (minute, hour) = (self.allowed(limits.per_minute, work, now), self.allowed(limits.per_hour, work, now));
        let left = minute.saturating_sub(self.minute.taken()).min(hour.saturating_sub(self.hour.taken()));
        let granted = left.min(want.clamp(1, MAX_GRANT));
        if granted == 0 {
            return Err(self.minute.wait(minute, now).max(self.hour.wait(hour, now)));
        }
        self.minute.take(granted);
        self.hour.take(granted);
        Ok(granted)
    }

    /// Takes note of a 429.
    pub fn refused(&mut self, retry_after: Option<Duration>, now: Timestamp) {
        let asked = retry_after.map_or(PAUSE, |asked| SignedDuration::try_from(asked).unwrap_or(MAX_PAUSE));
        let until = now.saturating_add(asked.min(MAX_PAUSE)).unwrap_or(Timestamp::MAX);
        self.paused_until = self.paused_until.max(Some(until));
        if self.refusal.is_none_or(|refusal| now.duration_since(refusal.at) >= ONE_REFUSAL) {
            self.refusal = Some(Refusal { at: now, level: (self.level(now) / 2).max(LOWEST) });
        }
    }

    /// The share of the limits that is used, in thousandths.
    #[must_use]
    pub fn level(&self, now: Timestamp) -> u32 {
        let Some(Refusal { at, level }) = self.refusal else { return FULL };
        let risen = now.duration_since(at).as_secs().max(0) * i64::from(FULL) / RECOVERY.as_secs();
        level.saturating_add(u32::try_from(risen).unwrap_or(FULL)).min(FULL)
    }

    fn allowed(&self, limit: u32, work: Work, now: Timestamp) -> u32 {
        let thousandths = |of: u64, share: u32| of * u64::from(share) / 1000;
        let allowed = thousandths(thousandths(limit.into(), self.level(now)), work.share());
        u32::try_from(allowed).unwrap_or(u32::MAX).max(1)
    }

    fn pause(&self, work: Work, now: Timestamp) -> Option<Duration> {
        let mut left = self.paused_until?.duration_since(now);
        if work == Work::Live {
            let since_refusal = self.refusal.map_or(SignedDuration::ZERO, |refusal| now.duration_since(refusal.at));
            left = left.min(MAX_LIVE_PAUSE - since_refusal);
        }
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    /// Reads it from the wire.
    #[must_use]
    pub fn read(message: &wire::Budget) -> Self {
        let refused_at = instant::optional_from_unix_nano(message.refused_at_unix_nano);
        Self {
            minute: Minute::read(message.minute.as_ref()),
            hour: Hour::read(message.hour.as_ref()),
            refusal: refused_at.map(|at| Refusal { at, level: message.level.clamp(LOWEST, FULL) }),
            paused_until: instant::optional_from_unix_nano(message.paused_until_unix_nano),
        }
    }

    /// Its form on the wire.
    #[must_use]
    pub fn write(&self) -> wire::Budget {
        wire::Budget {
            minute: Some(self.minute.write()),
            hour: Some(self.hour.write()),
            level: self.refusal.map_or(0, |refusal| refusal.level),
            refused_at_unix_nano: instant::optional_to_unix_nano(self.refusal.map(|refusal| refusal.at)),
            paused_until_unix_nano: instant::optional_to_unix_nano(self.paused_until),
        }
    }
}

#[cfg(test)]
mod tests;
