use std::{fs, path::Path};

use super::*;

const DOOR: &str = "schema: Acme.Door\nfields:\n  - {name: at, type: timestamp}\n";
const DOOR_WITH_ROOM: &str =
    "schema: Acme.Door\nfields:\n  - {name: at, type: timestamp}\n  - {name: room, type: string}\n";

fn open(directory: &Path, unknown: &[(&str, Unknown)]) -> Result<Rulebook, InvalidSchemas> {
    let unknown = unknown.iter().map(|(log_type, unknown)| ((*log_type).to_owned(), *unknown)).collect();
    let sources = Sources { directory: Some(directory.into()), unknown, options: Options::default() };
    Rulebook::open(sources, Metrics::new(&latchkey_runtime::Metrics::new()))
}

fn fields(rules: &Rules, log_type: &str) -> Option<usize> {
    rules.schemas.get(log_type).map(|schema| schema.root.fields.len())
}

/// The reason of a refusal.
fn refused(rulebook: &Rulebook) -> Option<String> {
    match rulebook.standing() {
        Standing::Refused { reason, .. } => Some(reason),
        Standing::InUse { .. } => None,
    }
}

#[test]
fn changed_files_replace_the_schemas_and_a_page_in_work_keeps_its_version() {
    let directory = tempfile::tempdir().unwrap();
    let rulebook = open(directory.path(), &[]).unwrap();
    let first = rulebook.current();
    rulebook.refresh();
    assert!(Arc::ptr_eq(&first, &rulebook.current()), "nothing has changed");
    assert_eq!(fields(&first, "Acme.Door"), None);

    for (text, count) in [(DOOR, 1), (DOOR_WITH_ROOM, 2)] {
        fs::write(directory.path().join("door.yml"), text).unwrap();
        rulebook.refresh();
        assert_eq!(fields(&rulebook.current(), "Acme.Door"), Some(count));
    }
    assert_eq!(fields(&first, "Acme.Door"), None);
}

#[test]
fn a_file_takes_the_place_of_the_shipped_one_and_gives_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let rulebook = open(directory.path(), &[]).unwrap();
    let shipped = fields(&rulebook.current(), "OnePassword.ItemUsage").unwrap();
    let file = directory.path().join("own.yaml");
    fs::write(&file, DOOR.replace("Acme.Door", "OnePassword.ItemUsage")).unwrap();
    rulebook.refresh();
    assert_eq!(fields(&rulebook.current(), "OnePassword.ItemUsage"), Some(1));
    fs::remove_file(&file).unwrap();
    rulebook.refresh();
    assert_eq!(fields(&rulebook.current(), "OnePassword.ItemUsage"), Some(shipped));
}

#[test]
fn a_version_with_faults_never_replaces_one_that_works() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("door.yml");
    fs::write(&file, DOOR).unwrap();
    let rulebook = open(directory.path(), &[]).unwrap();

    fs::write(&file, "schema: Acme.Door\nfields:\n  - {name: at, kind: timestamp}\n").unwrap();
    rulebook.refresh();
    assert_eq!(fields(&rulebook.current(), "Acme.Door"), Some(1));
    let reason = refused(&rulebook).unwrap();
    assert!(reason.starts_with("normalizer.schemas: door.yml:3: fields[at]"), "{reason}");
    // Refused once for as long as it stays as it is.
    rulebook.refresh();
    assert_eq!((rulebook.metrics.schemas_refusals(), refused(&rulebook)), (1, Some(reason)));

    fs::write(&file, DOOR_WITH_ROOM).unwrap();
    rulebook.refresh();
    assert_eq!((fields(&rulebook.current(), "Acme.Door"), refused(&rulebook)), (Some(2), None));
}

#[test]
fn a_directory_that_goes_and_comes_back_as_it_was_is_in_use_again() {
    let outer = tempfile::tempdir().unwrap();
    let (directory, away) = (outer.path().join("schemas"), outer.path().join("away"));
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("door.yml"), DOOR).unwrap();
    let rulebook = open(&directory, &[]).unwrap();
    fs::rename(&directory, &away).unwrap();
    rulebook.refresh();
    assert!(refused(&rulebook).is_some());
    assert_eq!(fields(&rulebook.current(), "Acme.Door"), Some(1));
    fs::rename(&away, &directory).unwrap();
    rulebook.refresh();
    assert_eq!(refused(&rulebook), None);
}

#[test]
fn undeclared_fields_may_have_another_fate_in_one_log_type() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("door.yml");
    fs::write(&file, DOOR).unwrap();
    let own = [("Acme.Door", Unknown::Drop), ("OnePassword.ItemUsage", Unknown::Reject)];
    let rulebook = open(directory.path(), &own).unwrap();
    let unknown = |log_type: &str| rulebook.current().schemas.get(log_type).unwrap().unknown;
    assert_eq!(unknown("Acme.Door"), Some(Unknown::Drop));
    assert_eq!(unknown("OnePassword.ItemUsage"), Some(Unknown::Reject));
    assert_eq!(unknown("OnePassword.AuditEvent"), None);

    // It holds for every version; one that lacks the log type is refused.
    fs::write(&file, DOOR_WITH_ROOM).unwrap();
    rulebook.refresh();
    assert_eq!(unknown("Acme.Door"), Some(Unknown::Drop));
    fs::remove_file(&file).unwrap();
    rulebook.refresh();
    assert!(refused(&rulebook).unwrap().contains("Acme.Door"));
    assert_eq!(unknown("Acme.Door"), Some(Unknown::Drop));
}

#[test]
fn what_cannot_be_used_is_refused_at_start() {
    let directory = tempfile::tempdir().unwrap();
    let error = open(directory.path(), &[("Acme.Gate", Unknown::Drop)]).err().unwrap();
    let expect = "normalizer.unknown_fields_by_log_type: \"Acme.Gate\" is no log type that is known here";
    assert_eq!(error.to_string(), expect);
    let error = open("/nonexistent/schemas".as_ref(), &[]).err().unwrap();
    assert!(error.to_string().starts_with("normalizer.schemas: /nonexistent/schemas: "));
}
