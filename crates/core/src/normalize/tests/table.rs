//! Panther's table of what an event's values become: one test for each row, named after it.

use super::*;

/// Normalizes one value under one declared field; the record's field, or the rule that refused it.
pub(super) fn field(declaration: &str, value: &str) -> Result<Value, String> {
    let schema = format!(
        "schema: OnePassword.ItemUsage\nfields:\n  - {{name: uuid, type: string}}\n  - {{name: f, {declaration}}}\n"
    );
    let schemas = Schemas::load([("test.yml", schema.as_str())]).unwrap();
    let member = if value == "absent" { String::new() } else { format!(",\"f\":{value}") };
    let body = body(&format!("{{\"uuid\":\"A\"{member}}}"));
    let normalized = normalize(
        &page(Feed::ItemUsages),
        &body,
        &schemas,
        &Lookups::default(),
        Options::default(),
        NOW.parse().unwrap(),
    );
    match (events(&normalized).as_slice(), normalized.rejections.as_slice()) {
        ([item], []) => {
            Ok(serde_json::from_str::<Value>(record(item)).unwrap().get("f").cloned().unwrap_or(json!("omitted")))
        }
        ([], [rejection]) => {
            Err(rejection.problems.iter().map(|problem| problem.rule.as_str()).collect::<Vec<_>>().join(","))
        }
        _ => panic!("{normalized:?}"),
    }
}

/// Each row: value, and the field's JSON, `omitted`, or `!rule`.
fn check(declaration: &str, rows: &[(&str, &str)]) {
    for (value, expect) in rows {
        let expect = match (expect.strip_prefix('!'), *expect) {
            (Some(rule), _) => Err(rule.to_owned()),
            (None, "omitted") => Ok(json!("omitted")),
            (None, text) => Ok(serde_json::from_str(text).unwrap()),
        };
        assert_eq!(field(declaration, value), expect, "{declaration} ← {value}");
    }
}

#[test]
fn string_from_text_number_or_boolean() {
    check(
        "type: string",
        &[
            ("\"x\"", "\"x\""),
            ("1.50", "\"1.50\""),
            ("1e2", "\"1e2\""),
            ("123456789012345678901234", "\"123456789012345678901234\""),
            ("true", "\"true\""),
            ("false", "\"false\""),
        ],
    );
}

#[test]
fn string_from_object_or_array() {
    check("type: string", &[("{}", "!type"), ("[]", "!type"), ("[\"x\"]", "!type")]);
}

#[test]
fn empty_string() {
    check("type: string", &[("\"\"", "\"\"")]);
    check("type: string, required: true", &[("\"\"", "\"\"")]);
}

#[test]
fn null_or_absent() {
    let rest = ["timestamp", "smallint", "int", "bigint", "float", "boolean", "json", "string"].map(str::to_owned);
    let object = "object, fields: [{name: a, type: int}]".to_owned();
    for kind in rest.into_iter().chain([object, "array, element: {type: int}".to_owned()]) {
        check(&format!("type: {kind}"), &[("null", "omitted"), ("absent", "omitted")]);
        check(&format!("type: {kind}, required: true"), &[("null", "!required"), ("absent", "!required")]);
    }
}

#[test]
fn integers_from_number_or_text() {
    check(
        "type: int",
        &[
            ("0", "0"),
            ("-5", "-5"),
            ("2147483647", "2147483647"),
            ("2147483648", "!type"),
            ("-2147483648", "-2147483648"),
            ("-2147483649", "!type"),
            ("1.0", "!type"),
            ("1e2", "!type"),
            ("true", "!type"),
            ("\"5\"", "5"),
            ("\"-5\"", "-5"),
            ("\" 5\"", "!type"),
            ("\"5 \"", "!type"),
            ("\"abc\"", "!type"),
            ("\"1.0\"", "!type"),
            ("\"\"", "omitted"),
            ("{}", "!type"),
            ("[]", "!type"),
        ],
    );
    check("type: int, required: true", &[("0", "0"), ("\"\"", "!required")]);
    check("type: smallint", &[("32767", "32767"), ("32768", "!type"), ("\"-32768\"", "-32768")]);
    check(
        "type: bigint",
        &[
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "!type"),
            ("-9223372036854775808", "-9223372036854775808"),
        ],
    );
}

