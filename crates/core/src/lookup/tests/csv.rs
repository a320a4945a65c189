//! CSV files as a row's schema says they are written: Panther's `parser.csv`.

use super::*;

const TABLE: &str = "AnalysisType: lookup_table\nLookupName: t\nEnabled: true\nSchema: Custom.T\nFilename: t.csv\nLogTypeMap:\n  \
                     PrimaryKey: id\n  AssociatedLogTypes: [{LogType: A.B, Selectors: [a]}]\n";

fn schema(csv: &str) -> String {
    format!(
        "schema: Custom.T\nversion: 0\nparser:\n  csv: {csv}\nfields:\n  - {{name: id, type: string}}\n  - {{name: n, type: int}}\n"
    )
}

fn read(csv: &str, text: &str) -> Result<(Lookups, TableReport), Error> {
    let definitions = Definitions::load(&[("t.yml", TABLE), ("t_schema.yml", &schema(csv))]).unwrap();
    let sources = Sources { definitions: &definitions, schemas: &Schemas::default() };
    let (lookups, mut report) = Lookups::load_from(sources, &[File { name: "t.csv", bytes: text.as_bytes() }])?;
    Ok((lookups, report.tables.remove(0)))
}

/// The row of `k`, and the faults of others.
fn check(csv: &str, text: &str, expect: &Value, faults: &[&str]) {
    let (lookups, report) = read(csv, text).unwrap();
    let mut row = joined(&lookups, "A.B", &json!({ "a": "k" }))["t"]["a"].take();
    row.as_object_mut().unwrap().remove("p_match");
    assert_eq!(row, *expect, "{csv}: {text}");
    let named: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    assert_eq!(named, faults, "{csv}: {text}");
}

#[test]
fn a_table_of_panthers_guide_for_csv_is_read_as_it_is() {
    let row = json!({ "id": "k", "n": 7 });
    check("{delimiter: ',', hasHeader: true}", "n,id\n7,k\n", &row, &[]);
    check("{delimiter: ','}", "n,id\n7,k\n", &row, &[]);
    check("{delimiter: \"\\t\", hasHeader: true}", "n\tid\n7\tk\n", &row, &[]);
    check("{delimiter: ';', columns: [n, id]}", "7;k\n", &row, &[]);
    check("{delimiter: ';', columns: [n, id], hasHeader: true}", "Number;Name\n7;k\n", &row, &[]);
    check("{delimiter: ',', trimSpace: true}", "n , id\n 7, k \n", &row, &[]);
    check("{delimiter: ',', emptyValues: ['-', none]}", "n,id\n-,k\n", &json!({ "id": "k" }), &[]);
    check("{delimiter: ';'}", "\u{feff}n;id\r\n\"7\";\"k\"\r\n", &row, &[]);
}

#[test]
fn a_record_has_as_many_cells_as_there_are_columns() {
    let row = json!({ "id": "k", "n": 7 });
    let csv = "{delimiter: ',', columns: [n, id]}";
    check(
        csv,
        "1,2,3\n7,k\n8\n",
        &row,
        &[
            "1: $: csv: expected a record of 2 cells, found 3 cells",
            "3: $: csv: expected a record of 2 cells, found 1 cells",
        ],
    );
    check("{delimiter: ','}", "n,id\n7,k\n8\n", &row, &["3: $: csv: expected a record of 2 cells, found 1 cells"]);
    assert_eq!(read(csv.replace("id", "x").as_str(), "7,k\n").unwrap_err().reason, Reason::NoKey);
}

#[test]
fn what_is_said_of_csv_is_checked() {
    let faults = |csv: &str| {
        let error = Definitions::load(&[("t_schema.yml", &schema(csv))]).unwrap_err();
        error.faults.iter().map(|(_, fault)| format!("{}: {fault}", fault.line)).collect::<Vec<_>>()
    };
    assert_eq!(faults("{}"), ["4: parser.csv.delimiter: is missing"]);
    assert_eq!(faults("{delimiter: ''}"), ["4: parser.csv.delimiter: must be one character of ASCII"]);
    assert_eq!(faults("{delimiter: '||'}"), ["4: parser.csv.delimiter: must be one character of ASCII"]);
    assert_eq!(
        faults("{delimiter: '\"'}"),
        ["4: parser.csv.delimiter: cannot be what encloses a cell or ends a record"]
    );
    assert_eq!(faults("{delimiter: ',', quote: x}"), ["4: parser.csv.quote: is not known here"]);
    assert_eq!(faults("{delimiter: ',', columns: a}"), ["4: parser.csv.columns: must be a list"]);
    assert_eq!(
        faults("{delimiter: ',', hasHeader: false}"),
        ["4: parser.csv.columns: are needed where no header names them"]
    );
}

#[test]
fn a_row_has_no_identity_but_its_key() {
    let schema = "schema: Custom.T\nfields:\n  - {name: uuid, type: int}\n";
    let table = TABLE.replace("PrimaryKey: id", "PrimaryKey: uuid");
    let definitions = Definitions::load(&[("t.yml", &table), ("t_schema.yml", schema)]).unwrap();
    let sources = Sources { definitions: &definitions, schemas: &Schemas::default() };
    let file = File { name: "t.csv", bytes: b"uuid\n7\n" };
    let (lookups, _) = Lookups::load_from(sources, &[file]).unwrap();
    assert_eq!(joined(&lookups, "A.B", &json!({ "a": 7 }))["t"]["a"], json!({ "uuid": 7, "p_match": 7 }));
}
