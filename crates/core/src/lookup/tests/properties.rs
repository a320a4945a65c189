//! Laws of tables, held against plain ways to the same answers.

use std::{collections::HashMap, net::Ipv4Addr, sync::LazyLock};

use proptest::prelude::*;

use super::*;

/// What the table `t` says about a value.
fn found(definitions: &Definitions, file: &str, rows: &str, value: &str) -> Option<u64> {
    let sources = Sources { definitions, schemas: &Schemas::default() };
    let (lookups, _) = Lookups::load_from(sources, &[File { name: file, bytes: rows.as_bytes() }]).unwrap();
    joined(&lookups, "A.B", &json!({ "a": value }))["t"]["a"]["n"].as_u64()
}

fn lines(rows: impl Iterator<Item = Value>) -> String {
    rows.map(|row| row.to_string()).collect::<Vec<_>>().join("\n")
}

fn definitions(field: &str) -> Definitions {
    let table = "AnalysisType: lookup_table\nLookupName: t\nEnabled: true\nSchema: Custom.T\n\
                 LogTypeMap: {PrimaryKey: key, AssociatedLogTypes: [{LogType: A.B, Selectors: [a]}]}\n\
                 Latchkey: {Omit: [left_out]}\n";
    let schema = format!("schema: Custom.T\nfields: [{field}]\n");
    Definitions::load(&[("t.yml", table), ("s.yml", &schema)]).unwrap()
}

/// Columns of several types.
static TYPED: LazyLock<Definitions> = LazyLock::new(|| {
    definitions("{name: key, type: string}, {name: n, type: int}, {name: t, type: timestamp}, {name: j, type: json}")
});

/// A value of a column, as JSON.
fn cell() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "null",
        "true",
        "1",
        "1.50",
        "-7",
        "\"\"",
        "\"1\"",
        "\"a\"",
        "\"\\u00e9\\n\"",
        "\"2026-01-02T03:04:05+01:00\"",
        "[]",
        "[1]",
        "{}",
        "{\"b\":null}",
    ])
}

proptest! {
    #[test]
    fn leaving_a_column_out_changes_nothing_else(cells in prop::array::uniform5(cell())) {
        let names = ["key", "n", "t", "j", "undeclared"];
        let row = names.iter().zip(cells).map(|(name, cell)| format!("\"{name}\":{cell}")).collect::<Vec<_>>().join(",");
        let good = r#"{"key":"good"}"#;
        let all = |row: String| {
            let sources = Sources { definitions: &TYPED, schemas: &Schemas::default() };
            let text = format!("{good}\n{{{row}}}\n");
            let (lookups, report) = Lookups::load_from(sources, &[File { name: "t.jsonl", bytes: text.as_bytes() }]).unwrap();
            let keys = ["true", "1", "1.50", "-7", "a", "é\n", "2026-01-02T03:04:05+01:00"];
            let rows = keys.map(|key| joined(&lookups, "A.B", &json!({ "a": key })));
            (rows, report.tables[0].faults.clone())
        };
        prop_assert_eq!(all(row.clone()), all(format!("{row},\"left_out\":1")));
    }

    #[test]
    fn a_table_is_a_map(rows in prop::collection::vec(("[a-cA-C\"\\\\é]{1,3}", 0_u64..1_000), 1..60), key in "[a-cA-C\"\\\\é]{1,3}") {
        let text = lines(rows.iter().map(|(key, n)| json!({ "key": key, "n": n })));
        let map: HashMap<_, _> = rows.into_iter().collect();
        prop_assert_eq!(found(&definitions("{name: key, type: string}"), "t.jsonl", &text, &key), map.get(&key).copied());
    }

    #[test]
    fn the_longest_range_wins(ranges in prop::collection::vec((0_u32..16, 24_u8..=32), 1..20), host in 0_u32..16) {
        let address = |host: u32| Ipv4Addr::from(0xc000_0200 + host);
        let row = |((host, length), n): (&(u32, u8), u64)| json!({ "key": format!("{}/{length}", address(*host)), "n": n });
        let text = lines(ranges.iter().zip(0..).map(row));
        let holds = |(range, length): &(u32, u8)| (host ^ range) >> (32 - u32::from(*length)).min(31) == 0;
        // Of equally long ones that hold it, which are equal, the last row counts.
        let expect = ranges.iter().zip(0_u64..).filter(|(range, _)| holds(range)).max_by_key(|((_, length), n)| (*length, *n));
        let found = found(&definitions("{name: key, type: string, validate: {cidr: ipv4}}"), "t.jsonl", &text, &address(host).to_string());
        prop_assert_eq!(found, expect.map(|(_, n)| n));
    }
}
