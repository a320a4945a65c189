//! Schemas and lookup tables that cannot be used, or that nobody refreshes.

use super::*;

/// A schema of a log type of the tests' own.
const SCHEMA: &str = "schema: Test.Events\nfields:\n  - name: at\n    type: timestamp\n    timeFormats: [rfc3339]\n    isEventTime: true\n";

/// A table that is too old after a minute.
const TABLE: &str = "AnalysisType: lookup_table\nLogTypeMap:\n  PrimaryKey: id\n  AssociatedLogTypes:\n    - LogType: OnePassword.ItemUsage\n      Selectors: [item_uuid]\n\
                     LookupName: colours\nEnabled: true\nSchema: Test.Colours\n\
                     Refresh: {ObjectPath: s3://tables/colours.csv, PeriodMinutes: 1, AlarmPeriodMinutes: 1}\n";

/// Its rows.
const ROWS: &str = "schema: Test.Colours\nfields:\n  - {name: id, type: string}\n  - {name: colour, type: string}\n";

#[tokio::test]
async fn lk203_a_schema_with_a_fault() {
    let simulator = simulator(account()).await;
    let directory = tempfile::tempdir().unwrap();
    let mut more = alerter(&json!({}));
    more["normalizer"] = json!({ "schemas": directory.path(), "look_every": "100ms" });
    let watched = Watched::start(simulator, &settings(&[Service::Normalizer, Service::Alerter], more)).await;
    let file = directory.path().join("test.yml");
    fs::write(&file, "schema: Test.Events\nfields:\n  - name: at\n    type: nonsense\n").unwrap();
    let raised = watched.raised(Kind::SchemasRefused, &About::Line).await;
    assert!(raised.summary.contains("test.yml"), "{}", raised.summary);
    fs::write(&file, SCHEMA).unwrap();
    watched.resolved(Kind::SchemasRefused, &About::Line).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk204_a_lookup_table_with_a_fault() {
    let mut more = alerter(&json!({}));
    more["normalizer"] = json!({ "look_every": "100ms" });
    let settings = settings(&[Service::Normalizer, Service::Alerter], more);
    let watched = Watched::start(simulator(account()).await, &settings).await;
    watched.write("lookups/colours.yml", "LookupName: colours\nnonsense: true\n");
    let raised = watched.raised(Kind::LookupsRefused, &About::Line).await;
    assert!(raised.summary.contains("colours.yml"), "{}", raised.summary);
    fs::remove_file(watched.directory.path().join("lookups/colours.yml")).unwrap();
    watched.resolved(Kind::LookupsRefused, &About::Line).await;
    watched.stop().await;
}

#[tokio::test]
async fn lk205_a_lookup_table_that_nobody_refreshes() {
    let settings = settings(&[Service::Alerter], alerter(&json!({})));
    let watched = Watched::start(simulator(account()).await, &settings).await;
    let bus = watched.line.bus();
    bus.put_lookup_file("colours.yml", TABLE.as_bytes()).await.unwrap();
    bus.put_lookup_file("colours_schema.yml", ROWS.as_bytes()).await.unwrap();
    bus.put_lookup_file("colours.csv", b"id,colour\n1,red\n").await.unwrap();
    watched.raised(Kind::LookupStale, &object("colours")).await;
    bus.put_lookup_file("colours.csv", b"id,colour\n1,blue\n").await.unwrap();
    watched.resolved(Kind::LookupStale, &object("colours")).await;
    watched.stop().await;
}
