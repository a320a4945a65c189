//! The table of Panther's coercions, row by row.

use super::*;

/// Normalizes one value under one declared field; the record's field, or the rule that refused it.
fn field(declaration: &str, value: &str) -> Result<Value, String> {
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
    match (normalized.events.as_slice(), normalized.rejections.as_slice()) {
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
fn string_takes_scalars_and_keeps_their_text() {
    check(
        "type: string",
        &[
            ("\"x\"", "\"x\""),
            ("1.50", "\"1.50\""),
            ("123456789012345678901234", "\"123456789012345678901234\""),
            ("true", "\"true\""),
            ("false", "\"false\""),
            ("\"\"", "\"\""),
            ("null", "omitted"),
            ("absent", "omitted"),
            ("{}", "!type"),
            ("[]", "!type"),
            ("[\"x\"]", "!type"),
        ],
    );
}

#[test]
fn required_wants_a_value_and_takes_an_empty_text() {
    for kind in ["string", "timestamp", "int", "float", "boolean", "json"] {
        check(&format!("type: {kind}, required: true"), &[("null", "!required"), ("absent", "!required")]);
    }
    check("type: string, required: true", &[("\"\"", "\"\"")]);
    check("type: boolean, required: true", &[("false", "false"), ("\"\"", "!required")]);
    check("type: int, required: true", &[("0", "0"), ("\"\"", "!required")]);
    check("type: timestamp, required: true", &[("\"\"", "!required")]);
    check("type: array, required: true, element: {type: int}", &[("[]", "!required"), ("[null]", "[null]")]);
    check("type: object, required: true, fields: [{name: a, type: int}]", &[("{}", "{}"), ("null", "!required")]);
}

#[test]
fn integers_are_whole_and_in_range() {
    check(
        "type: int",
        &[
            ("0", "0"),
            ("-5", "-5"),
            ("2147483647", "2147483647"),
            ("2147483648", "!type"),
            ("-2147483649", "!type"),
            ("1.0", "!type"),
            ("1e2", "!type"),
            ("true", "!type"),
            ("\"5\"", "5"),
            ("\"-5\"", "-5"),
            ("\" 5\"", "!type"),
            ("\"abc\"", "!type"),
            ("\"1.0\"", "!type"),
            ("\"\"", "omitted"),
            ("null", "omitted"),
            ("{}", "!type"),
            ("[]", "!type"),
        ],
    );
    check("type: smallint", &[("32767", "32767"), ("32768", "!type"), ("\"-32768\"", "-32768")]);
    check("type: bigint", &[("9223372036854775807", "9223372036854775807"), ("9223372036854775808", "!type")]);
}

#[test]
fn floats_are_numbers_or_numeric_texts() {
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
            ("null", "omitted"),
        ],
    );
}

#[test]
fn booleans_have_gos_spellings() {
    check(
        "type: boolean",
        &[
            ("true", "true"),
            ("false", "false"),
            ("1", "true"),
            ("0", "false"),
            ("\"t\"", "true"),
            ("\"T\"", "true"),
            ("\"TRUE\"", "true"),
            ("\"true\"", "true"),
            ("\"True\"", "true"),
            ("\"1\"", "true"),
            ("\"f\"", "false"),
            ("\"F\"", "false"),
            ("\"FALSE\"", "false"),
            ("\"false\"", "false"),
            ("\"False\"", "false"),
            ("\"0\"", "false"),
            ("\"yes\"", "!type"),
            ("\"tRUE\"", "!type"),
            ("2", "!type"),
            ("1.0", "!type"),
            ("\"\"", "omitted"),
            ("null", "omitted"),
            ("[]", "!type"),
        ],
    );
}

#[test]
fn json_takes_anything_but_null() {
    check(
        "type: json",
        &[
            ("1.50", "1.50"),
            ("[1, null]", "[1,null]"),
            ("{\"a\":{}}", "{\"a\":{}}"),
            ("\"\"", "\"\""),
            ("null", "omitted"),
        ],
    );
}

