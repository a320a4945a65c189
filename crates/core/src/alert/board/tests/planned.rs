//! Silence that is planned: business hours, holidays, maintenance and silences say different things, and are met together.

use jiff::{civil, tz::TimeZone};

use super::*;
use crate::verdict::{BusinessHours, Calendar, Maintenance, Silence};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Eight to six on weekdays, but for Wednesday.
fn office() -> BusinessHours {
    use civil::Weekday::{Friday, Monday, Thursday, Tuesday, Wednesday};
    BusinessHours {
        time_zone: TimeZone::UTC,
        days: vec![Monday, Tuesday, Wednesday, Thursday, Friday],
        from: civil::time(8, 0, 0, 0),
        until: civil::time(18, 0, 0, 0),
        holidays: vec![civil::date(2026, 11, 25)],
    }
}

/// Somebody who waits for four hours and reminds every hour, with one feed that is polled all the time.
struct Watched {
    board: Board,
}

impl Watched {
    fn new(hours: Option<BusinessHours>, maintenance: &[(&str, &str)]) -> Self {
        let spans = || maintenance.iter().map(|(from, until)| Maintenance { from: time(from), until: time(until) });
        let calendar = |hours| Calendar::new(hours, spans().collect()).unwrap();
        let four = SignedDuration::from_hours(4);
        let silence = Silence::new(four, four, calendar(hours).into()).unwrap();
        let policy = Policy { drop_off: Some(silence) };
        let feeds = std::array::from_fn(|_| policy.clone());
        let everybody = SourcePolicies { whole: policy, feeds, maintenance: calendar(None) };
        let policies = Policies { everybody, maintenance: calendar(None), ..Policies::default() };
        let timing = Timing { remind_every: Some(SignedDuration::from_hours(1)), ..Timing::default() };
        Self { board: Board::new(policies, timing, time("2026-11-20T00:00Z")) }
    }

    /// What is told when the feed is polled at this moment and its last event came at that one.
    fn at(&mut self, now: &str, arrival: &str) -> Vec<String> {
        self.polled(now, arrival, Outcome::Quiet)
    }

    fn polled(&mut self, now: &str, arrival: &str, outcome: Outcome) -> Vec<String> {
        let now = time(now);
        let polled = ChainWindow {
            polled_at: now,
            next_poll_at: now + SignedDuration::from_mins(1),
            first_polled_at: time("2026-11-01T00:00Z"),
            last_success_at: Some(now),
            last_arrival_at: Some(time(arrival)),
            ..window(outcome)
        };
        assert!(self.board.observe(polled));
        let (steps, _) = self.board.sweep(now);
        take(&mut self.board, steps)
    }
}

const RAISED: [&str; 1] = ["drop_off acme/audit_events Raised after 0"];

#[test]
fn only_what_counts_makes_an_alarm() {
    let monday: &[_] = &[("2026-11-23T08:00Z", "2026-11-23T10:00Z")];
    let noon: &[_] = &[("2026-11-20T11:00Z", "2026-11-20T14:00Z")];
    let night: &[_] = &[("2026-11-20T20:00Z", "2026-11-21T06:00Z")];
    for (hours, maintenance, arrival, last_quiet, raised) in [
        (false, &[][..], "2026-11-20T08:00Z", "2026-11-20T12:00Z", "2026-11-20T12:01Z"),
        (false, noon, "2026-11-20T08:00Z", "2026-11-20T15:00Z", "2026-11-20T15:01Z"),
        // It came within the window, which counts from its end on.
        (false, noon, "2026-11-20T12:00Z", "2026-11-20T18:00Z", "2026-11-20T18:01Z"),
        // Over a weekend.
        (true, &[], "2026-11-20T17:00Z", "2026-11-23T11:00Z", "2026-11-23T11:01Z"),
        // Neither of both counts, and what both leave out is left out once.
        (true, monday, "2026-11-20T17:00Z", "2026-11-23T13:00Z", "2026-11-23T13:01Z"),
        (true, night, "2026-11-20T17:00Z", "2026-11-23T11:00Z", "2026-11-23T11:01Z"),
        // Over a holiday.
        (true, &[], "2026-11-24T17:00Z", "2026-11-26T11:00Z", "2026-11-26T11:01Z"),
    ] {
        let mut watched = Watched::new(hours.then(office), maintenance);
        assert_eq!(watched.at(last_quiet, arrival), [""; 0], "{arrival} to {last_quiet}, {maintenance:?}");
        assert_eq!(watched.at(raised, arrival), RAISED, "{arrival} to {raised}, {maintenance:?}");
    }
}

