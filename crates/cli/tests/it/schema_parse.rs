//! `latchkey schema parse`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

use serde_json::{Value, json};

use crate::command::{latchkey, run};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const DOOR: [&str; 5] = ["parse", "--log-type", "Acme.Door", "--schemas", "door"];

#[test]
fn records_go_to_standard_output_and_rejections_to_standard_error() {
    let input = "{\"door\":7,\"opened\":1767323045}\n\n{\"door\":\"x\"}\n{\"door\":8\n{\"door\":8,\"opened\":\"2026-01-02T03:04:05Z\",\"b\":1.50}";
    let ran = run(&[&DOOR[..], &["--source", "acme"]].concat(), input);
    assert_eq!(ran.code, Some(1));
    let records = lines(&ran.out);
    assert_eq!(records.len(), 2, "{}", ran.out);
    assert_eq!(records[0]["door"], 7);
    assert_eq!(records[0]["p_source_id"], "acme");
    assert_eq!(records[0]["p_event_time"], "2026-01-02 03:04:05.000000000");
    assert!(ran.out.contains("\"b\":1.50"));
    let rejections = lines(&ran.err);
    let problem = |path: &str, rule: &str, expected: &str, found: &str| json!({ "path": path, "rule": rule, "expected": expected, "found": found });
    assert_eq!(
        rejections[0],
        json!({ "line": 3, "problems": [
            problem("$.door", "type", "int", "string of 1 bytes"),
            problem("$.opened", "required", "a value", "nothing"),
        ] })
    );
    assert_eq!((&rejections[1]["line"], &rejections[1]["problems"][0]["rule"]), (&json!(4), &json!("json")));
    assert_eq!(rejections.len(), 2);
}

#[test]
fn shipped_log_types_are_known_and_joined_with_tables() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("items.jsonl"), "{\"uuid\":\"i1\",\"title\":\"Payroll\"}\n").unwrap();
    let lookups = directory.path().to_str().unwrap();
    let event = "{\"uuid\":\"A\",\"timestamp\":\"2026-01-02T03:04:05Z\",\"item_uuid\":\"I1\",\"new\":1}\n";
    let parse = ["parse", "--log-type", "OnePassword.ItemUsage", "--lookups", lookups, "--unknown-fields", "drop"];
    let ran = run(&parse, event);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let record = &lines(&ran.out)[0];
    assert_eq!(record["p_enrichment"]["items"]["item_uuid"]["title"], "Payroll");
    assert_eq!(record.get("new"), None);
}

#[test]
fn a_long_line_is_rejected_without_being_held() {
    let input = format!("{{\"door\":\"{}\"}}\n{{\"door\":7,\"opened\":1767323045}}\n", "x".repeat(5 << 20));
    let ran = run(&DOOR, &input);
    assert_eq!((ran.code, lines(&ran.out).len()), (Some(1), 1));
    assert_eq!(lines(&ran.err)[0]["problems"][0]["rule"], "length");
}

#[test]
fn a_record_is_seen_before_the_next_event_comes() {
    let mut command = latchkey();
    let mut child = command.args(DOOR).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut records = BufReader::new(child.stdout.take().unwrap()).lines();
    for door in ["7", "8"] {
        writeln!(stdin, "{{\"door\":{door},\"opened\":1767323045}}").unwrap();
        let record: Value = serde_json::from_str(&records.next().unwrap().unwrap()).unwrap();
        assert_eq!(record["door"].to_string(), door);
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let mut command = latchkey();
    command.args(DOOR).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    // Until the pipe breaks, which proves that the process has ended on its own.
    while stdin.write_all(b"{\"door\":7,\"opened\":1767323045}\n").is_ok() {}
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn a_rejection_counts_also_if_the_reader_leaves_behind_it() {
    let mut child =
        latchkey().args(DOOR).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(b"{\"door\":\"x\"}\n");
    while stdin.write_all(b"{\"door\":7,\"opened\":1767323045}\n").is_ok() {}
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn what_cannot_be_used_is_refused() {
    for (arguments, expect) in [
        (&["parse", "--log-type", "Acme.Window"][..], "no schema declares `schema: Acme.Window`"),
        (&["parse", "--log-type", "Acme.Faulty", "--schemas", "."], "\"bool\" is no type"),
        (&["parse", "--log-type", "Acme.Door", "--schemas", "nowhere"], "nowhere: cannot be read"),
        (&["parse", "--log-type", "OnePassword.ItemUsage", "--lookups", "nowhere"], "nowhere: cannot be read"),
        (&["parse"], "--log-type"),
    ] {
        let ran = run(arguments, "{}\n");
        assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""), "{arguments:?}");
        assert!(ran.err.contains(expect), "{}", ran.err);
    }
}

#[test]
fn help_teaches_with_an_example() {
    for verb in ["test", "check", "infer", "parse", "drift"] {
        let ran = run(&[verb, "--help"], "");
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let example = format!("Example:\n  latchkey schema {verb}");
        assert!(ran.out.contains(&example) && ran.out.contains("Exit code: 0"), "{}", ran.out);
    }
}
