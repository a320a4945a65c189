//! Compares a record with what was expected of it, as Panther's test tools do.
//!
//! Values of JSON are compared, not texts: the order of keys does not count, numbers count by value, instants as instants. Standard
//! fields that cannot be foretold are left out; those of a source, which such a file does not know of, count only if it names them.

use latchkey_core::{
    json::{self, Member, Value},
    timestamp,
};

/// Where a record is another than expected. Values are JSON texts; `None`: there is nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) path: String,
    pub(super) expected: Option<String>,
    pub(super) got: Option<String>,
}

/// Different in every run.
const RANDOM: [&str; 2] = ["p_row_id", "p_parse_time"];

/// Known only where there is a source.
const OF_THE_SOURCE: [&str; 3] = ["p_schema_version", "p_source_id", "p_source_label"];

const EVENT_TIME: &str = "p_event_time";

/// All differences, in the expected record's order; an error if it is no JSON.
pub(super) fn differences(expected: &str, record: &str) -> Result<Vec<Difference>, json::Error> {
    let mut expected = json::parse(expected.as_bytes())?;
    let mut got = json::parse(record.as_bytes())?;
    // An event without a time of its own happened when it was parsed, which no file can foretell.
    let is_timeless = expected.get(EVENT_TIME).is_none() && got.get(EVENT_TIME) == got.get("p_parse_time");
    let unnamed: Vec<_> = OF_THE_SOURCE.iter().filter(|key| expected.get(key).is_none()).copied().collect();
    remove(&mut expected, |key| RANDOM.contains(&key));
    remove(&mut got, |key| RANDOM.contains(&key) || unnamed.contains(&key) || (is_timeless && key == EVENT_TIME));
    let mut comparison = Comparison { path: "$".into(), differences: Vec::new() };
    comparison.values(&expected, &got);
    Ok(comparison.differences)
}

fn remove(value: &mut Value<'_>, unwanted: impl Fn(&str) -> bool) {
    if let Value::Object(members) = value {
        members.retain(|member| !unwanted(&member.key.decode()));
    }
}

struct Comparison {
    path: String,
    differences: Vec<Difference>,
}

impl Comparison {
    fn values(&mut self, expected: &Value<'_>, got: &Value<'_>) {
        match (expected, got) {
            (Value::Object(expected), Value::Object(found)) => self.members(expected, found, got),
            (Value::Array(expected), Value::Array(got)) if self.is_set() => self.sets(expected, got),
            (Value::Array(expected), Value::Array(got)) => {
                for index in 0..expected.len().max(got.len()) {
                    self.below(&format!("[{index}]"), |inner| inner.pair(expected.get(index), got.get(index)));
                }
            }
            _ if same_scalar(expected, got) => {}
            _ => self.differ(Some(expected), Some(got)),
        }
    }

    fn members(&mut self, expected: &[Member<'_>], found: &[Member<'_>], got: &Value<'_>) {
        for member in expected {
            let key = member.key.decode();
            self.below(&step(&key), |inner| inner.pair(Some(&member.value), got.get(&key)));
        }
        for member in found {
            let key = member.key.decode();
            if !expected.iter().any(|other| other.key.is(&key)) {
                self.below(&step(&key), |inner| inner.pair(None, Some(&member.value)));
            }
        }
    }

    fn pair(&mut self, expected: Option<&Value<'_>>, got: Option<&Value<'_>>) {
        match (expected, got) {
            (Some(expected), Some(got)) => self.values(expected, got),
            _ => self.differ(expected, got),
        }
    }

    /// Indicators are collected into sets: their order says nothing.
    fn sets(&mut self, expected: &[Value<'_>], got: &[Value<'_>]) {
        let is_in = |set: &[Value<'_>], value| set.iter().any(|other| same_scalar(value, other));
        for value in expected.iter().filter(|value| !is_in(got, value)) {
            self.differ(Some(value), None);
        }
        for value in got.iter().filter(|value| !is_in(expected, value)) {
            self.differ(None, Some(value));
        }
    }

    fn is_set(&self) -> bool {
        self.path.starts_with("$.p_any_")
    }

    fn below(&mut self, step: &str, inner: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        inner(self);
        self.path.truncate(length);
    }

    fn differ(&mut self, expected: Option<&Value<'_>>, got: Option<&Value<'_>>) {
        let text = |value: &Value<'_>| {
            let mut out = Vec::new();
            json::write_value(&mut out, value);
            String::from_utf8_lossy(&out).into_owned()
        };
        let (path, expected, got) = (self.path.clone(), expected.map(text), got.map(text));
        self.differences.push(Difference { path, expected, got });
    }
}

fn step(key: &str) -> String {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if plain { format!(".{key}") } else { format!("['{}']", key.escape_default()) }
}

fn same_scalar(expected: &Value<'_>, got: &Value<'_>) -> bool {
    match (expected, got) {
        (Value::Number(expected), Value::Number(got)) => Decimal::of(expected) == Decimal::of(got),
        (Value::String(expected), Value::String(got)) => {
            let (expected, got) = (expected.decode(), got.decode());
            expected == got || instant(&expected).is_some_and(|expected| instant(&got) == Some(expected))
        }
        _ => expected == got,
    }
}

/// The instant that a text means, in the form of fields or in that of Panther's tables.
fn instant(text: &str) -> Option<timestamp::Utc> {
    timestamp::parse_rfc3339(text).or_else(|| {
        let (date, time) = text.split_once(' ')?;
        timestamp::parse_rfc3339(&format!("{date}T{time}Z"))
    })
}

