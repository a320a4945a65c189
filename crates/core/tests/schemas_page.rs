//! Runs every example of docs/schemas.md: what is taught is what is done. Those on the command line are run by crates/cli.

use latchkey_core::{
    lookup::Lookups,
    normalize::{One, Options, Origin, drift::Book, normalize_one},
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
fn run(schema: &str, event: &str) -> One {
    let schemas = Schemas::load([("example.yml", schema)]).expect("a schema without faults");
    let schema = schemas.log_types().next().and_then(|log_type| schemas.get(log_type)).expect("one schema");
    let origin = Origin { source: "acme", label: "Acme" };
    let now = NOW.parse().expect("an instant");
    normalize_one(event.as_bytes(), schema, origin, &Lookups::default(), Options::default(), now)
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
                let event = run(&schema, &event).event.unwrap_or_else(|problems| panic!("line {line}: {problems:?}"));
                let mut record: Value = serde_json::from_slice(&event.record).unwrap();
                record.as_object_mut().unwrap().retain(|name, _| !is_reserved(name));
                assert_eq!(record, serde_json::from_str::<Value>(&content).unwrap(), "line {line}");
            }
            "text problems" => {
                let Err(problems) = run(&schema, &event).event else { panic!("line {line}: no rejection") };
                let problems: Vec<_> =
                    problems.iter().map(|problem| format!("{} {}\n", problem.path, problem.rule)).collect();
                assert_eq!(problems.concat(), content, "line {line}");
            }
            "diff" => {
                let mut book: Book = Book::default();
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
            "console" => {}
            file if file.contains(" file ") => {}
            other => panic!("line {line}: {other:?} is no kind of example"),
        }
    }
    assert!(checked > 20, "{checked}");
}
