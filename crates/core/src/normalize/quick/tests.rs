use bumpalo::Bump;

use super::*;
use crate::{
    normalize::{Frame, Options},
    schema::Schemas,
};

const SCHEMA: &str = "
schema: Test.Event
fields:
  - {name: uuid, type: string, required: true}
  - {name: at, type: timestamp, isEventTime: true}
  - {name: who, type: object, fields: [{name: id, type: string, indicators: [actor_id]}, {name: ip, type: string, validate: {ip: any}}]}
  - {name: count, type: int}
  - {name: share, type: float}
  - {name: open, type: boolean}
  - {name: tags, type: array, element: {type: string}}
  - {name: more, type: json}
";

/// The event's own fields in the record, if the quick way takes the event.
fn quick(event: &str) -> Option<String> {
    let schemas = Schemas::load([("test.yml", SCHEMA)]).unwrap();
    let schema = schemas.get("Test.Event").unwrap();
    let lookups = Lookups::default();
    let frame = Frame::new("acme", "Acme", "Test.Event", Timestamp::UNIX_EPOCH);
    let texts = Bump::new();
    let mut walk = Walk::new(frame, schema, &lookups, Options::default(), Vec::new(), &texts);
    let mut quick = Quick::new(schema, &lookups).unwrap();
    let end = walk.quick_event(0, &mut quick, event, &Marks::of(event.as_bytes()), 0);
    let (events, _) = walk.finish();
    let records = events.records;
    assert_eq!(end.is_some(), !records.is_empty());
    let record = records.get(0).map(|event| String::from_utf8(event.record.to_vec()).unwrap())?;
    assert_eq!(end, Some(event.len()));
    Some(record.split_once(",\"p_log_type\"").unwrap().0.to_owned() + "}")
}

fn check(event: &str, expect: Option<&str>) {
    assert_eq!(quick(event).as_deref(), expect, "{event}");
}

#[test]
fn what_is_as_expected_is_taken() {
    check(r#"{"uuid":"a"}"#, Some(r#"{"uuid":"a"}"#));
    check(
        r#"{"uuid":"a","at":"2023-03-15T16:32:50Z","who":{"id":"b","ip":"192.0.2.1"},"count":7,"tags":["x"],"more":{"y":[1,{}]}}"#,
        Some(
            r#"{"uuid":"a","at":"2023-03-15T16:32:50.000000000Z","who":{"id":"b","ip":"192.0.2.1"},"count":7,"tags":["x"],"more":{"y":[1,{}]}}"#,
        ),
    );
    check(r#"{"uuid":12,"tags":[],"who":{},"more":null}"#, Some(r#"{"uuid":"12","who":{}}"#));
    check(r#"{"uuid":"\u00e9","at":""}"#, Some(r#"{"uuid":"\u00e9"}"#));
}

#[test]
fn fields_are_put_in_the_schemas_order_and_unknown_ones_behind() {
    check(
        r#"{"x":{"z":1},"count":"5","who":{"y":true,"ip":"192.0.2.1","id":"b"},"uuid":"a"}"#,
        Some(r#"{"uuid":"a","who":{"id":"b","ip":"192.0.2.1","y":true},"count":5,"x":{"z":1}}"#),
    );
}

#[test]
fn numbers_keep_their_digits_unless_they_mean_others() {
    let zeros = "0".repeat(200);
    for (event, expect) in [
        (r#""count":-7,"share":-1.50,"open":true"#, Some(r#""count":-7,"share":-1.50,"open":true"#)),
        (r#""count":2147483647,"share":2E1,"open":false"#, Some(r#""count":2147483647,"share":2E1,"open":false"#)),
        (r#""count":-0,"open":1"#, Some(r#""count":0,"open":true"#)),
        (&format!(r#""share":1{zeros}"#), Some(&format!(r#""share":1{zeros}"#))),
        (&format!(r#""share":1{zeros}{zeros}"#), None),
        (r#""share":1e400"#, None),
        (r#""count":2147483648"#, None),
        (r#""count":1e1"#, None),
    ] {
        let whole = |fields: &str| format!(r#"{{"uuid":"a",{fields}}}"#);
        check(&whole(event), expect.map(whole).as_deref());
    }
}

#[test]
fn what_is_unusual_is_left_to_the_plain_way() {
    for event in [
        "",
        "[]",
        "{",
        r#"["uuid":"a"}"#,
        r#"{ "uuid":"a"}"#,
        r#"{"uuid": "a"}"#,
        r#"{"uu\u0069d":"a"}"#,
        r#"{"uuid":"a","uuid":"b"}"#,
        r#"{"uuid":null,"uuid":"b"}"#,
        r#"{"uuid":"a","x":1,"x":2}"#,
        r#"{"uuid":"a","more":{"x":1,"x":2}}"#,
        r#"{"uuid":"a","p_row_id":1}"#,
        r#"{"uuid":"a","who":[]}"#,
        r#"{"uuid":"a","who":{"ip":"nowhere"}}"#,
        r#"{"uuid":"a","count":1.5}"#,
        r#"{"uuid":"a","at":"yesterday"}"#,
        r#"{"uuid":"a","at":{}}"#,
        r#"{"uuid":"a","more":01}"#,
        r#"{"uuid":"a","more":"\x"}"#,
        r#"{"uuid":"a""#,
        r#"{"uuid":""}"#,
        r#"{"count":1}"#,
    ] {
        check(event, None);
    }
}
