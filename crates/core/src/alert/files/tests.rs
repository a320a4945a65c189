use latchkey_contracts::alert::alert::Severity;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn in_use(since: i64) -> Standing {
    Standing::InUse { since: at(since) }
}

fn refused(since: i64) -> Standing {
    Standing::Refused { since: at(since), reason: "door.yml:3: fields[a].type: is missing".into() }
}

/// Lets an alert live through what normalizers say at moments; its transitions as `+1` and `-1` with their generations.
fn check(said: &[(i64, Standing)], expect: &[&str]) {
    let mut last: Option<Alert> = None;
    let mut told = Vec::new();
    for (now, standing) in said {
        if let Some(alert) = transition(last.as_ref(), Files::Schemas, standing, at(*now)) {
            told.push(format!("{}{}", if is_raised(&alert) { '+' } else { '-' }, alert.generation));
            last = Some(alert);
        }
    }
    assert_eq!(told, expect, "{said:?}");
}

#[test]
fn any_number_of_normalizers_raise_and_resolve_once() {
    check(&[(5, in_use(1)), (6, in_use(2))], &[]);
    check(&[(10, refused(10)), (20, refused(20)), (30, refused(10))], &["+1"]);
    // Another normalizer has not looked yet: what it loaded before the raise proves nothing.
    check(&[(10, refused(10)), (11, in_use(1)), (12, in_use(10))], &["+1"]);
    check(&[(10, refused(10)), (20, in_use(20)), (21, in_use(21))], &["+1", "-1"]);
    // Another has not seen the repair yet.
    check(&[(10, refused(10)), (20, in_use(20)), (21, refused(15)), (50, in_use(50))], &["+1", "-1"]);
    // Another fault after the repair.
    check(&[(10, refused(10)), (20, in_use(20)), (40, refused(40)), (50, in_use(50))], &["+1", "-1", "+2", "-2"]);
    // The repair never reaches one of them.
    check(&[(10, refused(10)), (20, in_use(20)), (319, refused(15)), (320, refused(15))], &["+1", "-1", "+2"]);
}

#[test]
fn a_transition_says_everything() {
    let raised = transition(None, Files::Schemas, &refused(10), at(12)).unwrap();
    let expect = Alert {
        kind: "schemas_refused".into(),
        code: "LK203".into(),
        severity: Severity::Warning.into(),
        state: State::Raised.into(),
        change: Change::Raised.into(),
        since_unix_nano: 10_000_000_000,
        judged_at_unix_nano: 12_000_000_000,
        told_at_unix_nano: 12_000_000_000,
        summary: "New schemas are refused since 1970-01-01T00:00:10Z, and the ones before stay in use: \
                  door.yml:3: fields[a].type: is missing"
            .into(),
        next_step: Files::Schemas.next_step().into(),
        generation: 1,
        ..Alert::default()
    };
    assert_eq!(raised, expect);

    let resolved = transition(Some(&raised), Files::Schemas, &in_use(20), at(21)).unwrap();
    let expect = Alert {
        state: State::Resolved.into(),
        change: Change::Resolved.into(),
        judged_at_unix_nano: 21_000_000_000,
        told_at_unix_nano: 21_000_000_000,
        summary: "The newest schemas are in use again.".into(),
        next_step: String::new(),
        ..expect
    };
    assert_eq!(resolved, expect);
}

#[test]
fn a_reason_is_bounded_and_its_moment_stays() {
    let mut standing = in_use(1);
    standing.refuse("x".repeat(5_000), at(7));
    standing.refuse("y".repeat(5_000), at(9));
    let alert = transition(None, Files::Lookups, &standing, at(9)).unwrap();
    assert_eq!((alert.since_unix_nano, alert.kind.as_str()), (7_000_000_000, "lookups_refused"));
    assert!(alert.summary.ends_with(&"y".repeat(MAX_REASON_CHARS)) && alert.summary.len() < 1_200);
}
