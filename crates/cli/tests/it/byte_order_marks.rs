//! Files and pipes that begin with a byte order mark, as some editors and shells write them, and keys in quotes.

use crate::command::{data, run, run_in};

const MARK: &str = "\u{feff}";
const EVENT: &str = "{\"door\":7,\"opened\":1767323045}\n";

#[test]
fn events_may_begin_with_a_mark() {
    let events = format!("{MARK}{EVENT}{EVENT}");
    for verb in ["parse", "drift"] {
        let ran = run(&[verb, "--log-type", "Acme.Door", "--schemas", "door"], &events);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{verb}: {}", ran.out);
    }
    for events in [events.clone(), format!("{MARK}[{EVENT}]")] {
        let ran = run(&["infer"], &events);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    }
    // Elsewhere it is no part of JSON.
    assert_eq!(run(&["infer"], &format!("{EVENT}{MARK}{EVENT}")).code, Some(1));
    let ran = run(&["parse", "--log-type", "Acme.Door", "--schemas", "door"], &format!("{EVENT}{MARK}{EVENT}"));
    assert_eq!((ran.code, ran.out.lines().count()), (Some(1), 1));
}

#[test]
fn a_schema_is_found_whatever_stands_before_its_name() {
    let text = std::fs::read_to_string(data().join("door/door.yml")).unwrap();
    for text in
        [format!("{MARK}{text}"), text.replacen("schema:", "\"schema\":", 1), text.replacen("schema:", "'schema' :", 1)]
    {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("door.yml"), &text).unwrap();
        let ran = run_in(directory.path(), &["parse", "--log-type", "Acme.Door", "--schemas", "."], EVENT);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{text}");
        assert_eq!(run_in(directory.path(), &["check", "."], "").out, "1 schema, 0 faults\n", "{text}");
    }
}