#[test]
fn float_from_number_or_numeric_text() {
    check(
        "type: float",
        &[
            ("1.50", "1.50"),
            ("1e2", "1e2"),
            ("7", "7"),
            ("\"2.5\"", "2.5"),
            ("\"+2.5\"", "2.5"),
            ("\".5\"", "0.5"),
            ("1e999", "!type"),
            ("\"NaN\"", "!type"),
            ("\"Inf\"", "!type"),
            ("\"abc\"", "!type"),
            ("\" 1\"", "!type"),
            ("true", "!type"),
            ("\"\"", "omitted"),
        ],
    );
    check("type: float, required: true", &[("0.0", "0.0"), ("\"\"", "!required")]);
}

#[test]
fn boolean_from_gos_spellings() {
    for (texts, expect) in [
        (["true", "1", "\"t\"", "\"T\"", "\"TRUE\"", "\"true\"", "\"True\"", "\"1\""], "true"),
        (["false", "0", "\"f\"", "\"F\"", "\"FALSE\"", "\"false\"", "\"False\"", "\"0\""], "false"),
        (["\"yes\"", "\"tRUE\"", "2", "1.0", "[]", "{}", "\" t\"", "\"on\""], "!type"),
    ] {
        check("type: boolean", &texts.map(|text| (text, expect)));
    }
    check("type: boolean", &[("\"\"", "omitted")]);
}

#[test]
fn json_from_anything() {
    check(
        "type: json",
        &[
            ("1.50", "1.50"),
            ("[1, null]", "[1,null]"),
            ("{\"a\":{}}", "{\"a\":{}}"),
            ("\"\"", "\"\""),
            ("false", "false"),
            ("null", "omitted"),
        ],
    );
}

#[test]
fn object_from_object() {
    check(
        "type: object, fields: [{name: b, type: int}, {name: a, type: string}]",
        &[
            ("{}", "{}"),
            ("{\"a\":null,\"b\":null}", "{}"),
            ("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":\"1\"}"),
            ("{\"a\":[]}", "!type"),
            ("[]", "!type"),
            ("\"x\"", "!type"),
        ],
    );
    check("type: object, required: true, fields: [{name: a, type: int}]", &[("{}", "{}")]);
}

#[test]
fn array_from_array() {
    check(
        "type: array, element: {type: int}",
        &[
            ("[1,\"2\",null]", "[1,2,null]"),
            ("[\"\"]", "[null]"),
            ("[]", "omitted"),
            ("1", "!type"),
            ("{}", "!type"),
            ("[1,\"x\",true]", "!type,type"),
        ],
    );
    check("type: array, required: true, element: {type: int}", &[("[]", "!required"), ("[null]", "[null]")]);
    check("type: array, element: {type: array, element: {type: int}}", &[("[[],[1],null]", "[[],[1],null]")]);
    check("type: array, element: {type: json}", &[("[[],{},null]", "[[],{},null]")]);
    check(
        "type: array, element: {type: timestamp}",
        &[("[\"2023-03-15T16:32:50Z\",\"\"]", "[\"2023-03-15T16:32:50.000000000Z\",null]")],
    );
}

#[test]
fn duplicate_keys_and_key_case() {
    check(
        "type: object, fields: [{name: a, type: string}]",
        &[
            ("{\"a\":\"x\",\"a\":\"y\"}", "{\"a\":\"y\"}"),
            ("{\"a\":\"x\",\"\\u0061\":\"y\"}", "{\"a\":\"y\"}"),
            ("{\"a\":\"x\",\"A\":\"y\"}", "{\"a\":\"x\",\"A\":\"y\"}"),
        ],
    );
}

#[test]
fn timestamp_rfc3339() {
    check(
        "type: timestamp",
        &[
            ("\"2023-03-15T16:32:50Z\"", "\"2023-03-15T16:32:50.000000000Z\""),
            ("\"2023-03-15T16:32:50.1Z\"", "\"2023-03-15T16:32:50.100000000Z\""),
            ("\"2023-03-15T16:32:50.123456789+01:00\"", "\"2023-03-15T15:32:50.123456789Z\""),
            ("\"0000-01-01T00:00:00Z\"", "\"0000-01-01T00:00:00.000000000Z\""),
            ("\"9999-12-31T23:59:59Z\"", "\"9999-12-31T23:59:59.000000000Z\""),
            ("\"\"", "omitted"),
            ("1678897970", "!timestamp"),
            ("\"1678897970\"", "!timestamp"),
            ("\"2023-03-15t16:32:50Z\"", "!timestamp"),
            ("\"2023-03-15T16:32:50z\"", "!timestamp"),
            ("\"2023-03-15T16:32:50\"", "!timestamp"),
            ("\"2023-03-15T16:32:60Z\"", "!timestamp"),
            ("\"2023-13-15T16:32:50Z\"", "!timestamp"),
            ("true", "!type"),
            ("{}", "!type"),
        ],
    );
    check("type: timestamp, required: true", &[("\"\"", "!required")]);
}

