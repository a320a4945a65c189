//! `latchkey schema check`.

use crate::command::run;

#[test]
fn sound_schemas_pass() {
    let ran = run(&["check", "../../../../schemas", "door"], "");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "6 schemas, 0 faults\n", ""));
}

#[test]
fn every_fault_has_its_place() {
    let ran = run(&["check", "."], "");
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let lines: Vec<_> = ran.out.lines().collect();
    let [first, second, last] = lines[..] else { panic!("{}", ran.out) };
    assert!(first.contains("faulty.yml:4: fields[opened].type: \"bool\" is no type"), "{first}");
    assert!(second.contains("faulty.yml:5: fields[p_own]"), "{second}");
    assert_eq!(last, "2 schemas, 2 faults");
}

#[test]
fn a_named_file_is_checked_whatever_it_is() {
    let ran = run(&["check", "failing_tests.yml"], "");
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    let ran = run(&["check", "nowhere"], "");
    assert_eq!(ran.code, Some(64));
    let directory = tempfile::tempdir().unwrap();
    let ran = run(&["check", directory.path().to_str().unwrap()], "");
    assert_eq!(ran.code, Some(64));
    assert!(ran.err.contains("no schema found"), "{}", ran.err);
}
