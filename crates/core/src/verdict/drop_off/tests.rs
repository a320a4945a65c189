use std::sync::Arc;

use jiff::SignedDuration;

use super::*;
use crate::verdict::{
    Calendar, Outcome, Watch, calendar, judge, poll,
    samples::{at, refused, window},
};

const DAY: i64 = 24 * 60 * 60;

/// A chain whose newest proof is from just before `now`, with the last arrival at 300.
fn polled_until(now: i64) -> ChainWindow {
    ChainWindow { polled_at: at(now - 1), next_poll_at: at(now + 59), last_success_at: Some(at(now - 1)), ..window() }
}

fn check(window: &ChainWindow, now: i64, policy: &Policy, expect: DropOff) {
    assert_eq!(
        judge(window, None, Watch::since(at(-DAY)), at(now), policy).drop_off,
        expect,
        "at {now} for {window:?}"
    );
}

/// A threshold of `minutes`, and a day for the first arrival.
fn after(minutes: i64) -> Policy {
    within(minutes, Calendar::default())
}

fn within(minutes: i64, calendar: Calendar) -> Policy {
    let silence = Silence::new(SignedDuration::from_mins(minutes), Silence::DEFAULT, Arc::new(calendar));
    Policy { drop_off: Some(silence.unwrap()) }
}

#[test]
fn rule_1_without_a_threshold_nothing_is_said() {
    let never = Policy { drop_off: None };
    check(&polled_until(100 * DAY), 100 * DAY, &never, DropOff::InsufficientData);
}

#[test]
fn rule_2_what_is_not_polled_or_refused_is_no_drop_off() {
    let policy = after(15);
    check(&window(), 100 * DAY, &policy, DropOff::InsufficientData);
    check(&refused("unauthorized", 9), 650, &policy, DropOff::InsufficientData);
    let window = polled_until(100 * DAY);
    let unknown = poll(&window, Watch::since(at(101 * DAY)), at(101 * DAY));
    assert_eq!(drop_off(&window, None, &unknown, at(101 * DAY), &policy), DropOff::InsufficientData);
}

#[test]
fn rule_3_a_first_arrival_has_a_limit_of_its_own() {
    let empty = |now| ChainWindow { last_arrival_at: None, ..polled_until(now) };
    check(&empty(DAY), DAY, &after(15), DropOff::InsufficientData);
    check(&empty(DAY + 1), DAY + 1, &after(15), DropOff::NeverBegan { since: at(0) });
}

#[test]
fn rule_4_silence_beyond_the_threshold_is_an_alarm() {
    let policy = after(15);
    check(&polled_until(300 + 900), 300 + 900, &policy, DropOff::Ok);
    check(&polled_until(300 + 901), 300 + 901, &policy, DropOff::Alarm { since: at(300) });
    // An active feed's arrivals may all be old: the verdict goes by their time.
    let active = ChainWindow { outcome: Outcome::Active, ..polled_until(DAY) };
    check(&active, DAY, &policy, DropOff::Alarm { since: at(300) });
}

#[test]
fn rule_5_what_arrives_is_ok() {
    check(&polled_until(301), 301, &after(15), DropOff::Ok);
    // Clocks of several machines differ.
    check(&polled_until(299), 299, &after(15), DropOff::Ok);
}

#[test]
fn only_time_that_counts_is_silence() {
    // The time line's second 0 is Tuesday 2023-11-14T22:13:20Z: the next hours of business begin on Wednesday at 07:00Z.
    let calendar = Calendar::new(Some(calendar::tests::office()), vec![]).unwrap();
    let policy = within(60, calendar);
    let opening = 31_600;
    check(&polled_until(opening + 3_600), opening + 3_600, &policy, DropOff::Ok);
    check(&polled_until(opening + 3_601), opening + 3_601, &policy, DropOff::Alarm { since: at(300) });
    // Maintenance in the first of them.
    let maintenance = calendar::Maintenance { from: at(0), until: at(opening + 1_800) };
    let calendar = Calendar::new(Some(calendar::tests::office()), vec![maintenance]).unwrap();
    let policy = within(60, calendar);
    check(&polled_until(opening + 5_400), opening + 5_400, &policy, DropOff::Ok);
    check(&polled_until(opening + 5_401), opening + 5_401, &policy, DropOff::Alarm { since: at(300) });
}