#[test]
fn unix_formats() {
    for (format, number, expect) in [
        ("unix", "1678897970", "2023-03-15T16:32:50.000000000Z"),
        ("unix", "1678897970.5", "2023-03-15T16:32:50.500000000Z"),
        ("unix_ms", "1678897970123", "2023-03-15T16:32:50.123000000Z"),
        ("unix_us", "1678897970123456", "2023-03-15T16:32:50.123456000Z"),
        ("unix_ns", "1678897970123456789", "2023-03-15T16:32:50.123456789Z"),
    ] {
        let (text, expect) = (format!("\"{number}\""), format!("\"{expect}\""));
        check(&format!("type: timestamp, timeFormat: {format}"), &[(number, &expect), (&text, &expect)]);
    }
    for format in ["unix_ms", "unix_us", "unix_ns"] {
        check(&format!("type: timestamp, timeFormat: {format}"), &[("1678897970.5", "!timestamp")]);
    }
    check("type: timestamp, timeFormat: unix", &[("253402300799", "\"9999-12-31T23:59:59.000000000Z\"")]);
    check("type: timestamp, timeFormat: unix", &[("\"2023-03-15T16:32:50Z\"", "!timestamp"), ("\"\"", "omitted")]);
}

#[test]
fn other_formats_are_tried_in_order() {
    check(
        "type: timestamp, timeFormats: [unix_ms, rfc3339, '%d/%b/%Y', 'layout=Jan 2 2006 15:04']",
        &[
            ("1678897970123", "\"2023-03-15T16:32:50.123000000Z\""),
            ("\"2023-03-15T16:32:50Z\"", "\"2023-03-15T16:32:50.000000000Z\""),
            ("\"15/Mar/2023\"", "\"2023-03-15T00:00:00.000000000Z\""),
            ("\"Mar 15 2023 16:32\"", "\"2023-03-15T16:32:00.000000000Z\""),
            ("\"15/03/2023\"", "!timestamp"),
            ("1678897970123.5", "!timestamp"),
        ],
    );
    // Both read it; the first one counts.
    check(
        "type: timestamp, timeFormats: ['%m/%d/%Y', '%d/%m/%Y']",
        &[("\"02/01/2023\"", "\"2023-02-01T00:00:00.000000000Z\"")],
    );
}

#[test]
fn top_level_array_or_scalar_and_trailing_bytes() {
    for item in ["[]", "[{}]", "1", "\"x\"", "null", "true"] {
        assert_eq!(problems(&plain(Feed::ItemUsages, item)), [(Some(0), vec![("$", "type")])], "{item}");
    }
    let schema = SHIPPED.get("OnePassword.ItemUsage").unwrap();
    let origin = Origin { source: "acme", label: "Acme" };
    let alone = |event: &str| {
        let (lookups, now) = (Lookups::default(), NOW.parse().unwrap());
        normalize_one(event.as_bytes(), schema, origin, &lookups, Options::default(), now).event
    };
    let event = r#"{"uuid":"A","timestamp":"2023-03-15T16:33:50Z"}"#;
    assert!(alone(&format!(" {event}\n")).is_ok());
    for rest in [event, "x", ",", "}", "\0"] {
        let problems = alone(&format!("{event}{rest}")).unwrap_err();
        let [Problem { path, rule, .. }] = problems.as_slice() else { panic!("one problem: {problems:?}") };
        assert_eq!((path.as_str(), rule.as_str()), ("$", "json"), "{rest}");
    }
}

#[test]
fn validate_allow() {
    check(
        "type: string, validate: {allow: [a, b, '5']}",
        &[
            ("\"a\"", "\"a\""),
            ("5", "\"5\""),
            ("\"A\"", "!allow"),
            ("\"c\"", "!allow"),
            ("\"\"", "!allow"),
            ("null", "omitted"),
            ("absent", "omitted"),
        ],
    );
    check("type: string, required: true, validate: {allow: [a]}", &[("absent", "!required")]);
}

#[test]
fn validate_deny() {
    check(
        "type: string, validate: {deny: [a, b]}",
        &[("\"a\"", "!deny"), ("\"b\"", "!deny"), ("\"c\"", "\"c\""), ("\"\"", "\"\""), ("absent", "omitted")],
    );
}

