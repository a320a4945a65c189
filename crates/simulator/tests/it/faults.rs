//! Faults over real HTTP: what a client sees of each, and what the ledger makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use latchkey_simulator::{
    AccountConfig, BadItem, Fault, Feed, Plan, Profile, RequestKind, RetryAfter, Rule, Simulator, When,
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, Client, Hands, LONG_AGO, Page, builder, exist, quiet_week, start, uuids};

const FEED: Feed = Feed::ItemUsages;

/// A simulator under one fault of one feed, and its client.
async fn under(fault: Fault) -> (Simulator, Client) {
    let simulator = start(quiet_week()).await;
    set(&simulator, fault);
    let client = Client::of(&simulator);
    (simulator, client)
}

fn set(simulator: &Simulator, fault: Fault) {
    simulator.set_fault(ACCOUNT, Some(FEED), fault).unwrap();
}

fn everything(limit: usize) -> Value {
    json!({"limit": limit, "start_time": LONG_AGO})
}

async fn ask(client: &Client) -> Response {
    client.post(FEED, &everything(100)).await
}

fn served(simulator: &Simulator) -> BTreeMap<String, u32> {
    simulator.ledger(ACCOUNT, FEED).unwrap().into_iter().map(|entry| (entry.uuid, entry.served)).collect()
}

/// How often each uuid is on the pages.
fn shown(pages: &[Page]) -> BTreeMap<String, u32> {
    let mut shown = BTreeMap::new();
    for uuid in uuids(pages) {
        *shown.entry(uuid).or_default() += 1;
    }
    shown
}

/// The fault of the latest request, as the log has it.
fn logged(simulator: &Simulator) -> Vec<&'static str> {
    simulator.requests().last().unwrap().faults.clone()
}

#[tokio::test]
async fn statuses_come_with_their_retry_after_and_spare_other_feeds() {
    let hands = Hands::at("2026-10-01T23:59:45Z");
    let simulator = builder().account(quiet_week()).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    let check = async |code: u16, retry_after: Option<RetryAfter>, expect: Option<&str>| {
        set(&simulator, Fault::Status { code, retry_after });
        let response = ask(&client).await;
        assert_eq!(response.status(), code);
        assert_eq!(response.headers().get("retry-after").map(|value| value.to_str().unwrap()), expect);
        assert_eq!(client.status(Feed::AuditEvents, &json!({})).await, 200);
    };
    for code in [400, 401, 403, 404, 500, 502, 503, 504] {
        check(code, None, None).await;
    }
    check(429, None, None).await;
    check(429, Some(RetryAfter::Seconds(7)), Some("7")).await;
    check(503, Some(RetryAfter::DateIn(30)), Some("Fri, 02 Oct 2026 00:00:15 GMT")).await;
    assert!(served(&simulator).is_empty());
    set(&simulator, Fault::None);
    assert_eq!(ask(&client).await.status(), 200);
}

