//! Runs every example of docs/schemas.md: what is taught is what is done.

use latchkey_core::{
    lookup::Lookups,
    normalize::{Normalized, Options, drift::Book, normalize_event},
    schema::{Schemas, is_reserved, patch},
};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/schemas.md");
const NOW: &str = "2026-01-02T03:04:05Z";

/// The fenced blocks, each with what stands behind its fence, and the line it begins on.
fn blocks() -> Vec<(usize, &'static str, String)> {
    let mut blocks: Vec<(usize, &str, String)> = Vec::new();
    let mut inside = false;
    for (line, text) in (1..).zip(PAGE.lines()) {
        match text.strip_prefix("```") {
            Some(_) if inside => inside = false,
            Some(kind) => {
                inside = true;
                blocks.push((line, kind, String::new()));
            }
            None if inside => {
                let (_, _, content) = blocks.last_mut().expect("a fence has been opened");
                content.push_str(text);
                content.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// Normalizes one event under an example's schema.
fn run(schema: &str, event: &str) -> Normalized {
    let schemas = Schemas::load([("example.yml", schema)]).expect("a schema without faults");
    let log_type = schemas.log_types().next().expect("one schema").to_owned();
    let now = NOW.parse().expect("an instant");
    normalize_event("acme", &log_type, event.as_bytes(), &schemas, &Lookups::default(), Options::default(), now)
}

#[test]
fn every_example_does_what_the_page_says() {
    let (mut schema, mut event) = (String::new(), String::new());
    let mut checked = 0;
    for (line, kind, content) in blocks() {
        checked += 1;
        match kind {
            "yaml schema" | "yaml drift" | "yaml refused" => schema = content,
            "json event" => event = content,
            "json record" => {
                let normalized = run(&schema, &event);
                let [item] = normalized.events.as_slice() else { panic!("line {line}: {:?}", normalized.rejections) };
                let mut record: Value = serde_json::from_slice(&item.event.record).unwrap();
                record.as_object_mut().unwrap().retain(|name, _| !is_reserved(name));
                assert_eq!(record, serde_json::from_str::<Value>(&content).unwrap(), "line {line}");
            }
            "text problems" => {
                let normalized = run(&schema, &event);
                let [rejection] = normalized.rejections.as_slice() else { panic!("line {line}: one rejection") };
                let problems: Vec<_> =
                    rejection.problems.iter().map(|problem| format!("{} {}\n", problem.path, problem.rule)).collect();
                assert_eq!(problems.concat(), content, "line {line}");
            }
            "diff" => {
                let mut book = Book::default();
                book.add(&run(&schema, &event).drift, NOW.parse().unwrap());
                let patch = patch(&schema, &book).unwrap();
                assert_eq!(patch.to_string(), content, "line {line}");
                assert!(run(&patch.text, &event).drift.is_empty(), "line {line}");
            }
            "text faults" => {
                let error = Schemas::load([("example.yml", schema.as_str())]).unwrap_err();
                let faults: Vec<_> =
                    error.faults.iter().map(|(_, fault)| format!("{}: {fault}\n", fault.line)).collect();
                assert_eq!(faults.concat(), content, "line {line}");
            }
            other => panic!("line {line}: {other:?} is no kind of example"),
        }
    }
    assert!(checked > 20, "{checked}");
}
