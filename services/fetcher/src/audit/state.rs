//! How far a reading is: its message in stream REREADS, and the window it is about.

use jiff::Timestamp;
use latchkey_contracts::reread::{Found, Reread};
use latchkey_core::{
    audit::{Due, Span},
    instant,
};

/// A reading under way.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) message: Reread,
    /// Its sequence in the stream.
    pub(super) sequence: u64,
}

impl State {
    /// Begins a window; the totals over all windows go on.
    pub(super) fn begin(&mut self, id: &str, window: Span, now: Timestamp) {
        let before = std::mem::take(&mut self.message);
        self.message = Reread {
            id: id.into(),
            from_unix_nano: instant::to_unix_nano(window.from),
            to_unix_nano: instant::to_unix_nano(window.to),
            at_unix_nano: instant::to_unix_nano(window.from),
            started_at_unix_nano: instant::to_unix_nano(now),
            windows_total: before.windows_total,
            missing_total: before.missing_total,
            missing_at_unix_nano: before.missing_at_unix_nano,
            last_missing: before.last_missing,
            complete_at_unix_nano: before.complete_at_unix_nano,
            hourly_due_unix_nano: before.hourly_due_unix_nano,
            daily_due_unix_nano: before.daily_due_unix_nano,
            older_due_unix_nano: before.older_due_unix_nano,
            ..Reread::default()
        };
    }

    pub(super) fn finish(&mut self, now: Timestamp) {
        self.message.finished_at_unix_nano = instant::to_unix_nano(now);
        self.message.trouble.clear();
        self.message.windows_total += 1;
        let found = *self.found();
        self.message.missing_total += found.missing;
        if found.missing > 0 {
            self.message.missing_at_unix_nano = instant::to_unix_nano(now);
            self.message.last_missing = Some(found);
        } else {
            self.message.complete_at_unix_nano = instant::to_unix_nano(now);
        }
    }

    /// It does not go on for this reason, a stable word; empty if the turn only ends. Returns whether that is news since the reading last
    /// got on.
    pub(super) fn interrupted(&mut self, trouble: &str) -> bool {
        let is_news = !trouble.is_empty() && self.message.trouble != trouble;
        if is_news {
            self.message.trouble = trouble.into();
        }
        is_news
    }

    /// Whether a window is begun and not finished.
    pub(super) fn is_open(&self) -> bool {
        self.message.started_at_unix_nano != 0 && self.message.finished_at_unix_nano == 0
    }

    pub(super) fn window(&self) -> Span {
        Span {
            from: instant::from_unix_nano(self.message.from_unix_nano),
            to: instant::from_unix_nano(self.message.to_unix_nano),
        }
    }

    /// The span to read next; `start` is never inside of it.
    pub(super) fn span(&self, start: Timestamp) -> Span {
        let mut span = self.window().next(instant::from_unix_nano(self.message.at_unix_nano));
        if !self.message.cursor.is_empty() {
            span.to = instant::from_unix_nano(self.message.span_to_unix_nano);
        }
        if span.from < start && start < span.to {
            span.to = start;
        }
        span
    }

    /// The span is read to its end.
    pub(super) fn arrived_at(&mut self, at: Timestamp) {
        self.message.at_unix_nano = instant::to_unix_nano(at);
        self.message.cursor.clear();
        self.message.trouble.clear();
    }

    pub(super) fn found(&mut self) -> &mut Found {
        self.message.found.get_or_insert_default()
    }

    pub(super) fn due(&self) -> Due {
        Due::read(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_news_once_until_there_is_other_trouble_or_the_reading_gets_on() {
        let mut state = State { message: Reread::default(), sequence: 0 };
        let mut check = |trouble: &str, expect: bool, stays: &str| {
            assert_eq!(state.interrupted(trouble), expect, "{trouble}");
            assert_eq!(state.message.trouble, stays);
        };
        check("", false, "");
        check("stream_full", true, "stream_full");
        check("stream_full", false, "stream_full");
        check("", false, "stream_full");
        check("stream_full", false, "stream_full");
        check("page_too_large", true, "page_too_large");
        state.arrived_at(Timestamp::UNIX_EPOCH);
        assert!(state.interrupted("page_too_large"));
    }
}
