mod refusals;

use latchkey_contracts::Feed;

use super::*;
use crate::timestamp;

/// One field below a valid head.
fn schema_of(field: &str) -> String {
    format!("schema: Test.Event\nfields:\n  - name: field\n    {}\n", field.replace('\n', "\n    "))
}

fn faults(text: &str) -> Vec<String> {
    let error = Schemas::load([("test.yml", text)]).unwrap_err();
    error.faults.into_iter().map(|fault| Error { faults: vec![fault] }.to_string()).collect()
}

fn kind(field: &str) -> Kind {
    let schemas = Schemas::load([("test.yml", schema_of(field).as_str())]).unwrap();
    schemas.get("Test.Event").unwrap().root.fields[0].kind.clone()
}

#[test]
fn the_shipped_schemas_load() {
    let files = [
        ("sign_in", include_str!("../../../../schemas/onepassword_sign_in_attempt.yml")),
        ("item_usage", include_str!("../../../../schemas/onepassword_item_usage.yml")),
        ("audit", include_str!("../../../../schemas/onepassword_audit_event.yml")),
        ("audit_v3", include_str!("../../../../schemas/onepassword_audit_event_v3.yml")),
    ];
    let schemas = Schemas::load(files).unwrap();
    let feeds = Feed::ALL;
    for feed in feeds {
        let fields = &schemas.get(feed.log_type().as_str()).unwrap().root.fields;
        let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
        // Of a beta, nobody has promised how its fields are called.
        let promised: &[&str] = if feed == Feed::AuditEventsV3 { &["uuid"] } else { &["uuid", "timestamp"] };
        assert_eq!(required, promised);
    }
    assert_eq!(schemas.log_types().count(), feeds.len());
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_file() {
    let text = "\u{feff}schema: Test.Event\nfields: [{name: a, type: string}]\n";
    assert_eq!(Schemas::load([("test.yml", text)]).unwrap().log_types().collect::<Vec<_>>(), ["Test.Event"]);
}

#[test]
fn every_type_loads() {
    assert!(matches!(kind("type: string"), Kind::String { validate, .. } if validate.is_empty()));
    assert!(matches!(kind("type: smallint"), Kind::Integer(Width::Small)));
    assert!(matches!(kind("type: int"), Kind::Integer(Width::Int)));
    assert!(matches!(kind("type: bigint"), Kind::Integer(Width::Big)));
    assert!(matches!(kind("type: float"), Kind::Float));
    assert!(matches!(kind("type: boolean"), Kind::Boolean));
    assert!(matches!(kind("type: json"), Kind::Json));
    assert!(matches!(kind("type: object\nfields: [{name: a, type: string}]"), Kind::Object(_)));
    assert!(matches!(kind("type: array\nelement: {type: string}"), Kind::Array(_)));
}

#[test]
fn a_timestamp_without_a_format_is_rfc3339() {
    let formats = |field: &str| match kind(field) {
        Kind::Timestamp { formats, .. } => formats,
        other => panic!("{other:?}"),
    };
    assert_eq!(formats("type: timestamp"), [TimeFormat::Rfc3339]);
    assert_eq!(formats("type: timestamp\ntimeFormat: unix_ms"), [TimeFormat::Unix(timestamp::Unit::Millis)]);
    assert_eq!(
        formats("type: timestamp\ntimeFormats: [rfc3339, unix]"),
        [TimeFormat::Rfc3339, TimeFormat::Unix(timestamp::Unit::Seconds)]
    );
}

#[test]
fn names_must_not_collide() {
    let text = "schema: Test.Event\nfields:\n  - {name: User, type: string}\n  - {name: user, type: string}\n  - {name: p_any_ips, type: string}\n";
    assert_eq!(
        faults(text),
        [
            "test.yml:4: fields[user]: differs from \"User\" in nothing but case",
            "test.yml:5: fields[p_any_ips]: names that begin with p_ are kept for Panther's standard fields",
        ]
    );
    // Below the top level nothing collides with a standard field.
    assert!(matches!(kind("type: object\nfields: [{name: p_x, type: string}]"), Kind::Object(_)));
}

#[test]
fn nesting_is_bounded() {
    let mut field = "{name: a, type: string}".to_owned();
    for _ in 0..=MAX_DEPTH {
        field = format!("{{name: a, type: object, fields: [{field}]}}");
    }
    let found = faults(&format!("schema: Test.Event\nfields: [{field}]"));
    assert!(found[0].contains("nested deeper"), "{found:?}");
}

#[test]
fn one_log_type_has_one_file() {
    let text = schema_of("type: string");
    let error = Schemas::load([("a.yml", text.as_str()), ("b.yml", text.as_str())]).unwrap_err();
    assert_eq!(error.to_string(), "b.yml: schema: Test.Event is defined by another file too");
}

#[test]
fn conditions_say_what_they_ask_for() {
    let values = |count: usize| vec!["v".to_owned(); count];
    for (validate, expect) in [
        (Validate::Allow(vec!["pass".into(), "block".into()]), "one of pass, block"),
        (Validate::Allow(values(9)), "one of 9 allowed values"),
        (Validate::Deny(values(2)), "none of 2 denied values"),
        (Validate::Ip(Family::V6), "an IPv6 address"),
        (Validate::Cidr(Family::Any), "an IP address range"),
    ] {
        assert_eq!(validate.expected(), expect);
    }
}

#[test]
fn conditions_hold_or_do_not() {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    for (validate, text, expect) in [
        (Validate::Allow(texts(&["a", "b"])), "a", true),
        (Validate::Allow(texts(&["a", "b"])), "A", false),
        (Validate::Allow(texts(&["a"])), "", false),
        (Validate::Deny(texts(&["a", "b"])), "a", false),
        (Validate::Deny(texts(&["a", "b"])), "b", false),
        (Validate::Deny(texts(&["a", "b"])), "c", true),
        (Validate::Ip(Family::Any), "192.0.2.1", true),
        (Validate::Ip(Family::V4), "2001:db8::1", false),
        (Validate::Ip(Family::V6), "2001:db8::1", true),
        (Validate::Ip(Family::Any), "192.0.2.1/24", false),
        (Validate::Cidr(Family::Any), "192.0.2.0/24", true),
        (Validate::Cidr(Family::Any), "192.0.2.1/32", true),
        (Validate::Cidr(Family::Any), "192.0.2.0/33", false),
        (Validate::Cidr(Family::V4), "2001:db8::/32", false),
        (Validate::Cidr(Family::V6), "2001:db8::/129", false),
        (Validate::Cidr(Family::V6), "2001:db8::/32", true),
        (Validate::Cidr(Family::Any), "192.0.2.0/+4", false),
        (Validate::Cidr(Family::Any), "192.0.2.0/04", false),
        (Validate::Cidr(Family::Any), "192.0.2.0", false),
    ] {
        assert_eq!(validate.holds(text), expect, "{validate:?} {text}");
    }
}

#[test]
fn aliases_and_definitions_stand_for_what_they_name() {
    let text = "schema: Test.Event\n\
        fields:\n\
        - name: a\n  type: object\n  fields: &user\n  - {name: id, type: string, indicators: [actor_id]}\n\
        - {name: b, type: object, fields: *user}\n\
        - {name: c, required: true, type: ref, target: Users}\n\
        definitions:\n  Users: {type: array, element: {type: ref, target: User}}\n  User: {type: object, fields: *user}\n";
    let schemas = Schemas::load([("test.yml", text)]).unwrap();
    let root = &schemas.get("Test.Event").unwrap().root;
    let is_user = |kind: &Kind| matches!(kind, Kind::Object(object) if matches!(&object.field("id").unwrap().kind, Kind::String { indicators, .. } if *indicators == [Indicator::ActorId]));
    assert!(is_user(&root.field("a").unwrap().kind) && is_user(&root.field("b").unwrap().kind));
    let c = root.field("c").unwrap();
    assert!(c.required && matches!(&c.kind, Kind::Array(element) if is_user(element)));
}

#[test]
fn texts_of_lists_are_texts_whatever_they_look_like() {
    let Kind::String { validate, .. } = kind("type: string\nvalidate: {allow: [no, 1, 1.50, 'true']}") else {
        panic!("a string");
    };
    assert_eq!(validate, [Validate::Allow(["no", "1", "1.50", "true"].map(str::to_owned).to_vec())]);
}

#[test]
fn a_row_expires_when_its_schema_says() {
    let text = "schema: Test.Row\nfields:\n- {name: until, type: timestamp, timeFormats: [unix, rfc3339], isExpiration: true}\n";
    let schemas = Schemas::load([("test.yml", text)]).unwrap();
    let schema = schemas.get("Test.Row").unwrap();
    let at = |row: &str| schema.expiration(&crate::json::parse(row.as_bytes()).unwrap()).map(|at| at.to_string());
    assert_eq!(at(r#"{"until":0}"#).as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!(at(r#"{"until":"2023-03-15T16:32:50Z"}"#).as_deref(), Some("2023-03-15T16:32:50Z"));
    assert_eq!(at(r#"{"until":"never"}"#), None);
    assert_eq!(at("{}"), None);
}

#[test]
fn what_becomes_of_undeclared_fields_is_set_per_log_type() {
    let mut schemas = Schemas::load([("test.yml", schema_of("type: string").as_str())]).unwrap();
    schemas.set_unknown("Test.Event", Unknown::Reject).unwrap();
    assert_eq!(schemas.get("Test.Event").unwrap().unknown, Some(Unknown::Reject));
    assert_eq!(schemas.set_unknown("Test.Other", Unknown::Drop), Err(NoSuchLogType("Test.Other".into())));
}