#[test]
fn an_alarm_that_is_raised_when_maintenance_begins_stays_and_nobody_is_reminded() {
    let maintenance = [("2026-11-20T12:30Z", "2026-11-20T16:00Z")];
    let mut watched = Watched::new(None, &maintenance);
    let arrival = "2026-11-20T08:00Z";
    assert_eq!(watched.at("2026-11-20T12:01Z", arrival), RAISED);
    for now in ["2026-11-20T12:30Z", "2026-11-20T13:01Z", "2026-11-20T15:59Z"] {
        assert_eq!(watched.at(now, arrival), [""; 0], "{now}");
    }
    assert_eq!(watched.at("2026-11-20T16:00Z", arrival), ["drop_off acme/audit_events Reminded after 1"]);

    // Whoever was told of it before is told of its end within.
    let mut watched = Watched::new(None, &maintenance);
    assert_eq!(watched.at("2026-11-20T12:01Z", arrival), RAISED);
    let resolved = ["drop_off acme/audit_events Resolved after 1"];
    assert_eq!(watched.at("2026-11-20T13:00Z", "2026-11-20T12:59Z"), resolved);
}

#[test]
fn what_goes_wrong_within_maintenance_is_told_at_its_end_if_it_still_is() {
    let mut watched = Watched::new(None, &[("2026-11-20T12:00Z", "2026-11-20T16:00Z")]);
    let arrival = "2026-11-20T11:59Z";
    let raised = ["poll_refused acme/audit_events Raised, muted after 0"];
    assert_eq!(watched.polled("2026-11-20T12:00Z", arrival, refused("unauthorized")), raised);
    assert_eq!(watched.polled("2026-11-20T15:59Z", arrival, refused("unauthorized")), [""; 0]);
    let told = ["poll_refused acme/audit_events Reminded after 1"];
    assert_eq!(watched.polled("2026-11-20T16:00Z", arrival, refused("unauthorized")), told);

    // What is over by then nobody hears of.
    let mut watched = Watched::new(None, &[("2026-11-20T12:00Z", "2026-11-20T16:00Z")]);
    assert_eq!(watched.polled("2026-11-20T12:00Z", arrival, refused("unauthorized")), raised);
    let resolved = ["poll_refused acme/audit_events Resolved, muted after 1"];
    assert_eq!(watched.at("2026-11-20T13:00Z", arrival), resolved);
    assert_eq!(watched.at("2026-11-20T16:00Z", arrival), [""; 0]);
}

#[test]
fn hours_say_what_counts_and_keep_nobody_from_being_told() {
    let mut watched = Watched::new(Some(office()), &[]);
    let arrival = "2026-11-20T13:00Z";
    assert_eq!(watched.at("2026-11-20T17:01Z", arrival), RAISED);
    // Friday night, and Saturday.
    assert_eq!(watched.at("2026-11-20T18:01Z", arrival), ["drop_off acme/audit_events Reminded after 1"]);
    assert_eq!(watched.at("2026-11-21T12:00Z", arrival), ["drop_off acme/audit_events Reminded after 2"]);
    // What is refused has no hours.
    let mut watched = Watched::new(Some(office()), &[]);
    let raised = ["poll_refused acme/audit_events Raised after 0"];
    assert_eq!(watched.polled("2026-11-21T12:00Z", arrival, refused("unauthorized")), raised);
}

#[test]
fn a_silence_keeps_people_from_being_told_and_goes_on_counting() {
    let mut watched = Watched::new(None, &[]);
    let about = About::Source("acme".parse().unwrap());
    let (from, until) = (time("2026-11-20T11:00Z"), time("2026-11-20T14:00Z"));
    let planned = silence::Silence { about: &about, kinds: &[], from, until, by: "Ada", note: "" };
    let planned = planned.begin(None, time("2026-11-20T08:00Z"));
    watched.board.learn_silence(about, Known { sequence: 1, last: Some(planned) });
    let arrival = "2026-11-20T08:00Z";
    let raised = ["drop_off acme/audit_events Raised, muted after 0"];
    assert_eq!(watched.at("2026-11-20T12:01Z", arrival), raised);
    assert_eq!(watched.at("2026-11-20T14:00Z", arrival), ["drop_off acme/audit_events Reminded after 1"]);
}
