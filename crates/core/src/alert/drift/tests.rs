use super::*;
use crate::verdict::samples::{at, window};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// At `second`, with everything normalized.
fn moment(second: i64) -> Moment {
    Moment { now: at(second), watched_since: at(-9_000), normalized_until: Some(at(second)), settles_after: HOUR }
}

/// Changes with the seconds in which they were first and last met.
fn report(changes: &[(change::Kind, &str, i64, i64)]) -> Drift {
    let nano = |second: i64| instant::to_unix_nano(at(second));
    let change = |(kind, path, first, last): &(change::Kind, &str, i64, i64)| Change {
        kind: (*kind).into(),
        path: (*path).into(),
        first_unix_nano: nano(*first),
        last_unix_nano: nano(*last),
        ..Change::default()
    };
    Drift {
        first_unix_nano: changes.iter().map(|(_, _, first, _)| nano(*first)).min().unwrap_or_default(),
        last_unix_nano: changes.iter().map(|(.., last)| nano(*last)).max().unwrap_or_default(),
        changes: changes.iter().map(change).collect(),
        ..Drift::default()
    }
}

fn read(changes: &[(change::Kind, &str, i64, i64)]) -> Drifting {
    Drifting::read(&report(changes), HOUR)
}

/// A new field, met in these seconds.
fn field(first: i64, last: i64) -> Drifting {
    read(&[(change::Kind::Field, "$.zone", first, last)])
}

#[test]
fn the_heaviest_change_says_how_much_it_matters() {
    let alarm = field(0, 200).alarm(&window());
    assert_eq!((alarm.severity, alarm.reason.as_ref(), alarm.since), (Severity::Info, "field", at(0)));
    assert_eq!(alarm.summary, "Events of item_usages of Acme differ from their schema: the new field $.zone.");
    let changes = |last| {
        read(&[
            (change::Kind::Field, "$.a", 60, last),
            (change::Kind::Field, "$.b", 60, 60),
            (change::Kind::Field, "$.zone", 0, 60),
            (change::Kind::Type, "$.count", 60, 60),
            (change::Kind::Value, "$.action", 60, 60),
        ])
    };
    let alarm = changes(3_659).alarm(&window());
    assert_eq!((alarm.severity, alarm.reason.as_ref(), alarm.since), (Severity::Warning, "type", at(0)));
    let named = "another type of $.count, new values of $.action, the new field $.a and 2 more.";
    assert!(alarm.summary.ends_with(named), "{}", alarm.summary);
    // What others were met without for an hour matters no longer.
    let alarm = changes(3_660).alarm(&window());
    assert_eq!((alarm.reason.as_ref(), alarm.since), ("field", at(60)));
}

#[test]
fn it_forms_for_two_minutes() {
    let stage = |watched_since, second, settles_after| {
        let settles_after = SignedDuration::from_secs(settles_after);
        field(0, second).stage(Moment { watched_since: at(watched_since), settles_after, ..moment(second) })
    };
    assert_eq!(
        [0, 119, 120].map(|second| stage(-9_000, second, 3_600)),
        [Stage::Forming, Stage::Forming, Stage::Standing]
    );
    // Who has just begun to watch has not read of all the others.
    assert_eq!([1_119, 1_120].map(|second| stage(1_000, second, 3_600)), [Stage::Forming, Stage::Standing]);
    // Whoever settles sooner waits less, so that what is met once is told of too.
    assert_eq!([1, 2].map(|second| stage(-9_000, second, 3)), [Stage::Forming, Stage::Standing]);
}

#[test]
fn it_is_over_when_events_were_normalized_without_it() {
    let stage = |arrivals: &[i64], normalized_until: Option<i64>, now| {
        let mut drifting = field(-500, 0);
        for second in arrivals {
            drifting.arrived(at(*second));
        }
        drifting.stage(Moment { normalized_until: normalized_until.map(at), ..moment(now) })
    };
    for (arrivals, normalized_until, now, expect) in [
        (&[3_000][..], Some(3_599), 3_599, Stage::Standing),
        (&[3_000], Some(3_600), 3_600, Stage::Over),
        // Nothing has come since, or so lately that its report may be on its way.
        (&[], Some(3_600), 3_600, Stage::Unsure),
        (&[0], Some(90_000), 90_000, Stage::Unsure),
        (&[3_500], Some(3_600), 3_600, Stage::Unsure),
        (&[3_500, 3_600, 3_619], Some(3_620), 3_620, Stage::Over),
        // What has come waits for a normalizer, or nobody knows whether it does.
        (&[3_000], Some(2_999), 9_000, Stage::Unread),
        (&[3_000], Some(3_599), 9_000, Stage::Unread),
        (&[3_000], Some(3_600), 9_000, Stage::Over),
        (&[3_000], None, 9_000, Stage::Unread),
        // A reader whose clock is ahead has not read the future.
        (&[3_590], Some(9_000), 3_600, Stage::Unsure),
    ] {
        assert_eq!(stage(arrivals, normalized_until, now), expect, "{arrivals:?} {normalized_until:?} {now}");
    }
}

#[test]
fn many_sources_are_one_cause() {
    let drifting: Vec<_> = (0..4).map(|second| field(second, second)).collect();
    let find = |count: usize, unknown, raised| {
        let differ: Vec<_> = drifting.iter().take(count).collect();
        find_common("OnePassword.ItemUsage", &differ, unknown, raised)
    };
    assert_eq!(find(0, 0, true), Finding::Clear);
    assert_eq!(find(3, 0, false), Finding::Clear);
    assert_eq!(find(1, 0, true), Finding::Clear);
    assert!(matches!(find(2, 0, true), Finding::Alarm(_)));
    // Of some it is not known, which ends nothing and begins nothing.
    assert_eq!(find(1, 1, true), Finding::Unsure);
    assert_eq!(find(0, 1, true), Finding::Clear);
    assert_eq!(find(3, 9, false), Finding::Clear);
    let Finding::Alarm(alarm) = find(4, 0, false) else { panic!("four sources have no cause in common") };
    assert_eq!(alarm.since, at(0));
    let summary = "OnePassword.ItemUsage of 4 sources differs from its schema, such as by the new field $.zone.";
    assert_eq!(alarm.summary, summary);
}
