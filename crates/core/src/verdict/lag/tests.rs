use super::*;
use crate::verdict::samples::{KEPT, at, look};

fn window(looks: impl IntoIterator<Item = Look>) -> Window {
    looks.into_iter().collect()
}

/// Looks half a minute apart from 0 on, each with its floor and what was never given to the reader.
fn course(looks: &[(u64, u64)]) -> Window {
    let look = |(index, (floor, pending)): (usize, &(u64, u64))| Look {
        floor: *floor,
        delivered: *floor,
        pending: *pending,
        ack_pending: 0,
        last: floor + pending,
        ..look(i64::try_from(index).unwrap() * 30)
    };
    window(looks.iter().enumerate().map(look))
}

fn check(window: &Window, now: i64, expect: Pace) {
    assert_eq!(window.pace(at(now), Patience::default()), expect, "at {now}: {window:?}");
}

/// A course of `count` looks from this one on.
fn steps(count: u64, step: impl Fn(u64) -> (u64, u64)) -> Vec<(u64, u64)> {
    (0..count).map(step).collect()
}

#[test]
fn rule_0_without_a_look_nothing_is_said() {
    let empty = Window::default();
    check(&empty, 0, Pace::InsufficientData);
    assert_eq!(empty.stuck(at(0), Patience::default()), Stuck::InsufficientData);
    assert_eq!(empty.eviction(at(0), Patience::default()), Eviction::InsufficientData);
}

#[test]
fn rule_1_a_reader_that_was_done_once_is_ok() {
    let mut looks = steps(20, |step| (100 + step, 10 + step));
    looks[7].1 = 0;
    check(&course(&looks), 600, Pace::Ok);
    // Also one that stands still since: it may be the first message for hours.
    check(&course(&[(100, 0), (100, 5)]), 30, Pace::Ok);
}

#[test]
fn rule_2_a_position_that_goes_back_is_told() {
    check(&course(&[(100, 5), (102, 5), (40, 67), (41, 66)]), 90, Pace::SetBack { at: at(60), from: 102, to: 40 });
}

#[test]
fn rule_3_a_reader_with_work_that_does_not_move() {
    let still = |waiting, open| {
        let look = |step: i64| Look {
            waiting,
            ack_pending: open,
            oldest_at: Some(at(-100)),
            moved_at: None,
            ..look(step * 30)
        };
        window((0..=10).map(look))
    };
    check(&still(Some(0), 0), 299, Pace::Ok);
    check(&still(Some(0), 0), 300, Pace::Stopped { since: at(0) });
    check(&still(Some(2), 5), 300, Pace::Stalled { since: at(0) });
    // What a dead process has left open is no sign of life.
    check(&still(Some(0), 5), 300, Pace::Stopped { since: at(0) });
    // A sink is not seen to pull.
    check(&still(None, 0), 300, Pace::Stopped { since: at(0) });
}

#[test]
fn rule_3_needs_no_window_where_the_server_remembers() {
    let first = |moved, oldest| {
        window([Look { moved_at: Some(at(moved)), oldest_at: Some(at(oldest)), waiting: Some(0), ..look(0) }])
    };
    check(&first(-400, -500), 0, Pace::Stopped { since: at(-400) });
    check(&first(-200, -500), 0, Pace::Ok);
    // It had nothing to do before.
    check(&first(-4_000, -200), 0, Pace::Ok);
    check(&first(-4_000, -301), 0, Pace::Stopped { since: at(-301) });
}

#[test]
fn rule_4_a_message_that_waits_for_an_hour() {
    let waits = |seconds: i64| {
        let look =
            |step: i64| Look { oldest_at: Some(at(-seconds)), floor: 90 + step.unsigned_abs(), ..look(step * 30) };
        window((0..2).map(look))
    };
    check(&waits(3_500), 30, Pace::Ok);
    check(&waits(3_570), 30, Pace::Behind { since: at(-3_570) });
}

#[test]
fn rule_5_holds_however_often_somebody_looks() {
    let falls_behind = |step: u64| {
        let at = at(0) + SignedDuration::from_millis(500) * i32::try_from(step).unwrap();
        Look { at, moved_at: Some(at), floor: 90 + step, pending: 5 + step, ..look(0) }
    };
    let mut window = Window::default();
    for step in 0..1_201 {
        window.add(falls_behind(step), KEPT);
    }
    check(&window, 600, Pace::Behind { since: at(0) });
    // Who keeps looks for a shorter time has an answer sooner.
    let quick = Patience { window: SignedDuration::from_secs(10), ..Patience::default() };
    let short: Window = (0..=16).map(falls_behind).collect();
    assert_eq!(short.pace(at(8), quick), Pace::Behind { since: at(0) });
    assert_eq!(short.pace(at(8), Patience::default()), Pace::Ok);
}

