mod properties;

use super::*;
use crate::json;

const EXACT: Options = Options { required_from: 1 };

fn samples(options: Options, events: &[&str]) -> Samples {
    let mut samples = Samples::new(options);
    for event in events {
        samples.add(&json::parse(event.as_bytes()).unwrap()).unwrap();
    }
    samples
}

/// The proposal without its comments.
fn propose(options: Options, events: &[&str]) -> String {
    let text = samples(options, events).propose("Acme.Door").unwrap();
    text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect()
}

/// What is declared for one field `f` that holds these values, on one line.
fn declared(name: &str, values: &[&str]) -> String {
    let events: Vec<_> = values.iter().map(|value| format!("{{\"{name}\":{value}}}")).collect();
    let events: Vec<_> = events.iter().map(String::as_str).collect();
    let text = propose(Options { required_from: u64::MAX }, &events);
    let (_, field) = text.split_once("type: ").unwrap();
    let words: Vec<_> = field.lines().map(|line| line.trim().trim_start_matches("- ")).collect();
    words.join(" ")
}

#[test]
fn a_whole_proposal() {
    let proposal = propose(
        EXACT,
        &[
            r#"{"uuid":"A","timestamp":"2026-01-02T03:04:05Z","user":{"uuid":"U","name":"Zoe","email":"zoe@example.com"},
                "door":{"number":7,"open":true},"tags":["192.0.2.1"],"note":null,"weight":1}"#,
            r#"{"uuid":"B","timestamp":"2026-01-02T03:04:06+01:00","user":{"uuid":"U","email":""},
                "door":{"number":8,"open":false},"tags":[],"weight":1.5,"late":"x"}"#,
        ],
    );
    let expect = "\
schema: Acme.Door
version: 0
fields:
  - name: uuid
    required: true
    type: string
  - name: timestamp
    required: true
    type: timestamp
    timeFormats:
      - rfc3339
    isEventTime: true
  - name: user
    required: true
    type: object
    fields:
      - name: uuid
        required: true
        type: string
        indicators:
          - actor_id
      - name: name
        type: string
        indicators:
          - username
      - name: email
        type: string
        indicators:
          - email
  - name: door
    required: true
    type: object
    fields:
      - name: number
        required: true
        type: int
      - name: open
        required: true
        type: boolean
  - name: tags
    type: array
    element:
      type: string
      indicators:
        - ip
  - name: note
    type: json
  - name: weight
    required: true
    type: float
  - name: late
    type: string
";
    assert_eq!(proposal, expect);
}

