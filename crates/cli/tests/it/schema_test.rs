//! `latchkey schema test`.

use crate::command::run;

#[test]
fn the_shipped_schemas_pass_their_tests() {
    let ran = run(&["test", "--unknown-fields", "reject", "../../../../schemas/tests"], "");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert_eq!(ran.out.lines().last(), Some("14 passed, 0 failed"));
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
