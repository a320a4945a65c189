//! `latchkey schema drift`.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use crate::command::{latchkey, run, run_in};

const DOOR: [&str; 5] = ["drift", "--log-type", "Acme.Door", "--schemas", "door"];

const EVENTS: &str = "\
{\"door\":7,\"opened\":1767323045,\"color\":\"red\"}\n\
\n\
{\"door\":\"x\",\"opened\":1767323045}\n\
{\"door\":8,\"opened\":1767323045,\"color\":1.5,\"weight\":null}\n";

#[test]
fn each_change_is_told_with_its_lines_and_without_its_value() {
    let ran = run(&DOOR, EVENTS);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert_eq!(
        ran.out,
        "\
path      kind   count  first  last  first value
$.color   field      2      1     4  string of 3 bytes
$.weight  field      1      4     4  null
$.door    type       1      3     3  string of 1 bytes
3 changes in 3 events
1 event rejected: `latchkey schema parse` says why
"
    );
}

#[test]
fn events_as_their_schema_says_are_no_drift() {
    for (input, code, expect) in [
        ("{\"door\":7,\"opened\":1767323045}\n", 0, "0 changes in 1 event\n"),
        ("", 0, "0 changes in 0 events\n"),
        ("{\"door\":7}\n", 0, "0 changes in 1 event\n1 event rejected: `latchkey schema parse` says why\n"),
        ("door\n[]\n", 1, "0 changes in 2 events\nnot read: 2 lines, an event is one JSON object\n"),
    ] {
        let ran = run(&DOOR, input);
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), expect), "{input}");
    }
}

#[test]
fn the_patch_makes_a_schema_without_drift() {
    let directory = tempfile::tempdir().unwrap();
    let schema = directory.path().join("schemas/rule.yml");
    fs::create_dir(directory.path().join("schemas")).unwrap();
    let text = "schema: Acme.Rule\nfields:\n  - name: state\n    type: string\n    validate:\n      allow: [open]\n  - name: size\n    type: int\n";
    fs::write(&schema, text).unwrap();
    let events = "{\"state\":\"jammed\",\"size\":\"big\"}\n{\"state\":\"ann@example.com\",\"color\":\"red\"}\n";
    let drift = |more: &[&str]| {
        let arguments = [&["drift", "--log-type", "Acme.Rule", "--schemas", "schemas"], more].concat();
        run_in(directory.path(), &arguments, events)
    };
    let ran = drift(&["--patch"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("string of 6 bytes: jammed") && !ran.err.contains("ann@"), "{}", ran.err);
    assert!(
        ran.err.contains("not in the patch: $.state: a new value (string of 15 bytes) is not shown"),
        "{}",
        ran.err
    );
    assert!(ran.out.starts_with("--- schemas/rule.yml\n+++ schemas/rule.yml\n@@ -6,1 +6,1 @@\n"), "{}", ran.out);
    assert!(ran.out.contains("+  # met 1 ×, line 2 to line 2, first as string of 3 bytes\n"), "{}", ran.out);

    let mut apply = Command::new("git");
    apply.args(["apply", "--unidiff-zero", "-p0", "-"]).current_dir(directory.path()).stdin(Stdio::piped());
    let mut apply = apply.spawn().unwrap();
    apply.stdin.take().unwrap().write_all(ran.out.as_bytes()).unwrap();
    assert!(apply.wait().unwrap().success());
    let ran = drift(&[]);
    assert!(ran.out.contains("\n1 change in 2 events\n"), "{}\n{}", ran.out, fs::read_to_string(&schema).unwrap());
}

#[test]
fn drift_is_found_whether_or_not_anybody_reads_of_it() {
    let mut child =
        latchkey().args(DOOR).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(EVENTS.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), b"".as_slice()));
}
