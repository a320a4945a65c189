use super::*;

/// One field below a valid head.
fn schema_of(field: &str) -> String {
    format!("schema: Test.Event\nfields:\n  - name: field\n    {}\n", field.replace('\n', "\n    "))
}

fn faults(text: &str) -> Vec<String> {
    let error = Schemas::load([("test.yml", text)]).unwrap_err();
    error.faults.iter().map(|(file, fault)| format!("{file}: {fault}")).collect()
}

fn refused(field: &str, expect: &str) {
    assert_eq!(faults(&schema_of(field)), [format!("test.yml: {expect}")], "{field}");
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
    ];
    let schemas = Schemas::load(files).unwrap();
    let feeds = latchkey_contracts::Feed::ALL.map(|feed| feed.log_type().as_str());
    for log_type in feeds {
        let fields = &schemas.get(log_type).unwrap().root.fields;
        let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name.as_str()).collect();
        assert_eq!(required, ["uuid", "timestamp"]);
    }
    assert_eq!(schemas.log_types().count(), feeds.len());
}

#[test]
fn every_type_loads() {
    assert!(matches!(kind("type: string"), Kind::String { validate: None, .. }));
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
fn what_is_not_done_is_refused_where_it_stands() {
    refused("type: strng", "fields[field].type: \"strng\" is no type");
    refused("type: ref\ntarget: Name", "fields[field].type: references to definitions are not supported");
    refused(
        "type: timestamp\ntimeFormats: ['%Y']",
        "fields[field].timeFormats: \"%Y\" is not supported: use rfc3339, unix, unix_ms, unix_us or unix_ns",
    );
    refused("type: timestamp\ntimeFormats: []", "fields[field].timeFormats: at least one format is needed");
    refused("type: string\nrename: {from: x}", "fields[field].rename: is not supported");
    refused("type: string\nmask: {type: redact}", "fields[field].mask: is not supported");
    refused("type: json\nisEmbeddedJSON: true", "fields[field].isEmbeddedJSON: is not supported");
    refused("type: string\nrequird: true", "fields[field].requird: is not known here");
    refused("type: int\nindicators: [ip]", "fields[field].indicators: is not known here");
    refused("type: string\nindicators: [emails]", "fields[field].indicators: \"emails\" is no indicator");
    refused("type: string\nrequired: 1", "fields[field].required: must be true or false");
    refused(
        "type: string\nvalidate: {allow: [a], deny: [b]}",
        "fields[field].validate: exactly one of allow, deny, ip and cidr is needed",
    );
    refused("type: string\nvalidate: {ip: v4}", "fields[field].validate.ip: must be ipv4, ipv6 or any");
    refused("type: object", "fields[field].fields: a list of at least one field is needed");
    refused("type: array", "fields[field].element: an array needs an element");
    refused(
        "type: array\nelement: {type: object, fields: [{name: a, type: x}]}",
        "fields[field].element.fields[a].type: \"x\" is no type",
    );
    refused("description: no type", "fields[field].type: is missing");
}

#[test]
fn names_must_not_collide() {
    let text = "schema: Test.Event\nfields:\n  - {name: User, type: string}\n  - {name: user, type: string}\n  - {name: p_any_ips, type: string}\n";
    assert_eq!(
        faults(text),
        [
            "test.yml: fields[user]: differs from \"User\" in nothing but case",
            "test.yml: fields[p_any_ips]: names that begin with p_ are kept for Panther's standard fields",
        ]
    );
    // Below the top level nothing collides with a standard field.
    assert!(matches!(kind("type: object\nfields: [{name: p_x, type: string}]"), Kind::Object(_)));
}

#[test]
fn a_file_that_is_no_schema_says_so() {
    assert_eq!(faults("- a"), ["test.yml: a schema is a mapping"]);
    assert!(faults("a: [")[0].starts_with("test.yml: not YAML: "));
    assert_eq!(
        faults("schema: Test\nparser: {csv: {}}\nversion: 1\nextra: 1\nfields: []\n"),
        [
            "test.yml: extra: is not known here",
            "test.yml: schema: a name has at least two parts of letters, digits and '_', joined by '.'",
            "test.yml: version: must be 0",
            "test.yml: parser.csv: only native parsers of JSON logs are supported",
            "test.yml: fields: a list of at least one field is needed",
        ]
    );
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