/// A source of feeds with these arrivals, all polled at `now` but for those that are refused.
fn source(feeds: &[(Option<i64>, bool)], now: i64, policy: &Policy, expect: DropOff) {
    let windows: Vec<_> = feeds
        .iter()
        .map(|(arrival, answered)| {
            let window = if *answered { polled_until(now) } else { refused("unauthorized", 9) };
            let next_poll_at = at(now + 60);
            let window = ChainWindow { last_arrival_at: arrival.map(at), next_poll_at, ..window };
            let poll = poll(&window, Watch::since(at(-DAY)), at(now));
            (window, poll)
        })
        .collect();
    let verdict = source_drop_off(windows.iter().map(|(window, poll)| (window, None, poll)), at(now), policy);
    assert_eq!(verdict, expect, "{feeds:?} at {now}");
}

#[test]
fn a_sources_silence_is_that_of_its_least_silent_feed() {
    let hour = after(60);
    let (now, just, long_ago) = (DAY, Some(DAY - 60), Some(300));
    let [fed, silent, empty] = [(just, true), (long_ago, true), (None, true)];
    let [fed_once, unanswered] = [(just, false), (long_ago, false)];
    // Rule 1.
    source(&[silent, silent], now, &Policy { drop_off: None }, DropOff::InsufficientData);
    source(&[], now, &hour, DropOff::InsufficientData);
    // Rule 2.
    source(&[silent, fed, empty], now, &hour, DropOff::Ok);
    source(&[fed, unanswered], now, &hour, DropOff::Ok);
    source(&[silent, fed_once], now, &hour, DropOff::Ok);
    // Rule 3.
    source(&[silent, unanswered], now, &hour, DropOff::InsufficientData);
    // Rules 4 and 5.
    source(&[silent, silent, empty], now, &hour, DropOff::Alarm { since: at(300) });
    source(&[silent, (Some(900), true)], now, &hour, DropOff::Alarm { since: at(900) });
    source(&[empty, empty], now, &hour, DropOff::InsufficientData);
    source(&[empty, empty], now + 1, &hour, DropOff::NeverBegan { since: at(0) });
}

#[test]
fn habits_outweigh_the_threshold_once_they_are_learned() {
    let Some(silence) = after(60).drop_off else { unreachable!() };
    let adaptive = silence.clone().adaptive(jiff::tz::TimeZone::UTC);
    let check = |silence: &Silence, habits: &[Silent], minutes: i64, expect: DropOff| {
        let said = silence.ask(habits.iter().copied());
        let now = at(minutes * 60);
        assert_eq!(silence.judge(Some(at(0)), at(0), said, now), expect, "{habits:?} after {minutes} min");
    };
    let (alarm, unusual) = (DropOff::Alarm { since: at(0) }, DropOff::Unusual { since: at(0), expected: 9 });
    let (missed, less) = (Silent::Unusual { expected: 9 }, Silent::Unusual { expected: 5 });
    for (habits, minutes, expect) in [
        (&[][..], 60, DropOff::Ok),
        (&[], 61, alarm),
        (&[Silent::Sparse], 60, DropOff::Ok),
        (&[Silent::Sparse], 61, alarm),
        // What was raised before a restart is over when something arrives.
        (&[Silent::Learning], 15, DropOff::Ok),
        (&[Silent::Learning], 16, DropOff::InsufficientData),
        (&[Silent::Learning], 61, alarm),
        (&[Silent::Usual], 9_999, DropOff::Ok),
        (&[missed], 16, unusual),
        // Of a source's feeds, the one that misses most.
        (&[less, Silent::Learning, missed], 16, unusual),
        (&[Silent::Usual, Silent::Sparse, Silent::Learning], 9_999, DropOff::Ok),
    ] {
        check(&adaptive, habits, minutes, expect);
    }
    // Habits have no say where nobody has asked for them.
    check(&silence, &[missed], 60, DropOff::Ok);
}
