use latchkey_contracts::habit::Habit as Kept;

use super::*;
use crate::verdict::{calendar, samples};

/// Monday 2026-01-05, midnight in UTC.
const MONDAY: i64 = 1_767_571_200;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// A feed that is polled at the end of every slot.
struct Watched {
    habit: Habit,
    window: ChainWindow,
    calendar: Calendar,
    now: i64,
}

impl Watched {
    fn new(calendar: Calendar) -> Self {
        let window = ChainWindow { last_success_at: Some(at(0)), last_arrival_at: None, ..samples::window() };
        let mut feed = Self { habit: Habit::default(), window, calendar, now: 0 };
        feed.observe();
        feed
    }

    fn observe(&mut self) {
        self.habit.observe(&self.window, &self.calendar, &TimeZone::UTC);
    }

    /// Polls until so many seconds after the first Monday; `arrives` says in which slots that begin then something does.
    fn until(&mut self, end: i64, arrives: impl Fn(i64) -> bool) -> &mut Self {
        while self.now < end {
            if arrives(self.now) {
                self.window.last_arrival_at = Some(at(self.now + 1));
            }
            self.now += SLOT_SECONDS;
            self.window.last_success_at = Some(at(self.now));
            self.observe();
        }
        self
    }

    /// Seconds until silence from now on is unusual, up to a week.
    fn notices_after(&self) -> Option<i64> {
        let mut feed =
            Self { habit: self.habit.clone(), window: self.window.clone(), calendar: self.calendar.clone(), ..*self };
        (0..MAX_SLOTS)
            .find(|_| {
                let end = feed.now + SLOT_SECONDS;
                feed.until(end, |_| false);
                matches!(feed.habit.silent(), Silent::Unusual { .. })
            })
            .map(|_| feed.now - self.now)
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(MONDAY + second).unwrap()
}

/// Something every ten minutes of nine to five on weekdays.
fn office(second: i64) -> bool {
    (0..5).contains(&(second / DAY % 7)) && (9..17).contains(&(second / HOUR % 24)) && second % 600 == 0
}

fn learned() -> Watched {
    let mut feed = Watched::new(Calendar::default());
    feed.until(4 * WEEK, office);
    feed
}

#[test]
fn nothing_is_said_before_each_hour_was_seen_twice() {
    let mut feed = Watched::new(Calendar::default());
    feed.until(2 * WEEK, office);
    assert_eq!(feed.habit.silent(), Silent::Learning);
    // The first slot was seen in part.
    feed.until(2 * WEEK + 2 * SLOT_SECONDS, office);
    assert_eq!(feed.habit.silent(), Silent::Usual);
}

#[test]
fn nights_and_weekends_are_usual_and_a_silent_morning_is_not() {
    let mut feed = learned();
    feed.until(4 * WEEK + 4 * DAY + 17 * HOUR, office);
    let friday_evening = feed.notices_after().unwrap();
    // The weekend passes, and some of Monday's morning.
    let monday_at_nine = 2 * DAY + 16 * HOUR;
    assert!((monday_at_nine..monday_at_nine + 4 * HOUR).contains(&friday_evening), "{friday_evening}");
    feed.until(5 * WEEK + 10 * HOUR, office);
    let monday_at_ten = feed.notices_after().unwrap();
    assert!((HOUR / 2..4 * HOUR).contains(&monday_at_ten), "{monday_at_ten}");
}

#[test]
fn an_arrival_ends_it_at_once() {
    let mut feed = learned();
    feed.until(4 * WEEK + 2 * DAY, |_| false);
    assert!(matches!(feed.habit.silent(), Silent::Unusual { expected: 10.. }), "{:?}", feed.habit.silent());
    // Before its slot is over.
    feed.window.last_arrival_at = Some(at(feed.now + 1));
    feed.window.last_success_at = Some(at(feed.now + 2));
    feed.observe();
    assert_eq!(feed.habit.silent(), Silent::Usual);
}

#[test]
fn what_comes_twice_a_week_is_not_monitorable() {
    let mut feed = Watched::new(Calendar::default());
    feed.until(6 * WEEK, |second| matches!(second % WEEK, 36_000 | 300_000));
    assert_eq!(feed.habit.silent(), Silent::Sparse);
    feed.until(9 * WEEK, |_| false);
    assert_eq!(feed.habit.silent(), Silent::Sparse);
}

#[test]
fn a_source_is_silent_since_any_feeds_last_arrival() {
    let mut feed = learned();
    feed.until(4 * WEEK + 2 * DAY, |_| false);
    assert_eq!(feed.habit.source_silent(), feed.habit.silent());
    feed.habit.sibling_arrived();
    assert_eq!(feed.habit.source_silent(), Silent::Usual);
    assert!(matches!(feed.habit.silent(), Silent::Unusual { .. }));
}

#[test]
fn what_is_not_answered_is_not_silence() {
    let mut feed = learned();
    let before = feed.habit.clone();
    // Polled and refused: the last good answer stays where it was.
    feed.now += 2 * DAY;
    feed.observe();
    assert_eq!(feed.habit, before);
}

#[test]
fn after_an_absence_only_what_is_certain_counts() {
    // Quiet all the time: an answer at the feed's end proves it.
    let mut feed = learned();
    feed.window.last_success_at = Some(at(4 * WEEK + 2 * DAY));
    feed.observe();
    assert!(matches!(feed.habit.silent(), Silent::Unusual { .. }));
    // Something came last, and before it who knows.
    let mut feed = learned();
    let (before, gaps) = (feed.habit.seen, feed.habit.gaps.clone());
    feed.window.last_arrival_at = Some(at(4 * WEEK + 2 * DAY));
    feed.window.last_success_at = Some(at(4 * WEEK + 2 * DAY + 1));
    feed.observe();
    assert_eq!((feed.habit.seen, &feed.habit.gaps, feed.habit.silent()), (before, &gaps, Silent::Usual));
}

#[test]
fn time_that_does_not_count_is_neither_learned_nor_missed() {
    let calendar = Calendar::new(Some(calendar::tests::office()), vec![]).unwrap();
    let mut feed = Watched::new(calendar);
    feed.until(WEEK, office);
    // Ten hours of five days.
    assert_eq!(feed.habit.seen, 5 * 10 * 12);
    let before = feed.habit.clone();
    feed.until(WEEK + 6 * HOUR, |_| false);
    assert_eq!((feed.habit.seen, feed.habit.weight), (before.seen, before.weight));
}

#[test]
fn habits_change() {
    let mut feed = learned();
    // The office moves to the night.
    let nights = |second: i64| office(second + 12 * HOUR);
    feed.until(40 * WEEK, nights);
    feed.until(40 * WEEK + 22 * HOUR, nights);
    let noticed = feed.notices_after().unwrap();
    assert!(noticed < 4 * HOUR, "{noticed}");
    feed.until(40 * WEEK + DAY + 10 * HOUR, nights);
    assert!(feed.notices_after().unwrap() > 11 * HOUR);
}

#[test]
fn a_false_alarm_makes_patient_and_patience_fades() {
    let mut feed = learned();
    let before = feed.habit.bound;
    feed.until(4 * WEEK + 3 * DAY, |_| false).until(5 * WEEK, office);
    let after = feed.habit.bound;
    // At once by no more than the margin, and a little for what the alarm says of the spread.
    assert!(before < after && after < before * 1.5, "{before} to {after}");
    feed.until(20 * WEEK, office);
    assert!(feed.habit.bound < after, "{} after {after}", feed.habit.bound);
}

#[test]
fn thirty_thousand_habits_take_little_memory() {
    assert!(size_of::<Habit>() <= 440, "{}", size_of::<Habit>());
}

#[test]
fn what_is_kept_is_recalled_as_it_was() {
    let chain = samples::window().chain;
    for mut feed in [Watched::new(Calendar::default()), learned()] {
        let end = feed.now + 2 * DAY;
        feed.until(end, |_| false);
        let kept = feed.habit.keep(&chain, at(0));
        assert_eq!((kept.source.as_str(), kept.feed.as_str()), ("acme", "item_usages"));
        assert_eq!(Habit::recall(&kept), Some(feed.habit));
    }
}

#[test]
fn what_is_no_habit_is_not_recalled() {
    let sound = learned().habit.keep(&samples::window().chain, at(0));
    let broken = [
        Kept { arrived: vec![0; 167].into(), ..sound.clone() },
        Kept { seen: vec![0; 168].into(), ..sound.clone() },
        Kept { seen: vec![255; 168].into(), ..sound.clone() },
        Kept { slots_seen: LEARNED + 1, ..sound.clone() },
        Kept { until_older: 0, ..sound.clone() },
        Kept { weight: f32::NAN, ..sound.clone() },
        Kept { gap_heaviest: -1.0, ..sound.clone() },
        Kept::default(),
    ];
    for kept in broken {
        assert_eq!(Habit::recall(&kept), None, "{kept:?}");
    }
}
