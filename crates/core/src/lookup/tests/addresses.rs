//! MaxMind databases.

use super::{mmdb::Field, *};

fn database() -> Vec<u8> {
    let place = |name| {
        Field::Map(vec![
            (
                "country",
                Field::Map(vec![
                    ("iso_code", Field::Text(name)),
                    ("names", Field::Map(vec![("en", Field::Text("x"))])),
                ]),
            ),
            ("asn", Field::Number(64500)),
        ])
    };
    mmdb::write(&[
        ([192, 0, 2, 0], 25, place("DE")),
        ([192, 0, 2, 128], 25, place("FR")),
        ([198, 51, 100, 0], 24, Field::Text("x")),
    ])
}

fn enrich(definitions: &Definitions, log_type: &str, event: &Value) -> Value {
    let bytes = database();
    let sources = Sources { definitions, schemas: &Schemas::default() };
    let (lookups, report) = Lookups::load_from(sources, &[File { name: "Places.mmdb", bytes: &bytes }]).unwrap();
    assert_eq!(report.tables[0].name, if log_type == "A.B" { "geo" } else { "Places" });
    joined(&lookups, log_type, event)
}

#[test]
fn a_database_alone_explains_the_addresses_of_all_feeds() {
    let definitions = Definitions::shipped();
    let row = |code: &str, address: &str| json!({ "asn": 64500, "country": { "iso_code": code, "names": { "en": "x" } }, "p_match": address });
    for log_type in [ITEM_USAGE, "OnePassword.SignInAttempt"] {
        let event = json!({ "client": { "ip_address": "192.0.2.1" } });
        assert_eq!(
            enrich(&definitions, log_type, &event),
            json!({ "Places": { "client.ip_address": row("DE", "192.0.2.1") } })
        );
    }
    let audit = json!({ "session": { "ip": "192.0.2.200" } });
    assert_eq!(
        enrich(&definitions, "OnePassword.AuditEvent", &audit),
        json!({ "Places": { "session.ip": row("FR", "192.0.2.200") } })
    );
    for (address, expect) in [
        ("198.51.100.1", json!({ "Places": { "session.ip": { "value": "x", "p_match": "198.51.100.1" } } })),
        ("203.0.113.1", Value::Null),
        ("2001:db8::1", Value::Null),
        ("no address", Value::Null),
    ] {
        let event = json!({ "session": { "ip": address } });
        assert_eq!(enrich(&definitions, "OnePassword.AuditEvent", &event), expect, "{address}");
    }
}

#[test]
fn a_definition_names_it_and_chooses_columns() {
    let text = "AnalysisType: lookup_table\nLookupName: geo\nEnabled: true\nSchema: Panther.Managed\nFilename: Places.mmdb\n\
                LogTypeMap: {PrimaryKey: network, AssociatedLogTypes: [{LogType: A.B, Selectors: [ip]}]}\n\
                Latchkey: {Omit: [country.names], Redact: [asn]}\n";
    let definitions = Definitions::load(&[("geo.yml", text)]).unwrap();
    assert_eq!(
        enrich(&definitions, "A.B", &json!({ "ip": "192.0.2.1" })),
        json!({ "geo": { "ip": { "asn": REDACTED, "country": { "iso_code": "DE" }, "p_match": "192.0.2.1" } } })
    );
}

#[test]
fn what_is_no_database_is_refused() {
    assert_eq!(load(&[("Places.mmdb", "nonsense")]).unwrap_err().reason, Reason::NoDatabase);
}