#[tokio::test]
async fn the_three_shapes_of_error_bodies_all_occur() {
    let (simulator, client) = under(Fault::None).await;
    let check = async |code: u16, expect: fn(&str) -> bool| {
        set(&simulator, Fault::Status { code, retry_after: None });
        let text = ask(&client).await.text().await.unwrap();
        assert!(expect(&text), "{code}: {text}");
    };
    check(403, |text| text.starts_with(r#"{"Error":{"Message""#)).await;
    check(500, |text| text.contains(r#""status":500"#)).await;
    check(502, |text| text == "502 Bad Gateway\n").await;
}

#[tokio::test]
async fn a_rejected_cursor_is_rejected_for_ever_and_a_reset_helps() {
    let (simulator, client) = under(Fault::None).await;
    let first = client.first(FEED, 10).await;
    let after = json!({"cursor": first.cursor});
    set(&simulator, Fault::RejectCursor);
    assert_eq!(client.status(FEED, &everything(10)).await, 200, "a reset has no cursor to reject");
    assert_eq!(client.status(FEED, &after).await, 400);
    set(&simulator, Fault::None);
    assert_eq!(client.status(FEED, &after).await, 400);
    let pages = client.drain(FEED, &everything(100)).await;
    assert_eq!(uuids(&pages), exist(&simulator, FEED));
}

#[tokio::test]
async fn a_web_page_serves_nothing() {
    let (simulator, client) = under(Fault::Html).await;
    let response = ask(&client).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().starts_with("<!doctype html>"));
    assert!(served(&simulator).is_empty());
}

#[tokio::test]
async fn a_hanging_request_is_logged_and_holds_up_no_other() {
    let (simulator, client) = under(Fault::Hang).await;
    let asked = tokio::time::timeout(Duration::from_millis(300), ask(&client)).await;
    assert!(asked.is_err(), "no answer comes");
    let record = simulator.requests().pop().unwrap();
    assert_eq!((record.status, record.faults, record.feed), (0, vec!["hang"], Some(FEED)));
    assert_eq!(client.status(Feed::AuditEvents, &json!({})).await, 200);
}

#[tokio::test]
async fn a_reset_leaves_no_answer() {
    let (simulator, plain) = under(Fault::Reset).await;
    for client in [plain, Client::secure(&simulator)] {
        let error = client.try_post(FEED, &everything(10)).await.unwrap_err();
        assert!(error.is_request(), "{error:?}");
    }
    assert!(served(&simulator).is_empty());
    assert_eq!(logged(&simulator), ["reset"]);
}

#[tokio::test]
async fn bodies_that_end_early_fail_while_they_are_read() {
    for fault in [Fault::Truncated, Fault::ResetInBody] {
        let (simulator, plain) = under(fault.clone()).await;
        for client in [plain, Client::secure(&simulator)] {
            // The connection may break before or after the client has seen the header.
            if let Ok(response) = client.try_post(FEED, &everything(1000)).await {
                assert_eq!(response.status(), 200);
                assert!(response.bytes().await.is_err(), "{fault:?}");
            }
        }
        assert!(served(&simulator).is_empty());
        assert!(simulator.requests().iter().all(|request| request.events == 0));
    }
}

#[tokio::test]
async fn a_body_cut_short_has_a_length_that_agrees_and_is_no_json() {
    let (simulator, client) = under(Fault::CutShort).await;
    let response = ask(&client).await;
    let stated = response.content_length().unwrap();
    let bytes = response.bytes().await.unwrap();
    assert_eq!(bytes.len() as u64, stated);
    assert!(serde_json::from_slice::<Value>(&bytes).is_err());
    assert!(served(&simulator).is_empty());
}

#[tokio::test]
async fn gzip_is_for_those_who_ask_and_corrupt_gzip_for_all() {
    let (simulator, client) = under(Fault::Gzip).await;
    assert!(ask(&client).await.headers().get("content-encoding").is_none(), "it did not ask");
    let asked = client.post_accepting(FEED, &everything(100), "br, gzip;q=0.8").await;
    assert_eq!(asked.headers()["content-encoding"], "gzip");
    let packed = asked.bytes().await.unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut text).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["items"].as_array().unwrap().len(), 100);
    assert_eq!(served(&simulator).len(), 100);

    let (simulator, client) = under(Fault::CorruptGzip).await;
    let response = ask(&client).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let packed = response.bytes().await.unwrap();
    assert!(std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed[..]), &mut String::new()).is_err());
    assert!(served(&simulator).is_empty());
}

#[tokio::test]
async fn delays_and_slow_bodies_take_their_time() {
    let pause = Duration::from_millis(150);
    let (simulator, client) = under(Fault::Delay(pause)).await;
    let before = Instant::now();
    let response = ask(&client).await;
    assert!(before.elapsed() >= pause, "the header is late");
    assert_eq!(response.json::<Value>().await.unwrap()["items"].as_array().unwrap().len(), 100);

    set(&simulator, Fault::SlowBody { pieces: 3, pause });
    let response = ask(&client).await;
    let before = Instant::now();
    response.bytes().await.unwrap();
    assert!(before.elapsed() >= pause, "the body is late");
    assert!(served(&simulator).values().all(|times| *times == 2));
}

#[tokio::test]
async fn a_slow_body_counts_only_for_those_who_wait() {
    let (simulator, client) = under(Fault::SlowBody { pieces: 2, pause: Duration::from_mins(10) }).await;
    let response = ask(&client).await;
    let body = tokio::time::timeout(Duration::from_millis(200), response.bytes()).await;
    assert!(body.is_err());
    assert!(served(&simulator).is_empty());
}

