//! Rows by their schema: each type, each rule, and what a row that fails leaves behind.

use super::*;

const TABLE: &str = "AnalysisType: lookup_table\nLookupName: t\nEnabled: true\nSchema: Custom.T\nLogTypeMap:\n  PrimaryKey: id\n  \
                     AssociatedLogTypes: [{LogType: A.B, Selectors: [a]}]\n";

const SCHEMA: &str = "\
schema: Custom.T
fields:
  - {name: id, type: string, required: true}
  - {name: size, type: int}
  - {name: share, type: float}
  - {name: on, type: boolean}
  - {name: since, type: timestamp, timeFormats: [rfc3339, '%d.%m.%Y']}
  - {name: kind, type: string, validate: {allow: [x, y]}}
  - {name: address, type: string, validate: {ip: any}}
  - {name: place, type: object, fields: [{name: floor, type: smallint, required: true}]}
  - {name: tags, type: array, isEmbeddedJSON: true, element: {type: string}}
  - {name: owner, type: string, rename: {from: Owner}}
  - {name: pin, type: string, mask: {type: redact}}
";

fn read(schema: &str, file: &str, text: &str) -> Result<(Lookups, TableReport), Error> {
    read_as(TABLE, schema, file, text)
}

fn read_as(table: &str, schema: &str, file: &str, text: &str) -> Result<(Lookups, TableReport), Error> {
    let definitions = Definitions::load(&[("t.yml", table), ("t_schema.yml", schema)]).unwrap();
    let sources = Sources { definitions: &definitions, schemas: &Schemas::default() };
    let (lookups, mut report) = Lookups::load_from(sources, &[File { name: file, bytes: text.as_bytes() }])?;
    Ok((lookups, report.tables.remove(0)))
}

fn row(lookups: &Lookups, key: &str) -> Value {
    joined(lookups, "A.B", &json!({ "a": key }))["t"]["a"].take()
}

#[test]
fn a_row_becomes_what_its_schema_says_whatever_the_file() {
    let expect = json!({
        "id": "k", "size": 7, "share": 1.5, "on": true, "since": "2026-01-02T00:00:00.000000000Z", "kind": "x",
        "address": "192.0.2.1", "tags": ["a"], "owner": "Ann", "pin": "REDACTED", "more": "1", "p_match": "k",
    });
    let lines = r#"{"more":"1","id":"k","size":"7","share":"1.5","on":"1","since":"02.01.2026","kind":"x","address":"192.0.2.1","tags":["a"],"Owner":"Ann","pin":1234}"#;
    let csv = "more,id,size,share,on,since,kind,address,tags,Owner,pin\n1,k,7,1.5,1,02.01.2026,x,192.0.2.1,\"[\"\"a\"\"]\",Ann,1234\n";
    for (file, text) in [("t.jsonl", lines), ("t.csv", csv)] {
        let (lookups, report) = read(SCHEMA, file, text).unwrap();
        assert_eq!(report.faults, []);
        assert_eq!(row(&lookups, "k"), expect, "{file}");
    }
}

#[test]
fn a_row_that_fails_is_left_out_with_every_fault_and_without_its_values() {
    let text = concat!(
        "{\"id\":\"good\",\"size\":1}\n",
        "{\"size\":1.5,\"on\":\"yes\",\"since\":\"soon\",\"kind\":\"secret\",\"address\":\"here\",\"place\":{\"floor\":null}}\n",
        "{\"id\":\"big\",\"size\":3000000000,\"tags\":[\"a\",[1]]}\n",
    );
    let (lookups, report) = read(SCHEMA, "t.jsonl", text).unwrap();
    assert_eq!((report.rows, report.bad), (1, 2));
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "2: $.id: required: expected a value, found nothing",
            "2: $.size: type: expected int, found number of 3 bytes",
            "2: $.on: type: expected boolean, found string of 3 bytes",
            "2: $.since: timestamp: expected timestamp in a declared format, found string of 4 bytes",
            "2: $.kind: allow: expected one of x, y, found string of 6 bytes",
            "2: $.address: ip: expected an IP address, found string of 4 bytes",
            "2: $.place.floor: required: expected a value, found null",
            "3: $.size: type: expected int, found number of 10 bytes",
            "3: $.tags[1]: type: expected string, found array of 1 elements",
        ]
    );
    assert_eq!(row(&lookups, "good")["size"], 1);
    assert_eq!(row(&lookups, "big"), Value::Null);
}

