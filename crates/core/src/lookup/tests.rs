mod addresses;
mod csv;
mod defined;
mod mmdb;
mod properties;
mod typed;

use serde_json::{Value, json};

use super::*;
use crate::{indicator::Indicators, json};

const ITEM_USAGE: &str = "OnePassword.ItemUsage";

fn load(files: &[(&str, &str)]) -> Result<(Lookups, Report), Error> {
    let files: Vec<_> = files.iter().map(|(name, text)| File { name, bytes: text.as_bytes() }).collect();
    Lookups::load(&files)
}

fn enrichment(files: &[(&str, &str)], log_type: &str, event: &Value) -> Value {
    joined(&load(files).unwrap().0, log_type, event)
}

/// The enrichment of an event that carries no indicators.
fn joined(lookups: &Lookups, log_type: &str, event: &Value) -> Value {
    let event = event.to_string();
    let mut out = b"{\"\":0".to_vec();
    let (event, mut indicators) = (json::parse(event.as_bytes()).unwrap(), Indicators::new(true));
    lookups.write(&mut out, log_type, &event, &mut indicators, &mut String::new());
    out.push(b'}');
    serde_json::from_slice::<Value>(&out).unwrap()["p_enrichment"].take()
}

#[test]
fn the_table_of_panthers_guide_works_as_written_there() {
    let rows = "{\"uuid\":\"ABC\",\"title\":\"Mail\",\"updatedAt\":null}\n";
    assert_eq!(
        enrichment(&[("1Password Translation.jsonl", rows)], ITEM_USAGE, &json!({ "item_uuid": "abc" })),
        json!({ "1Password Translation": { "item_uuid": { "uuid": "ABC", "title": "Mail", "p_match": "abc" } } })
    );
}

#[test]
fn csv_and_json_lines_give_the_same_rows() {
    let event = json!({ "vault_uuid": "V1", "user": { "uuid": "U1" } });
    let expect = json!({
        "users": { "user.uuid": { "uuid": "u1", "name": "Ann \"A\"", "p_match": "U1" } },
        "vaults": { "vault_uuid": { "id": "v1", "name": "Shared", "p_match": "V1" } },
    });
    let csv =
        [("vaults.csv", "id,name\nv1,Shared\n"), ("users.csv", "\u{feff}uuid,name,note\nu1,\"Ann \"\"A\"\"\",\n")];
    assert_eq!(enrichment(&csv, ITEM_USAGE, &event), expect);
    let lines = [
        ("vaults.ndjson", "{\"id\":\"v1\",\"name\":\"Shared\"}"),
        ("users.jsonl", "\n{ \"uuid\" : \"u1\", \"name\":\"Ann \\\"A\\\"\" }\r\n"),
    ];
    assert_eq!(enrichment(&lines, ITEM_USAGE, &event), expect);
}

#[test]
fn every_uuid_of_the_log_types_is_looked_up() {
    let row = "{\"uuid\":\"x\"}";
    let files = [
        ("items.jsonl", row),
        ("users.jsonl", row),
        ("vaults.jsonl", row),
        ("groups.jsonl", row),
        ("devices.jsonl", row),
    ];
    let event = json!({
        "item_uuid": "x", "vault_uuid": "x", "user": { "uuid": "x" }, "target_user": { "uuid": "x" },
        "actor_uuid": "x", "object_uuid": "x", "aux_uuid": "x", "session": { "uuid": "x", "device_uuid": "x" },
    });
    let hit = || json!({ "uuid": "x", "p_match": "x" });
    for (log_type, expect) in [
        ("OnePassword.SignInAttempt", json!({ "users": { "target_user.uuid": hit() } })),
        (
            ITEM_USAGE,
            json!({ "items": { "item_uuid": hit() }, "users": { "user.uuid": hit() }, "vaults": { "vault_uuid": hit() } }),
        ),
        (
            "OnePassword.AuditEvent",
            json!({
                "devices": { "session.device_uuid": hit(), "object_uuid": hit(), "aux_uuid": hit() },
                "groups": { "object_uuid": hit(), "aux_uuid": hit() },
                "items": { "object_uuid": hit(), "aux_uuid": hit() },
                "users": { "actor_uuid": hit(), "object_uuid": hit(), "aux_uuid": hit() },
                "vaults": { "object_uuid": hit(), "aux_uuid": hit() },
            }),
        ),
        ("Custom.Other", Value::Null),
    ] {
        assert_eq!(enrichment(&files, log_type, &event), expect, "{log_type}");
    }
}

#[test]
fn only_matches_appear() {
    let files = [("items.jsonl", "{\"uuid\":\"a\"}"), ("vaults.jsonl", "{\"uuid\":\"v\"}")];
    for (event, expect) in [
        (json!({}), Value::Null),
        (json!({ "item_uuid": null, "vault_uuid": {} }), Value::Null),
        (
            json!({ "item_uuid": "b", "vault_uuid": "v" }),
            json!({ "vaults": { "vault_uuid": { "uuid": "v", "p_match": "v" } } }),
        ),
        (
            json!({ "item_uuid": "a", "vault_uuid": "b" }),
            json!({ "items": { "item_uuid": { "uuid": "a", "p_match": "a" } } }),
        ),
    ] {
        assert_eq!(enrichment(&files, ITEM_USAGE, &event), expect, "{event}");
    }
}

