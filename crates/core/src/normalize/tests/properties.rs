//! What holds for every input.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{super::coerce, *};
use crate::schema::Width;

/// A declaration of every type.
const KINDS: [&str; 12] = [
    "type: string",
    "type: string, validate: {ip: any, deny: ['192.0.2.1']}",
    "type: smallint",
    "type: int",
    "type: bigint",
    "type: float",
    "type: boolean",
    "type: json",
    "type: timestamp, timeFormats: [rfc3339, unix, '%Y-%m-%d']",
    "type: object, fields: [{name: name, type: string}, {name: user, type: json}]",
    "type: array, element: {type: array, element: {type: string}}",
    "type: array, isEmbeddedJSON: true, element: {type: json, isEmbeddedJSON: true}",
];

/// Any JSON, a bit of it shaped like an event: as text, so that escapes and number forms vary.
fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("\"\"".to_owned()),
        Just("\"2023-03-15T16:32:50.5+01:00\"".to_owned()),
        Just("\"9999-12-31T23:59:59Z\"".to_owned()),
        Just("\"192.0.2.2\"".to_owned()),
        Just("\"caf\\u00e9 \\ud83d\\ude00 \\\"q\\\"\"".to_owned()),
        Just("\"ann@example.com\"".to_owned()),
        Just("\"192.0.2.1\"".to_owned()),
        Just("1.50".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| json!(text).to_string()),
    ];
    scalar.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[ {} ]", list.join(" , "))),
            proptest::collection::vec((key(), inner), 0..5).prop_map(|members| object(&members)),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "uuid",
            "timestamp",
            "user",
            "client",
            "name",
            "email",
            "ip_address",
            "location",
            "latitude",
            "used_version",
            "action",
            "extra",
            "u\\u0075id",
        ])
        .prop_map(|name| format!("\"{name}\"")),
        any::<String>().prop_map(|name| json!(name).to_string()),
    ]
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("{key} : {value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// An event that has what is required, and anything else.
fn event() -> impl Strategy<Value = String> {
    proptest::collection::vec((key(), value()), 0..8).prop_map(|mut members| {
        members.push(("\"uuid\"".into(), "\"A\"".into()));
        members.push(("\"timestamp\"".into(), "\"2023-03-15T16:32:50.123456789Z\"".into()));
        object(&members)
    })
}

/// The record without its `p_` fields, as text.
pub(super) fn stripped(record: &str) -> String {
    let value = json::parse(record.as_bytes()).unwrap();
    let json::Value::Object(mut members) = value else { panic!("a record is an object") };
    members.retain(|member| !crate::schema::is_reserved(&member.key.decode()));
    let mut out = Vec::new();
    json::write_value(&mut out, &json::Value::Object(members));
    String::from_utf8(out).unwrap()
}

/// What a value looks like in events, fit and unfit ones, without white space.
fn compact() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => proptest::sample::select(vec![
            "\"56YE2TYN2VFYRLNSHKPW5NVT5E\"", "\"2023-03-15T16:32:50.123Z\"", "\"2023-03-15T16:32:50.5+01:00\"", "\"192.0.2.1\"",
            "\"ann@example.com\"", "\"Zo\\u00eb\"", "\"Zoë\"", "\"\"", "12", "-0", "-3.50", "1e2", "1e400",
            "9223372036854775808", "true", "false", "null", "[]", "{}", "[1,\"a\",null]",
            "{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"a\": 1}", "\"bad \\x\"", "01", "nul", "\"2023-13-15T16:32:50Z\"", "{\"a\":{\"b\":[{\"c\":null}]}}",
        ]).prop_map(str::to_owned),
        1 => value(),
    ]
}

/// Members of an object, declared ones and others, in any order.
fn members(names: &'static [&'static str], value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let name = prop_oneof![9 => proptest::sample::select(names).prop_map(|name| format!("\"{name}\"")), 1 => key()];
    proptest::collection::vec((name, value), 0..6)
        .prop_map(|members| members.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(","))
}

