use super::*;
use crate::lookup::selector::Target;

fn faults(text: &str) -> Vec<String> {
    let error = Definitions::load(&[("table.yml", text)]).unwrap_err();
    error.faults.iter().map(|(_, fault)| format!("{}: {fault}", fault.line)).collect()
}

#[test]
fn the_shipped_definitions_are_read() {
    let definitions = Definitions::shipped();
    let names: Vec<_> = definitions.tables().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["1Password Translation", "devices", "groups", "items", "users", "vaults"]);
    for table in definitions.tables() {
        assert!(table.enabled && table.ignore_case, "{}", table.name);
        assert!(definitions.schemas.contains_key(&table.schema), "{}", table.name);
        assert!(table.log_types.iter().all(|association| !association.selectors.is_empty()), "{}", table.name);
    }
}

#[test]
fn a_table_of_panther_is_read_as_it_is() {
    let text = "
AnalysisType: lookup_table
LookupName: asn
DisplayName: Owners of networks
Enabled: true
Schema: Custom.Asn
Refresh:
  RoleARN: arn:aws:iam::123456789012:role/example
  ObjectPath: s3://example/data/asn.jsonl
  AlarmPeriodMinutes: 1440
LogTypeMap:
  PrimaryKey: network
  AssociatedLogTypes:
    - LogType: OnePassword.SignInAttempt
      Selectors: ['$.client.ip_address', p_any_ip_addresses]
    - LogType: AWS.CloudTrail
Description: Who owns an address.
Reference: https://example.com/
Tags: [a, b]
";
    let definitions = Definitions::load(&[("asn.yml", text)]).unwrap();
    let asn = &definitions.tables["asn"];
    assert_eq!(asn.refresh(), Some((Duration::from_hours(1), Some(Duration::from_hours(24)))));
    assert!(asn.has_data_in("asn.jsonl") && asn.has_data_in("asn.csv") && !asn.has_data_in("asn.txt"));
    assert!(!asn.ignore_case);
    let [sign_ins, trail] = asn.log_types.as_slice() else { panic!("two log types") };
    assert_eq!(sign_ins.selectors.len(), 2);
    assert!(matches!(sign_ins.selectors[1].target(), Target::Column(_)));
    assert!(trail.selectors.is_empty());
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_file() {
    let text = "\u{feff}AnalysisType: lookup_table\nLookupName: noise\nEnabled: true\nSchema: A.B\n\
                LogTypeMap: {PrimaryKey: ip}\nRefresh: {ObjectPath: 's3://example/data/noise.jsonl'}\n";
    assert!(Definitions::load(&[("noise.yml", text)]).unwrap().tables.contains_key("noise"));
}

#[test]
fn data_that_come_compressed_are_looked_for_unpacked() {
    let text = "AnalysisType: lookup_table\nLookupName: noise\nEnabled: true\nSchema: A.B\nLogTypeMap: {PrimaryKey: ip}\n\
                Refresh: {ObjectPath: 's3://example/data/noise_full.jsonl.gz'}\n";
    let definitions = Definitions::load(&[("noise.yml", text)]).unwrap();
    assert!(definitions.tables["noise"].has_data_in("noise_full.jsonl"));
    assert_eq!(
        faults(&text.replace(".jsonl.gz", ".gz")),
        ["6: Refresh.ObjectPath: must end in one of csv, json, jsonl, ndjson, mmdb"]
    );
}

#[test]
fn a_table_that_is_switched_off_needs_nothing_but_its_name() {
    let text = "AnalysisType: lookup_table\nLookupName: devices\nEnabled: false\nRefresh: {PeriodMinutes: 1440}\n\
                SnowflakeQuery: SELECT 1\nLogTypeMap: {PrimaryKey: aid, AssociatedLogTypes: [{LogType: A.B, Selectors: [aid]}]}\n";
    let devices = Definitions::load(&[("devices.yml", text)]).unwrap().tables["devices"].clone();
    assert!(!devices.enabled && devices.has_data_in("devices.csv"));
    assert_eq!(
        faults(&text.replace("false", "true")),
        [
            "1: Schema: is missing",
            "4: Refresh.ObjectPath: is missing",
            "5: SnowflakeQuery: queries are not run here: let something else write the table's file"
        ]
    );
    assert_eq!(faults("AnalysisType: lookup_table\nEnabled: false\n")[0], "1: LookupName: is missing");
    // What it said of its data still keeps them from being taken for something else.
    let text = text.replace("Refresh: {PeriodMinutes: 1440}", "Filename: asn.mmdb");
    assert!(Definitions::load(&[("devices.yml", &text)]).unwrap().tables["devices"].has_data_in("asn.mmdb"));
}

#[test]
fn every_fault_is_named_at_once() {
    let text = "
AnalysisType: rule
LookupName: ''
Enabled: 'yes'
Filename: data.txt
Refreshes: {}
LogTypeMap:
  PrimaryKeys: a
  AssociatedLogTypes:
    - LogType: A.B
      Selectors: [a..b, c, c, [1]]
    - LogType: A.B
    - Selectors: x
Latchkey:
  Redact: title
  Hide: [title]
";
    assert_eq!(
        faults(text),
        [
            "2: AnalysisType: must be lookup_table",
            "2: Schema: is missing",
            "3: LookupName: must not be empty",
            "4: Enabled: must be true or false",
            "5: Filename: must end in one of csv, json, jsonl, ndjson, mmdb",
            "6: Refreshes: is not known here",
            "8: LogTypeMap.PrimaryKeys: is not known here",
            "8: LogTypeMap.PrimaryKey: is missing",
            "11: LogTypeMap.AssociatedLogTypes[0].Selectors: must be a list of texts",
            "11: LogTypeMap.AssociatedLogTypes[0].Selectors[0]: \"a..b\" lacks a name after a dot; searches with .. are not supported",
            "11: LogTypeMap.AssociatedLogTypes[0].Selectors[2]: \"c\" stands here twice",
            "12: LogTypeMap.AssociatedLogTypes[1].LogType: A.B stands here twice",
            "13: LogTypeMap.AssociatedLogTypes[2].LogType: is missing",
            "13: LogTypeMap.AssociatedLogTypes[2].Selectors: must be a list",
            "15: Latchkey.Redact: must be a list",
            "16: Latchkey.Hide: is not known here",
        ]
    );
}

#[test]
fn a_source_of_data_is_one() {
    let both = "AnalysisType: lookup_table\nLookupName: a\nEnabled: true\nSchema: A.B\nLogTypeMap: {PrimaryKey: k}\n\
                Filename: a.csv\nRefresh: {ObjectPath: 's3://b/a.csv'}\n";
    assert_eq!(faults(both), ["6: Filename: either Filename or Refresh, not both"]);
    let refresh = both
        .replace("Filename: a.csv\n", "")
        .replace("s3://b/a.csv", "s3://b/")
        .replace("'}", "', PeriodMinutes: 0, AlarmPeriodMinutes: x}");
    assert_eq!(
        faults(&refresh),
        [
            "6: Refresh.ObjectPath: must end in one of csv, json, jsonl, ndjson, mmdb",
            "6: Refresh.PeriodMinutes: must be a number of minutes above 0",
            "6: Refresh.AlarmPeriodMinutes: must be a number of minutes above 0",
        ]
    );
}

#[test]
fn a_key_is_a_field_of_the_schema() {
    let table = "AnalysisType: lookup_table\nLookupName: own\nEnabled: true\nSchema: OnePassword.Name\nLogTypeMap:\n  PrimaryKey: uid\n";
    let refused = |files: &[(&str, &str)]| Definitions::load(files).unwrap_err().to_string();
    assert_eq!(refused(&[("own.yml", table)]), "own.yml:6: LogTypeMap.PrimaryKey: uid is no field of OnePassword.Name");
    let schema =
        "schema: Own.Row\nfields: [{name: uid, type: array, element: {type: array, element: {type: string}}}]\n";
    let table = table.replace("OnePassword.Name", "Own.Row");
    assert_eq!(
        refused(&[("own.yml", &table), ("row.yml", schema)]),
        "own.yml:6: LogTypeMap.PrimaryKey: uid of Own.Row holds no text or number that a row could be found by"
    );
}

#[test]
fn faults_of_schemas_and_of_other_files_are_named_too() {
    assert_eq!(faults("a: b"), ["1: is neither a lookup table (AnalysisType) nor a schema (schema)"]);
    assert_eq!(faults("- a"), ["1: is neither a lookup table (AnalysisType) nor a schema (schema)"]);
    assert_eq!(faults(""), ["0: holds nothing"]);
    assert_eq!(faults("schema: A.B"), ["1: fields: a list of at least one field is needed"]);
    let text = "
schema: A.B
fields:
  - {name: a, type: string, isExpiration: true}
  - {name: b, type: timestamp, isExpiration: true, timeFormats: ['%H']}
  - {name: a, type: string, indicators: [nonsense]}
";
    let faults = faults(text);
    assert_eq!(faults.len(), 4, "{faults:?}");
    for (fault, expect) in
        faults.iter().zip(["4: fields[a].isExpiration", "5: fields[b].timeFormats", "6: fields[a]", "6: fields[a]"])
    {
        assert!(fault.starts_with(expect), "{fault}");
    }
    let twice = |text: &str| Definitions::load(&[("a.yml", text), ("b.yml", text)]).unwrap_err().to_string();
    assert_eq!(
        twice("schema: A.B\nfields: [{name: a, type: int}]"),
        "b.yml: schema: A.B is defined by another file too"
    );
    assert_eq!(
        twice("AnalysisType: lookup_table\nLookupName: a\nEnabled: true\nSchema: A.B\nLogTypeMap: {PrimaryKey: k}\n"),
        "b.yml:2: LookupName: a is defined by another file too"
    );
}
