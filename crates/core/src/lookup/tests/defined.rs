//! Tables that an operator defines.

use jiff::Timestamp;

use super::*;
use crate::normalize::{self, Origin, normalize_one};

const SIGN_IN: &str = "OnePassword.SignInAttempt";

/// A definition of a table `t` with this schema, these log types and further keys.
fn definition(schema: &str, key: &str, log_types: &str, more: &str) -> Definitions {
    let table = format!(
        "AnalysisType: lookup_table\nLookupName: t\nEnabled: true\nSchema: Custom.T\n{more}\nLogTypeMap:\n  PrimaryKey: {key}\n  \
         AssociatedLogTypes: {log_types}\n"
    );
    let schema = format!("schema: Custom.T\nfields: {schema}\n");
    Definitions::load(&[("t.yml", &table), ("t_schema.yml", &schema)]).unwrap()
}

fn schemas() -> Schemas {
    let sign_in = include_str!("../../../../../schemas/onepassword_sign_in_attempt.yml");
    Schemas::load([("onepassword_sign_in_attempt.yml", sign_in)]).unwrap()
}

fn lookups(definitions: &Definitions, file: (&str, &str)) -> Lookups {
    let sources = Sources { definitions, schemas: &schemas() };
    Lookups::load_from(sources, &[File { name: file.0, bytes: file.1.as_bytes() }]).unwrap().0
}

fn enrich(definitions: &Definitions, file: (&str, &str), event: &Value, now: Option<&str>) -> Value {
    let mut lookups = lookups(definitions, file);
    if let Some(now) = now {
        lookups = lookups.at(now.parse::<Timestamp>().unwrap());
    }
    joined(&lookups, SIGN_IN, event)["t"].take()
}

/// The enrichment of a sign-in attempt with its indicators, quickly and plainly.
fn normalized(definitions: &Definitions, file: (&str, &str), event: &Value) -> Value {
    let (lookups, schemas) = (lookups(definitions, file), schemas());
    let origin = Origin { source: "acme", label: "Acme" };
    let [quick, plain] = [false, true].map(|plainly| {
        let options = normalize::Options { plainly, ..normalize::Options::default() };
        let (raw, schema) = (event.to_string(), schemas.get(SIGN_IN).unwrap());
        let one = normalize_one(raw.as_bytes(), schema, origin, &lookups, options, Timestamp::UNIX_EPOCH);
        serde_json::from_slice::<Value>(&one.event.unwrap().record).unwrap()["p_enrichment"]["t"].take()
    });
    assert_eq!(quick, plain);
    quick
}

#[test]
fn selectors_reach_into_arrays_and_name_themselves() {
    let definitions = definition(
        "[{name: id, type: string}]",
        "id",
        "[{LogType: OnePassword.SignInAttempt, Selectors: ['$.tags[*].id', '$.tags[0].id', plain]}]",
        "",
    );
    let event = json!({ "tags": [{ "id": "a" }, { "id": "x" }, { "id": 7 }], "plain": "a" });
    let hit = |id: Value| json!({ "id": id.as_str().unwrap_or("7"), "p_match": id });
    assert_eq!(
        enrich(&definitions, ("t.jsonl", "{\"id\":\"a\"}\n{\"id\":7}"), &event, None),
        json!({ "tags[*].id": [hit(json!("a")), hit(json!(7))], "tags[0].id": hit(json!("a")), "plain": hit(json!("a")) })
    );
}

#[test]
fn ranges_match_by_the_longest_prefix() {
    let definitions = definition(
        "[{name: network, type: string, validate: {cidr: any}}]",
        "network",
        "[{LogType: OnePassword.SignInAttempt, Selectors: ['$.client.ip_address']}]",
        "",
    );
    let rows = "network,site\n192.0.2.0/24,wide\n192.0.2.128/25,half\n192.0.2.200,one\n::ffff:198.51.100.0/120,mapped\n\
                2001:db8::/32,six\n2001:db8:1::/48,deep\n0.0.0.0/0,all\nnonsense,bad\n";
    for (address, expect) in [
        ("192.0.2.1", Some("wide")),
        ("192.0.2.129", Some("half")),
        ("192.0.2.200", Some("one")),
        ("::ffff:192.0.2.129", Some("half")),
        ("198.51.100.9", Some("mapped")),
        ("203.0.113.1", Some("all")),
        ("2001:db8::1", Some("six")),
        ("2001:db8:1::1", Some("deep")),
        ("2001:db9::1", None),
        ("no address", None),
    ] {
        let found = enrich(&definitions, ("t.csv", rows), &json!({ "client": { "ip_address": address } }), None);
        let found = &found["client.ip_address"];
        assert_eq!(found["site"].as_str(), expect, "{address}");
        assert_eq!(found["p_match"].as_str(), expect.map(|_| address));
    }
}

