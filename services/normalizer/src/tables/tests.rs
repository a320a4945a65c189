use std::fs;

use latchkey_core::{normalize::Options, schema::Schemas};

use super::*;

fn rules() -> Arc<Rules> {
    Arc::new(Rules { schemas: Schemas::default(), options: Options::default() })
}

fn open(directory: &std::path::Path, rules: &Arc<Rules>) -> Result<Tables, InvalidTables> {
    let metrics = Metrics::new(&latchkey_runtime::Metrics::new());
    Tables::open(Some(directory.into()), rules, Some(Learning::default()), metrics)
}

/// What a look would do, without a bucket.
fn refresh(tables: &Tables, rules: &Arc<Rules>) -> Result<(), InvalidTables> {
    let look = Look::of_directory(tables.directory.as_deref())?;
    if tables.state().is_known(&look, rules) {
        return Ok(());
    }
    tables.replace(&look, &Files::of_directory(tables.directory.as_deref())?, rules)
}

#[test]
fn changed_files_replace_the_tables_and_broken_ones_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("items.jsonl");
    fs::write(&file, "{\"uuid\":\"a\"}").unwrap();
    let rules = rules();
    let tables = open(directory.path(), &rules).unwrap();
    let first = tables.current().version().to_owned();

    refresh(&tables, &rules).unwrap();
    assert_eq!(tables.current().version(), first);

    fs::write(&file, "{\"uuid\":\"a\"}\n{\"uuid\":\"b\"}").unwrap();
    refresh(&tables, &rules).unwrap();
    let second = tables.current().version().to_owned();
    assert_ne!(second, first);

    fs::write(&file, "nonsense").unwrap();
    assert!(matches!(refresh(&tables, &rules), Err(InvalidTables::Invalid(_))));
    assert_eq!(tables.current().version(), second);

    fs::write(directory.path().join("own.yml"), "AnalysisType: lookup_table").unwrap();
    assert!(matches!(refresh(&tables, &rules), Err(InvalidTables::Definitions(_))));
    assert_eq!(tables.current().version(), second);

    fs::remove_file(&file).unwrap();
    fs::remove_file(directory.path().join("own.yml")).unwrap();
    refresh(&tables, &rules).unwrap();
    assert_eq!(tables.current().version(), "");
}

#[test]
fn a_table_that_nobody_refreshes_becomes_stale() {
    let directory = tempfile::tempdir().unwrap();
    let definition = "AnalysisType: lookup_table\nLookupName: items\nEnabled: true\nSchema: OnePassword.Name\n\
                      Refresh: {ObjectPath: items.jsonl, AlarmPeriodMinutes: 1}\nLogTypeMap: {PrimaryKey: uuid}\n";
    fs::write(directory.path().join("items.yml"), definition).unwrap();
    let file = directory.path().join("items.jsonl");
    fs::write(&file, "{\"uuid\":\"a\"}").unwrap();
    let rules = rules();
    let tables = open(directory.path(), &rules).unwrap();
    assert!(tables.state().stale.is_empty());

    let old = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    fs::File::options().write(true).open(&file).unwrap().set_times(old).unwrap();
    refresh(&tables, &rules).unwrap();
    assert_eq!(tables.state().stale, ["items"]);
}

#[test]
fn a_directory_that_is_not_there_is_refused_at_start() {
    let error = open("/nonexistent/lookups".as_ref(), &rules()).err().unwrap();
    assert!(error.to_string().starts_with("/nonexistent/lookups: "));
}

#[test]
fn new_schemas_join_the_same_tables_anew() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("items.jsonl"), "{\"uuid\":\"a\"}").unwrap();
    let first = rules();
    let tables = open(directory.path(), &first).unwrap();
    let joined = tables.current.load_full();
    refresh(&tables, &first).unwrap();
    assert!(Arc::ptr_eq(&joined, &tables.current.load_full()), "nothing has changed");
    let second = rules();
    refresh(&tables, &second).unwrap();
    assert!(!Arc::ptr_eq(&joined, &tables.current.load_full()));
}

#[test]
fn what_could_not_be_read_is_read_again_also_if_it_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let rules = rules();
    let tables = open(directory.path(), &rules).unwrap();
    tables.state().refuse(&InvalidTables::TooLong("items.jsonl".into()));
    assert!(matches!(tables.standing(), Standing::Refused { .. }));
    refresh(&tables, &rules).unwrap();
    assert!(matches!(tables.standing(), Standing::InUse { .. }));

    // What was read and refused is not tried again until it changes.
    fs::write(directory.path().join("items.jsonl"), "nonsense").unwrap();
    let error = refresh(&tables, &rules).unwrap_err();
    tables.state().refuse(&error);
    refresh(&tables, &rules).unwrap();
    let Standing::Refused { reason, .. } = tables.standing() else { panic!("{:?}", tables.standing()) };
    assert_eq!(
        reason,
        "lookup table items.jsonl: no row can be used; line 1: $: json: expected one JSON object, found expected a value at byte 0"
    );
}