#[test]
fn rule_5_a_reader_that_works_and_falls_behind() {
    check(&course(&steps(17, |step| (100 + step, 10 + step))), 480, Pace::Behind { since: at(0) });
    // Also if it holds its own now and then.
    check(&course(&steps(17, |step| (100 + step, 10 + step / 3))), 480, Pace::Behind { since: at(0) });
    // The window is not full; it has got better once; it holds its own throughout.
    check(&course(&steps(16, |step| (100 + step, 10 + step))), 450, Pace::Ok);
    let mut better = steps(17, |step| (100 + step, 10 + step));
    better[9].1 -= 3;
    check(&course(&better), 480, Pace::Ok);
    check(&course(&steps(17, |step| (100 + step, 10))), 480, Pace::Ok);
}

#[test]
fn deliveries_that_are_never_answered() {
    let stuck = |looks: Vec<Look>, now| window(looks).stuck(at(now), Patience::default());
    let full = |second| Look { ack_pending: 256, ..look(second) };
    assert_eq!(stuck(vec![full(0)], 0), Stuck::InsufficientData);
    assert_eq!(stuck(vec![full(0), full(30)], 30), Stuck::AckPending { open: 256 });
    // It may go on standing where it stands.
    assert_eq!(stuck(vec![full(0), look(30)], 30), Stuck::InsufficientData);
    assert_eq!(stuck(vec![full(0), Look { floor: 91, ..look(30) }], 30), Stuck::No);
    assert_eq!(stuck(vec![Look { ack_pending: 0, delivered: 90, ..look(0) }], 0), Stuck::No);

    // One message comes again and again while others pass.
    let passing =
        |redelivered| move |step: i64| Look { delivered: 95 + step.unsigned_abs(), redelivered, ..look(step * 30) };
    let looks: Vec<_> = (0..=16).map(passing(1)).collect();
    assert_eq!(stuck(looks.clone(), 480), Stuck::Floor { since: at(0), sequence: 91 });
    assert_eq!(stuck(looks[..16].to_vec(), 450), Stuck::InsufficientData);
    // Slow is not stuck, and what stands altogether is the pace's matter.
    assert_eq!(stuck((0..=16).map(passing(0)).collect(), 480), Stuck::No);
    assert_eq!(stuck((0..=16).map(|step| Look { redelivered: 1, ..look(step * 30) }).collect(), 480), Stuck::No);
}

#[test]
fn unread_messages_that_leave_the_stream() {
    let day = 24 * 3_600;
    let waits = |days: i64, second| Look { oldest_at: Some(at(-days * day)), ..look(second) };
    assert_eq!(window([waits(5, 0)]).eviction(at(0), Patience::default()), Eviction::No);
    assert_eq!(window([waits(6, 0)]).eviction(at(0), Patience::default()), Eviction::Near { at: at(day) });
    let for_ever = Look { max_age: None, ..waits(99, 0) };
    assert_eq!(window([for_ever]).eviction(at(0), Patience::default()), Eviction::No);
    // A consumer that was never at what the stream has lost.
    let behind = Look { first: 95, ..waits(1, 0) };
    assert_eq!(window([behind]).eviction(at(0), Patience::default()), Eviction::Evicted { at: at(0), messages: 4 });
    // The server moves the floor over what is gone.
    let skipped = Look { first: 99, floor: 98, ..waits(1, 30) };
    let mut lost = window([waits(7, 0), skipped]);
    assert_eq!(lost.eviction(at(30), Patience::default()), Eviction::Evicted { at: at(30), messages: 8 });
    // What is counted is counted once, and told for a day.
    lost.add(Look { first: 101, floor: 98, ..waits(1, 60) }, KEPT);
    assert_eq!(lost.eviction(at(60), Patience::default()), Eviction::Evicted { at: at(60), messages: 10 });
    lost.add(Look { first: 101, floor: 98, ..waits(1, 90) }, KEPT);
    assert_eq!(lost.eviction(at(60 + day - 1), Patience::default()), Eviction::Evicted { at: at(60), messages: 10 });
    assert_eq!(lost.eviction(at(60 + day), Patience::default()), Eviction::No);
}