#[tokio::test]
async fn a_huge_body_is_as_long_as_asked_for_and_counts_when_taken() {
    let bytes = 64 << 20;
    let (simulator, client) = under(Fault::HugeBody { bytes }).await;
    let mut response = ask(&client).await;
    assert_eq!(response.content_length(), Some(bytes as u64));
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    assert!(served(&simulator).is_empty());

    set(&simulator, Fault::HugeBody { bytes: 1 << 20 });
    let body = ask(&client).await.bytes().await.unwrap();
    assert_eq!(body.len(), 1 << 20);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["items"].as_array().unwrap().len(), 100);
    assert_eq!(served(&simulator).len(), 100);
}

#[tokio::test]
async fn pages_may_lack_what_they_promise() {
    let (simulator, client) = under(Fault::None).await;
    let check = async |fault: Fault, expect: fn(&Value) -> bool| {
        set(&simulator, fault.clone());
        let page: Value = ask(&client).await.json().await.unwrap();
        assert!(expect(&page), "{fault:?}");
        assert!(served(&simulator).is_empty(), "{fault:?}");
    };
    check(Fault::NullItems, |page| page["items"].is_null() && page["cursor"].is_string()).await;
    check(Fault::NoHasMore, |page| page.get("has_more").is_none() && page["items"].is_array()).await;
    check(Fault::NoCursor, |page| page.get("cursor").is_none() && page["items"].is_array()).await;
    check(Fault::EmptyPage, |page| page["items"] == json!([]) && page["has_more"] == true).await;
}

#[tokio::test]
async fn what_follows_a_page_without_events_is_the_whole_truth() {
    for fault in [Fault::EmptyPage, Fault::NullItems] {
        let (simulator, client) = under(fault).await;
        let page: Value = ask(&client).await.json().await.unwrap();
        set(&simulator, Fault::None);
        let mut pages = vec![client.after(FEED, page["cursor"].as_str().unwrap()).await];
        while pages.last().unwrap().has_more {
            pages.push(client.after(FEED, &pages.last().unwrap().cursor).await);
        }
        assert_eq!(uuids(&pages), exist(&simulator, FEED));
    }
}

#[tokio::test]
async fn the_same_page_comes_again_with_the_cursor_that_was_sent() {
    let (simulator, client) = under(Fault::None).await;
    let (first, second) = {
        let first = client.first(FEED, 10).await;
        let second = client.after(FEED, &first.cursor).await;
        (first, second)
    };
    set(&simulator, Fault::SamePage);
    for _ in 0..2 {
        let again = client.after(FEED, &second.cursor).await;
        assert_eq!(again.bytes, second.bytes);
    }
    set(&simulator, Fault::None);
    let third = client.after(FEED, &second.cursor).await;
    assert_eq!(uuids(&[first, second, third]), exist(&simulator, FEED)[..30]);
    assert_eq!(served(&simulator).values().filter(|times| **times == 3).count(), 10);
}

#[tokio::test]
async fn the_same_page_from_the_start_is_the_first_page_for_ever() {
    let (_simulator, client) = under(Fault::SamePage).await;
    let first = client.first(FEED, 10).await;
    for _ in 0..3 {
        assert_eq!(client.after(FEED, &first.cursor).await.bytes, first.bytes);
    }
}

#[tokio::test]
async fn a_repeated_cursor_leads_to_the_same_events() {
    let (simulator, client) = under(Fault::None).await;
    let first = client.first(FEED, 10).await;
    set(&simulator, Fault::RepeatedCursor);
    let second = client.after(FEED, &first.cursor).await;
    assert_eq!((&second.cursor, second.has_more, second.uuids.len()), (&first.cursor, true, 10));
    set(&simulator, Fault::None);
    assert_eq!(client.after(FEED, &second.cursor).await.uuids, second.uuids);
}

#[tokio::test]
async fn doubles_come_from_this_page_or_from_those_before() {
    for across in [false, true] {
        let (simulator, client) = under(Fault::Doubled { share: 0.3, across }).await;
        let pages = client.drain(FEED, &everything(100)).await;
        let expected: BTreeSet<String> = exist(&simulator, FEED).into_iter().collect();
        assert_eq!(shown(&pages).into_keys().collect::<BTreeSet<_>>(), expected);
        assert_eq!(served(&simulator), shown(&pages), "once in the ledger, with the number of times it was shown");
        let mut first = BTreeMap::new();
        for (number, page) in pages.iter().enumerate() {
            for uuid in &page.uuids {
                if let Some(earlier) = first.insert(uuid, number) {
                    first.insert(uuid, earlier);
                    assert_eq!(earlier < number, across, "page {number}");
                }
            }
        }
        assert!(uuids(&pages).len() > expected.len() * 5 / 4);
        assert!(pages.iter().all(|page| page.uuids.len() <= 100));
    }
}

