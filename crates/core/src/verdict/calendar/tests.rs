use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Eight to six on weekdays in Berlin, whose clocks go forward on 2026-03-29 and back on 2026-10-25.
pub(in crate::verdict) fn office() -> BusinessHours {
    BusinessHours {
        time_zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(),
        days: vec![Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday],
        from: jiff::civil::time(8, 0, 0, 0),
        until: jiff::civil::time(18, 0, 0, 0),
        holidays: vec![jiff::civil::date(2026, 12, 25)],
    }
}

fn nights() -> BusinessHours {
    let days = vec![Weekday::Sunday, Weekday::Monday];
    BusinessHours { days, from: jiff::civil::time(1, 0, 0, 0), until: Time::midnight(), ..office() }
}

fn maintenance(from: &str, until: &str) -> Maintenance {
    Maintenance { from: at(from), until: at(until) }
}

fn check(calendar: &Calendar, since: &str, now: &str, minutes: i64) {
    let (since, now) = (at(since), at(now));
    let expect = SignedDuration::from_mins(minutes);
    assert_eq!(calendar.counted(since, now), expect, "{since} to {now}");
    assert!(!calendar.exceeds(expect, since, now), "{since} to {now}");
    let shorter = expect - SignedDuration::from_secs(1);
    assert_eq!(calendar.exceeds(shorter, since, now), minutes > 0 || now > since, "{since} to {now}");
}

#[test]
fn every_hour_counts_without_hours() {
    let calendar = Calendar::default();
    check(&calendar, "2026-11-20T12:00Z", "2026-11-22T12:00Z", 48 * 60);
    check(&calendar, "2026-11-20T12:00Z", "2026-11-20T12:00Z", 0);
    assert_eq!(calendar.counted(at("2026-11-20T12:00Z"), at("2026-11-20T11:00Z")), SignedDuration::ZERO);
}

#[test]
fn only_business_hours_count() {
    let calendar = Calendar::new(Some(office()), vec![]).unwrap();
    // Friday 17:00 to Monday 09:00, local.
    check(&calendar, "2026-11-20T16:00Z", "2026-11-23T08:00Z", 120);
    // Within one day; before it; after it.
    check(&calendar, "2026-11-20T09:00Z", "2026-11-20T09:30Z", 30);
    check(&calendar, "2026-11-20T00:00Z", "2026-11-20T07:30Z", 30);
    check(&calendar, "2026-11-20T16:30Z", "2026-11-20T23:00Z", 30);
    // Saturday and Sunday.
    assert_eq!(calendar.counted(at("2026-11-21T00:00Z"), at("2026-11-22T22:00Z")), SignedDuration::ZERO);
}

#[test]
fn holidays_do_not_count() {
    let calendar = Calendar::new(Some(office()), vec![]).unwrap();
    // Thursday 17:00 to Monday 09:00 over Christmas Day, a Friday.
    check(&calendar, "2026-12-24T16:00Z", "2026-12-28T08:00Z", 120);
}

#[test]
fn hours_are_those_of_the_wall_clock() {
    let calendar = Calendar::new(Some(office()), vec![]).unwrap();
    // Friday 08:00 is 07:00Z before the change in spring, Monday 08:00 is 06:00Z after it.
    check(&calendar, "2026-03-27T07:00Z", "2026-03-30T06:00Z", 600);
    // A day on which the clocks change has the hours that pass on it: Sunday 01:00 to midnight.
    let calendar = Calendar::new(Some(nights()), vec![]).unwrap();
    check(&calendar, "2026-03-28T23:00Z", "2026-03-29T22:00Z", 22 * 60);
    check(&calendar, "2026-10-24T22:00Z", "2026-10-25T23:00Z", 24 * 60);
}

#[test]
fn maintenance_does_not_count() {
    let windows = vec![
        maintenance("2026-11-20T10:00Z", "2026-11-20T11:00Z"),
        // They overlap, and reach out of the office's hours.
        maintenance("2026-11-20T16:00Z", "2026-11-20T20:00Z"),
        maintenance("2026-11-20T16:30Z", "2026-11-20T17:30Z"),
    ];
    let calendar = Calendar::new(Some(office()), windows.clone()).unwrap();
    check(&calendar, "2026-11-20T07:00Z", "2026-11-20T23:00Z", 8 * 60);
    let calendar = Calendar::new(None, windows).unwrap();
    check(&calendar, "2026-11-20T09:00Z", "2026-11-20T12:00Z", 120);
    assert!(calendar.in_maintenance(at("2026-11-20T10:00Z")));
    assert!(!calendar.in_maintenance(at("2026-11-20T11:00Z")));
}

#[test]
fn a_calendar_that_makes_no_sense_is_refused() {
    let refused = |hours, maintenance| Calendar::new(hours, maintenance).unwrap_err().to_string();
    let idle = BusinessHours { days: vec![], ..office() };
    assert_eq!(refused(Some(idle), vec![]), "business hours need at least one day of the week");
    let backwards = maintenance("2026-11-20T11:00Z", "2026-11-20T10:00Z");
    assert!(refused(None, vec![backwards]).contains("ends before it begins"));
    let window = maintenance("2026-11-20T10:00Z", "2026-11-20T11:00Z");
    assert!(refused(None, vec![window; MAX_MAINTENANCE + 1]).starts_with("201 are too many"));
}

#[test]
fn a_silence_of_ages_is_looked_through_in_bounded_time() {
    let calendar = Calendar::new(Some(office()), vec![]).unwrap();
    let counted = calendar.counted(Timestamp::MIN, at("2026-11-20T12:00Z"));
    assert!(counted < SignedDuration::from_hours(i64::from(MAX_DAYS) * 24));
    assert!(calendar.exceeds(SignedDuration::from_hours(30 * 24), Timestamp::MIN, at("2026-11-20T12:00Z")));
}
