mod drift;
mod properties;
mod table;
mod transform;

use std::sync::LazyLock;

use latchkey_contracts::batch::Record;
use serde_json::{Value, json};

use super::*;
use crate::lookup;

const NOW: &str = "2026-01-02T03:04:05.000000006Z";

/// The shipped schemas, loaded once: YAML is slow to read.
static SHIPPED: LazyLock<Schemas> = LazyLock::new(|| {
    Schemas::load([
        ("onepassword_sign_in_attempt.yml", include_str!("../../../../schemas/onepassword_sign_in_attempt.yml")),
        ("onepassword_item_usage.yml", include_str!("../../../../schemas/onepassword_item_usage.yml")),
        ("onepassword_audit_event.yml", include_str!("../../../../schemas/onepassword_audit_event.yml")),
    ])
    .unwrap()
});

fn page(feed: Feed) -> RawPage {
    RawPage {
        page_id: "0123456789abcdef0123456789abcdef".into(),
        source: "acme".into(),
        source_label: "Acme \"EU\"".into(),
        feed: feed.to_string(),
        ..RawPage::default()
    }
}

fn body(items: &str) -> Vec<u8> {
    format!(r#"{{"cursor":"c","has_more":false,"items":[{items}]}}"#).into_bytes()
}

fn run(feed: Feed, items: &str, lookups: &Lookups, options: Options) -> Normalized {
    normalize(&page(feed), &body(items), &SHIPPED, lookups, options, NOW.parse().unwrap())
}

/// The drift of a page of item usages.
fn drift_of(schemas: &Schemas, items: &str, unknown: Unknown) -> Drift {
    let options = Options { unknown, ..Options::default() };
    let page = page(Feed::ItemUsages);
    normalize(&page, &body(items), schemas, &Lookups::default(), options, NOW.parse().unwrap()).drift
}

fn plain(feed: Feed, items: &str) -> Normalized {
    run(feed, items, &Lookups::default(), Options::default())
}

fn events(normalized: &Normalized) -> Vec<Record<'_>> {
    normalized.events.records.iter().collect()
}

fn record<'a>(event: &Record<'a>) -> &'a str {
    std::str::from_utf8(event.record).unwrap()
}

/// The first event's record.
fn first(normalized: &Normalized) -> &str {
    record(&normalized.events.records.get(0).unwrap())
}

/// A rejection as its item, and path and rule of each problem.
type Short<'a> = (Option<u32>, Vec<(&'a str, &'a str)>);

fn problems(normalized: &Normalized) -> Vec<Short<'_>> {
    fn named(problem: &Problem) -> (&str, &str) {
        (&problem.path, &problem.rule)
    }
    normalized
        .rejections
        .iter()
        .map(|rejection| (rejection.item, rejection.problems.iter().map(named).collect()))
        .collect()
}

const SIGN_IN: &str = r#"{"uuid":"56YE2TYN2VFYRLNSHKPW5NVT5E","session_uuid":"A5K6COGVRVEJXJW3XQZGS7VAMM",
    "timestamp":"2023-03-15T16:32:50-03:00","category":"firewall_failed","type":"continent_blocked","country":"FR",
    "details":{"value":"Europe"},
    "target_user":{"uuid":"IR7VJHJ36JHINBFAD7V2T5MP3E","name":"Zo\u00eb Ann","email":"zoe@example.com","user_type":"user"},
    "client":{"app_name":"1Password Browser","ip_address":"192.0.2.7","os_version":null,"extra":[1, 2]},
    "location":{"country":"France","latitude":48.8566,"longitude":2.35220},"new_field":{"a": 1.50}}"#;

