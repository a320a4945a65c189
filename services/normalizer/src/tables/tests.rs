use std::fs;

use super::*;

fn open(directory: &std::path::Path) -> Result<Tables, InvalidTables> {
    let metrics = Metrics::new(&latchkey_runtime::Metrics::new());
    Tables::open(Some(directory.into()), Schemas::default(), true, Some(Learning::default()), metrics)
}

/// What a look would do, without a bucket.
fn refresh(tables: &Tables) -> Result<(), InvalidTables> {
    let look = Look::of_directory(tables.directory.as_deref())?;
    if tables.state().is_known(&look) {
        return Ok(());
    }
    tables.replace(&look, &Files::of_directory(tables.directory.as_deref())?)
}

#[test]
fn changed_files_replace_the_tables_and_broken_ones_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("items.jsonl");
    fs::write(&file, "{\"uuid\":\"a\"}").unwrap();
    let tables = open(directory.path()).unwrap();
    let first = tables.current().version().to_owned();

    refresh(&tables).unwrap();
    assert_eq!(tables.current().version(), first);

    fs::write(&file, "{\"uuid\":\"a\"}\n{\"uuid\":\"b\"}").unwrap();
    refresh(&tables).unwrap();
    let second = tables.current().version().to_owned();
    assert_ne!(second, first);

    fs::write(&file, "nonsense").unwrap();
    assert!(matches!(refresh(&tables), Err(InvalidTables::Invalid(_))));
    assert_eq!(tables.current().version(), second);

    fs::write(directory.path().join("own.yml"), "AnalysisType: lookup_table").unwrap();
    assert!(matches!(refresh(&tables), Err(InvalidTables::Definitions(_))));
    assert_eq!(tables.current().version(), second);

    fs::remove_file(&file).unwrap();
    fs::remove_file(directory.path().join("own.yml")).unwrap();
    refresh(&tables).unwrap();
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
    let tables = open(directory.path()).unwrap();
    assert!(tables.state().stale.is_empty());

    let old = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH);
    fs::File::options().write(true).open(&file).unwrap().set_times(old).unwrap();
    refresh(&tables).unwrap();
    assert_eq!(tables.state().stale, ["items"]);
}

#[test]
fn a_directory_that_is_not_there_is_refused_at_start() {
    let error = open("/nonexistent/lookups".as_ref()).err().unwrap();
    assert!(error.to_string().starts_with("/nonexistent/lookups: "));
}
