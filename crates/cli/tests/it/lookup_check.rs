//! `latchkey lookup check`.

use std::{fs, path::Path, process::Command};

/// Exit code, standard output and standard error of a check of these files.
fn check(files: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    of(directory.path())
}

fn of(directory: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    let output = command.args(["lookup", "check"]).arg(directory).env_clear().output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn sound_tables_pass() {
    let (code, out, err) = check(&[("items.jsonl", "{\"uuid\":\"a\"}\n{\"uuid\":\"A\"}\n"), ("notes.csv", "")]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines[..2],
        ["items (items.jsonl): 1 rows, 1 repeated, 0 left out", "notes.csv: belongs to no table in use"]
    );
    assert!(lines[2].starts_with("version "), "{out}");
}

#[test]
fn what_is_left_out_has_its_place_and_no_value() {
    let rows = "{\"uuid\":\"a\"}\n{\"uuid\":\"b\",\"deleted\":\"ann@example.com\"}\n";
    let (code, out, _) = check(&[("items.jsonl", rows)]);
    assert_eq!(code, Some(1));
    assert!(out.contains("\n  items.jsonl:2: $.deleted: type: expected boolean, found string of 15 bytes\n"), "{out}");
}

#[test]
fn what_cannot_be_used_is_named_line_by_line() {
    let (code, out, err) = check(&[("items.jsonl", "a\n[]\n")]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let expect = "items.jsonl: no row can be used\n  items.jsonl:1: $: json: expected one JSON object, found expected a value at byte 0\n  \
                  items.jsonl:2: $: type: expected object, found array of 0 elements\n";
    assert_eq!(out, expect);
    let (code, out, _) = check(&[("own.yml", "AnalysisType: lookup_table\nEnabled: 1\n")]);
    assert_eq!((code, out.lines().count()), (Some(1), 4));
    assert!(out.starts_with("own.yml:1: "), "{out}");
    let (code, out, err) = check(&[("items.csv", "title\nx\n")]);
    assert_eq!((code, out.as_str()), (Some(64), ""));
    assert!(err.contains("items.csv: the header does not name the table's primary key"), "{err}");
    assert_eq!(of(Path::new("/nonexistent/lookups")).0, Some(64));
}
