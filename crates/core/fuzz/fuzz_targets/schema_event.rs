//! Any schema and any event: nothing panics, a record is JSON, a record that is read again gives itself, and a patch that drift asks
//! for gives a schema that loads.
//!
//! The input is a schema file, a zero byte and an event; without a zero byte it is an event for a schema that has every type.
#![no_main]

use std::{borrow::Cow, sync::LazyLock};

use latchkey_core::{
    json,
    lookup::Lookups,
    normalize::{Normalized, Options, Unknown, drift::Book, normalize_event},
    schema::{Schemas, is_reserved, patch},
};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

const RICH: &str = include_str!("../seeds/rich.yml");

static RICH_SCHEMAS: LazyLock<Schemas> =
    LazyLock::new(|| Schemas::load([("rich.yml", RICH)]).expect("a schema without faults"));

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (schema, event) = input.split_once('\0').unwrap_or((RICH, input));
    let schemas = if schema == RICH {
        Cow::Borrowed(&*RICH_SCHEMAS)
    } else {
        let Ok(schemas) = Schemas::load([("fuzz.yml", schema)]) else { return };
        Cow::Owned(schemas)
    };
    let unknown = [Unknown::Keep, Unknown::Drop, Unknown::Reject][input.len() % 3];
    let normalized = run(&schemas, event, unknown);
    for item in &normalized.events {
        let record = std::str::from_utf8(&item.event.record).expect("a record is text");
        serde_json::from_str::<IgnoredAny>(record).expect("a record is JSON");
        let event = stripped(record);
        let again = run(&schemas, &event, unknown);
        assert!(again.rejections.is_empty(), "a record is refused: {:?}", again.rejections[0].problems);
        let record = std::str::from_utf8(&again.events[0].event.record).expect("a record is text");
        assert_eq!(stripped(record), event, "a record gives another record");
    }
    if !normalized.drift.is_empty() {
        let mut book = Book::default();
        book.add(&normalized.drift, jiff::Timestamp::UNIX_EPOCH);
        let patch = patch(schema, &book).expect("what loads is YAML");
        Schemas::load([("patched.yml", patch.text.as_str())]).expect("a patched schema loads");
    }
});

fn run(schemas: &Schemas, event: &str, unknown: Unknown) -> Normalized {
    let log_type = schemas.log_types().next().expect("one schema");
    let options = Options { unknown, ..Options::default() };
    normalize_event(
        "acme",
        log_type,
        event.as_bytes(),
        schemas,
        &Lookups::default(),
        options,
        jiff::Timestamp::UNIX_EPOCH,
    )
}

/// A record without its standard fields.
fn stripped(record: &str) -> String {
    let Ok(json::Value::Object(mut members)) = json::parse(record.as_bytes()) else { panic!("a record is an object") };
    members.retain(|member| !is_reserved(&member.key.decode()));
    let mut out = Vec::new();
    json::write_value(&mut out, &json::Value::Object(members));
    String::from_utf8(out).expect("what is read from a text is a text")
}
