//! Laws of tables, held against plain ways to the same answers.

use std::{collections::HashMap, net::Ipv4Addr};

use proptest::prelude::*;

use super::*;

/// What the table `t` says about a value.
fn found(definitions: &Definitions, file: &str, rows: &str, value: &str) -> Option<u64> {
    let sources = Sources { definitions, schemas: &Schemas::default(), email_usernames: true };
    let (lookups, _) = Lookups::load_from(sources, &[File { name: file, bytes: rows.as_bytes() }]).unwrap();
    let mut out = b"{\"\":0".to_vec();
    lookups.write(
        &mut out,
        "A.B",
        &json::parse(json!({ "a": value }).to_string().as_bytes()).unwrap(),
        &mut String::new(),
    );
    out.push(b'}');
    serde_json::from_slice::<Value>(&out).unwrap()["p_enrichment"]["t"]["a"]["n"].as_u64()
}

fn lines(rows: impl Iterator<Item = Value>) -> String {
    rows.map(|row| row.to_string()).collect::<Vec<_>>().join("\n")
}

fn definitions(field: &str) -> Definitions {
    let table = "AnalysisType: lookup_table\nLookupName: t\nEnabled: true\nSchema: Custom.T\n\
                 LogTypeMap: {PrimaryKey: key, AssociatedLogTypes: [{LogType: A.B, Selectors: [a]}]}\n";
    let schema = format!("schema: Custom.T\nfields: [{field}]\n");
    Definitions::load(&[("t.yml", table), ("s.yml", &schema)]).unwrap()
}

proptest! {
    #[test]
    fn a_table_is_a_map(rows in prop::collection::vec(("[a-cA-C\"\\\\é]{1,3}", 0_u64..1_000), 1..60), key in "[a-cA-C\"\\\\é]{1,3}") {
        let text = lines(rows.iter().map(|(key, n)| json!({ "key": key, "n": n })));
        let map: HashMap<_, _> = rows.into_iter().collect();
        prop_assert_eq!(found(&definitions("{name: key}"), "t.jsonl", &text, &key), map.get(&key).copied());
    }

    #[test]
    fn the_longest_range_wins(ranges in prop::collection::vec((0_u32..16, 24_u8..=32), 1..20), host in 0_u32..16) {
        let address = |host: u32| Ipv4Addr::from(0xc000_0200 + host);
        let row = |((host, length), n): (&(u32, u8), u64)| json!({ "key": format!("{}/{length}", address(*host)), "n": n });
        let text = lines(ranges.iter().zip(0..).map(row));
        let holds = |(range, length): &(u32, u8)| (host ^ range) >> (32 - u32::from(*length)).min(31) == 0;
        // Of equally long ones that hold it, which are equal, the last row counts.
        let expect = ranges.iter().zip(0_u64..).filter(|(range, _)| holds(range)).max_by_key(|((_, length), n)| (*length, *n));
        let found = found(&definitions("{name: key, validate: {cidr: ipv4}}"), "t.jsonl", &text, &address(host).to_string());
        prop_assert_eq!(found, expect.map(|(_, n)| n));
    }
}