/// A number's value, exactly: `digits` × 10^`exponent`, without zeros at either end.
#[derive(PartialEq, Eq)]
struct Decimal<'n> {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
    /// The exponent's own text where it is beyond anything: then numbers are compared as texts.
    beyond: Option<&'n str>,
}

impl<'n> Decimal<'n> {
    /// `literal` is a number of JSON.
    fn of(literal: &'n str) -> Self {
        let (negative, magnitude) = literal.strip_prefix('-').map_or((false, literal), |rest| (true, rest));
        let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0').collect();
        let kept = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        if kept == 0 {
            return Self { negative: false, digits: Vec::new(), exponent: 0, beyond: None };
        }
        let shift = i64::try_from(digits.len() - kept).unwrap_or(i64::MAX);
        let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let moved = exponent.parse::<i64>().ok().and_then(|exponent| exponent.checked_add(shift)?.checked_sub(places));
        let beyond = if moved.is_none() { Some(literal) } else { None };
        Self { negative, digits: digits[..kept].to_vec(), exponent: moved.unwrap_or_default(), beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each difference as `path: expected / got`.
    fn check(expected: &str, record: &str, expect: &[&str]) {
        let word = |value: &Option<String>| value.as_deref().unwrap_or("nothing").to_owned();
        let found: Vec<_> = differences(expected, record)
            .unwrap()
            .iter()
            .map(|found| format!("{}: {} / {}", found.path, word(&found.expected), word(&found.got)))
            .collect();
        assert_eq!(found, expect, "{expected} against {record}");
    }

    #[test]
    fn values_are_compared_not_texts() {
        check(r#"{"a":1,"b":[1,{"c":"é"}]}"#, r#"{"b":[1.0,{"c":"\u00e9"}],"a":1}"#, &[]);
        check(r#"{"a":1}"#, r#"{"a":"1"}"#, &["$.a: 1 / \"1\""]);
        check(r#"{"a":null}"#, "{}", &["$.a: null / nothing"]);
        check(r#"{"a":{"b":[1,2]}}"#, r#"{"a":{"b":[1,3,4]}}"#, &["$.a.b[1]: 2 / 3", "$.a.b[2]: nothing / 4"]);
        check("{}", r#"{"a b":true}"#, &["$['a b']: nothing / true"]);
        check(r#"{"a":{}}"#, r#"{"a":[]}"#, &["$.a: {} / []"]);
    }

    #[test]
    fn numbers_count_by_value() {
        let same = |one: &str, other: &str| Decimal::of(one) == Decimal::of(other);
        for (one, other) in [("1", "1.0"), ("100", "1e2"), ("0.5", "5E-1"), ("-0", "0.00"), ("12.50", "1.25e+1")] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("1", "-1"),
            ("10", "1"),
            ("123456789012345678901234", "123456789012345678901235"),
            ("0.1", "0.10000000000000001"),
            ("1e99999999999999999999", "1e99999999999999999998"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn instants_are_compared_as_instants() {
        let record = r#"{"t":"2026-01-02T03:04:05.000000000Z","p_event_time":"2026-01-02 03:04:05.000000000","p_parse_time":"x"}"#;
        check(r#"{"t":"2026-01-02T04:04:05+01:00","p_event_time":"2026-01-02T03:04:05Z"}"#, record, &[]);
        check(r#"{"t":"2026-01-02 03:04:05.000","p_event_time":"2026-01-02 03:04:05"}"#, record, &[]);
        check(r#"{"t":"9999-12-31T23:59:59Z"}"#, r#"{"t":"9999-12-31T23:59:59.000000000Z"}"#, &[]);
        check(
            r#"{"t":"2026-01-02T03:04:06Z","p_event_time":"2026-01-02T03:04:05Z"}"#,
            record,
            &["$.t: \"2026-01-02T03:04:06Z\" / \"2026-01-02T03:04:05.000000000Z\""],
        );
        check(
            r#"{"t":"2026-01-02T03:04:05Z"}"#,
            record,
            &["$.p_event_time: nothing / \"2026-01-02 03:04:05.000000000\""],
        );
    }

    #[test]
    fn what_cannot_be_foretold_is_left_out() {
        let record = r#"{"p_row_id":"r","p_parse_time":"t","p_event_time":"t","p_schema_version":0,"p_source_id":"test","p_log_type":"A.B"}"#;
        check(r#"{"p_log_type":"A.B"}"#, record, &[]);
        check(r#"{"p_log_type":"A.B","p_row_id":"x","p_parse_time":"y","p_source_id":"test"}"#, record, &[]);
        check(
            r#"{"p_log_type":"A.C","p_source_id":"x"}"#,
            record,
            &["$.p_log_type: \"A.C\" / \"A.B\"", "$.p_source_id: \"x\" / \"test\""],
        );
    }

    #[test]
    fn indicators_are_sets() {
        check(r#"{"p_any_ip_addresses":["b","a"]}"#, r#"{"p_any_ip_addresses":["a","b"]}"#, &[]);
        check(
            r#"{"p_any_emails":["a","c"]}"#,
            r#"{"p_any_emails":["a","b"]}"#,
            &["$.p_any_emails: \"c\" / nothing", "$.p_any_emails: nothing / \"b\""],
        );
    }
}