#[test]
fn a_loss_is_of_its_stream_and_its_time() {
    let lost = || window([look(0), Look { first: 96, ..look(30) }]);
    let evicted = |window: &Window, now| window.eviction(at(now), Patience::default());
    assert_eq!(evicted(&lost(), 30), Eviction::Evicted { at: at(30), messages: 5 });
    // The stream is made anew, and begins to count anew.
    let mut anew = lost();
    let begins = Look { last: 3, floor: 0, delivered: 0, ..look(60) };
    anew.add(begins, KEPT);
    assert_eq!(evicted(&anew, 60), Eviction::No);
    anew.add(Look { at: at(90), first: 3, ..begins }, KEPT);
    assert_eq!(evicted(&anew, 90), Eviction::Evicted { at: at(90), messages: 2 });
    // What was told is over: the next loss is counted alone, and what was counted is not counted again.
    let day = 24 * 3_600;
    for (later, messages) in [(day - 1, 7), (day, 2)] {
        let mut again = lost();
        again.settle(Patience::default().loss_is_told_for, at(30 + later));
        again.add(Look { first: 98, ..look(30 + later) }, KEPT);
        assert_eq!(evicted(&again, 30 + later), Eviction::Evicted { at: at(30 + later), messages });
    }
}

#[test]
fn reading_to_the_end_before_messages_go_is_no_loss() {
    // Idle for a week: the stream is empty, and everything was done.
    let empty =
        Look { first: 101, floor: 100, delivered: 100, pending: 0, ack_pending: 0, oldest_at: None, ..look(30) };
    let idle = window([Look { at: at(0), first: 50, ..empty }, empty]);
    assert_eq!(idle.eviction(at(30), Patience::default()), Eviction::No);
    assert_eq!(idle.pace(at(30), Patience::default()), Pace::Ok);
    // A reader that begins in the middle of a stream's life begins at its first message.
    let begins = Look { first: 5_000, floor: 4_999, ..look(0) };
    assert_eq!(window([begins]).eviction(at(0), Patience::default()), Eviction::No);
}

#[test]
fn duties_that_nobody_asks_for() {
    let asleep = |step: i64| Look {
        asleep: 7,
        pending: 0,
        ack_pending: 0,
        waiting: Some(0),
        oldest_at: None,
        ..look(step * 30)
    };
    let unattended = |looks: Vec<Look>, now| window(looks).unattended_since(at(now), Patience::default());
    let alone: Vec<_> = (0..=10).map(asleep).collect();
    assert_eq!(unattended(alone.clone(), 299), None);
    assert_eq!(unattended(alone.clone(), 300), Some(at(0)));
    // Somebody was there in between, or has taken one up.
    let with = |change: fn(&mut Look)| {
        let mut looks = alone.clone();
        change(&mut looks[4]);
        unattended(looks, 300)
    };
    assert_eq!(with(|look| look.waiting = Some(1)), None);
    assert_eq!(with(|look| look.given = None), None);
    // There are none.
    assert_eq!(unattended((0..=10).map(|step| Look { asleep: 0, ..asleep(step) }).collect(), 300), None);
    // While nobody looked, nobody was to ask: the line was stopped.
    let apart = |second| vec![asleep(0), Look { at: at(second), ..asleep(0) }];
    assert_eq!(unattended(apart(120), 300), Some(at(0)));
    assert_eq!(unattended(apart(121), 420), None);
    assert_eq!(unattended(apart(121), 421), Some(at(121)));
    // However patient somebody is, a window reaches back no further.
    let patient = Patience { stands_still: SignedDuration::from_hours(9), ..Patience::default() };
    let long: Window = (0..=16).map(asleep).collect();
    assert_eq!(long.unattended_since(at(479), patient), None);
    assert_eq!(long.unattended_since(at(480), patient), Some(at(0)));
}

#[test]
fn what_was_never_read_leaves_the_stream_at_a_known_time() {
    let day = 24 * 3_600;
    assert_eq!(window([look(0), look(30)]).evicts_at(), Some(at(20 + 7 * day)));
    // Who was done once has nothing to lose.
    let done = Look { pending: 0, ack_pending: 0, ..look(0) };
    assert_eq!(window([done, look(30)]).evicts_at(), None);
    assert_eq!(window([Look { max_age: None, ..look(0) }]).evicts_at(), None);
}