/// An item usage as the API writes it, with anything wrong.
fn usage() -> impl Strategy<Value = String> {
    let inner = || {
        prop_oneof![
            4 => members(&["uuid", "name", "email", "app_name", "ip_address", "country", "latitude"], compact())
                .prop_map(|members| format!("{{{members}}}")),
            1 => compact(),
        ]
    };
    let outer = prop_oneof![
        3 => members(&["used_version", "vault_uuid", "item_uuid", "action", "p_row_id", "extra"], compact()),
        2 => members(&["user", "client", "location", "other"], inner()),
    ];
    (proptest::bool::weighted(0.9), outer.clone(), outer, proptest::bool::ANY).prop_map(|(whole, one, other, first)| {
        let needed = if whole { r#""uuid":"A","timestamp":"2023-03-15T16:32:50Z""# } else { r#""uuid":"A""# };
        let parts = if first { [needed, &one, &other] } else { [&one, needed, &other] };
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{{{}}}", parts.join(","))
    })
}

/// A table that is found by what the event's indicators collect.
const KNOWN: &str = "AnalysisType: lookup_table\nLookupName: known\nEnabled: true\nSchema: Custom.Known\nLogTypeMap:\n  \
    PrimaryKey: value\n  AssociatedLogTypes:\n  - LogType: OnePassword.ItemUsage\n    \
    Selectors: [p_any_actor_ids, p_any_emails, p_any_ip_addresses, p_any_usernames, client.ip_address]\n";

/// Tables with rows for what [`compact`] gives.
static TABLES: LazyLock<Lookups> = LazyLock::new(|| {
    let own = [("known.yml", KNOWN), ("schema.yml", "schema: Custom.Known\nfields: [{name: value, type: string}]\n")];
    let definitions = lookup::Definitions::load(&own).unwrap();
    let known = ["192.0.2.1", "ann@example.com", "ann", "Zoë", "12", "true", "56YE2TYN2VFYRLNSHKPW5NVT5E"];
    let known = known.map(|value| json!({ "value": value }).to_string()).join("\n");
    let names = r#"{"uuid":"56YE2TYN2VFYRLNSHKPW5NVT5E","name":"Ann"}"#;
    let files =
        [("known.jsonl", known.as_str()), ("users.jsonl", names), ("vaults.jsonl", names), ("items.jsonl", names)];
    let files = files.map(|(name, text)| lookup::File { name, bytes: text.as_bytes() });
    Lookups::load_from(lookup::Sources { definitions: &definitions, schemas: &SHIPPED }, &files).unwrap().0
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_quick_way_gives_what_the_plain_way_gives(
        items in proptest::collection::vec(usage(), 1..4),
        unknown in proptest::sample::select(vec![Unknown::Keep, Unknown::Drop, Unknown::Reject]),
        email_usernames in any::<bool>(),
    ) {
        let options = Options { unknown, email_usernames, ..Options::default() };
        let (page, body, now) = (page(Feed::ItemUsages), body(&items.join(",")), NOW.parse().unwrap());
        let quick = normalize(&page, &body, &SHIPPED, &TABLES, options, now);
        let plain = normalize(&page, &body, &SHIPPED, &TABLES, Options { plainly: true, ..options }, now);
        let records = |normalized: &Normalized| normalized.events.records.iter().map(|item| record(&item).to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(records(&quick), records(&plain));
        prop_assert!(quick == plain, "{:?} {:?}", quick, plain);
    }
}

/// Every type and transformation. Without a uuid: the row id is the whole event's, and any event may pass.
const RICH: &str = "schema: OnePassword.ItemUsage\nfields:\n\
    - {name: name, type: string, indicators: [username, email, ip], validate: {deny: [x]}}\n\
    - {name: action, type: string, rename: {from: extra}}\n\
    - {name: timestamp, type: timestamp, timeFormats: [rfc3339, unix, unix_ms, '%d/%b/%Y'], isEventTime: true}\n\
    - {name: user, type: object, isEmbeddedJSON: true, fields: [{name: name, type: json}, {name: email, type: string, mask: {type: redact}}]}\n\
    - {name: client, type: array, isEmbeddedJSON: true, element: {type: json, isEmbeddedJSON: true}}\n\
    - {name: used_version, type: float}\n\
    - {name: latitude, type: bigint}\n\
    - {name: flag, type: boolean, copy: {from: location}}\n\
    - {name: joined, type: string, concat: {paths: [name, uuid, location.name], separator: '.'}}\n\
    - {name: part, type: string, split: {from: uuid, separator: e, index: 1}}\n\
    - {name: copied, type: json, copy: {from: user.name}}\n";

static RICH_SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| Schemas::load([("rich.yml", RICH)]).unwrap());

/// The record without its row id, which says which bytes the event came in.
fn without_row_id(record: &str) -> Value {
    let mut record: Value = serde_json::from_str(record).unwrap();
    record.as_object_mut().unwrap().remove("p_row_id");
    record
}

proptest! {
    #[test]
    fn under_every_type_a_record_gives_the_same_record_again(members in proptest::collection::vec((key(), value()), 0..8), unknown in proptest::sample::select(vec![Unknown::Keep, Unknown::Drop, Unknown::Reject])) {
        let options = Options { unknown, ..Options::default() };
        let page = page(Feed::ItemUsages);
        let run = |event: &str| normalize(&page, &body(event), &RICH_SCHEMAS, &Lookups::default(), options, NOW.parse().unwrap());
        let once = run(&object(&members));
        prop_assert_eq!(once.events.records.len() + once.rejections.len(), 1);
        for item in once.events.records.iter() {
            let again = run(&stripped(record(&item)));
            prop_assert_eq!(&again.rejections, &vec![]);
            prop_assert_eq!(stripped(first(&again)), stripped(record(&item)));
            prop_assert_eq!(without_row_id(first(&again)), without_row_id(record(&item)));
        }
    }

    #[test]
    fn a_whole_number_is_the_same_as_number_and_as_text(number in prop_oneof![any::<i64>(), -70_000_i64..70_000]) {
        let literal = number.to_string();
        for width in [Width::Small, Width::Int, Width::Big] {
            let fits = coerce::integer(&json::Value::Number(&literal), width);
            prop_assert_eq!(&fits, &coerce::integer(&json::Value::String(json::Text::written(&literal)), width));
            prop_assert_eq!(fits.ok().flatten(), Some(number).filter(|number| width.holds(*number)));
        }
    }

    #[test]
    fn a_float_keeps_its_digits(number in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
        let literal = format!("{number:?}");
        for value in [json::Value::Number(&literal), json::Value::String(json::Text::written(&literal))] {
            prop_assert_eq!(coerce::float(&value), Ok(Some(Cow::Borrowed(literal.as_str()))));
        }
    }

    #[test]
    fn what_a_type_makes_of_a_value_it_makes_of_that_again(value in value(), kind in proptest::sample::select(&KINDS[..])) {
        if let Ok(made) = table::field(kind, &value)
            && made != json!("omitted")
        {
            prop_assert_eq!(table::field(kind, &made.to_string()), Ok(made));
        }
    }

    #[test]
    fn what_a_patch_takes_up_drifts_no_more(members in proptest::collection::vec((key(), value()), 0..8)) {
        let event = object(&members);
        let drift = drift_of(&RICH_SCHEMAS, &event, Unknown::Keep);
        let mut book = super::super::drift::Book::default();
        book.add(&drift, Timestamp::UNIX_EPOCH);
        let patch = crate::schema::patch(RICH, &book).unwrap();
        let schemas = Schemas::load([("patched.yml", patch.text.as_str())]);
        prop_assert!(schemas.is_ok(), "{:?}\n{}", schemas, patch.text);
        let after = drift_of(&schemas.unwrap(), &event, Unknown::Keep);
        let total = after.paths.len() + after.values.len() + after.types.len();
        prop_assert!(total <= patch.left.len(), "{:?} {:?}\n{}", after, patch.left, patch.text);
    }

    #[test]
    fn declared_fields_stand_in_the_schemas_order_and_unknown_ones_behind_them(event in event()) {
        let normalized = plain(Feed::ItemUsages, &event);
        for item in normalized.events.records.iter() {
            let json::Value::Object(members) = json::parse(item.record).unwrap() else { panic!() };
            let declared = &SHIPPED.get("OnePassword.ItemUsage").unwrap().root.fields;
            let place = |key: &str| match declared.iter().position(|field| field.name == key) {
                Some(at) => at,
                None if crate::schema::is_reserved(key) => usize::MAX,
                None => declared.len(),
            };
            let places: Vec<_> = members.iter().map(|member| place(&member.key.decode())).collect();
            prop_assert!(places.is_sorted(), "{:?}", places);
        }
    }

    #[test]
    fn normalizing_is_total_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let normalized = normalize(&page(Feed::ItemUsages), &bytes, &SHIPPED, &Lookups::default(), Options::default(), NOW.parse().unwrap());
        prop_assert_eq!(normalized.rejections.len(), 1);
        prop_assert_eq!(&normalized.rejections[0].raw, &bytes);
    }

    #[test]
    fn every_item_is_an_event_a_rejection_or_a_duplicate(items in proptest::collection::vec(prop_oneof![value(), event()], 0..6), marked in proptest::collection::btree_set(0_u32..8, 0..4)) {
        let marked = RawPage { duplicates: marked.into_iter().collect(), ..page(Feed::ItemUsages) };
        let normalized = normalize(&marked, &body(&items.join(",")), &SHIPPED, &Lookups::default(), Options::default(), NOW.parse().unwrap());
        prop_assert_eq!(normalized.items as usize, items.len());
        let mut indexes = normalized.events.indexes.clone();
        indexes.extend(normalized.rejections.iter().map(|rejection| rejection.item.unwrap()));
        indexes.extend(marked.duplicates.iter().filter(|index| (**index as usize) < items.len()));
        indexes.sort_unstable();
        prop_assert_eq!(indexes, (0..normalized.items).collect::<Vec<_>>());
        for rejection in &normalized.rejections {
            prop_assert!(!rejection.problems.is_empty());
            prop_assert_eq!(&rejection.raw, items[rejection.item.unwrap() as usize].as_bytes());
        }
    }

    #[test]
    fn a_record_is_one_line_of_valid_json(event in event()) {
        let normalized = plain(Feed::ItemUsages, &event);
        for item in normalized.events.records.iter() {
            let record: Value = serde_json::from_slice(item.record).unwrap();
            prop_assert!(!item.record.contains(&b'\n'));
            prop_assert_eq!(&record["p_row_id"], &json!(item.row_id));
            // Each key stands once: nothing is lost when a reader keeps one of two.
            let json::Value::Object(members) = json::parse(item.record).unwrap() else { panic!() };
            prop_assert_eq!(members.len(), record.as_object().unwrap().len());
        }
    }

    #[test]
    fn a_record_without_its_standard_fields_gives_the_same_record_again(event in event()) {
        let normalized = plain(Feed::ItemUsages, &event);
        for item in normalized.events.records.iter() {
            let again = plain(Feed::ItemUsages, &stripped(record(&item)));
            prop_assert_eq!(&again.rejections, &vec![]);
            prop_assert_eq!(first(&again), record(&item));
        }
    }

    #[test]
    fn indicators_are_sorted_bytewise_and_kept_once(event in event()) {
        let normalized = plain(Feed::ItemUsages, &event);
        for item in normalized.events.records.iter() {
            let record: Value = serde_json::from_slice(item.record).unwrap();
            for (name, values) in record.as_object().unwrap().iter().filter(|(name, _)| name.starts_with("p_any_")) {
                let values: Vec<_> = values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect();
                prop_assert!(!values.is_empty() && values.is_sorted_by(|one, other| one.as_bytes() < other.as_bytes()), "{}", name);
            }
        }
    }
}
