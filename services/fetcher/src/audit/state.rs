//! How far a reading is: its message in stream REREADS, and the window it is about.

use jiff::Timestamp;
use latchkey_contracts::reread::{Found, Reread};
use latchkey_core::{
    audit::{Due, Obstacle, Span},
    instant,
    polling::History,
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
            recovery_at_unix_nano: before.recovery_at_unix_nano,
            hourly_due_unix_nano: before.hourly_due_unix_nano,
            daily_due_unix_nano: before.daily_due_unix_nano,
            older_due_unix_nano: before.older_due_unix_nano,
            ..Reread::default()
        };
    }

    pub(super) fn finish(&mut self, now: Timestamp) {
        self.message.finished_at_unix_nano = instant::to_unix_nano(now);
        self.goes_on();
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
    ///
    /// Whatever else happens meanwhile, what waits behind an obstacle waits on: other trouble does not take the obstacle's place, another
    /// obstacle takes over its time, and one that may pass hides none that lasts.
    pub(super) fn interrupted(&mut self, trouble: &str, now: Timestamp) -> bool {
        let weight = |word: &str| Obstacle::read(word).map_or(0, |obstacle| 1 + u8::from(obstacle.is_lasting()));
        let (before, new) = (weight(&self.message.trouble), weight(trouble));
        let is_news = !trouble.is_empty() && self.message.trouble != trouble && new >= before;
        if is_news {
            self.message.trouble = trouble.into();
        }
        let is_timed = self.message.trouble_since_unix_nano != 0 && (!is_news || before > 0);
        if !is_timed && !self.message.trouble.is_empty() {
            self.message.trouble_since_unix_nano = instant::to_unix_nano(now);
        }
        is_news
    }

    /// A page is done, and the span is not; `has_stored` if something of it was missing and is stored.
    ///
    /// Where the span was begun again, pages come before the one that was held up, and say nothing about it.
    pub(super) fn page_done(&mut self, has_stored: bool) {
        let stays = match Obstacle::read(&self.message.trouble) {
            Some(Obstacle::StreamFull | Obstacle::Contended) => !has_stored,
            // Smaller ones may fit.
            Some(Obstacle::PageTooLarge | Obstacle::TooLarge) => true,
            None => false,
        };
        if !stays {
            self.goes_on();
        }
    }

    /// Events per page of the next request, where the source is set to so many: those that the cursor carries, or those to begin the span
    /// with.
    pub(super) fn page_limit(&mut self, set: u32) -> u32 {
        let limit = match self.message.page_limit {
            0 => set,
            limit if self.message.cursor.is_empty() => limit.min(set),
            limit => limit,
        };
        self.message.page_limit = limit;
        limit
    }

    /// Begins the span again with half as many events per page. `false`: the page has a single one.
    pub(super) fn ask_for_less(&mut self) -> bool {
        let is_divisible = self.message.page_limit > 1;
        if is_divisible {
            self.message.page_limit /= 2;
            self.message.cursor.clear();
        }
        is_divisible
    }

    /// It goes on.
    pub(super) fn goes_on(&mut self) {
        self.message.trouble.clear();
        self.message.trouble_since_unix_nano = 0;
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

    /// What the chain's recoveries have passed by and no audit has taken up, and when the newest of those was.
    pub(super) fn passed_by(&self, history: &History) -> Option<(Span, Timestamp)> {
        let (span, at) = history.passed_by.zip(history.passed_by_at)?;
        (self.message.recovery_at_unix_nano != instant::to_unix_nano(at)).then_some((span, at))
    }

    /// It is taken up by the window that begins.
    pub(super) fn take_up(&mut self, recovery_at: Timestamp) {
        self.message.recovery_at_unix_nano = instant::to_unix_nano(recovery_at);
    }

    /// The span is read to its end.
    pub(super) fn arrived_at(&mut self, at: Timestamp) {
        self.message.at_unix_nano = instant::to_unix_nano(at);
        self.message.cursor.clear();
        self.message.page_limit = 0;
        self.goes_on();
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
    use latchkey_core::polling::Recovery;

    use super::*;

    #[test]
    fn what_a_recovery_has_passed_by_is_taken_up_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let span = Span { from: at(5), to: at(9) };
        let history =
            |recovered| History { passed_by: Some(span), passed_by_at: Some(at(recovered)), ..History::default() };
        let mut state = State { message: Reread::default(), sequence: 0 };
        assert_eq!(state.passed_by(&History { passed_by: None, ..history(20) }), None);
        assert_eq!(state.passed_by(&history(20)), Some((span, at(20))));
        state.take_up(at(20));
        // It is not forgotten with a window that begins.
        state.begin("", span, at(30));
        state.begin("", span, at(40));
        assert_eq!(state.passed_by(&history(20)), None);
        // A later recovery that passes nothing by makes it no news.
        let later = Recovery { at: at(45), from: at(9), reason: "cursor_refused".into() };
        assert_eq!(state.passed_by(&History { last_recovery: Some(later), ..history(20) }), None);
        assert_eq!(state.passed_by(&history(50)), Some((span, at(50))));
    }

    #[test]
    fn what_waits_behind_an_obstacle_is_told_of_until_it_is_stored_whatever_else_happens() {
        let mut state = State { message: Reread::default(), sequence: 0 };
        let mut check = |second: i64, trouble: &str, expect: bool, stays: &str, since: i64| {
            assert_eq!(state.interrupted(trouble, Timestamp::from_second(second).unwrap()), expect, "{second}");
            let Reread { trouble, trouble_since_unix_nano, .. } = &state.message;
            assert_eq!((trouble.as_str(), *trouble_since_unix_nano), (stays, since * 1_000_000_000), "{second}");
        };
        check(1, "", false, "", 0);
        check(2, "stream_full", true, "stream_full", 2);
        check(3, "stream_full", false, "stream_full", 2);
        check(4, "", false, "stream_full", 2);
        check(5, "timeout", false, "stream_full", 2);
        check(6, "stream_full", false, "stream_full", 2);
        check(7, "contended", false, "stream_full", 2);
        check(8, "page_too_large", true, "page_too_large", 2);
        state.arrived_at(Timestamp::UNIX_EPOCH);
        assert_eq!((state.message.trouble.as_str(), state.message.trouble_since_unix_nano), ("", 0));
        assert!(state.interrupted("page_too_large", Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_span_is_asked_for_in_ever_smaller_pages_until_it_is_done() {
        let mut state = State { message: Reread::default(), sequence: 0 };
        let continues = |state: &mut State| state.message.cursor = "c".into();
        assert_eq!(state.page_limit(5), 5);
        continues(&mut state);
        assert_eq!(state.page_limit(3), 5, "a cursor carries what it was begun with");
        assert!(state.ask_for_less() && state.message.cursor.is_empty());
        assert_eq!(state.page_limit(5), 2);
        continues(&mut state);
        // Another turn, of whoever has the task by then.
        assert!(state.ask_for_less());
        assert_eq!(state.page_limit(5), 1);
        continues(&mut state);
        assert!(!state.ask_for_less());
        assert_eq!((state.page_limit(5), state.message.cursor.as_str()), (1, "c"));
        state.arrived_at(Timestamp::UNIX_EPOCH);
        assert_eq!(state.page_limit(5), 5);
        // The source has since been set to fewer.
        assert_eq!(state.page_limit(4), 4);
    }

    #[test]
    fn trouble_without_an_obstacle_gives_way_to_any_other() {
        let mut state = State { message: Reread::default(), sequence: 0 };
        let mut check = |second: i64, trouble: &str, since: i64| {
            state.interrupted(trouble, Timestamp::from_second(second).unwrap());
            let told = (state.message.trouble.as_str(), state.message.trouble_since_unix_nano);
            assert_eq!(told, (trouble, since * 1_000_000_000), "{second}");
        };
        check(1, "timeout", 1);
        check(2, "connect", 2);
        check(3, "connect", 2);
        check(4, "contended", 4);
        // It is not stored since then.
        check(5, "stream_full", 4);
    }

    #[test]
    fn trouble_that_another_version_has_noted_without_its_time_has_one_from_now_on() {
        let mut state = State { message: Reread { trouble: "stream_full".into(), ..Reread::default() }, sequence: 0 };
        assert!(!state.interrupted("stream_full", Timestamp::from_second(7).unwrap()));
        assert_eq!(state.message.trouble_since_unix_nano, 7_000_000_000);
        assert!(!state.interrupted("stream_full", Timestamp::from_second(8).unwrap()));
        assert_eq!(state.message.trouble_since_unix_nano, 7_000_000_000);
    }

    #[test]
    fn a_page_that_is_done_ends_the_trouble_that_it_disproves() {
        for (trouble, has_stored, ends) in [
            ("timeout", false, true),
            ("stream_full", false, false),
            ("stream_full", true, true),
            ("contended", false, false),
            ("contended", true, true),
            ("page_too_large", false, false),
            ("page_too_large", true, false),
            ("too_large", true, false),
        ] {
            let mut state = State { message: Reread::default(), sequence: 0 };
            state.interrupted(trouble, Timestamp::from_second(1).unwrap());
            state.page_done(has_stored);
            assert_eq!(state.message.trouble.is_empty(), ends, "{trouble} {has_stored}");
        }
    }
}