#[test]
fn rows_end_when_they_say() {
    let definitions = definition(
        "[{name: id, type: string}, {name: until, type: timestamp, isExpiration: true, timeFormats: [rfc3339, unix]}]",
        "id",
        "[{LogType: OnePassword.SignInAttempt, Selectors: [a]}]",
        "",
    );
    let rows = r#"{"id":"text","until":"2026-01-01T00:00:00Z"}
{"id":"number","until":1767225600}
{"id":"never"}
{"id":"null","until":null}
{"id":"last","until":"9999-12-31T23:59:59Z"}
{"id":"bad","until":"tomorrow"}"#;
    for (key, before, after) in [
        ("text", true, false),
        ("number", true, false),
        ("never", true, true),
        ("null", true, true),
        ("last", true, true),
        ("bad", false, false),
    ] {
        let found = |now| enrich(&definitions, ("t.jsonl", rows), &json!({ "a": key }), now) != Value::Null;
        assert_eq!(found(None), before, "{key}");
        assert_eq!(found(Some("2025-12-31T23:59:59Z")), before, "{key}");
        assert_eq!(found(Some("2026-01-01T00:00:00Z")), after, "{key}");
    }
    let csv = "id,until\na,2026-01-01T00:00:00Z\nb,\n";
    let found = |key: &str| enrich(&definitions, ("t.csv", csv), &json!({ "a": key }), Some("2027-01-01T00:00:00Z"));
    assert_eq!(found("a"), Value::Null);
    assert_eq!(found("b")["a"]["id"], "b");
}

#[test]
fn a_longer_range_that_has_ended_leaves_the_shorter_one() {
    let definitions = definition(
        "[{name: net, type: string, validate: {cidr: ipv4}}, {name: until, type: timestamp, isExpiration: true}]",
        "net",
        "[{LogType: OnePassword.SignInAttempt, Selectors: [a]}]",
        "",
    );
    let rows = "net,until\n192.0.2.0/24,\n192.0.2.0/25,2026-01-01T00:00:00Z\n";
    let found = |now| enrich(&definitions, ("t.csv", rows), &json!({ "a": "192.0.2.1" }), Some(now));
    assert_eq!(found("2025-01-01T00:00:00Z")["a"]["net"], "192.0.2.0/25");
    assert_eq!(found("2026-06-01T00:00:00Z")["a"]["net"], "192.0.2.0/24");
}

#[test]
fn collected_fields_and_indicators_decide() {
    let event = json!({
        "uuid": "A", "timestamp": "2026-01-02T03:04:05Z",
        "client": { "ip_address": "192.0.2.1" },
        "target_user": { "uuid": "u", "name": "Ann", "email": "ann@example.com" },
    });
    let collected = definition(
        "[{name: ip, type: string}]",
        "ip",
        "[{LogType: OnePassword.SignInAttempt, Selectors: [p_any_ip_addresses, p_any_usernames]}]",
        "",
    );
    let rows = "{\"ip\":\"192.0.2.1\"}\n{\"ip\":\"ann\"}\n{\"ip\":\"Ann\"}";
    let hit = |key: &str| json!({ "ip": key, "p_match": key });
    assert_eq!(
        normalized(&collected, ("t.jsonl", rows), &event),
        json!({ "p_any_ip_addresses": [hit("192.0.2.1")], "p_any_usernames": [hit("Ann"), hit("ann")] })
    );
    // Without selectors: the fields that carry what the key carries.
    let none = "[{LogType: OnePassword.SignInAttempt}]";
    let addresses = definition("[{name: ip, type: string, indicators: [ip]}]", "ip", none, "");
    assert_eq!(enrich(&addresses, ("t.jsonl", rows), &event, None), json!({ "client.ip_address": hit("192.0.2.1") }));
    let list = definition("[{name: ip, type: array, element: {type: string, indicators: [ip]}}]", "ip", none, "");
    let row = json!({ "ip": ["192.0.2.1"], "p_match": "192.0.2.1" });
    assert_eq!(
        enrich(&list, ("t.jsonl", "{\"ip\":[\"192.0.2.1\"]}"), &event, None),
        json!({ "client.ip_address": row })
    );
    let any = definition("[{name: ip, type: string}]", "ip", none, "");
    assert_eq!(
        enrich(&any, ("t.jsonl", rows), &event, None),
        json!({ "client.ip_address": hit("192.0.2.1"), "target_user.name": hit("Ann") })
    );
}

