use jiff::Timestamp;

use super::*;
use crate::{
    lookup::Lookups,
    normalize::{Options, Origin, normalize_one},
    schema::Schemas,
};

const BLOCK: &str = "\
# A comment that stays.
schema: OnePassword.ItemUsage
fields:
  - name: uuid
    required: true
    description: >-
      Identifies
      the event.
    type: string
  - name: user
    type: object
    fields:
      - name: name # of the user
        type: string
        indicators:
          - username
  - name: kind
    type: string
    validate:
      allow:
        - a
        - b
  - name: size
    type: int
  - name: tags
    type: array
    element:
      type: ref
      target: Tag
definitions:
  Tag:
    type: object
    fields:
      - name: id
        type: string
";

/// The same schema, as JSON writes it.
const FLOW: &str = r#"{"schema": "OnePassword.ItemUsage", "fields": [{name: uuid, required: true, type: string},
  {name: user, type: object, fields: [{name: name, type: string}]},
  {name: kind, type: string, validate: {allow: [a, b]}}, {name: size, type: int},
  {name: tags, type: array, element: {type: ref, target: Tag}}], definitions: {Tag: {type: object, fields: [{name: id, type: string}]}}}"#;

const EVENTS: [&str; 4] = [
    r#"{"uuid":"1","user":{"name":"Ann","email":"ann@example.com","age":7},"kind":"c","size":1.5,"no":true,"at":"2023-03-15T16:32:50Z"}"#,
    r#"{"uuid":"2","user":{"name":"Ann","email":"ann@example.com","age":7.5},"kind":"d d","size":"x","no":[1],"b c":{"d":1}}"#,
    r#"{"uuid":"3","user":{"name":"Ann","none":null},"tags":[{"id":"x","color":"red"},{"huge":123456789012345678901234}]}"#,
    r#"{"uuid":"4"}"#,
];

fn book(text: &str, events: &[&str]) -> Book {
    let schemas = Schemas::load([("test.yml", text)]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let now: Timestamp = "2026-01-02T03:04:05.6Z".parse().expect("an instant");
    let mut book = Book::default();
    for event in events {
        let schema = schemas.get("OnePassword.ItemUsage").expect("the schema of the example");
        let origin = Origin { source: "acme", label: "Acme" };
        let one = normalize_one(event.as_bytes(), schema, origin, &Lookups::default(), Options::default(), now);
        book.add(&one.drift, now);
    }
    book
}

#[test]
fn a_patched_schema_drifts_no_more() {
    for text in [BLOCK, FLOW] {
        let before = book(text, &EVENTS);
        assert!(!before.is_empty());
        let patch = patch(text, &before).unwrap();
        assert_eq!(patch.left, Vec::<String>::new());
        let after = book(&patch.text, &EVENTS);
        assert!(after.is_empty(), "{after:?}\n{}", patch.text);
        assert_eq!(super::patch(&patch.text, &Book::<Timestamp>::default()).unwrap().hunks, []);
    }
}

#[test]
fn a_patch_reads_as_a_difference() {
    let patch = patch(BLOCK, &book(BLOCK, &EVENTS)).unwrap();
    assert_eq!(patch.to_string(), include_str!("expected.diff"));
}

#[test]
fn a_difference_leads_from_the_old_file_to_the_new_one() {
    for text in [BLOCK, FLOW] {
        let patch = patch(text, &book(text, &EVENTS)).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for hunk in patch.hunks.iter().rev() {
            let start = if hunk.old.is_empty() { hunk.line } else { hunk.line - 1 };
            assert_eq!(lines[start..start + hunk.old.len()], hunk.old);
            lines.splice(start..start + hunk.old.len(), hunk.new.clone());
        }
        assert_eq!(lines, patch.text.lines().collect::<Vec<_>>());
    }
}

#[test]
fn what_no_change_of_the_file_takes_up_is_said() {
    for (fields, event, expect) in [
        (
            "{name: kind, type: string, validate: {allow: [a]}}",
            r#"{"kind":"ann@example.com"}"#,
            "$.kind: a new value (string of 15 bytes) is not shown",
        ),
        (
            "{name: kind, type: string, mask: {type: redact}, validate: {allow: [a]}}",
            r#"{"kind":"secret"}"#,
            "$.kind: a new value (string of 6 bytes) is not shown",
        ),
        (
            "{name: kind, type: string, mask: {type: redact}}",
            r#"{"kind":{}}"#,
            "$.kind: object of 0 members where the schema relies on its type",
        ),
        (
            "{name: at, type: timestamp, isEventTime: true}",
            r#"{"at":5}"#,
            "$.at: number of 1 bytes where the schema relies on its type",
        ),
        (
            "{name: user, type: string}",
            r#"{"User":1}"#,
            "$.User: its name is reserved or empty, or another field has it in upper or lower case",
        ),
        (
            "{name: user, type: string}",
            r#"{"p_x":1}"#,
            "$.p_x: its name is reserved or empty, or another field has it in upper or lower case",
        ),
        ("{name: user, type: string}", "{\"a\\nb\":1}", "$['a\\nb']: the object that has it is not found"),
    ] {
        let text = format!("schema: OnePassword.ItemUsage\nfields: [{fields}]\n");
        let patch = patch(&text, &book(&text, &[event])).unwrap();
        assert_eq!(patch.left, [expect], "{fields} {event}");
        assert_eq!(patch.text, text);
    }
}
