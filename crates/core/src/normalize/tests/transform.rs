//! Transformations, embedded JSON and masks: each row an event, and what its record holds before its `p_` fields.

use super::*;

/// The record without its standard fields, or the rules that refused the event.
fn outcome(schemas: &Schemas, event: &str, options: Options) -> Result<(String, Value), String> {
    let page = page(Feed::ItemUsages);
    let normalized = normalize(&page, &body(event), schemas, &Lookups::default(), options, NOW.parse().unwrap());
    match (events(&normalized).as_slice(), normalized.rejections.as_slice()) {
        ([item], []) => {
            let record: Value = serde_json::from_str(record(item)).unwrap();
            let stripped = super::properties::stripped(super::record(item));
            Ok((stripped, record))
        }
        ([], [rejection]) => {
            let named = |problem: &Problem| format!("{} {}", problem.path, problem.rule);
            Err(rejection.problems.iter().map(named).collect::<Vec<_>>().join(","))
        }
        _ => panic!("{normalized:?}"),
    }
}

fn load(fields: &str) -> Schemas {
    let text = format!("schema: OnePassword.ItemUsage\nfields: [{fields}]\n");
    Schemas::load([("test.yml", text.as_str())]).unwrap_or_else(|error| panic!("{error}"))
}

/// Each row: event, and the record or `!path rule`. A record is read again and gives itself.
fn check(fields: &str, rows: &[(&str, &str)]) {
    let schemas = load(fields);
    for (event, expect) in rows {
        match (outcome(&schemas, event, Options::default()), expect.strip_prefix('!')) {
            (Ok((record, _)), None) => {
                assert_eq!(record, *expect, "{fields} ← {event}");
                let again = outcome(&schemas, &record, Options::default()).map(|(record, _)| record);
                assert_eq!(again.as_deref(), Ok(*expect), "again: {fields} ← {record}");
            }
            (Err(found), Some(rules)) => assert_eq!(found, rules, "{fields} ← {event}"),
            (found, _) => panic!("{fields} ← {event}: {found:?}"),
        }
    }
}

