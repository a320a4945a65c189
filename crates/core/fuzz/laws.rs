//! Any schema and any event: nothing panics, a record is JSON, a record that is read again gives itself, and a patch that drift asks
//! for gives a schema that loads; and the quick way gives what the plain way gives.
//!
//! The input is a schema file, a zero byte and an event; without a zero byte it is an event for a schema that has every type.

use std::{borrow::Cow, sync::LazyLock};

use latchkey_core::{
    json,
    lookup::Lookups,
    normalize::{One, Options, Origin, Unknown, drift::Book, normalize_one},
    schema::{Schemas, is_reserved, patch},
};
use serde::de::IgnoredAny;

const RICH: &str = include_str!("seeds/rich.yml");

static RICH_SCHEMAS: LazyLock<Schemas> =
    LazyLock::new(|| Schemas::load([("rich.yml", RICH)]).expect("a schema without faults"));

/// Panics where a law is broken.
pub(crate) fn schema_event(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (schema, event) = input.split_once('\0').unwrap_or((RICH, input));
    let schemas = if schema == RICH {
        Cow::Borrowed(&*RICH_SCHEMAS)
    } else {
        let Ok(schemas) = Schemas::load([("fuzz.yml", schema)]) else { return };
        Cow::Owned(schemas)
    };
    let unknown = [Unknown::Keep, Unknown::Drop, Unknown::Reject][input.len() % 3];
    let one = run(&schemas, event, unknown);
    if let Ok(event) = &one.event {
        let record = std::str::from_utf8(&event.record).expect("a record is text");
        serde_json::from_str::<IgnoredAny>(record).expect("a record is JSON");
        let event = stripped(record);
        let again = run(&schemas, &event, unknown);
        let again = again.event.unwrap_or_else(|problems| panic!("a record is refused: {problems:?}"));
        let record = std::str::from_utf8(&again.record).expect("a record is text");
        assert_eq!(stripped(record), event, "a record gives another record");
    }
    if !one.drift.is_empty() {
        let mut book = Book::default();
        book.add(&one.drift, jiff::Timestamp::UNIX_EPOCH);
        let patch = patch(schema, &book).expect("what loads is YAML");
        Schemas::load([("patched.yml", patch.text.as_str())]).expect("a patched schema loads");
    }
}

/// What both ways make of an event.
fn run(schemas: &Schemas, event: &str, unknown: Unknown) -> One {
    let schema = schemas.log_types().next().and_then(|log_type| schemas.get(log_type)).expect("one schema");
    let (origin, lookups) = (Origin { source: "acme", label: "Acme" }, Lookups::default());
    let (options, now) = (Options { unknown, ..Options::default() }, jiff::Timestamp::UNIX_EPOCH);
    let one = normalize_one(event.as_bytes(), schema, origin, &lookups, options, now);
    let options = Options { plainly: true, ..options };
    let plain = normalize_one(event.as_bytes(), schema, origin, &lookups, options, now);
    assert!(one == plain, "the quick way gives another record");
    one
}

/// A record without its standard fields.
fn stripped(record: &str) -> String {
    let Ok(json::Value::Object(mut members)) = json::parse(record.as_bytes()) else { panic!("a record is an object") };
    members.retain(|member| !is_reserved(&member.key.decode()));
    let mut out = Vec::new();
    json::write_value(&mut out, &json::Value::Object(members));
    String::from_utf8(out).expect("what is read from a text is a text")
}
