//! `latchkey schema infer`.

use crate::command::run;

const EVENTS: [&str; 2] = [
    r#"{"door":7,"opened":"2026-01-02T03:04:05Z","by":"zoe@example.com","tags":["a"]}"#,
    r#"{"door":8,"opened":"2026-01-02T03:04:06Z","by":"","extra":{"weight":1.5}}"#,
];

const PROPOSAL: &str = "\
# Proposed from 2 sample events. Read it before you rely on it: names are guesses.
schema: Acme.Door
version: 0
fields:
  - name: door
    required: true
    type: int
  - name: opened
    required: true
    type: timestamp
    timeFormats:
      - rfc3339
    isEventTime: true
  - name: by
    type: string
    indicators:
      - email
  - name: tags
    type: array
    element:
      type: string
  - name: extra
    type: object
    fields:
      - name: weight
        type: float
";

#[test]
fn samples_come_as_lines_as_an_array_or_as_a_page() {
    let [one, other] = EVENTS;
    for input in [
        format!("{one}\n{other}\n"),
        format!("[{one},\n {other}]"),
        format!("{{\"cursor\":\"c\",\"has_more\":false,\"items\":[{one},{other}]}}"),
    ] {
        let ran = run(&["infer", "--name", "Acme.Door", "--required-from", "2"], &input);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), PROPOSAL, ""), "{input}");
    }
}

#[test]
fn a_proposal_passes_the_check_and_parses_its_samples() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("events.ndjson"), EVENTS.join("\n")).unwrap();
    let ran = run(&["infer", "--required-from", "1", &path("events.ndjson")], "");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    std::fs::write(path("sample.yml"), ran.out).unwrap();
    assert_eq!(run(&["check", &path("sample.yml")], "").code, Some(0));
    let parse = ["parse", "--log-type", "Custom.Sample", "--unknown-fields", "reject", "--schemas", &path("")];
    let ran = run(&parse, &EVENTS.join("\n"));
    assert_eq!((ran.code, ran.out.lines().count(), ran.err.as_str()), (Some(0), 2, ""));
}

#[test]
fn what_is_no_sample_is_named() {
    for (arguments, input, code, expect) in [
        (&["infer"][..], "{}\n5\n", 1, "standard input: event 2: an event is a JSON object"),
        (&["infer"], "{\"a\":", 1, "EOF while parsing"),
        (&["infer"], "", 1, "no sample has a field"),
        (&["infer", "--name", "door"], "{\"a\":1}", 64, "--name door: "),
        (&["infer", "missing.json"], "", 64, "missing.json: cannot be read"),
    ] {
        let ran = run(arguments, input);
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{input}");
        assert!(ran.err.contains(expect), "{}", ran.err);
    }
}
