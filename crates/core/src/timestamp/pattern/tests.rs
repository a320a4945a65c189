use jiff::Timestamp;

use super::*;
use crate::timestamp::{self, parse_unix, parse_written, write_rfc3339};

fn check(pattern: &Pattern, rows: &[(&str, Option<&str>)]) {
    for (text, expect) in rows {
        let read = pattern.read(text).and_then(Utc::to_timestamp).map(|timestamp| timestamp.to_string());
        assert_eq!(read.as_deref(), *expect, "{text}");
    }
}

fn strftime(text: &str, rows: &[(&str, Option<&str>)]) {
    check(&Pattern::from_strftime(text).unwrap(), rows);
}

fn go(layout: &str, rows: &[(&str, Option<&str>)]) {
    check(&Pattern::from_go_layout(layout).unwrap(), rows);
}

#[test]
fn directives_without_a_zone_mean_utc() {
    strftime(
        "%Y-%m-%d %H:%M:%S",
        &[
            ("2023-03-15 16:32:50", Some("2023-03-15T16:32:50Z")),
            ("2023-3-15 16:32:50", None),
            ("2023-03-15 16:32", None),
            ("2023-03-15 16:32:50 ", None),
            (" 2023-03-15 16:32:50", None),
            ("2023-02-30 16:32:50", None),
            ("2023-03-15 24:00:00", None),
            ("2023-03-15 16:32:60", None),
            ("", None),
        ],
    );
    strftime("%Y%m%d", &[("20230315", Some("2023-03-15T00:00:00Z"))]);
    strftime("%F %T", &[("2023-03-15 16:32:50", Some("2023-03-15T16:32:50Z"))]);
    strftime("%D %R", &[("03/15/23 16:32", Some("2023-03-15T16:32:00Z"))]);
}

#[test]
fn every_directive_reads_its_part() {
    strftime(
        "%d/%b/%Y:%H:%M:%S %z",
        &[
            ("15/Mar/2023:16:32:50 -0500", Some("2023-03-15T21:32:50Z")),
            ("15/MARCH/2023:16:32:50 +01:30", Some("2023-03-15T15:02:50Z")),
            ("15/Mar/2023:16:32:50 Z", Some("2023-03-15T16:32:50Z")),
            ("15/Mar/2023:16:32:50 +2", None),
            ("15/Foo/2023:16:32:50 +0000", None),
        ],
    );
    strftime(
        "%A, %B %e %Y %I:%M:%S %p",
        &[
            ("Wednesday, March 15 2023 04:32:50 PM", Some("2023-03-15T16:32:50Z")),
            ("Wed, May  5 2023 12:00:00 am", Some("2023-05-05T00:00:00Z")),
            ("Wed, May 5 2023 12:00:00 PM", Some("2023-05-05T12:00:00Z")),
            ("Wed, May  5 2023 13:00:00 PM", None),
            ("Wed, May  5 2023 00:00:00 PM", None),
        ],
    );
    strftime(
        "%a %h %d %k:%M:%S %Z %y",
        &[
            ("Wed Mar 15  6:32:50 EST 23", Some("2023-03-15T11:32:50Z")),
            ("Wed Mar 15 16:32:50 UTC 69", Some("1969-03-15T16:32:50Z")),
            ("Wed Mar 15 16:32:50 CET 23", None),
        ],
    );
    strftime("%Y.%j %l%P", &[("2024.060 4pm", Some("2024-02-29T16:00:00Z")), ("2023.366 4pm", None)]);
    strftime("%s", &[("1678897970", Some("2023-03-15T16:32:50Z")), ("-1", Some("1969-12-31T23:59:59Z")), ("-", None)]);
    strftime("%s.%f", &[("1678897970.5", Some("2023-03-15T16:32:50.5Z"))]);
    strftime("%Y%%%n%t", &[("2023%\n\t", Some("2023-01-01T00:00:00Z"))]);
}

