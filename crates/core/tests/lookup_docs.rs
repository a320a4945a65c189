//! Runs the examples of docs/lookup-tables.md.
//!
//! A fenced block's first word is its language, the rest its role: a file's name, `list` (what a tool printed, which the next file is
//! made from), `event` with a log type, or `enrichment` (what that event is given). Files belong to their section.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use jiff::Timestamp;
use latchkey_core::{
    lookup::{
        Definitions, File, Lookups, Sources,
        import::{self, import},
    },
    normalize::{Options, Origin, normalize_one},
    schema::Schemas,
};
use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../docs/lookup-tables.md");

const SCHEMAS: [(&str, &str); 3] = [
    ("audit", include_str!("../../../schemas/onepassword_audit_event.yml")),
    ("items", include_str!("../../../schemas/onepassword_item_usage.yml")),
    ("sign-ins", include_str!("../../../schemas/onepassword_sign_in_attempt.yml")),
];

/// The blocks of a section, each as its info string and its text.
fn blocks(section: &str) -> Vec<(&str, &str)> {
    let inside = section.split("```").skip(1).step_by(2);
    inside.map(|block| block.split_once('\n').unwrap()).collect()
}

fn enrichment(files: &[(&str, &str)], log_type: &str, event: &str) -> Value {
    let is_definition = |name: &str| name.rsplit('.').next() == Some("yml");
    let definitions: Vec<_> = files.iter().copied().filter(|(name, _)| is_definition(name)).collect();
    let definitions = Definitions::load(&definitions).unwrap();
    let data = files.iter().filter(|(name, _)| !is_definition(name));
    let data: Vec<_> = data.map(|(name, text)| File { name, bytes: text.as_bytes() }).collect();
    let schemas = Schemas::load(SCHEMAS).unwrap();
    let sources = Sources { definitions: &definitions, schemas: &schemas };
    let (lookups, report) = Lookups::load_from(sources, &data).unwrap();
    assert!(report.ignored.is_empty() && report.tables.iter().all(|table| table.bad == 0), "{report:?}");
    let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
    let lookups = lookups.at(now);
    // Examples show the fields they are about; every event has these two.
    let mut event: Value = serde_json::from_str(event).unwrap();
    event["uuid"] = "A".into();
    event["timestamp"] = "2026-01-02T03:04:05Z".into();
    let (event, origin) = (event.to_string(), Origin { source: "acme", label: "Acme" });
    let schema = schemas.get(log_type).unwrap();
    let one = normalize_one(event.as_bytes(), schema, origin, &lookups, Options::default(), now);
    serde_json::from_slice::<Value>(&one.event.unwrap().record).unwrap()["p_enrichment"].take()
}

#[test]
fn the_examples_are_true() {
    let mut run = 0;
    for section in DOCUMENT.split("\n## ") {
        let (mut files, mut list, mut event) = (Vec::new(), None, None);
        for (info, text) in blocks(section) {
            let Some((_, role)) = info.split_once(' ') else { continue };
            if role == "list" {
                list = Some(text);
            } else if let Some(log_type) = role.strip_prefix("event ") {
                event = Some((log_type, text));
            } else if role == "enrichment" {
                let (log_type, event) = event.take().unwrap();
                let expect: Value = serde_json::from_str(text).unwrap();
                assert_eq!(enrichment(&files, log_type, event), expect, "{event}");
                run += 1;
            } else {
                if let Some(list) = list.take() {
                    let imported = import(&[list.as_bytes()], b"", &import::Options::default()).unwrap();
                    assert_eq!((str::from_utf8(&imported.data).unwrap(), role), (text, "items.jsonl"));
                }
                files.push((role, text));
            }
        }
    }
    assert_eq!(run, 6);
}