#[test]
fn columns_are_left_out_or_redacted() {
    let definitions = definition(
        "[{name: id, type: string}]",
        "id",
        "[{LogType: OnePassword.SignInAttempt, Selectors: [a]}]",
        "Latchkey: {Omit: [secret, deep.secret], Redact: [title, deep.title, gone.title]}",
    );
    let rows = r#"{"id":"x","title":"t","secret":1,"deep":{"title":"t","secret":1,"kept":{"title":1}},"gone":2}"#;
    assert_eq!(
        enrich(&definitions, ("t.jsonl", rows), &json!({ "a": "x" }), None)["a"],
        json!({ "id": "x", "title": REDACTED, "deep": { "title": REDACTED, "kept": { "title": 1 } }, "gone": 2, "p_match": "x" })
    );
    assert_eq!(
        enrich(&definitions, ("t.csv", "id,title,secret\nx,t,s\n"), &json!({ "a": "x" }), None)["a"],
        json!({ "id": "x", "title": REDACTED, "p_match": "x" })
    );
}

#[test]
fn case_counts_unless_the_key_is_a_uuid() {
    let log_types = "[{LogType: OnePassword.SignInAttempt, Selectors: [a]}]";
    for (key, more, expect) in [
        ("id", "", false),
        ("item_uuid", "", true),
        ("uuid", "", true),
        ("uuid", "Latchkey: {IgnoreCase: false}", false),
        ("id", "Latchkey: {IgnoreCase: true}", true),
    ] {
        let definitions = definition(&format!("[{{name: {key}, type: string}}]"), key, log_types, more);
        let rows = format!("{{\"{key}\":\"Ab\"}}");
        let found = enrich(&definitions, ("t.jsonl", &rows), &json!({ "a": "aB" }), None);
        assert_eq!(found != Value::Null, expect, "{key} {more}");
        assert_ne!(enrich(&definitions, ("t.jsonl", &rows), &json!({ "a": "Ab" }), None), Value::Null);
    }
}

#[test]
fn a_definition_needs_its_schema_and_can_switch_a_table_off() {
    let table = |enabled: bool| {
        let text = format!(
            "AnalysisType: lookup_table\nLookupName: items\nEnabled: {enabled}\nSchema: Other.Name\nLogTypeMap: {{PrimaryKey: uuid}}\n"
        );
        Definitions::load(&[("items.yml", &text)]).unwrap()
    };
    let load = |definitions: &Definitions| {
        let sources = Sources { definitions, schemas: &Schemas::default() };
        Lookups::load_from(sources, &[File { name: "items.jsonl", bytes: b"{\"uuid\":\"a\"}" }])
    };
    assert_eq!(load(&table(true)).unwrap_err().reason, Reason::NoSchema("Other.Name".into()));
    let (lookups, report) = load(&table(false)).unwrap();
    assert_eq!((lookups.version(), report.ignored), ("", vec!["items.jsonl".into()]));
}

#[test]
fn definitions_are_part_of_the_version() {
    let version = |definitions: &Definitions| {
        let sources = Sources { definitions, schemas: &Schemas::default() };
        let files = [File { name: "items.jsonl", bytes: b"{\"uuid\":\"a\"}" }];
        Lookups::load_from(sources, &files).unwrap().0.version().to_owned()
    };
    let own = definition("[{name: id, type: string}]", "id", "[]", "");
    assert_ne!(version(&Definitions::shipped()), version(&own));
}

#[test]
fn what_events_taught_stands_in_for_missing_users() {
    let mut learned = Learned::default();
    learned.learn(br#"{"user":{"uuid":"u1","name":"Ann"}}"#);
    learned.learn(br#"{"user":{"uuid":"u2","name":"Bob"}}"#);
    let learned = Arc::new(learned);
    let event = json!({ "actor_uuid": "U1", "object_uuid": "u2", "aux_uuid": "u3" });
    let check = |files: &[File<'_>], expect: Value| {
        let lookups = Lookups::load(files).unwrap().0.with_learned(Arc::clone(&learned));
        assert_eq!(joined(&lookups, "OnePassword.AuditEvent", &event)["users"], expect);
    };
    // Here the event itself says who.
    let sign_in = json!({ "target_user": { "uuid": "u1", "name": "Ann" } });
    let lookups = Lookups::load(&[]).unwrap().0.with_learned(Arc::clone(&learned));
    assert_eq!(joined(&lookups, SIGN_IN, &sign_in), Value::Null);
    let bob = json!({ "uuid": "u2", "name": "Bob", "learned": true, "p_match": "u2" });
    check(
        &[],
        json!({ "actor_uuid": { "uuid": "u1", "name": "Ann", "learned": true, "p_match": "U1" }, "object_uuid": bob }),
    );
    check(
        &[File { name: "users.jsonl", bytes: b"{\"uuid\":\"u1\",\"name\":\"Anna\"}" }],
        json!({ "actor_uuid": { "uuid": "u1", "name": "Anna", "p_match": "U1" }, "object_uuid": bob }),
    );
}
