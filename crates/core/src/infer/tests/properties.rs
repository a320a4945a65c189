//! What holds for every set of samples.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    lookup::Lookups,
    normalize::{self, Origin, Unknown, normalize_one},
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("2026-01-02T03:04:05.5+01:00".to_owned()),
        Just("0001-01-01T00:00:00Z".to_owned()),
        Just("2026-01-02 03:04:05".to_owned()),
        Just("2026-01-02T03:04:05.5+0100".to_owned()),
        Just("1767323045".to_owned()),
        Just("192.0.2.1".to_owned()),
        Just("zoe@example.com".to_owned()),
        Just("{\"a\":{\"time\":1}}".to_owned()),
        any::<String>(),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i8>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u128>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite()).prop_map(|n| format!("{n:?}")),
        Just("1767323045".to_owned()),
        Just("1767323045.25".to_owned()),
        Just("1767323045123".to_owned()),
        Just("-0".to_owned()),
        Just("1E400".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        number(),
        text().prop_map(|text| json!(text).to_string()),
    ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|list| format!("[{}]", list.join(","))),
            object(inner),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known =
        ["uuid", "timestamp", "time", "created_at", "user", "name", "a", "A", "yes", "p_x", "~", "1", ".5", "- "];
    prop_oneof![
        4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::collection::vec((key(), value), 0..6).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(key, value)| format!("{}:{value}", json!(key))).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn a_proposal_loads_and_matches_every_sample(events in proptest::collection::vec(object(value()), 1..6), required_from in 1_u64..4) {
        let events: Vec<_> = events.iter().map(String::as_str).collect();
        let options = Options { required_from };
        let proposed = samples(options, &events).propose("Acme.Door");
        prop_assert_eq!(&proposed, &samples(options, &events).propose("Acme.Door"));
        let Ok(text) = proposed else {
            prop_assert_eq!(proposed, Err(Error::Nothing));
            return Ok(());
        };
        let schemas = Schemas::load([("proposed.yml", text.as_str())]).unwrap();
        let origin = Origin { source: "acme", label: "Acme" };
        // Keeping refuses fields that pose as standard ones, whatever the schema says.
        let options = normalize::Options { unknown: Unknown::Drop, ..normalize::Options::default() };
        for event in events {
            let one = normalize_one(
                event.as_bytes(),
                schemas.get("Acme.Door").unwrap(),
                origin,
                &Lookups::default(),
                options,
                Timestamp::UNIX_EPOCH,
            );
            prop_assert!(one.event.is_ok(), "{:?}\n{}\n{}", one.event, event, text);
        }
    }
}
