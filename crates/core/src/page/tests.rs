use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const V2: Feed = Feed::ItemUsages;

fn uuids(body: &str) -> Result<Vec<Option<String>>, Error> {
    Ok(read(V2, body.as_bytes())?.items.into_iter().map(|item| item.uuid.map(Cow::into_owned)).collect())
}

fn refused(body: &str, expect: &Error) {
    assert_eq!(read(V2, body.as_bytes()).as_ref(), Err(expect), "{body}");
}

#[test]
fn a_page_reads_in_any_key_order_and_spacing() {
    for body in [
        r#"{"cursor":"abc","has_more":true,"items":[{"uuid":"A","n":1},{"n":2,"uuid":"B"}]}"#,
        r#"{"items":[{"uuid":"A","n":1},{"n":2,"uuid":"B"}],"extra":{"cursor":7},"has_more":true,"cursor":"abc"}"#,
        "\n{ \"has_more\" : true ,\t\"items\" : [ {\"uuid\":\"A\",\"n\":1} ,\r\n {\"n\":2,\"uuid\":\"B\"} ] , \"cursor\" : \"abc\" } \n",
    ] {
        let page = read(V2, body.as_bytes()).unwrap();
        assert_eq!(page.next.unwrap().as_str(), "abc");
        assert!(page.has_more);
        let raw: Vec<_> = page.items.iter().map(|item| str::from_utf8(item.raw).unwrap()).collect();
        assert_eq!(raw, [r#"{"uuid":"A","n":1}"#, r#"{"n":2,"uuid":"B"}"#]);
        assert_eq!(uuids(body), Ok(vec![Some("A".into()), Some("B".into())]));
    }
}

#[test]
fn no_items_are_an_empty_list_or_null_but_never_absent() {
    for items in ["[]", "[ ]", "null"] {
        let body = format!(r#"{{"cursor":"c","has_more":false,"items":{items}}}"#);
        assert_eq!(uuids(&body), Ok(vec![]));
    }
    refused(r#"{"cursor":"c","has_more":false}"#, &Error::Missing("items"));
}

#[test]
fn a_poisonous_item_keeps_its_place_and_has_no_uuid() {
    let poisons = [
        "null",
        "7",
        "\"text\"",
        "[1,2]",
        "{}",
        r#"{"uuid":null}"#,
        r#"{"uuid":7}"#,
        r#"{"uuid":""}"#,
        r#"{"uuid":"\x"}"#,
        r#"{"uuid":"A" "b":1}"#,
        r#"{"nested":{"uuid":"inner"}}"#,
        "{,}",
        "nonsense",
    ];
    for poison in poisons {
        let body = format!(r#"{{"cursor":"c","has_more":false,"items":[{{"uuid":"A"}},{poison},{{"uuid":"B"}}]}}"#);
        assert_eq!(uuids(&body), Ok(vec![Some("A".into()), None, Some("B".into())]), "{poison}");
        assert_eq!(read(V2, body.as_bytes()).unwrap().items[1].raw, poison.as_bytes());
    }
}

#[test]
fn brackets_and_quotes_in_strings_are_text() {
    let body = r#"{"cursor":"c","has_more":false,"items":[{"a":"}]\"{\\","uuid":"A"},{"uuid":"Bé"}]}"#;
    assert_eq!(uuids(body), Ok(vec![Some("A".into()), Some("Bé".into())]));
}

#[test]
fn an_item_that_is_not_utf8_is_still_an_item() {
    let body = b"{\"cursor\":\"c\",\"has_more\":false,\"items\":[{\"uuid\":\"\xff\"},{\"uuid\":\"A\",\"t\":\"\xff\"}]}";
    let page = read(V2, body).unwrap();
    assert_eq!(page.items[0].uuid, None);
    assert_eq!(page.items[1].uuid.as_deref(), Some("A"));
}

#[test]
fn what_is_not_a_page_is_refused_with_its_reason() {
    for (body, expect) in [
        ("", Error::NotAnObject),
        ("<html>busy</html>", Error::NotAnObject),
        ("[]", Error::NotAnObject),
        ("null", Error::NotAnObject),
        ("{}", Error::Missing("cursor")),
        (r#"{"Error":{"Message":"Unauthorized"}}"#, Error::Missing("cursor")),
        (r#"{"status":500,"message":"oops"}"#, Error::Missing("cursor")),
        (r#"{"has_more":false,"items":[]}"#, Error::Missing("cursor")),
        (r#"{"cursor":"c","items":[]}"#, Error::Missing("has_more")),
        (r#"{"cursor":null,"has_more":false,"items":[]}"#, Error::WrongType("cursor")),
        (r#"{"cursor":5,"has_more":false,"items":[]}"#, Error::WrongType("cursor")),
        (r#"{"cursor":"","has_more":false,"items":[]}"#, Error::Cursor(cursor::Error::Empty)),
        (r#"{"cursor":"None","has_more":false,"items":[]}"#, Error::Cursor(cursor::Error::Placeholder)),
        (r#"{"cursor":"c","has_more":"false","items":[]}"#, Error::WrongType("has_more")),
        (r#"{"cursor":"c","has_more":null,"items":[]}"#, Error::WrongType("has_more")),
        (r#"{"cursor":"c","has_more":false,"items":{}}"#, Error::WrongType("items")),
        (r#"{"cursor":"c","has_more":false,"items":"[]"}"#, Error::WrongType("items")),
        (r#"{"cursor":"c","cursor":"d","has_more":false,"items":[]}"#, Error::Repeated("cursor")),
        (r#"{"cursor":"c","has_more":false,"items":[]} x"#, Error::Trailing { at: 43 }),
        (r#"{"cursor":"c","has_more":false,"items":[{]}]}"#, Error::Syntax { at: 41 }),
        (r#"{"cursor":"c","has_more":false,"items":[1,]}"#, Error::Syntax { at: 42 }),
        (r#"{"cursor":"c" "has_more":false,"items":[]}"#, Error::Syntax { at: 14 }),
    ] {
        refused(body, &expect);
    }
}

#[test]
fn a_body_cut_short_anywhere_is_no_page() {
    let body = r#"{"cursor":"abc","has_more":true,"items":[{"uuid":"A","n":[1,{"t":"x\"y"}]},{"n":2,"uuid":"B"}]}"#;
    for end in 0..body.len() {
        assert!(read(V2, &body.as_bytes()[..end]).is_err(), "{}", &body[..end]);
    }
}

#[test]
fn depth_and_number_of_items_are_bounded() {
    let deep = "[".repeat(200);
    refused(&format!(r#"{{"items":[{deep}"#), &Error::TooDeep { at: 10 + 128 });
    let many = vec!["1"; MAX_ITEMS + 1].join(",");
    refused(&format!(r#"{{"cursor":"c","has_more":false,"items":[{many}]}}"#), &Error::TooManyItems);
}

#[test]
fn a_page_of_tokens_without_one_is_the_last() {
    let check = |rest: &str, expect: Option<&str>| {
        let body = format!(r#"{{"audit_events":[{{"uuid":"A"}},{{"n":1}},7]{rest}}}"#);
        let page = read(Feed::AuditEventsV3, body.as_bytes()).unwrap();
        assert_eq!((page.next.as_ref().map(Cursor::as_str), page.has_more), (expect, expect.is_some()), "{rest}");
        let uuids: Vec<_> = page.items.iter().map(|item| item.uuid.as_deref().unwrap()).collect();
        // What has no uuid is known again by its bytes.
        assert!(uuids[0] == "A" && uuids[1].starts_with("bytes ") && uuids[1] != uuids[2], "{uuids:?}");
    };
    check("", None);
    check(r#","next_page_token":null"#, None);
    check(r#","next_page_token":"""#, None);
    check(r#","next_page_token":"abc","cursor":"c","has_more":false"#, Some("abc"));
    for (body, error) in [
        (r#"{"next_page_token":"abc"}"#, Error::Missing("audit_events")),
        (r#"{"cursor":"c","has_more":false,"items":[]}"#, Error::Missing("audit_events")),
        (r#"{"audit_events":[],"next_page_token":7}"#, Error::WrongType("next_page_token")),
        (r#"{"audit_events":[],"next_page_token":"None"}"#, Error::Cursor(cursor::Error::Placeholder)),
        (r#"{"audit_events":[],"next_page_token":"a","next_page_token":""}"#, Error::Repeated("next_page_token")),
        (r#"{"audit_events":{}}"#, Error::WrongType("audit_events")),
    ] {
        assert_eq!(read(Feed::AuditEventsV3, body.as_bytes()), Err(error), "{body}");
    }
}

fn item_strategy() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}|[\"\\\\{}\\[\\]\n]{0,4}".prop_map(Value::from),
    ];
    let key = "uuid|[a-z\"\\\\]{0,3}";
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// The plain reader of `serde_json` is the oracle for every valid page.
    #[test]
    fn agrees_with_a_plain_reader(items in prop::collection::vec(item_strategy(), 0..6), has_more: bool, pretty: bool) {
        let value = json!({"items": items, "cursor": "c", "has_more": has_more});
        let body = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let page = read(V2, &body).unwrap();
        prop_assert_eq!(page.has_more, has_more);
        prop_assert_eq!(page.items.len(), items.len());
        for (view, item) in page.items.iter().zip(&items) {
            prop_assert_eq!(&serde_json::from_slice::<Value>(view.raw).unwrap(), item);
            prop_assert_eq!(view.uuid.as_deref(), item.get("uuid").and_then(Value::as_str).filter(|uuid| !uuid.is_empty()));
        }
    }

    /// Any bytes at all: an answer, never a panic.
    #[test]
    fn is_total(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:\\ "[..])], 0..64)) {
        let _ = read(V2, &bytes);
        let _ = read(V2, &[br#"{"cursor":"c","has_more":false,"items":["#.as_slice(), &bytes].concat());
    }
}
