use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { per_minute: 600, per_hour: 30_000 };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// Takes until nothing is left; how much that was, and how long to wait then.
fn drain(budget: &mut Budget, work: Work, now: Timestamp) -> (u32, Duration) {
    let mut total = 0;
    loop {
        match budget.take(LIMITS, work, MAX_GRANT, now) {
            Ok(granted) => total += granted,
            Err(wait) => break (total, wait),
        }
    }
}

#[test]
fn what_is_less_urgent_leaves_something_to_what_is_more() {
    let mut budget = Budget::default();
    assert_eq!(drain(&mut budget, Work::Audit, at(0)).0, 300);
    assert_eq!(drain(&mut budget, Work::Backfill, at(0)).0, 150);
    assert_eq!(drain(&mut budget, Work::Audit, at(0)).0, 0);
    let (live, wait) = drain(&mut budget, Work::Live, at(0));
    assert_eq!(live, 150);
    // A minute, the time in which the last may still be spent, and the rest of a slot.
    assert!((65..=68).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(drain(&mut budget, Work::Live, at(0) + SignedDuration::try_from(wait).unwrap()).0, 600);
}

#[test]
fn the_hour_binds_after_fifty_minutes() {
    let mut budget = Budget::default();
    let total: u32 = (0..3_590).map(|second| drain(&mut budget, Work::Live, at(second)).0).sum();
    assert_eq!(total, LIMITS.per_hour);
    let (none, wait) = drain(&mut budget, Work::Live, at(3_590));
    assert!(none == 0 && wait < Duration::from_mins(3), "{wait:?}");
}

#[test]
fn a_429_lowers_the_level_at_once_and_an_hour_raises_it_again() {
    let mut budget = Budget::default();
    budget.refused(None, at(0));
    // One refusal, however many requests were under way.
    budget.refused(None, at(3));
    assert_eq!(budget.level(at(3)), 500);
    assert_eq!(drain(&mut budget, Work::Live, at(3)).0, 0);
    assert!((300..=305).contains(&drain(&mut budget, Work::Live, at(9)).0));
    budget.refused(None, at(20));
    assert!((250..=255).contains(&budget.level(at(20))));
    for again in 1..10 {
        budget.refused(None, at(20 + 15 * again));
    }
    assert!(budget.level(at(155)) < 60);
    assert_eq!(budget.level(at(155 + 3_600)), 1000);
}

#[test]
fn a_long_retry_after_stops_the_past_and_not_the_present() {
    let mut budget = Budget::default();
    budget.refused(Some(Duration::from_mins(20)), at(0));
    assert_eq!(budget.take(LIMITS, Work::Live, 1, at(1)), Err(Duration::from_secs(29)));
    assert_eq!(budget.take(LIMITS, Work::Live, 1, at(30)), Ok(1));
    assert_eq!(budget.take(LIMITS, Work::Audit, 1, at(30)), Err(Duration::from_secs(1_170)));
    assert_eq!(budget.take(LIMITS, Work::Backfill, 1, at(1_200)), Ok(1));
}

#[test]
fn clocks_that_differ_neither_block_nor_forget() {
    let mut budget = Budget::default();
    assert_eq!(drain(&mut budget, Work::Live, at(10)).0, 600);
    // Behind by some seconds: it still counts.
    assert_eq!(drain(&mut budget, Work::Live, at(0)).0, 0);
    // One that was a day ahead.
    let mut budget = Budget::default();
    drain(&mut budget, Work::Live, at(86_400));
    assert_eq!(drain(&mut budget, Work::Live, at(0)).0, 600);
}

#[test]
fn keys_tell_accounts_apart_and_nothing_else() {
    assert_eq!(AccountKey::of_account("abc"), AccountKey::of_account("ABC"));
    assert_ne!(AccountKey::of_account("ABC"), AccountKey::of_token("ABC"));
    assert_eq!(AccountKey::of_token("t").as_str().len(), 32);
}

proptest! {
    /// Whoever takes when: no minute and no hour has more than its limit, even if all is spent as late as it may be.
    #[test]
    fn no_stretch_has_more_than_its_limit(
        steps in prop::collection::vec((0_i64..40, 1_u32..40, prop::sample::select(&[Work::Live, Work::Backfill, Work::Audit][..])), 1..200)
    ) {
        let limits = Limits { per_minute: 60, per_hour: 400 };
        let (mut budget, mut now, mut taken) = (Budget::default(), 0, Vec::new());
        for (pause, want, work) in steps {
            now += pause;
            // It travels over the wire between any two.
            budget = Budget::read(&budget.write());
            match budget.take(limits, work, want, at(now)) {
                Ok(granted) => taken.push((now, granted)),
                Err(wait) => prop_assert!(wait > Duration::ZERO && wait <= Duration::from_mins(62)),
            }
        }
        for (length, limit) in [(60, 60), (3_600, 400)] {
            for (from, _) in &taken {
                // Taken up to a lifetime before, spent inside.
                let inside = *from..=from + length + 5;
                let sum: u32 = taken.iter().filter(|(when, _)| inside.contains(when)).map(|(_, granted)| granted).sum();
                prop_assert!(sum <= limit, "{sum} in {length} s");
            }
        }
    }
}