#[test]
fn fractions_keep_nine_digits() {
    strftime(
        "%Y-%m-%dT%H:%M:%S.%f",
        &[
            ("2023-03-15T16:32:50.1", Some("2023-03-15T16:32:50.1Z")),
            ("2023-03-15T16:32:50.1234567891", Some("2023-03-15T16:32:50.123456789Z")),
            ("2023-03-15T16:32:50.", None),
        ],
    );
    strftime("%Y %H:%M:%S,%L", &[("2023 00:00:01,250", Some("2023-01-01T00:00:01.25Z")), ("2023 00:00:01,25", None)]);
    strftime("%Y %H:%M:%S.%N %z", &[("2023 00:00:01.000001 +0000", Some("2023-01-01T00:00:01.000001Z"))]);
}

#[test]
fn layouts_of_go_read_what_go_writes() {
    go(
        "2006-01-02 15:04:05 MST",
        &[
            ("2023-03-15 16:32:50 UTC", Some("2023-03-15T16:32:50Z")),
            ("2023-03-15 16:32:50.25 PDT", Some("2023-03-15T23:32:50.25Z")),
        ],
    );
    go("Mon Jan _2 15:04:05 2006", &[("Wed Mar  5 16:32:50 2023", Some("2023-03-05T16:32:50Z"))]);
    go("Monday, 02-Jan-06 15:04:05 MST", &[("Wednesday, 15-Mar-23 16:32:50 GMT", Some("2023-03-15T16:32:50Z"))]);
    go(
        "1/2/2006 3:04:05 PM",
        &[
            ("3/5/2023 4:32:50 PM", Some("2023-03-05T16:32:50Z")),
            ("12/15/2023 12:32:50 AM", Some("2023-12-15T00:32:50Z")),
        ],
    );
    go(
        "2006-01-02T15:04:05.000Z07:00",
        &[
            ("2023-03-15T16:32:50.250+02:00", Some("2023-03-15T14:32:50.25Z")),
            ("2023-03-15T16:32:50Z", Some("2023-03-15T16:32:50Z")),
        ],
    );
    go("20060102150405-0700", &[("20230315163250-0100", Some("2023-03-15T17:32:50Z"))]);
    go("2006__2 January Monthly", &[("2023 74 March Monthly", Some("2023-03-15T00:00:00Z"))]);
    go("2006-002", &[("2023-074", Some("2023-03-15T00:00:00Z"))]);
    go("[02/Jan/2006:15:04:05 -0700]", &[("[15/Mar/2023:16:32:50 +0000]", Some("2023-03-15T16:32:50Z"))]);
}

#[test]
fn a_pattern_that_gives_no_instant_is_refused() {
    for (text, expect) in [
        ("%H:%M", PatternError::NoYear),
        ("rfc822", PatternError::NoYear),
        ("%Y %I", PatternError::NoHalf),
        ("%Y %", PatternError::Directive("%".into())),
        ("%Y %é", PatternError::Directive("%é".into())),
        (&"%Y".repeat(100), PatternError::TooLong),
    ] {
        assert_eq!(Pattern::from_strftime(text), Err(expect), "{text}");
    }
    assert_eq!(Pattern::from_go_layout("15:04"), Err(PatternError::NoYear));
}

proptest::proptest! {
    #[test]
    fn reading_is_total(pattern in "(%[a-zA-Z%]|[-: é]){0,8}", text in "[0-9A-Za-z:+ é-]{0,20}") {
        if let Ok(pattern) = Pattern::from_strftime(&pattern) {
            let _ = pattern.read(&text);
        }
        if let Ok(pattern) = Pattern::from_go_layout(&text) {
            let _ = pattern.read(&text);
        }
    }

    #[test]
    fn what_the_directives_mean_is_what_another_implementation_writes(second in -60_000_000_000_i64..250_000_000_000) {
        const FORMAT: &str = "%a %d %b %Y %H:%M:%S %j";
        let timestamp = Timestamp::from_second(second).unwrap();
        let text = timestamp.strftime(FORMAT).to_string();
        proptest::prop_assert_eq!(Pattern::from_strftime(FORMAT).unwrap().read(&text).and_then(Utc::to_timestamp), Some(timestamp));
    }

    #[test]
    fn what_records_carry_is_read_again(nano in proptest::prelude::any::<i64>()) {
        let instant = parse_unix(&nano.to_string(), timestamp::Unit::Nanos).unwrap();
        let mut text = Vec::new();
        write_rfc3339(&mut text, instant);
        proptest::prop_assert_eq!(parse_written(std::str::from_utf8(&text).unwrap()), Some(instant));
    }
}