#[test]
fn objects_keep_what_is_set_and_what_is_unknown() {
    check(
        "type: object, fields: [{name: b, type: int}, {name: a, type: string}]",
        &[
            ("{}", "{}"),
            ("{\"a\":null,\"b\":null}", "{}"),
            ("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":\"1\"}"),
            ("{\"a\":\"x\",\"A\":\"y\"}", "{\"a\":\"x\",\"A\":\"y\"}"),
            ("{\"a\":\"x\",\"a\":\"y\"}", "{\"a\":\"y\"}"),
            ("{\"a\":[]}", "!type"),
            ("null", "omitted"),
            ("[]", "!type"),
            ("\"x\"", "!type"),
        ],
    );
}

#[test]
fn arrays_keep_the_places_of_their_elements() {
    check(
        "type: array, element: {type: int}",
        &[
            ("[1,\"2\",null]", "[1,2,null]"),
            ("[\"\"]", "[null]"),
            ("[]", "omitted"),
            ("null", "omitted"),
            ("1", "!type"),
            ("{}", "!type"),
            ("[1,\"x\",true]", "!type,type"),
        ],
    );
    check("type: array, element: {type: array, element: {type: int}}", &[("[[],[1],null]", "[[],[1],null]")]);
    check(
        "type: array, element: {type: object, fields: [{name: a, type: int, required: true}]}",
        &[("[{\"a\":1},null]", "[{\"a\":1},null]"), ("[{\"a\":1},{}]", "!required")],
    );
}

#[test]
fn timestamps_have_one_of_their_formats() {
    check(
        "type: timestamp",
        &[
            ("\"2023-03-15T16:32:50Z\"", "\"2023-03-15T16:32:50.000000000Z\""),
            ("\"2023-03-15T16:32:50.123456789+01:00\"", "\"2023-03-15T15:32:50.123456789Z\""),
            ("\"\"", "omitted"),
            ("null", "omitted"),
            ("1678897970", "!timestamp"),
            ("\"1678897970\"", "!timestamp"),
            ("\"2023-03-15t16:32:50Z\"", "!timestamp"),
            ("\"2023-03-15T16:32:50\"", "!timestamp"),
            ("\"2023-03-15T16:32:60Z\"", "!timestamp"),
            ("\"2023-13-15T16:32:50Z\"", "!timestamp"),
            ("true", "!type"),
            ("{}", "!type"),
        ],
    );
    check(
        "type: timestamp, timeFormat: unix",
        &[
            ("1678897970", "\"2023-03-15T16:32:50.000000000Z\""),
            ("\"1678897970.5\"", "\"2023-03-15T16:32:50.500000000Z\""),
            ("\"2023-03-15T16:32:50Z\"", "!timestamp"),
        ],
    );
    check(
        "type: timestamp, timeFormats: [unix_ms, rfc3339]",
        &[
            ("1678897970123", "\"2023-03-15T16:32:50.123000000Z\""),
            ("1678897970123.5", "!timestamp"),
            ("\"2023-03-15T16:32:50Z\"", "\"2023-03-15T16:32:50.000000000Z\""),
        ],
    );
}

#[test]
fn conditions_bind_what_is_there() {
    check(
        "type: string, validate: {allow: [a, b]}",
        &[("\"a\"", "\"a\""), ("\"c\"", "!allow"), ("\"\"", "!allow"), ("absent", "omitted")],
    );
    check("type: string, required: true, validate: {allow: [a]}", &[("absent", "!required")]);
    check("type: string, validate: {deny: [a, b]}", &[("\"a\"", "!deny"), ("\"b\"", "!deny"), ("\"c\"", "\"c\"")]);
    check("type: string, validate: {ip: any}", &[("\"192.0.2.1\"", "\"192.0.2.1\""), ("\"x\"", "!ip")]);
    check(
        "type: string, validate: {cidr: ipv4}",
        &[("\"192.0.2.0/24\"", "\"192.0.2.0/24\""), ("\"2001:db8::/32\"", "!cidr")],
    );
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
    let record: Value = serde_json::from_str(record(&normalized.events[0])).unwrap();
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
    check("type: timestamp", &[("\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00.000000000Z\"")]);
}