#[test]
fn a_record_has_declared_fields_then_unknown_ones_then_standard_ones() {
    let normalized = plain(Feed::SignInAttempts, SIGN_IN);
    assert_eq!(normalized.rejections, []);
    let events = events(&normalized);
    let [item] = events.as_slice() else { panic!("one event") };
    let row_id = crate::row_id::RowIds::new("acme", "OnePassword.SignInAttempt").of(b"56YE2TYN2VFYRLNSHKPW5NVT5E");
    let expect = [
        r#"{"uuid":"56YE2TYN2VFYRLNSHKPW5NVT5E","session_uuid":"A5K6COGVRVEJXJW3XQZGS7VAMM","#,
        r#""timestamp":"2023-03-15T19:32:50.000000000Z","category":"firewall_failed","type":"continent_blocked","country":"FR","#,
        r#""details":{"value":"Europe"},"target_user":{"uuid":"IR7VJHJ36JHINBFAD7V2T5MP3E","name":"Zo\u00eb Ann","#,
        r#""email":"zoe@example.com","user_type":"user"},"client":{"app_name":"1Password Browser","ip_address":"192.0.2.7","extra":[1,2]},"#,
        r#""location":{"country":"France","latitude":48.8566,"longitude":2.35220},"new_field":{"a":1.50},"#,
        r#""p_log_type":"OnePassword.SignInAttempt","p_row_id":""#,
        row_id.as_str(),
        r#"","p_event_time":"2023-03-15 19:32:50.000000000","p_parse_time":"2026-01-02 03:04:05.000000006","p_schema_version":0,"#,
        r#""p_source_id":"acme","p_source_label":"Acme \"EU\"","p_any_actor_ids":["IR7VJHJ36JHINBFAD7V2T5MP3E"],"#,
        r#""p_any_emails":["zoe@example.com"],"p_any_ip_addresses":["192.0.2.7"],"p_any_usernames":["Zoë Ann","zoe"]}"#,
    ]
    .concat();
    assert_eq!(record(item), expect);
    assert_eq!(item.row_id, row_id.as_str());
    assert_eq!(item.event_time_unix_nano, 1_678_908_770_000_000_000);
    let drift: Vec<_> = normalized.drift.paths.iter().map(|(path, count)| (path.as_str(), count.count)).collect();
    assert_eq!(drift, [("$.client.extra", 1), ("$.new_field", 1)]);
}

#[test]
fn an_audit_event_takes_its_address_from_the_session() {
    let event = r#"{"uuid":"A","timestamp":"2023-03-15T16:33:50.5Z","actor_uuid":"U1","actor_details":{"uuid":"U1","name":"Ann","email":"ann@example.com"},
        "action":"suspend","object_type":"user","object_uuid":"U2","object_details":{"uuid":"U2","name":"Bob","email":"bob@example.com"},
        "aux_id":123456789012,"aux_info":"","session":{"uuid":"S","login_time":"2023-03-15T16:00:00Z","device_uuid":"d","ip":"2001:db8::1"}}"#;
    let normalized = plain(Feed::AuditEvents, event);
    let record: Value = serde_json::from_str(first(&normalized)).unwrap();
    assert_eq!(record["p_any_ip_addresses"], json!(["2001:db8::1"]));
    assert_eq!(record["p_any_actor_ids"], json!(["U1"]));
    assert_eq!(record["p_any_usernames"], json!(["Ann", "Bob", "ann", "bob"]));
    assert_eq!(record["session"]["login_time"], "2023-03-15T16:00:00.000000000Z");
    assert_eq!(record["aux_info"], "");
    assert_eq!(normalized.drift, Drift::default());
}