#[tokio::test]
async fn shuffled_pages_hold_the_same_events() {
    let (simulator, client) = under(Fault::Shuffled).await;
    let pages = client.drain(FEED, &everything(100)).await;
    let expected = exist(&simulator, FEED);
    assert_ne!(uuids(&pages), expected);
    let (mut shown, mut exist) = (uuids(&pages), expected);
    shown.sort_unstable();
    exist.sort_unstable();
    assert_eq!(shown, exist);
}

#[tokio::test]
async fn late_events_arrive_behind_newer_ones_and_none_is_lost() {
    let hands = Hands::at("2026-10-02T00:00:00Z");
    let simulator = builder().account(quiet_week()).clock(hands.clock()).start().await.unwrap();
    let client = Client::of(&simulator);
    let before: BTreeSet<String> = exist(&simulator, FEED).into_iter().collect();
    set(&simulator, Fault::Late { share: 0.2, by: Duration::from_hours(14 * 24) });
    let mut pages = client.drain(FEED, &everything(100)).await;
    let early = uuids(&pages).len();
    assert!(early < before.len() * 9 / 10 && early > before.len() / 2, "{early} of {}", before.len());

    set(&simulator, Fault::None);
    simulator.append_sample(ACCOUNT, FEED, 1).unwrap();
    pages.push(client.after(FEED, &pages.last().unwrap().cursor).await);
    assert_eq!(pages.last().unwrap().uuids.len(), 1, "newer events overtake");
    hands.advance(14 * 86_400);
    loop {
        let page = client.after(FEED, &pages.last().unwrap().cursor).await;
        let more = page.has_more;
        pages.push(page);
        if !more {
            break;
        }
    }
    let all: BTreeSet<String> = exist(&simulator, FEED).into_iter().collect();
    assert_eq!(all.len(), before.len() + 1, "a held back event exists once");
    assert_eq!(shown(&pages), all.into_iter().map(|uuid| (uuid, 1)).collect());
    assert_eq!(served(&simulator), shown(&pages));
    let late = simulator.dataset(ACCOUNT, FEED).unwrap();
    let week = SignedDuration::from_hours(14 * 24);
    assert!(
        late.iter().filter(|entry| entry.arrival.duration_since(entry.timestamp) > week).count()
            >= before.len() - early
    );
}

#[tokio::test]
async fn one_bad_item_stands_among_good_ones() {
    let (simulator, client) = under(Fault::None).await;
    let body = async |item: BadItem| {
        set(&simulator, Fault::BadItem(item));
        ask(&client).await.text().await.unwrap()
    };
    for item in [BadItem::WrongTypes, BadItem::NotAnObject] {
        let page: Value = serde_json::from_str(&body(item).await).unwrap();
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 100, "it takes the place of an event, which comes on the next page");
        assert_eq!(items.iter().filter(|item| !item["uuid"].is_string()).count(), 1);
    }
    let text = body(BadItem::Broken).await;
    assert!(serde_json::from_str::<Value>(&text).is_err());
    assert_eq!(served(&simulator).len(), 99);
}

#[tokio::test]
async fn big_items_are_events_of_the_size_asked_for() {
    let (simulator, client) = under(Fault::BigItems { bytes: 20_000 }).await;
    let page = client.first(FEED, 100).await;
    assert!((2_000_000..2_100_000).contains(&page.bytes.len()), "{}", page.bytes.len());
    assert_eq!(page.uuids, exist(&simulator, FEED)[..100]);
}

#[tokio::test]
async fn a_skewed_date_is_off_by_so_many_seconds() {
    let hands = Hands::at("2026-10-01T00:00:00Z");
    let simulator = builder().account(quiet_week()).clock(hands.clock()).start().await.unwrap();
    set(&simulator, Fault::DateSkew { seconds: 3600 });
    let response = ask(&Client::of(&simulator)).await;
    assert_eq!(response.headers()["date"], "Thu, 01 Oct 2026 01:00:00 GMT");
}

