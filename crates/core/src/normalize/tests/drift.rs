//! What is reported when events change under a schema.

use super::{
    super::drift::{Book, MAX_BOOK_CHANGES},
    *,
};

const SCHEMA: &str = "schema: OnePassword.ItemUsage\nfields:\n\
    - {name: kind, type: string, validate: {allow: [a]}}\n\
    - {name: size, type: int}\n\
    - {name: list, type: array, element: {type: object, fields: [{name: at, type: timestamp}]}}\n";

fn of(items: &str) -> Drift {
    drift_of(&Schemas::load([("test.yml", SCHEMA)]).unwrap(), items, Unknown::Keep)
}

#[test]
fn every_kind_of_change_is_counted_by_path() {
    let drift = of(
        r#"{"kind":"b","size":"x","new":"1"},{"kind":"b","size":2.5,"list":[{"at":1,"c":0},{"at":"y","c":"z"}]},{"kind":"a"},{"kind":"c@d"}"#,
    );
    let paths: Vec<_> =
        drift.paths.iter().map(|(path, seen)| (path.as_str(), seen.count, seen.sample.as_str())).collect();
    assert_eq!(paths, [("$.list[*].c", 2, "number of 1 bytes"), ("$.new", 1, "string of 1 bytes")]);
    let values: Vec<_> =
        drift.values.iter().map(|((path, value), seen)| (path.as_str(), value.as_deref(), seen.count)).collect();
    assert_eq!(values, [("$.kind", None, 1), ("$.kind", Some("b"), 2)]);
    let types: Vec<_> = drift.types.iter().map(|(path, seen)| (path.as_str(), seen.count)).collect();
    assert_eq!(types, [("$.list[*].at", 2), ("$.size", 2)]);
    assert_eq!(drift.total(), 3);
}

#[test]
fn a_book_knows_since_when_and_until_when() {
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    let mut book = Book::default();
    book.add(&of(r#"{"new":1}"#), at(20));
    book.add(&of(r#"{"new":"x"},{"new":"y"}"#), at(10));
    book.add(&of("{}"), at(30));
    let noted = &book.paths["$.new"];
    assert_eq!((noted.first, noted.last, noted.seen.count), (at(10), at(20), 3));
    assert_eq!((noted.seen.sample.as_str(), noted.seen.shapes.schema_type()), ("number of 1 bytes", "json"));
    assert_eq!(book.len(), 1);
}

#[test]
fn a_book_is_bounded() {
    let mut book = Book::default();
    for page in 0..10 {
        let members: Vec<_> = (0..MAX_DRIFT_PATHS).map(|at| format!("\"k{page}x{at}\":0")).collect();
        book.add(&of(&format!("{{{}}}", members.join(","))), Timestamp::UNIX_EPOCH);
    }
    assert_eq!((book.len(), book.others), (MAX_BOOK_CHANGES, (10 * MAX_DRIFT_PATHS - MAX_BOOK_CHANGES) as u64));
}

#[test]
fn the_type_of_new_fields_takes_all_that_was_seen() {
    for (values, expect) in [
        ("null", "json"),
        ("true", "boolean"),
        ("1", "bigint"),
        ("1|null", "bigint"),
        ("1|2.5", "float"),
        ("123456789012345678901234", "float"),
        ("1e999", "json"),
        ("\"2023-03-15T16:32:50Z\"", "timestamp"),
        ("\"2023-03-15T16:32:50Z\"|\"\"", "string"),
        ("\"x\"", "string"),
        ("\"x\"|1", "json"),
        ("true|1", "json"),
        ("[1]", "json"),
        ("{}", "json"),
    ] {
        let items: Vec<_> = values.split('|').map(|value| format!("{{\"new\":{value}}}")).collect();
        assert_eq!(of(&items.join(",")).paths["$.new"].shapes.schema_type(), expect, "{values}");
    }
}

#[test]
fn only_words_are_shown() {
    for (value, shown) in [
        ("mfa_failed", true),
        ("Secure copy", true),
        ("v2", true),
        ("ann@example.com", false),
        ("192.0.2.1", false),
        ("example.com", false),
        ("b56YE2TYN2VFYRLNSHKPW5NVT5E", false),
        ("", false),
        ("é", false),
        ("an answer that nobody would call a word any more", false),
    ] {
        let drift = of(&format!("{{\"kind\":{}}}", json!(value)));
        assert_eq!(drift.values.contains_key(&("$.kind".into(), Some(value.into()))), shown, "{value}");
        assert_eq!(drift.values.len(), 1);
    }
}