#[test]
fn values_in_an_array_give_an_array_of_rows() {
    let files = [("users.jsonl", "{\"uuid\":\"a\"}\n{\"uuid\":\"b\"}")];
    let hit = |key: &str| json!({ "uuid": key, "p_match": key });
    for event in
        [json!({ "user": [{ "uuid": "a" }, {}, { "uuid": "b" }] }), json!({ "user": { "uuid": ["x", "a", ["b"]] } })]
    {
        assert_eq!(enrichment(&files, ITEM_USAGE, &event), json!({ "users": { "user.uuid": [hit("a"), hit("b")] } }));
    }
    assert_eq!(enrichment(&files, ITEM_USAGE, &json!({ "user": { "uuid": ["x"] } })), Value::Null);
}

#[test]
fn the_last_of_equal_keys_wins_and_bad_rows_are_named_by_line() {
    let rows = "{\"uuid\":\"a\",\"n\":1}\nnonsense\n\n{\"uuid\":\"\"}\n[1]\n{\"uuid\":\"A\",\"n\":2}\n";
    let (_, report) = load(&[("items.jsonl", rows), ("README.md", ""), ("items.txt", "")]).unwrap();
    let (no_object, key) = ("expected object, found array of 1 elements", "expected a value in uuid or id, found");
    assert_eq!(
        report,
        Report {
            tables: vec![TableReport {
                name: "items".into(),
                file: "items.jsonl".into(),
                refresh: None,
                rows: 1,
                repeated: 1,
                bad: 3,
                faults: report.tables[0].faults.clone(),
            }],
            ignored: vec!["README.md".into(), "items.txt".into()],
        }
    );
    let faults = |report: &Report| report.tables[0].faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        faults(&report),
        [
            "2: $: json: expected one JSON object, found expected a value at byte 0".to_owned(),
            format!("4: $.uuid: key: {key} string of 0 bytes"),
            format!("5: $: type: {no_object}"),
        ]
    );
    assert_eq!(
        enrichment(&[("items.jsonl", rows)], ITEM_USAGE, &json!({ "item_uuid": "a" }))["items"]["item_uuid"]["n"],
        json!(2)
    );

    let (_, report) = load(&[("items.csv", "uuid,title\na,b,c\n,x\na,y\n")]).unwrap();
    assert_eq!(
        faults(&report),
        ["2: $: csv: expected a record of 2 cells, found 3 cells".to_owned(), format!("3: $.uuid: key: {key} nothing")]
    );
}

#[test]
fn a_file_that_is_no_table_is_an_error() {
    let refused = |name: &str, text: &str| load(&[(name, text)]).unwrap_err().reason;
    assert_eq!(refused("items.csv", "title\nx\n"), Reason::NoKey);
    assert_eq!(refused("items.csv", ""), Reason::NoKey);
    let reason = refused("items.jsonl", "nonsense\n{\"uuid\":\"a\",\"title\":[]}");
    assert_eq!(
        reason.to_string(),
        "no row can be used; line 1: $: json: expected one JSON object, found expected a value at byte 0; \
         line 2: $.title: type: expected string, found array of 0 elements"
    );
    assert_eq!(load(&[("items.csv", "uuid\n"), ("items.jsonl", "")]).unwrap_err().reason, Reason::Twice);
    assert!(load(&[("items.jsonl", "")]).is_ok());
}

#[test]
fn a_row_keeps_neither_long_text_nor_what_nobody_asked_for() {
    let long = format!("{{\"uuid\":\"a\",\"title\":\"{}\"}}\n{{\"uuid\":\"b\"}}", "x".repeat(MAX_ROW_BYTES));
    let (_, report) = load(&[("items.jsonl", &long)]).unwrap();
    let [fault] = report.tables[0].faults.as_slice() else { panic!("one fault") };
    assert_eq!((fault.line, fault.problem.rule.as_str()), (1, "length"));

    let listed = [("items.jsonl", "{\"id\":\"a\",\"additional_information\":\"ann\",\"p_match\":\"x\"}")];
    assert_eq!(
        enrichment(&listed, ITEM_USAGE, &json!({ "item_uuid": "a" })),
        json!({ "items": { "item_uuid": { "id": "a", "p_match": "a" } } })
    );
}

#[test]
fn nothing_of_a_row_shows_in_debug_output() {
    let (lookups, report) = load(&[("items.jsonl", "{\"uuid\":\"a\",\"title\":\"Mail\"}\nMail\n")]).unwrap();
    let shown = format!("{lookups:?} {report:?}");
    assert!(shown.contains("Table(1 rows)") && !shown.contains("Mail"), "{shown}");
}

#[test]
fn the_version_follows_the_content_and_not_the_order_of_files() {
    let version = |files: &[(&str, &str)]| load(files).unwrap().0.version().to_owned();
    let (items, users) = (("items.jsonl", "{\"uuid\":\"a\"}"), ("users.jsonl", "{\"uuid\":\"b\"}"));
    assert_eq!(version(&[items, users]), version(&[users, items, ("notes.txt", "x")]));
    assert_ne!(version(&[items]), version(&[("items.jsonl", "{\"uuid\":\"b\"}")]));
    assert_eq!(version(&[items]).len(), 32);
    assert_eq!(version(&[]), "");
}
