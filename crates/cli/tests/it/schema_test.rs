//! `latchkey schema test`.

use std::{fs, process::Stdio};

use crate::command::{data, latchkey, run, run_in};

#[test]
fn the_shipped_schemas_pass_their_tests() {
    let ran = run(&["test", "--unknown-fields", "reject", "../../../../schemas/tests"], "");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert_eq!(ran.out.lines().last(), Some("21 passed, 0 failed"));
}

#[test]
fn schemas_are_found_by_name_below_directories() {
    let ran = run(&["test", "--unknown-fields", "drop", "--schemas", ".", "door/door_tests.yml"], "");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert_eq!(
        ran.out,
        "ok     door/door_tests.yml:2: a door is opened\nok     door/door_tests.yml:10: a door needs a number\n2 passed, 0 failed\n"
    );
    let ran = run(&["test", "--unknown-fields", "drop", "door"], "");
    assert_eq!((ran.code, ran.out.lines().last()), (Some(0), Some("2 passed, 0 failed")));
}

#[test]
fn compatibility_is_a_choice() {
    for (more, expect) in [
        (&["--unknown-fields", "keep"][..], "$.color"),
        (&["--unknown-fields", "drop", "--email-usernames", "off"], "$.p_any_usernames"),
    ] {
        let ran = run(&[&["test", "door"], more].concat(), "");
        assert_eq!(ran.code, Some(1));
        assert_eq!(ran.out.lines().filter(|line| line.starts_with("  $")).collect::<Vec<_>>(), [format!("  {expect}")]);
        assert_eq!(ran.out.lines().last(), Some("1 passed, 1 failed"));
    }
}

#[test]
fn a_failure_says_what_was_expected_and_what_came() {
    let ran = run(&["test", "--schemas", "door", "failing_tests.yml"], "");
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let expect = "\
FAILED failing_tests.yml:1: another person (Acme.Door)
  $.door
    expected 8
    got      7
  $.at
    expected [1,2]
    got      nothing
  $.p_any_emails
    expected \"ben@example.com\"
    got      nothing
  $.p_any_emails
    expected nothing
    got      \"zoe@example.com\"
FAILED failing_tests.yml:9: rejected after all (Acme.Door)
  expected a record, but the event was rejected:
    $.door: type: expected int, found string of 1 bytes
FAILED failing_tests.yml:14: not rejected (Acme.Door)
";
    assert!(ran.out.starts_with(expect), "{}", ran.out);
    for expect in [
        "  expected a rejection, but the event gave a record:\n    {\"door\":1,",
        "  expected a problem at $.door with rule type\n  got:\n    $.opened: required: expected a value, found nothing\n",
        "  no schema declares `schema: Acme.Window`: name the directory that holds it with --schemas DIR (known: Acme.Door,",
        "  expected 2 records, but the input holds 1 events: one record per event\n",
    ] {
        assert!(ran.out.contains(expect), "{expect}\n{}", ran.out);
    }
    assert_eq!(ran.out.lines().last(), Some("0 passed, 6 failed"));
}

/// A test that expects an item's title, with tables of its own or not, and the directory it is in.
fn enrichment(own: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let test = "name: a\nlogType: Acme.Door\ninput: {door: 7, opened: 1767323045}\nresult:\n  door: 7\n  opened: 2026-01-02T03:04:05Z\n  \
                p_log_type: Acme.Door\n  p_event_time: 2026-01-02T03:04:05Z\n  p_enrichment: {doors: {door: {number: 7, name: Front, p_match: 7}}}\n";
    write("tests/door_tests.yml", &format!("{own}{test}"));
    let table = "AnalysisType: lookup_table\nLookupName: doors\nEnabled: true\nSchema: Acme.Name\nLogTypeMap:\n  PrimaryKey: number\n  \
                 AssociatedLogTypes: [{LogType: Acme.Door, Selectors: [door]}]\n";
    for tables in ["tables", "tests/tables"] {
        write(&format!("{tables}/doors.yml"), table);
        let schema = "schema: Acme.Name\nfields: [{name: number, type: int}, {name: name, type: string}]\n";
        write(&format!("{tables}/name_schema.yml"), schema);
        write(&format!("{tables}/doors.jsonl"), "{\"number\":7,\"name\":\"Front\"}\n");
    }
    write("none/README.md", "");
    directory
}

#[test]
fn enrichment_is_compared_like_other_fields() {
    let doors = data().join("door");
    for (own, more, code, expect) in [
        ("", &["--lookups", "tables"][..], 0, "1 passed, 0 failed"),
        ("lookups: tables\n", &[], 0, "1 passed, 0 failed"),
        ("lookups: tables\n", &["--lookups", "none"], 0, "1 passed, 0 failed"),
        ("", &[], 1, "$.p_enrichment\n    expected {\"doors\":"),
        ("lookups: elsewhere\n", &[], 1, "elsewhere: cannot be read"),
        ("", &["--lookups", "elsewhere"], 64, "elsewhere: cannot be read"),
        ("", &["--lookups", "tables", "--lookups", "tests/tables"], 64, "another directory has a file doors.jsonl too"),
    ] {
        let directory = enrichment(own);
        let arguments = [&["test", "--schemas", doors.to_str().unwrap()], more, &["tests/door_tests.yml"]].concat();
        let ran = run_in(directory.path(), &arguments, "");
        assert_eq!(ran.code, Some(code), "{own}{more:?}\n{}{}", ran.out, ran.err);
        assert!(ran.out.contains(expect) || ran.err.contains(expect), "{own}{more:?}\n{}{}", ran.out, ran.err);
    }
}

#[test]
fn the_exit_code_says_what_failed_also_if_nobody_reads_it() {
    for (arguments, code) in [
        (&["test", "--schemas", "door", "failing_tests.yml"][..], 1),
        (&["test", "--unknown-fields", "drop", "door"], 0),
        (&["check", "."], 1),
        (&["check", "door"], 0),
    ] {
        let mut child = latchkey().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(code), b"".as_slice()), "{arguments:?}");
    }
}

#[test]
fn what_is_no_test_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (text, expect) in [
        ("name: x\nlogType: A.B\ninput: {}\n", "exactly one of `result`, `results` and `error` is needed"),
        ("name: x\nlogType: A.B\ninput: {}\nresult: {}\n---\nname: [\n", "tests.yml:"),
        ("# nothing\n", "holds no test"),
    ] {
        let file = directory.path().join("tests.yml");
        std::fs::write(&file, text).unwrap();
        let ran = run(&["test", file.to_str().unwrap()], "");
        assert_eq!((ran.code, ran.out.as_str()), (Some(64), ""), "{text}");
        assert!(ran.err.contains(expect), "{}", ran.err);
    }
    let ran = run(&["test", "missing.yml"], "");
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("missing.yml: cannot be read"), "{}", ran.err);
    assert_eq!(run(&["test"], "").code, Some(64));
}