#[test]
fn a_key_is_found_as_its_type_writes_it() {
    let schema = "schema: Custom.T\nfields: [{name: id, type: int}]\n";
    let (lookups, report) = read(schema, "t.jsonl", "{\"id\":\"+5\"}\n{\"id\":6}\n{\"id\":\"x\"}").unwrap();
    assert_eq!((report.rows, report.bad), (2, 1));
    assert_eq!(row(&lookups, "5"), json!({ "id": 5, "p_match": "5" }));
    assert_eq!(row(&lookups, "6"), json!({ "id": 6, "p_match": "6" }));
    let text = "schema: Custom.T\nfields: [{name: id, type: string}]\n";
    let (lookups, _) = read(text, "t.jsonl", "{\"id\":true}\n{\"id\":1.50}").unwrap();
    assert_eq!(row(&lookups, "true"), json!({ "id": "true", "p_match": "true" }));
    assert_eq!(row(&lookups, "1.50"), json!({ "id": "1.50", "p_match": "1.50" }));
}

#[test]
fn a_range_is_of_the_family_that_is_declared() {
    let schema = "schema: Custom.T\nfields: [{name: id, type: string, validate: {cidr: ipv4}}]\n";
    let (lookups, report) = read(schema, "t.csv", "id\n192.0.2.0/24\n198.51.100.1\n2001:db8::/32\nhere\n").unwrap();
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "4: $.id: cidr: expected an IPv4 address range, found string of 13 bytes",
            "5: $.id: cidr: expected an IPv4 address range, found string of 4 bytes",
        ]
    );
    assert_eq!(row(&lookups, "198.51.100.1")["id"], "198.51.100.1");
}

#[test]
fn faults_are_named_up_to_a_bound_and_rows_counted_beyond_it() {
    let text = "{\"id\":\"a\",\"size\":\"x\",\"on\":\"x\"}\n".repeat(MAX_ROW_FAULTS) + "{\"id\":\"a\"}";
    let (_, report) = read(SCHEMA, "t.jsonl", &text).unwrap();
    assert_eq!((report.rows, report.bad, report.faults.len()), (1, MAX_ROW_FAULTS, MAX_ROW_FAULTS));
    let error = read(SCHEMA, "t.jsonl", text.rsplit_once('\n').unwrap().0).unwrap_err();
    assert!(error.to_string().ends_with("found string of 1 bytes; …"), "{error}");
}

#[test]
fn a_renamed_key_is_found_under_its_new_name() {
    let schema = "schema: Custom.T\nfields: [{name: id, type: string, rename: {from: Key}}]\n";
    let (lookups, _) = read(schema, "t.csv", "Key\na\n").unwrap();
    assert_eq!(row(&lookups, "a"), json!({ "id": "a", "p_match": "a" }));
}

#[test]
fn a_row_is_found_by_each_element_of_its_key() {
    let schema = |id: &str| format!("schema: Custom.T\nfields:\n  - {{name: id, {id}}}\n  - {{name: n, type: int}}\n");
    let numbers = |lookups: &Lookups, keys: &[&str]| -> Vec<_> {
        keys.iter().map(|key| row(lookups, key)["n"].clone()).collect()
    };
    let list = schema("type: array, element: {type: string}");
    let lines = "{\"id\":[\"a\",7,null,\"a\"],\"n\":1}\n{\"id\":[\"b\",\"a\"],\"n\":2}\n{\"id\":[],\"n\":3}\n{\"id\":[\"c\",\"\"],\"n\":4}\n";
    let (lookups, report) = read(&list, "t.jsonl", lines).unwrap();
    assert_eq!(numbers(&lookups, &["a", "7", "b", "c"]), [json!(2), json!(1), json!(2), Value::Null]);
    assert_eq!(row(&lookups, "b"), json!({ "id": ["b", "a"], "n": 2, "p_match": "b" }));
    assert_eq!((report.rows, report.repeated, report.bad), (3, 1, 2));
    let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "3: $.id: key: expected a value in id, found nothing",
            "4: $.id: key: expected a value in id, found string of 0 bytes"
        ]
    );
    let folded = TABLE.replace("\nSchema", "\nLatchkey: {IgnoreCase: true}\nSchema");
    assert_ne!(folded, TABLE);
    let (lookups, report) = read_as(&folded, &list, "t.jsonl", "{\"id\":[\"A\",\"a\",\"b\"],\"n\":1}").unwrap();
    assert_eq!(numbers(&lookups, &["a", "A", "B"]), [json!(1), json!(1), json!(1)]);
    assert_eq!((report.rows, report.repeated), (2, 0));
    let ranges = schema("type: array, element: {type: string, validate: {cidr: any}}");
    let (lookups, _) = read(&ranges, "t.jsonl", "{\"id\":[\"192.0.2.0/24\",\"2001:db8::/32\"],\"n\":1}").unwrap();
    assert_eq!(numbers(&lookups, &["192.0.2.9", "2001:db8::7", "198.51.100.1"]), [json!(1), json!(1), Value::Null]);
    let embedded = schema("type: array, isEmbeddedJSON: true, element: {type: bigint}");
    let (lookups, _) = read(&embedded, "t.csv", "id,n\n\"[7,\"\"8\"\"]\",1\n").unwrap();
    assert_eq!(numbers(&lookups, &["7", "8"]), [json!(1), json!(1)]);
}
