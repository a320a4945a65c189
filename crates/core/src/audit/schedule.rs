//! When which window of a chain's past is audited.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::reread::Reread;

use super::Span;
use crate::instant;

/// How often, how far back, and how much of the present is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What is younger may still be on its way.
    pub lag: SignedDuration,
    /// How often the recent past is read, and how far back.
    pub recent: (SignedDuration, SignedDuration),
    /// How often a longer stretch is read, and how far back.
    pub wide: (SignedDuration, SignedDuration),
    /// How often a day anywhere in the past is read, and how far back it may lie.
    pub older: (SignedDuration, SignedDuration),
}

impl Default for Schedule {
    /// Hourly the last 26 hours, daily the last 72, and daily one day of the week that the pages are kept.
    fn default() -> Self {
        let hours = SignedDuration::from_hours;
        Self {
            lag: SignedDuration::from_mins(15),
            recent: (hours(1), hours(26)),
            wide: (hours(24), hours(72)),
            older: (hours(24), hours(7 * 24)),
        }
    }
}

/// When each window is due; `None` for a chain that was never audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    recent: Option<Timestamp>,
    wide: Option<Timestamp>,
    older: Option<Timestamp>,
}

impl Schedule {
    /// The window to audit, if one is due, the widest first; `due` then says when it is due again. `random` is uniform in `[0, 1)`: it
    /// spreads the first audits of many chains over their intervals, and chooses the older day.
    pub fn next(&self, due: &mut Due, random: f64, now: Timestamp) -> Option<Span> {
        let later = |every: SignedDuration| now.saturating_add(every).unwrap_or(Timestamp::MAX);
        let first = |every: SignedDuration| later(every.mul_f64(random));
        let to = now.saturating_sub(self.lag).unwrap_or(Timestamp::MIN);
        let back = |reach: SignedDuration| to.saturating_sub(reach).unwrap_or(Timestamp::MIN);
        for (at, (every, _)) in
            [(&mut due.recent, self.recent), (&mut due.wide, self.wide), (&mut due.older, self.older)]
        {
            at.get_or_insert_with(|| first(every));
        }
        if due.wide <= Some(now) {
            due.wide = Some(later(self.wide.0));
            // It holds the recent past.
            due.recent = Some(later(self.recent.0));
            return Some(Span { from: back(self.wide.1), to });
        }
        if due.recent <= Some(now) {
            due.recent = Some(later(self.recent.0));
            return Some(Span { from: back(self.recent.1), to });
        }
        if due.older <= Some(now) {
            due.older = Some(later(self.older.0));
            let day = SignedDuration::from_hours(24);
            let from = back(self.older.1) + (self.older.1 - day).max(SignedDuration::ZERO).mul_f64(random);
            return Some(Span { from, to: from.saturating_add(day).unwrap_or(to).min(to) });
        }
        None
    }

    /// How long until something is due.
    #[must_use]
    pub fn wait(&self, due: &Due, now: Timestamp) -> Duration {
        let next = due.recent.min(due.wide).min(due.older).unwrap_or(now);
        Duration::try_from(next.duration_since(now)).unwrap_or_default()
    }
}

impl Due {
    /// Reads it from the chain's last audit.
    #[must_use]
    pub fn read(reread: &Reread) -> Self {
        Self {
            recent: instant::optional_from_unix_nano(reread.hourly_due_unix_nano),
            wide: instant::optional_from_unix_nano(reread.daily_due_unix_nano),
            older: instant::optional_from_unix_nano(reread.older_due_unix_nano),
        }
    }

    /// Writes it there.
    pub fn write(&self, reread: &mut Reread) {
        reread.hourly_due_unix_nano = instant::optional_to_unix_nano(self.recent);
        reread.daily_due_unix_nano = instant::optional_to_unix_nano(self.wide);
        reread.older_due_unix_nano = instant::optional_to_unix_nano(self.older);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(10_000 + hours)
    }

    #[test]
    fn windows_come_when_they_are_due_and_leave_the_present_alone() {
        let schedule = Schedule { lag: SignedDuration::from_hours(1), ..Schedule::default() };
        let mut due = Due::default();
        let mut check = |at, expect: Option<(i64, i64)>| {
            let span = schedule.next(&mut due, 0.5, hour(at));
            assert_eq!(span, expect.map(|(from, to)| Span { from: hour(from), to: hour(to) }), "at {at}");
            // It travels with the chain's last audit.
            let mut reread = Reread::default();
            due.write(&mut reread);
            assert_eq!(Due::read(&reread), due);
            schedule.wait(&due, hour(at))
        };
        // The first time, in the middle of each interval.
        assert_eq!(check(0, None), Duration::from_mins(30));
        assert_eq!(check(1, Some((-26, 0))), Duration::from_hours(1));
        check(2, Some((-25, 1)));
        check(12, Some((-61, 11)));
        // A day in the middle of the week before.
        check(12, Some((-85, -61)));
        check(13, Some((-14, 12)));
        check(13, None);
    }
}
