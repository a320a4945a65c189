//! One event outside of a page: for tests of schemas and for files of events.
//!
//! The same walk as a page's, so what holds here holds in the line.

use bumpalo::Bump;
use jiff::Timestamp;
use latchkey_contracts::{buffer, event::Event, rejection::Problem};

use super::{Drift, Options, event::Walk, problem, quick::Quick, record::Frame};
use crate::{json, lookup::Lookups, schema::Schema, special::Marks};

/// Where an event is said to come from: `p_source_id` and `p_source_label`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The source's name.
    pub source: &'a str,
    /// What people call it.
    pub label: &'a str,
}

/// What one event became.
#[derive(Clone, PartialEq)]
pub struct One {
    /// The finished event, or everything that is wrong with it: at least one problem.
    pub event: Result<Event, Vec<Problem>>,
    /// How the event differs from its schema.
    pub drift: Drift,
}

/// Normalizes `raw`, one JSON object with white space around it. Total: whatever is wrong with it is a problem. `now` becomes
/// `p_parse_time`.
#[must_use]
pub fn normalize_one(
    raw: &[u8],
    schema: &Schema,
    origin: Origin<'_>,
    lookups: &Lookups,
    options: Options,
    now: Timestamp,
) -> One {
    let frame = Frame::new(origin.source, origin.label, &schema.log_type, now);
    let texts = Bump::new();
    let mut walk = Walk::new(frame, schema, lookups, options, buffer::take(2 * raw.len()), &texts);
    let quick = (!options.plainly).then(|| Quick::new(schema, lookups)).flatten();
    let quickly = quick
        .zip(str::from_utf8(raw).ok())
        .and_then(|(mut quick, text)| walk.quick_event(0, &mut quick, text, &Marks::of(raw), 0));
    let refused = match quickly {
        Some(end) if end == raw.len() => None,
        // Something follows it: nothing of it counts.
        Some(_) => return normalize_one(raw, schema, origin, lookups, Options { plainly: true, ..options }, now),
        None => match json::parse(raw) {
            Ok(value) => walk.event(0, &schema.root, &value).err(),
            Err(error) => Some(vec![problem::not_json(error)]),
        },
    };
    let (events, drift) = walk.finish();
    let event = match (refused, events.records.get(0)) {
        (None, Some(record)) => Ok(record.into()),
        (problems, _) => Err(problems.unwrap_or_default()),
    };
    One { event, drift }
}

/// What stands in for an event that is too long to be held: its rejection. `limit` is in bytes.
#[must_use]
pub fn too_long(limit: usize) -> Problem {
    Problem {
        path: "$".into(),
        rule: "length".into(),
        expected: format!("an event of at most {limit} bytes"),
        found: "more".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schemas;

    const NOW: &str = "2026-01-02T03:04:05.000000006Z";

    fn one(fields: &str, event: &str) -> One {
        let schema = format!("schema: Acme.Door\nfields: [{fields}]\n");
        let schemas = Schemas::load([("door.yml", schema.as_str())]).unwrap();
        let origin = Origin { source: "acme", label: "Acme" };
        let schema = schemas.get("Acme.Door").unwrap();
        normalize_one(event.as_bytes(), schema, origin, &Lookups::default(), Options::default(), NOW.parse().unwrap())
    }

    /// The record, or path and rule of each problem.
    fn check(fields: &str, event: &str, expect: Result<&str, &[(&str, &str)]>) {
        match (one(fields, event).event, expect) {
            (Ok(event), Ok(start)) => {
                let record = std::str::from_utf8(&event.record).unwrap();
                assert!(record.starts_with(start), "{record}");
            }
            (Err(problems), Err(expect)) => {
                let problems: Vec<_> =
                    problems.iter().map(|problem| (problem.path.as_str(), problem.rule.as_str())).collect();
                assert_eq!(problems, expect, "{event}");
            }
            (event, _) => panic!("{event:?}"),
        }
    }

    #[test]
    fn any_log_type_is_normalized_as_in_a_page() {
        check(
            "{name: door, type: int, required: true}",
            " {\"door\":\"5\", \"open\": true}\n",
            Ok("{\"door\":5,\"open\":true,\"p_log_type\":\"Acme.Door\",\"p_row_id\":\""),
        );
        check("{name: door, type: int, required: true}", "{\"door\":\"x\"}", Err(&[("$.door", "type")]));
        check("{name: door, type: int}", "{\"door\":5} x", Err(&[("$", "json")]));
        check("{name: door, type: int}", "[]", Err(&[("$", "type")]));
    }

    #[test]
    fn a_declared_uuid_is_the_identity_and_without_one_the_event_is() {
        let row_id = |fields: &str, event: &str| one(fields, event).event.unwrap().row_id;
        let declared = "{name: uuid, type: string}";
        assert_eq!(row_id(declared, "{\"uuid\":\"A\",\"x\":1}"), row_id(declared, "{\"uuid\":\"A\",\"x\":2}"));
        check(declared, "{\"uuid\":\"\"}", Err(&[("$.uuid", "required")]));
        check(declared, "{}", Err(&[("$.uuid", "required")]));
        let other = "{name: x, type: int}";
        assert_eq!(row_id(other, "{\"x\":1}"), row_id(other, " { \"x\": 1 }\n"));
        assert_ne!(row_id(other, "{\"x\":1}"), row_id(other, "{\"x\":2}"));
        assert_ne!(row_id(other, "{\"uuid\":\"A\",\"x\":1}"), row_id(other, "{\"uuid\":\"A\",\"x\":2}"));
    }

    #[test]
    fn drift_is_told_of_rejected_events_too() {
        let one = one("{name: door, type: int}", "{\"door\":\"x\",\"color\":1}");
        assert!(one.event.is_err());
        assert_eq!(one.drift.paths.keys().collect::<Vec<_>>(), ["$.color"]);
    }
}