#[test]
fn details_may_be_an_object_a_text_or_null() {
    for (details, expect) in
        [(r#"{"value":"FR"}"#, json!({ "value": "FR" })), ("\"FR\"", json!("FR")), ("null", Value::Null)]
    {
        let event = format!(r#"{{"uuid":"A","timestamp":"2023-03-15T16:33:50Z","details":{details}}}"#);
        let normalized = plain(Feed::SignInAttempts, &event);
        let record: Value = serde_json::from_str(first(&normalized)).unwrap();
        assert_eq!(record["details"], expect);
    }
}

#[test]
fn enrichment_ends_the_record() {
    let files = [lookup::File { name: "users.jsonl", bytes: br#"{"uuid":"ir7vjhj36jhinbfad7v2t5mp3e","name":"Zoe"}"# }];
    let (lookups, _) = Lookups::load(&files).unwrap();
    let normalized = run(Feed::SignInAttempts, SIGN_IN, &lookups, Options::default());
    let expect = r#","p_enrichment":{"users":{"target_user.uuid":{"uuid":"ir7vjhj36jhinbfad7v2t5mp3e","name":"Zoe","p_match":"IR7VJHJ36JHINBFAD7V2T5MP3E"}}}}"#;
    assert!(first(&normalized).ends_with(expect));
}

#[test]
fn a_bad_item_costs_itself_only_and_names_every_problem() {
    let items = [
        r#"{"uuid":"A","timestamp":"2023-03-15T16:33:50Z"}"#,
        r#"{"timestamp":"2023-03-15","used_version":1.5,"client":{"ip_address":["x"]},"user":"ann@example.com"}"#,
        "[]",
        r#"{"uuid":"\ud800"}"#,
        r#"{"uuid":"","timestamp":"2023-03-15T16:33:50Z"}"#,
        r#"{"uuid":"B","timestamp":"2023-03-15T16:33:50Z"}"#,
    ];
    let normalized = plain(Feed::ItemUsages, &items.join(","));
    assert_eq!(normalized.items, 6);
    assert_eq!(normalized.events.indexes, [0, 5]);
    assert_eq!(
        problems(&normalized),
        [
            (
                Some(1),
                vec![
                    ("$.uuid", "required"),
                    ("$.timestamp", "timestamp"),
                    ("$.used_version", "type"),
                    ("$.user", "type"),
                    ("$.client.ip_address", "type"),
                ]
            ),
            (Some(2), vec![("$", "type")]),
            (Some(3), vec![("$", "json")]),
            (Some(4), vec![("$.uuid", "required")]),
        ]
    );
    for rejection in &normalized.rejections {
        let index = usize::try_from(rejection.item.unwrap()).unwrap();
        assert_eq!(rejection.raw, items[index].as_bytes());
        // Told by type and length, never quoted.
        assert!(rejection.problems.iter().all(|problem| !problem.found.contains("ann") && !problem.found.is_empty()));
    }
    assert_eq!(normalized.rejections[0].problems[3].found, "string of 15 bytes");
    assert_eq!(normalized.rejections[0].problems[0].found, "nothing");
}

#[test]
fn marked_items_are_skipped_and_counted() {
    let items = r#"{"uuid":"A","timestamp":"2023-03-15T16:33:50Z"},{"uuid":"A","timestamp":"2023-03-15T16:33:50Z"},{"nonsense":1}"#;
    let marked = RawPage { duplicates: vec![1, 2, 7], ..page(Feed::ItemUsages) };
    let normalized =
        normalize(&marked, &body(items), &SHIPPED, &Lookups::default(), Options::default(), NOW.parse().unwrap());
    assert_eq!((normalized.items, normalized.duplicates, normalized.events.records.len()), (3, 2, 1));
    assert_eq!(normalized.rejections, []);
}

#[test]
fn what_is_no_page_is_one_rejection_with_its_bytes() {
    let whole = |page: &RawPage, body: &[u8], schemas: &Schemas| {
        let normalized = normalize(page, body, schemas, &Lookups::default(), Options::default(), NOW.parse().unwrap());
        let [rejection] = normalized.rejections.as_slice() else { panic!("one rejection") };
        assert_eq!(rejection.raw, body);
        assert_eq!((rejection.item, normalized.items, normalized.events.records.len()), (None, 0, 0));
        rejection.problems[0].rule.clone()
    };
    let good = page(Feed::ItemUsages);
    for bad in
        ["", "<html>", "{}", r#"{"cursor":"c","has_more":false}"#, r#"{"cursor":"c","has_more":false,"items":{}}"#]
    {
        assert_eq!(whole(&good, bad.as_bytes(), &SHIPPED), "page");
    }
    assert_eq!(whole(&good, &body(""), &Schemas::default()), "schema");
    assert_eq!(whole(&RawPage { feed: "other".into(), ..good }, &body(""), &SHIPPED), "feed");
}

#[test]
fn unknown_fields_are_kept_dropped_or_refused_and_always_counted() {
    let item = r#"{"uuid":"A","timestamp":"2023-03-15T16:33:50Z","x":null,"user":{"y":[]}}"#;
    for (unknown, expect) in [
        (Unknown::Keep, Some((json!({ "y": [] }), true))),
        (Unknown::Drop, Some((json!({}), false))),
        (Unknown::Reject, None),
    ] {
        let options = Options { unknown, ..Options::default() };
        let normalized = run(Feed::ItemUsages, item, &Lookups::default(), options);
        assert_eq!(normalized.drift.total(), 2);
        match (events(&normalized).as_slice(), expect) {
            ([event], Some((user, has_x))) => {
                let record: Value = serde_json::from_str(record(event)).unwrap();
                assert_eq!((&record["user"], record.get("x").is_some()), (&user, has_x));
            }
            ([], None) => {
                assert_eq!(problems(&normalized), [(Some(0), vec![("$.user.y", "unknown"), ("$.x", "unknown")])]);
            }
            _ => panic!("{normalized:?}"),
        }
    }
}

#[test]
fn a_log_type_may_have_its_own_answer_to_unknown_fields() {
    let mut schemas = SHIPPED.clone();
    schemas.set_unknown("OnePassword.ItemUsage", Unknown::Reject).unwrap();
    let item = r#"{"uuid":"A","timestamp":"2023-03-15T16:33:50Z","x":1}"#;
    for (feed, events) in [(Feed::ItemUsages, 0), (Feed::AuditEvents, 1)] {
        let now = NOW.parse().unwrap();
        let normalized = normalize(&page(feed), &body(item), &schemas, &Lookups::default(), Options::default(), now);
        assert_eq!((normalized.events.records.len(), normalized.drift.total()), (events, 1));
    }
}

#[test]
fn an_undeclared_field_cannot_pose_as_a_standard_one() {
    let item = r#"{"uuid":"A","timestamp":"2023-03-15T16:33:50Z","p_row_id":"x","user":{"p_row_id":"x"}}"#;
    assert_eq!(problems(&plain(Feed::ItemUsages, item)), [(Some(0), vec![("$.p_row_id", "reserved")])]);
}

#[test]
fn drift_and_problems_are_bounded() {
    let many: Vec<_> = (0..1000).map(|index| format!("\"k{index}\":0")).collect();
    let item = format!(r#"{{"uuid":"A","timestamp":"2023-03-15T16:33:50Z",{}}}"#, many.join(","));
    let normalized =
        run(Feed::ItemUsages, &item, &Lookups::default(), Options { unknown: Unknown::Reject, ..Options::default() });
    assert_eq!((normalized.drift.paths.len(), normalized.drift.total()), (MAX_DRIFT_PATHS, 1000));
    let problems = &normalized.rejections[0].problems;
    assert_eq!((problems.len(), problems[MAX_PROBLEMS].rule.as_str()), (MAX_PROBLEMS + 1, "more"));
    assert_eq!(problems[MAX_PROBLEMS].found, "936 more problems");
}

#[test]
fn strange_names_are_quoted_and_cut_in_paths() {
    let item = format!(r#"{{"uuid":"A","timestamp":"2023-03-15T16:33:50Z","a b\n":0,"{}":0}}"#, "x".repeat(200));
    let normalized = plain(Feed::ItemUsages, &item);
    let paths: Vec<_> = normalized.drift.paths.keys().cloned().collect();
    assert_eq!(paths, [format!("$.{}…", "x".repeat(64)), r"$['a b\n']".to_owned()]);
}