#[test]
fn a_type_is_named_if_all_values_fit_it() {
    for (values, expect) in [
        (&["true", "false", "null"][..], "boolean"),
        (&["1", "-1048576"], "int"),
        (&["1", "1048577"], "bigint"),
        (&["9223372036854775807"], "bigint"),
        (&["9223372036854775808"], "string"),
        (&["123456789012345678901234", "1"], "string"),
        (&["123456789012345678901234", "1.5"], "float"),
        (&["1.0"], "float"),
        (&["1e2", "3"], "float"),
        (&["1e999"], "json"),
        (&["\"x\"", "\"\""], "string"),
        (
            &[r#""{\"a\":1}""#, r#""{\"b\":{}}""#],
            "object isEmbeddedJSON: true fields: name: a type: int name: b type: json",
        ),
        (&[r#""{\"a\":1}""#, "\"\""], "string"),
        (&[r#""{\"a\":1}""#, "\"x\""], "string"),
        (&[r#""{}""#], "json isEmbeddedJSON: true"),
        (&["\"\""], "string"),
        (&["null"], "json"),
        (&["1", "\"x\""], "json"),
        (&["1", "true"], "json"),
        (&["{}", "[]"], "json"),
        (&["{\"a\":1}", "1"], "json"),
        (&["{}"], "json"),
        (&["{\"a\":1}", "{\"b\":null}"], "object fields: name: a type: int name: b type: json"),
        (&["[]"], "array element: type: json"),
        (&["[null]"], "array element: type: json"),
        (&["[1]", "[2,null]"], "array element: type: int"),
        (&["[1,\"x\"]"], "array element: type: json"),
        (&["[[1],[]]"], "array element: type: array element: type: int"),
        (&["[{\"a\":1},{}]"], "array element: type: object fields: name: a type: int"),
    ] {
        assert_eq!(declared("f", values), expect, "{values:?}");
    }
}

#[test]
fn instants_are_known_by_form_and_numbers_by_name_too() {
    for (name, values, expect) in [
        ("f", &["\"2026-01-02T03:04:05Z\"", "\"\""][..], "timestamp timeFormats: rfc3339 isEventTime: true"),
        ("f", &["\"2026-01-02T03:04:05Z\"", "\"yesterday\""], "string"),
        ("f", &["\"0001-01-01T00:00:00Z\""], "timestamp timeFormats: rfc3339"),
        ("f", &["\"9999-12-31T23:59:59Z\""], "timestamp timeFormats: rfc3339"),
        ("f", &["1767323045"], "bigint"),
        ("created_at", &["1767323045"], "timestamp timeFormats: unix isEventTime: true"),
        ("created_at", &["1767323045.5", "\"1767323045\""], "timestamp timeFormats: unix isEventTime: true"),
        ("time", &["1767323045123"], "timestamp timeFormats: unix_ms isEventTime: true"),
        ("ts", &["1767323045123456"], "timestamp timeFormats: unix_us isEventTime: true"),
        ("eventTimeNs", &["1767323045123456789"], "timestamp timeFormats: unix_ns isEventTime: true"),
        ("time", &["1767323045", "\"2026-01-02T03:04:05Z\""], "timestamp timeFormats: rfc3339 unix isEventTime: true"),
        ("f", &["\"2026-01-02 03:04:05\""], "timestamp timeFormats: \"%Y-%m-%d %H:%M:%S\" isEventTime: true"),
        (
            "f",
            &["\"2026-01-02T03:04:05\"", "\"2026-01-02T03:04:05.25+0100\"", "\"2026-01-02T03:04:05Z\""],
            "timestamp timeFormats: rfc3339 \"%Y-%m-%dT%H:%M:%S\" \"%Y-%m-%dT%H:%M:%S.%f%z\" isEventTime: true",
        ),
        ("f", &["\"02/Jan/2026:03:04:05 +0000\""], "timestamp timeFormats: \"%d/%b/%Y:%H:%M:%S %z\" isEventTime: true"),
        ("f", &["\"2026-01-02\""], "string"),
        ("time", &["12"], "int"),
        ("time", &["1767323045", "12"], "bigint"),
    ] {
        assert_eq!(declared(name, values), expect, "{name}: {values:?}");
    }
}

#[test]
fn the_event_time_has_the_likeliest_name_and_is_outermost() {
    let time = "\"2026-01-02T03:04:05Z\"";
    for (event, expect) in [
        (format!("{{\"login\":{time},\"time\":{time},\"timestamp\":{time}}}"), "timestamp"),
        (format!("{{\"o\":{{\"time\":{time}}},\"time\":{time}}}"), "time"),
        (format!("{{\"seen\":{time},\"other\":{time}}}"), ""),
        (format!("{{\"l\":[{{\"time\":{time}}}]}}"), ""),
    ] {
        let text = propose(EXACT, &[&event]);
        assert_eq!(text.matches("isEventTime").count(), usize::from(!expect.is_empty()), "{event}");
        let before = text.split("isEventTime").next().unwrap().rsplit("- name: ").next().unwrap();
        assert!(expect.is_empty() || before.starts_with(&format!("{expect}\n")), "{text}");
    }
    let nested = propose(EXACT, &[&format!("{{\"o\":{{\"time\":{time}}},\"time\":{time}}}")]);
    assert!(nested.ends_with("    isEventTime: true\n"), "{nested}");
}

#[test]
fn indicators_are_guessed_from_values_then_names() {
    let (md5, sha1, sha256) = ("a".repeat(32), "b".repeat(40), "C".repeat(64));
    for (name, value, expect) in [
        ("f", "192.0.2.1", "ip"),
        ("f", "2001:db8::1", "ip"),
        ("host", "192.0.2.1", "ip"),
        ("f", "192.0.2.1:80", ""),
        ("f", "zoe@example.com", "email"),
        ("username", "zoe@example.com", "email username"),
        ("f", "zoe@home", ""),
        ("f", "https://example.com/x", "url"),
        ("f", md5.as_str(), ""),
        ("md5", md5.as_str(), "md5"),
        ("file_hash", md5.as_str(), "md5"),
        ("f", sha1.as_str(), "sha1"),
        ("f", sha256.as_str(), "sha256"),
        ("f", "00:00:5e:00:53:01", "mac"),
        ("f", "arn:aws:iam::123456789012:user/zoe", "aws_arn"),
        ("accountId", "123456789012", "aws_account_id"),
        ("f", "123456789012", ""),
        ("userName", "zoe", "username"),
        ("actor_uuid", "ABC", "actor_id"),
        ("request-id", "ABC", "trace_id"),
        ("hostname", "door.example.com", "hostname"),
        ("serial_number", "17", "serial_number"),
    ] {
        let expect = if expect.is_empty() { "string".to_owned() } else { format!("string indicators: {expect}") };
        assert_eq!(declared(name, &[&format!("\"{value}\"")]), expect, "{name}: {value}");
    }
    assert_eq!(declared("f", &["\"192.0.2.1\"", "\"x\""]), "string", "all values have to agree");
    assert_eq!(declared("f", &["\"192.0.2.1\"", "\"\""]), "string indicators: ip", "an empty text agrees with all");
}

#[test]
fn required_is_what_enough_samples_all_have() {
    let required =
        |from: u64, events: &[&str]| propose(Options { required_from: from }, events).matches("required").count();
    assert_eq!(required(2, &["{\"a\":1}"]), 0);
    assert_eq!(required(2, &["{\"a\":1}", "{\"a\":2}"]), 1);
    for other in ["{}", "{\"a\":null}", "{\"a\":\"\"}", "{\"a\":[]}"] {
        assert_eq!(required(2, &["{\"a\":1}", other]), 0, "{other}");
    }
    // Inside objects it is the objects that count.
    assert_eq!(required(2, &["{\"o\":{\"a\":1}}", "{\"o\":{\"a\":1}}", "{}"]), 1);
}

#[test]
fn what_cannot_be_declared_is_left_out_and_said() {
    let text =
        samples(EXACT, &[r#"{"a":1,"A":2,"P_x":3,"":4,"\n\u2028":5,"yes":6,"7":7}"#]).propose("Acme.Door").unwrap();
    let expect = "\
# Proposed from 1 sample event. Read it before you rely on it: names are guesses.
# Left out: \"A\" (differs from another field in nothing but case).
# Left out: \"P_x\" (names that begin with p_ are kept for standard fields).
schema: Acme.Door
version: 0
fields:
  - name: a
    required: true
    type: int
  - name: \"\\U0000000a\\U00002028\"
    required: true
    type: int
  - name: \"yes\"
    required: true
    type: int
  - name: \"7\"
    required: true
    type: int
";
    assert_eq!(text, expect);
}

#[test]
fn a_uuid_is_declared_if_every_sample_has_one() {
    for (events, expect) in [
        (&[r#"{"uuid":"A","x":1}"#, r#"{"uuid":"B"}"#][..], true),
        (&[r#"{"uuid":"A","x":1}"#, r#"{"uuid":""}"#], false),
        (&[r#"{"uuid":"A","x":1}"#, "{}"], false),
        (&[r#"{"uuid":"A","x":1}"#, r#"{"uuid":5}"#], false),
        (&[r#"{"uuid":{"a":1},"x":1}"#], false),
    ] {
        let text = samples(EXACT, events).propose("Acme.Door").unwrap();
        assert_eq!(
            (text.contains("- name: uuid"), text.contains("# Left out: \"uuid\"")),
            (expect, !expect),
            "{events:?}"
        );
    }
}

#[test]
fn nothing_and_a_bad_name_are_errors() {
    assert_eq!(Samples::new(EXACT).propose("Acme.Door"), Err(Error::Nothing));
    assert_eq!(samples(EXACT, &["{}", "{\"p_x\":1}"]).propose("Acme.Door"), Err(Error::Nothing));
    assert!(matches!(samples(EXACT, &["{\"a\":1}"]).propose("door"), Err(Error::Refused(_))));
    assert_eq!(Samples::new(EXACT).add(&json::parse(b"[]").unwrap()), Err(NotAnObject));
}

#[test]
fn an_object_used_as_a_map_is_json() {
    let key = |index: usize| format!("\"k{index}\":1");
    let object = |keys: usize| {
        let keys: Vec<_> = (0..keys).map(key).collect();
        format!("{{\"map\":{{{}}}}}", keys.join(","))
    };
    assert_eq!(propose(EXACT, &[&object(MAX_KEYS)]).matches("- name").count(), MAX_KEYS + 1);
    assert!(propose(EXACT, &[&object(MAX_KEYS + 1), &object(1)]).ends_with("type: json\n"));
}

#[test]
fn memory_is_bounded_by_fields_not_by_samples() {
    let mut samples = Samples::new(EXACT);
    for batch in 0..10 {
        let keys: Vec<_> = (0..1000).map(|key| format!("\"k{batch}_{key}\":{{\"a\":[1]}}")).collect();
        let event = format!("{{{}}}", keys.join(","));
        samples.add(&json::parse(event.as_bytes()).unwrap()).unwrap();
    }
    let text = samples.propose("Acme.Door").unwrap();
    assert!(text.matches("- name").count() <= schema::MAX_FIELDS, "{}", text.len());
    assert!(text.contains("# Fields beyond"));
}

#[test]
fn deep_samples_end_in_json() {
    let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    assert!(propose(EXACT, &[&deep]).ends_with("type: json\n"));
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    assert!(propose(EXACT, &[&deep]).ends_with("type: json\n"));
}
