use jiff::SignedDuration;

use super::*;
use crate::verdict::{
    Outcome, judge, poll,
    samples::{at, refused, window},
};

const DAY: i64 = 24 * 60 * 60;

/// A chain whose newest proof is from just before `now`, with the last arrival at 300.
fn polled_until(now: i64) -> ChainWindow {
    ChainWindow { polled_at: at(now - 1), next_poll_at: at(now + 59), last_success_at: Some(at(now - 1)), ..window() }
}

fn check(window: &ChainWindow, now: i64, policy: &Policy, expect: DropOff) {
    assert_eq!(judge(window, at(-DAY), at(now), policy).drop_off, expect, "at {now} for {window:?}");
}

fn after(minutes: i64) -> Policy {
    Policy::new(Some(SignedDuration::from_mins(minutes))).unwrap()
}

#[test]
fn rule_1_who_does_not_ask_is_not_told() {
    check(&polled_until(300 + 90 * DAY), 300 + 90 * DAY, &Policy::new(None).unwrap(), DropOff::InsufficientData);
}

#[test]
fn rule_2_dead_refused_and_unknown_chains_say_nothing() {
    let now = 300 + 3 * DAY;
    let dead = window();
    assert_eq!(poll(&dead, at(0), at(now)).as_str(), "dead");
    check(&dead, now, &Policy::default(), DropOff::InsufficientData);
    assert_eq!(judge(&dead, at(now), at(now), &Policy::default()).drop_off, DropOff::InsufficientData);
    for reason in ["unauthorized", "timeout"] {
        let refused = ChainWindow { outcome: refused(reason, 1).outcome, ..polled_until(now) };
        check(&refused, now, &Policy::default(), DropOff::InsufficientData);
    }
}

#[test]
fn rule_3_silence_counts_from_the_last_arrival() {
    let alarm = DropOff::Alarm { since: at(300) };
    for (policy, now, expect) in [
        (Policy::default(), 300 + DAY, DropOff::Ok),
        (Policy::default(), 301 + DAY, alarm),
        (after(15), 300 + 900, DropOff::Ok),
        (after(15), 301 + 900, alarm),
        (after(30 * 24 * 60), 301 + 29 * DAY, DropOff::Ok),
        (after(30 * 24 * 60), 301 + 30 * DAY, alarm),
    ] {
        check(&polled_until(now), now, &policy, expect);
    }
}

#[test]
fn rule_3_a_feed_that_never_brought_anything_counts_from_its_first_poll() {
    let never = |now| ChainWindow { last_arrival_at: None, ..polled_until(now) };
    check(&never(DAY + 1), DAY + 1, &Policy::default(), DropOff::Alarm { since: at(0) });
    // Rule 5.
    check(&never(DAY), DAY, &Policy::default(), DropOff::InsufficientData);
}

#[test]
fn rule_4_arrivals_are_well() {
    check(&window(), 650, &after(15), DropOff::Ok);
    check(
        &ChainWindow { outcome: Outcome::Active, last_arrival_at: Some(at(600)), ..window() },
        650,
        &after(15),
        DropOff::Ok,
    );
}

#[test]
fn a_clock_that_is_behind_harms_nothing() {
    check(&window(), -5_000, &after(15), DropOff::Ok);
}