#[test]
fn a_renamed_key_stands_under_its_new_name_only() {
    check(
        "{name: user, type: string, required: true, rename: {from: '@user.name'}}, {name: n, type: int, rename: {from: N}}",
        &[
            (r#"{"@user.name":"ann","x":1}"#, r#"{"user":"ann","x":1}"#),
            (r#"{"user":"ann"}"#, r#"{"user":"ann"}"#),
            (r#"{"user":null,"@user.name":"ann"}"#, r#"{"user":"ann"}"#),
            // Nothing is lost: the key that is not needed stays what it is.
            (r#"{"user":"ann","@user.name":"bob"}"#, r#"{"user":"ann","@user.name":"bob"}"#),
            (r#"{"@user.name":"ann","N":"5"}"#, r#"{"user":"ann","n":5}"#),
            (r#"{"@user.name":"ann","N":"x"}"#, "!$.n type"),
            (r#"{"@user.name":null}"#, "!$.user required"),
            ("{}", "!$.user required"),
        ],
    );
}

#[test]
fn a_renamed_key_is_no_drift() {
    let schemas = load("{name: user, type: string, rename: {from: u}}, {name: a, type: string, copy: {from: x.y}}");
    let drift = |event: &str| drift_of(&schemas, event, Unknown::Keep).paths.into_keys().collect::<Vec<_>>();
    assert_eq!(drift(r#"{"u":"ann","x":{"y":"1","z":2}}"#), Vec::<String>::new());
    assert_eq!(drift(r#"{"u":"ann","user":"bob"}"#), ["$.u"]);
    let reject = Options { unknown: Unknown::Reject, ..Options::default() };
    assert!(outcome(&schemas, r#"{"u":"ann","x":{"y":"1"}}"#, reject).is_ok());
    assert_eq!(outcome(&schemas, r#"{"v":1}"#, reject).unwrap_err(), "$.v unknown");
}

#[test]
fn a_copied_value_stands_in_both_places() {
    check(
        "{name: name, type: string, required: true, copy: {from: user.name}}, {name: user, type: object, fields: [{name: name, type: string}]}, {name: all, type: json, copy: {from: o}}",
        &[
            (r#"{"user":{"name":"ann"}}"#, r#"{"name":"ann","user":{"name":"ann"}}"#),
            (r#"{"user":{"name":"ann"},"name":"bob"}"#, r#"{"name":"bob","user":{"name":"ann"}}"#),
            (r#"{"user":{"name":"ann"},"o":[1]}"#, r#"{"name":"ann","user":{"name":"ann"},"all":[1],"o":[1]}"#),
            (r#"{"user":"ann"}"#, "!$.name required,$.user type"),
            (r#"{"user":{"name":["ann"]}}"#, "!$.name type,$.user.name type"),
        ],
    );
    // A path leads from the event's top, wherever the field stands, and into texts that hold JSON.
    check(
        "{name: a, type: object, fields: [{name: b, type: string, copy: {from: c.d}}]}",
        &[
            (r#"{"a":{},"c":{"d":"x"}}"#, r#"{"a":{"b":"x"},"c":{"d":"x"}}"#),
            (r#"{"a":{},"c":"{\"d\":\"x\"}"}"#, r#"{"a":{"b":"x"},"c":"{\"d\":\"x\"}"}"#),
            (r#"{"c":{"d":"x"}}"#, r#"{"c":{"d":"x"}}"#),
        ],
    );
}

#[test]
fn texts_are_joined() {
    check(
        "{name: at, type: timestamp, timeFormat: '%Y-%m-%d %H:%M', concat: {paths: [date, time], separator: ' '}}",
        &[
            (
                r#"{"date":"2023-03-15","time":"16:32"}"#,
                r#"{"at":"2023-03-15T16:32:00.000000000Z","date":"2023-03-15","time":"16:32"}"#,
            ),
            (r#"{"date":"2023-03-15"}"#, "!$.at timestamp"),
            ("{}", "{}"),
        ],
    );
    check(
        "{name: s, type: string, concat: {paths: [a, b, c.d]}}",
        &[
            (
                r#"{"a":"x\"\u00e9\n","b":1.50,"c":{"d":true}}"#,
                r#"{"s":"x\"é\n1.50true","a":"x\"\u00e9\n","b":1.50,"c":{"d":true}}"#,
            ),
            (r#"{"a":[1],"b":null}"#, r#"{"a":[1],"b":null}"#),
        ],
    );
}

#[test]
fn texts_are_split() {
    check(
        "{name: host, type: string, required: true, split: {from: addr, separator: ':', index: 0}}, {name: port, type: int, split: {from: addr, separator: ':', index: 1}}",
        &[
            (r#"{"addr":"h:80"}"#, r#"{"host":"h","port":80,"addr":"h:80"}"#),
            (r#"{"addr":"h"}"#, r#"{"host":"h","addr":"h"}"#),
            (r#"{"addr":""}"#, r#"{"host":"","addr":""}"#),
            (r#"{"addr":"h:x"}"#, "!$.port type"),
            (r#"{"addr":{}}"#, "!$.host required"),
        ],
    );
}

#[test]
fn each_transformation_sees_what_the_ones_before_it_made() {
    check(
        "{name: part, type: string, split: {from: both, separator: '-', index: 1}}, {name: both, type: string, concat: {paths: [copied, x], separator: '-'}}, {name: copied, type: string, copy: {from: o.new}}, {name: o, type: object, fields: [{name: new, type: string, rename: {from: old}}]}",
        &[(r#"{"o":{"old":"1"},"x":"2"}"#, r#"{"part":"2","both":"1-2","copied":"1","o":{"new":"1"},"x":"2"}"#)],
    );
    // Two that read each other give nothing.
    check("{name: a, type: string, copy: {from: b}}, {name: b, type: string, copy: {from: a}}", &[("{}", "{}")]);
}

#[test]
fn what_is_copied_may_not_nest_too_deep() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let schemas = load("{name: a, type: object, fields: [{name: b, type: json, copy: {from: c}}]}");
    assert!(outcome(&schemas, &format!("{{\"a\":{{}},\"c\":{}}}", deep(62)), Options::default()).is_ok());
    let refused = outcome(&schemas, &format!("{{\"a\":{{}},\"c\":{}}}", deep(63)), Options::default());
    assert_eq!(refused.unwrap_err(), "$.a.b depth");
}

#[test]
fn embedded_json_is_unpacked() {
    check(
        "{name: o, type: object, isEmbeddedJSON: true, fields: [{name: a, type: int, required: true}]}",
        &[
            (r#"{"o":"{\"a\": \"5\", \"b\":\"\\u00e9\"}"}"#, r#"{"o":{"a":5,"b":"\u00e9"}}"#),
            (r#"{"o":{"a":5}}"#, r#"{"o":{"a":5}}"#),
            (r#"{"o":""}"#, "{}"),
            (r#"{"o":"null"}"#, "{}"),
            (r#"{"o":null}"#, "{}"),
            (r#"{"o":"{}"}"#, "!$.o.a required"),
            (r#"{"o":"{\"a\":"}"#, "!$.o json"),
            (r#"{"o":"[1]"}"#, "!$.o type"),
            (r#"{"o":5}"#, "!$.o type"),
        ],
    );
    check(
        "{name: l, type: array, isEmbeddedJSON: true, element: {type: json, isEmbeddedJSON: true}}",
        &[
            (r#"{"l":"[1, \"{\\\"b\\\":[]}\"]"}"#, r#"{"l":[1,{"b":[]}]}"#),
            (r#"{"l":["[2]"]}"#, r#"{"l":[[2]]}"#),
            (r#"{"l":"[]"}"#, "{}"),
        ],
    );
    check(
        "{name: j, type: json, isEmbeddedJSON: true}",
        &[
            (r#"{"j":"{\"a\":1.50}"}"#, r#"{"j":{"a":1.50}}"#),
            (r#"{"j":"5"}"#, r#"{"j":5}"#),
            (r#"{"j":{"a":"{}"}}"#, r#"{"j":{"a":"{}"}}"#),
            (r#"{"j":"\"{}\""}"#, r#"{"j":"\"{}\""}"#),
            (r#"{"j":"x"}"#, "!$.j json"),
        ],
    );
}

#[test]
fn a_masked_text_is_shown_nowhere() {
    let fields = "{name: pin, type: string, required: true, indicators: [username, ip], mask: {type: redact, to: '***'}, rename: {from: PIN}}";
    check(
        fields,
        &[
            (r#"{"PIN":"1234"}"#, r#"{"pin":"***"}"#),
            (r#"{"PIN":1234}"#, r#"{"pin":"***"}"#),
            (r#"{"pin":""}"#, r#"{"pin":"***"}"#),
            // Not kept as an unknown field either.
            (r#"{"pin":"1234","PIN":"5678"}"#, r#"{"pin":"***"}"#),
            ("{}", "!$.pin required"),
            (r#"{"PIN":["1234"]}"#, "!$.pin type"),
        ],
    );
    let (_, record) = outcome(&load(fields), r#"{"PIN":"192.0.2.1"}"#, Options::default()).unwrap();
    assert_eq!((record.get("p_any_ip_addresses"), &record["p_any_usernames"]), (None, &json!(["***"])));
    // Conditions bind what came; what stands in the record instead fulfils them.
    check(
        "{name: a, type: string, validate: {ip: any}, mask: {type: redact}}",
        &[(r#"{"a":"192.0.2.1"}"#, r#"{"a":"REDACTED"}"#), (r#"{"a":"x"}"#, "!$.a ip")],
    );
}

#[test]
fn enrichment_does_not_bring_back_what_is_masked() {
    let files = [lookup::File { name: "items.jsonl", bytes: br#"{"uuid":"i1","title":"Mail"}"# }];
    let (lookups, _) = Lookups::load(&files).unwrap();
    for (field, expect) in [
        ("{name: item_uuid, type: string, rename: {from: item}}", true),
        ("{name: item_uuid, type: string, mask: {type: redact}}", false),
    ] {
        let schemas = load(field);
        let event = if expect { r#"{"item":"i1"}"# } else { r#"{"item_uuid":"i1"}"# };
        let page = page(Feed::ItemUsages);
        let normalized = normalize(&page, &body(event), &schemas, &lookups, Options::default(), NOW.parse().unwrap());
        let text = first(&normalized);
        assert_eq!(text.contains("p_enrichment"), expect, "{text}");
        assert_eq!(text.contains("i1"), expect, "{text}");
    }
}

#[test]
fn a_row_id_follows_from_uuid_wherever_it_comes_from_or_from_the_whole_event() {
    let row_id = |fields: &str, event: &str| {
        outcome(&load(fields), event, Options::default())
            .map(|(_, record)| record["p_row_id"].as_str().unwrap().to_owned())
    };
    let of_uuid = crate::row_id::RowIds::new("acme", "OnePassword.ItemUsage").of(b"u1").as_str().to_owned();
    let uuid = "{name: uuid, type: string}";
    assert_eq!(row_id(uuid, r#"{"uuid":"u1"}"#), Ok(of_uuid.clone()));
    assert_eq!(row_id(uuid, "{}"), Err("$.uuid required".into()));
    assert_eq!(row_id("{name: uuid, type: string, rename: {from: id}}", r#"{"id":"u1"}"#), Ok(of_uuid.clone()));
    let split = "{name: uuid, type: string, split: {from: id, separator: '/', index: 1}}";
    assert_eq!(row_id(split, r#"{"id":"x/u1"}"#), Ok(of_uuid.clone()));
    // Not declared: the event's compact bytes, whatever it calls uuid.
    let other = "{name: a, type: int}";
    let of_event = crate::row_id::RowIds::new("acme", "OnePassword.ItemUsage").of(br#"{"uuid":"u1","a":[1,2]}"#);
    assert_eq!(
        row_id("{name: b, type: int}", "{\"uuid\" : \"u1\", \"a\" : 0, \"a\": [1, 2] }"),
        Ok(of_event.as_str().to_owned())
    );
    assert_ne!(row_id(other, r#"{"a":1}"#), row_id(other, r#"{"a":2}"#));
    assert_ne!(row_id(other, r#"{"uuid":"u1"}"#), Ok(of_uuid));
}