#[test]
fn validate_ip_and_cidr() {
    check(
        "type: string, validate: {ip: any}",
        &[
            ("\"192.0.2.1\"", "\"192.0.2.1\""),
            ("\"2001:db8::1\"", "\"2001:db8::1\""),
            ("\"x\"", "!ip"),
            ("\"\"", "!ip"),
        ],
    );
    check("type: string, validate: {ip: ipv4}", &[("\"2001:db8::1\"", "!ip")]);
    check(
        "type: string, validate: {cidr: ipv4}",
        &[("\"192.0.2.0/24\"", "\"192.0.2.0/24\""), ("\"2001:db8::/32\"", "!cidr")],
    );
    // Conditions of several kinds, all of which count.
    check(
        "type: string, validate: {ip: ipv4, deny: ['192.0.2.1', here]}",
        &[
            ("\"192.0.2.2\"", "\"192.0.2.2\""),
            ("\"192.0.2.1\"", "!deny"),
            ("\"2001:db8::1\"", "!ip"),
            ("\"here\"", "!ip,deny"),
            ("absent", "omitted"),
        ],
    );
    check("type: array, element: {type: string, validate: {ip: any}}", &[("[\"192.0.2.1\",\"x\",null]", "!ip")]);
}

#[test]
fn required_in_array_elements_and_on_booleans() {
    check(
        "type: array, element: {type: object, fields: [{name: a, type: int, required: true}]}",
        &[("[{\"a\":1},null]", "[{\"a\":1},null]"), ("[{\"a\":1},{}]", "!required"), ("[{},{}]", "!required,required")],
    );
    check("type: boolean, required: true", &[("false", "false"), ("\"\"", "!required"), ("absent", "!required")]);
}

/// The record's event time under a schema.
fn event_time(fields: &str, event: &str) -> String {
    let schema = format!("schema: OnePassword.ItemUsage\nfields: [{{name: uuid, type: string}}, {fields}]\n");
    let schemas = Schemas::load([("test.yml", schema.as_str())]).unwrap();
    let body = body(&format!("{{\"uuid\":\"A\",{event}}}"));
    let normalized = normalize(
        &page(Feed::ItemUsages),
        &body,
        &schemas,
        &Lookups::default(),
        Options::default(),
        NOW.parse().unwrap(),
    );
    let record: Value = serde_json::from_str(first(&normalized)).unwrap();
    record["p_event_time"].as_str().unwrap().to_owned()
}

#[test]
fn the_event_time_is_the_first_in_schema_order_depth_first() {
    let stamp = |name: &str| format!("{{name: {name}, type: timestamp, isEventTime: true}}");
    let time = |year: &str| format!("\"{year}-01-01T00:00:00Z\"");
    let fields = format!("{{name: o, type: object, fields: [{}]}}, {}", stamp("a"), stamp("b"));
    let (x, y) = (time("2001"), time("2002"));
    for (event, expect) in [
        (format!("\"b\":{y},\"o\":{{\"a\":{x}}}"), "2001-01-01 00:00:00.000000000"),
        (format!("\"b\":{y},\"o\":{{\"a\":null}}"), "2002-01-01 00:00:00.000000000"),
        (format!("\"b\":{y},\"o\":{{\"a\":\"\"}}"), "2002-01-01 00:00:00.000000000"),
        ("\"o\":{}".to_owned(), "2026-01-02 03:04:05.000000006"),
    ] {
        assert_eq!(event_time(&fields, &event), expect, "{event}");
    }
    let objects = format!("{{name: l, type: array, element: {{type: object, fields: [{}]}}}}", stamp("a"));
    assert_eq!(event_time(&objects, &format!("\"l\":[{{}},{{\"a\":{x}}}]")), "2001-01-01 00:00:00.000000000");
    let instants = "{name: l, type: array, element: {type: timestamp, isEventTime: true}}";
    assert_eq!(event_time(instants, &format!("\"l\":[{x}]")), "2026-01-02 03:04:05.000000006");
}

#[test]
fn an_event_time_that_the_wire_cannot_hold_is_refused() {
    check("type: timestamp, isEventTime: true", &[("\"0001-01-01T00:00:00Z\"", "!timestamp")]);
    check("type: timestamp, isEventTime: true", &[("\"9999-12-31T23:59:59Z\"", "!timestamp")]);
    check("type: timestamp", &[("\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00.000000000Z\"")]);
}
