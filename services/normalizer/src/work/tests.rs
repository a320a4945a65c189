use latchkey_contracts::Feed;

use super::*;

const MAX_PAYLOAD: usize = 1 << 20;

fn origin() -> Origin {
    Origin {
        chain: Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages },
        page_id: "id".into(),
        sequence: 7,
        epoch: "692202fd".into(),
        fetched_at_unix_nano: 1,
    }
}

fn rules() -> Rules {
    let schema = include_str!("../../../../schemas/onepassword_item_usage.yml");
    Rules { schemas: Schemas::load([("item_usage.yml", schema)]).unwrap(), options: Options::default() }
}

fn raw_page(body: &str) -> RawPage {
    RawPage {
        page_id: "id".into(),
        source: "acme".into(),
        feed: "item_usages".into(),
        body: zstd::bulk::compress(body.as_bytes(), 1).unwrap().into(),
        body_size: body.len() as u64,
        ..RawPage::default()
    }
}

fn body(items: &[String]) -> String {
    format!(r#"{{"cursor":"c","has_more":false,"items":[{}]}}"#, items.join(","))
}

fn event(uuid: usize) -> String {
    format!(r#"{{"uuid":"{uuid}","timestamp":"2023-03-15T16:33:50Z"}}"#)
}

fn rule_of(output: &Output) -> &str {
    assert!(output.batches.iter().all(|batch| batch.records.is_empty()));
    &output.rejections[0].problems[0].rule
}

#[test]
fn a_page_is_one_part_unless_its_body_outgrows_a_message() {
    for (body_size, expect) in [
        (0, 1),
        (1, 1),
        (1 << 20, 1),
        ((1 << 20) + 1, 2),
        (10 << 20, 10),
        (u64::MAX, u32::try_from(MAX_PARTS).unwrap()),
    ] {
        assert_eq!(part_count(body_size), expect);
    }
}

#[test]
fn parts_are_cut_by_the_places_of_items_whatever_becomes_of_them() {
    let mut items: Vec<_> = (0..10).map(event).collect();
    items[0] = "{}".into();
    items[9] = "[]".into();
    // White space between the items makes the body large enough for three parts.
    items[5].push_str(&" ".repeat(5 << 19));
    let text = body(&items);
    let output = page(&origin(), &raw_page(&text), &rules(), &Lookups::default(), Timestamp::UNIX_EPOCH);
    let parts: Vec<_> =
        output.batches.iter().map(|batch| (batch.header.part, batch.header.part_count, batch.records.len())).collect();
    assert_eq!(parts, [(0, 3, 2), (1, 3, 3), (2, 3, 3)]);
    assert_eq!(output.rejections.iter().map(|rejection| rejection.item).collect::<Vec<_>>(), [Some(0), Some(9)]);
    assert!(output.batches.iter().all(|batch| batch.header.page_sequence == 7
        && batch.header.pages_epoch == "692202fd"
        && batch.header.log_type == "OnePassword.ItemUsage"));
}

#[test]
fn a_page_without_events_is_still_one_batch() {
    let output = page(&origin(), &raw_page(&body(&[])), &rules(), &Lookups::default(), Timestamp::UNIX_EPOCH);
    assert_eq!((output.batches.len(), output.batches[0].records.len(), output.rejections.len()), (1, 0, 0));
}

#[test]
fn what_cannot_be_a_page_becomes_a_rejection() {
    let good = raw_page(&body(&[event(1)]));
    let run = |page: &RawPage| super::page(&origin(), page, &rules(), &Lookups::default(), Timestamp::UNIX_EPOCH);
    assert_eq!(rule_of(&run(&RawPage { source: "other".into(), ..good.clone() })), "subject");
    assert_eq!(rule_of(&run(&RawPage { body: Bytes::from_static(b"no zstd"), ..good.clone() })), "body");
    assert_eq!(rule_of(&run(&RawPage { body_size: 3, ..good.clone() })), "body");
    assert_eq!(rule_of(&run(&RawPage { body_size: MAX_BODY_BYTES + 1, ..good })), "body");
    assert_eq!(
        rule_of(&undecodable(&origin(), "damaged".into(), &Bytes::from_static(b"x"), Timestamp::UNIX_EPOCH)),
        "message"
    );
}

#[test]
fn rejections_are_spread_over_messages_that_fit() {
    let rejection = |size: usize| Rejection { item: Some(0), problems: Vec::new(), raw: Bytes::from(vec![b'x'; size]) };
    let rejections: Vec<_> = (0..100).map(|_| rejection(20_000)).collect();
    let output =
        |rejections| Output { batches: Vec::new(), rejections, at: Timestamp::UNIX_EPOCH, summary: Summary::default() };
    let batches = rejection_batches(&origin(), &output(rejections), MAX_PAYLOAD);
    assert_eq!(batches.iter().map(|batch| batch.rejections.len()).sum::<usize>(), 100);
    assert_eq!(batches.len(), 2);
    for batch in &batches {
        assert!(batch.encoded_len() < MAX_PAYLOAD);
    }

    let batches = rejection_batches(&origin(), &output(vec![rejection(2 * MAX_PAYLOAD)]), MAX_PAYLOAD);
    assert!(batches[0].encoded_len() < MAX_PAYLOAD);
    let problem = &batches[0].rejections[0].problems[0];
    assert_eq!((problem.rule.as_str(), problem.found.as_str()), ("cut", "2097152 bytes"));
}

#[test]
fn a_part_that_no_message_can_hold_is_refused_and_stays_as_an_empty_one() {
    let mut output =
        page(&origin(), &raw_page(&body(&[event(1), event(2)])), &rules(), &Lookups::default(), Timestamp::UNIX_EPOCH);
    refuse_part(&mut output, 0);
    assert_eq!((output.batches.len(), output.batches[0].records.len()), (1, 0));
    assert_eq!((output.summary.events, output.summary.rejections), (0, 2));
    assert_eq!(output.rejections[0].problems[0].rule, "too_large");
}