#[tokio::test]
async fn a_plan_strikes_by_number_kind_account_and_feed() {
    let other = AccountConfig { name: "other".into(), ..quiet_week() };
    let rules = [
        Rule { feed: Some(FEED), when: When::first(2), ..Rule::new(Fault::Status { code: 503, retry_after: None }) },
        Rule { on: Some(RequestKind::Cursor), when: When::only(1), ..Rule::new(Fault::Html) },
        Rule { account: Some("other".into()), on: Some(RequestKind::Introspection), ..Rule::new(Fault::Html) },
        Rule { feed: Some(Feed::AuditEvents), ..Rule::new(Fault::Shuffled) },
        Rule { feed: Some(Feed::AuditEvents), ..Rule::new(Fault::DateSkew { seconds: 60 }) },
    ];
    let simulator = builder().account(quiet_week()).account(other).plan(Plan::new(rules)).start().await.unwrap();
    let client = Client::of(&simulator);
    let statuses = [
        client.status(FEED, &everything(10)).await,
        client.status(FEED, &everything(10)).await,
        client.status(FEED, &everything(10)).await,
    ];
    assert_eq!(statuses.map(|status| status.as_u16()), [503, 503, 200]);
    let first = client.first(Feed::AuditEvents, 10).await;
    assert_eq!(logged(&simulator), ["shuffled", "date_skew"]);
    let text = client.post(Feed::AuditEvents, &json!({"cursor": first.cursor})).await.text().await.unwrap();
    assert!(text.starts_with("<!doctype"));
    assert_eq!(client.after(Feed::AuditEvents, &first.cursor).await.uuids.len(), 10);
    assert_eq!(
        client.get("/api/v2/auth/introspect").await.json::<Value>().await.unwrap()["features"][0],
        "signinattempts"
    );
    let others = Client::of(&simulator).with_token(simulator.token("other").unwrap());
    assert_eq!(others.get("/api/v2/auth/introspect").await.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(
        others.status(FEED, &everything(10)).await,
        StatusCode::SERVICE_UNAVAILABLE,
        "each account is counted apart"
    );

    simulator.set_plan(Plan::default()).unwrap();
    assert_eq!(others.status(FEED, &everything(10)).await, 200);
}

#[tokio::test]
async fn a_storm_of_faults_leaves_the_ledger_true() {
    let until = "2026-10-01T00:00:00Z".parse().unwrap();
    let simulator = start(AccountConfig::new(ACCOUNT, Profile::Company { weeks: 1, until, factor: 1.0 })).await;
    let often = |rate, fault| Rule { when: When::rate(rate), ..Rule::new(fault) };
    let plan = Plan::new([
        often(0.1, Fault::Status { code: 500, retry_after: None }),
        often(0.1, Fault::Html),
        often(0.1, Fault::Truncated),
        often(0.1, Fault::CutShort),
        often(0.1, Fault::Reset),
        often(0.1, Fault::NoCursor),
        often(0.1, Fault::NullItems),
        often(0.1, Fault::SamePage),
        often(0.1, Fault::RepeatedCursor),
        often(0.3, Fault::Doubled { share: 0.1, across: true }),
        often(0.3, Fault::Shuffled),
    ]);
    simulator.set_plan(plan).unwrap();
    let client = Client::of(&simulator);
    let mut taken = BTreeMap::new();
    let mut body = everything(50);
    for _ in 0..2000 {
        let Some((page, more)) = whole_page(&client, &body).await else { continue };
        for uuid in page.uuids {
            *taken.entry(uuid).or_default() += 1;
        }
        body = json!({"cursor": page.cursor});
        if !more {
            break;
        }
    }
    assert_eq!(taken.keys().cloned().collect::<BTreeSet<_>>(), exist(&simulator, FEED).into_iter().collect());
    assert_eq!(taken, served(&simulator), "the ledger counts what could be taken, and nothing else");
}

/// What a careful client takes: a page with all three keys, and nothing else.
async fn whole_page(client: &Client, body: &Value) -> Option<(Page, bool)> {
    let response = client.try_post(FEED, body).await.ok()?.error_for_status().ok()?;
    let bytes = response.bytes().await.ok()?;
    let page: Value = serde_json::from_slice(&bytes).ok()?;
    let (cursor, has_more) = (page["cursor"].as_str()?.to_owned(), page["has_more"].as_bool()?);
    let uuids = page["items"].as_array()?.iter().map(|item| item["uuid"].as_str().unwrap().to_owned()).collect();
    Some((Page { cursor, has_more, uuids, bytes: Vec::new() }, has_more))
}
