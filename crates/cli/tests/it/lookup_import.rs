//! `latchkey lookup import`.

use std::{fs, process::Command};

/// Exit code, standard output and standard error of an import of a file with this text beside this table of items.
fn import(list: &str, table: &str) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("list.json"), list).unwrap();
    fs::write(path("items.jsonl"), table).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.args(["lookup", "import", "list.json", "--dir", "."]).current_dir(directory.path()).env_clear();
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if !output.status.success() {
        assert_eq!(fs::read_to_string(path("items.jsonl")).unwrap(), table, "the table stays as it is");
    }
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_several_calls_print_is_one_list() {
    let list = "[{\"id\":\"a\",\"title\":\"A\",\"category\":\"LOGIN\"}]\n[{\"id\":\"b\",\"title\":\"B\",\"category\":\"LOGIN\"}]\n";
    let (code, out, err) = import(list, "");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, "items: 2 listed, 0 kept as they were, 0 no longer there\n");
}

#[test]
fn what_cannot_be_used_is_no_fault_of_the_program() {
    let list = "[{\"id\":\"a\",\"title\":\"A\",\"category\":\"LOGIN\"}]";
    for (list, table, expect) in [
        ("[]", "", "list.json: nothing is listed"),
        ("<html>", "", "list.json: line 1, column 1: not a list that 1Password's tools print"),
        ("[{\"id\":\"a\"}]", "", "list.json: it does not show what is listed"),
        (list, "title\n", "items.jsonl: line 1 of the table that is there is no row"),
    ] {
        let (code, out, err) = import(list, table);
        assert_eq!((code, out.as_str()), (Some(64), ""), "{expect}");
        assert!(err.contains(expect), "{err}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    let missing = command.args(["lookup", "import", "/nonexistent/list.json", "--dir", "."]).env_clear();
    assert_eq!(missing.output().unwrap().status.code(), Some(64));
}
