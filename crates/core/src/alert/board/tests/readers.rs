//! Streams and their readers, by what is kept of everybody's looks.

use latchkey_contracts::window::window::Of;

use super::*;
use crate::{
    alert::reader::Role,
    verdict::{lag::Window, room::Fill, samples::KEPT},
};

/// What alerters keep of a reader in this role.
fn kept(stream: &str, name: &str, role: Role, looks: impl IntoIterator<Item = Look>) -> window::Window {
    let watched = Watched { role, window: looks.into_iter().collect::<Window>(), ..Watched::default() };
    window::Window { stream: stream.into(), of: Some(Of::Reader(watched.keep(name))) }
}

pub(super) fn normalizer(looks: impl IntoIterator<Item = Look>) -> window::Window {
    kept("PAGES", "normalizer", Role::Consumer, looks)
}

fn room(stream: &str, fills: impl IntoIterator<Item = (i64, u64)>) -> window::Window {
    let fills = fills.into_iter().map(|(second, bytes)| Fill { at: at(second), bytes, max_bytes: 100 });
    window::Window { stream: stream.into(), of: Some(Of::Room(fills.collect::<Room>().keep())) }
}

/// One that nobody reads with, and that has stood still for a quarter of an hour.
fn still(second: i64) -> Look {
    Look { waiting: Some(0), oldest_at: Some(at(-1_000)), moved_at: Some(at(-1_000)), ..look(second) }
}

pub(super) fn done(second: i64) -> Look {
    Look { pending: 0, ack_pending: 0, oldest_at: None, ..look(second) }
}

#[test]
fn a_reader_that_stands_still_is_raised_and_resolved() {
    let mut board = board([]);
    board.see(&normalizer([still(0)]));
    board.see(&room("PAGES", [(0, 96)]));
    let raised = ["reader_stopped normalizer Raised after 0", "stream_filling PAGES Raised after 0"];
    assert_eq!(sweep(&mut board, 1), raised);
    board.see(&normalizer([still(0), done(30)]));
    assert_eq!(sweep(&mut board, 31), ["reader_stopped normalizer Resolved after 1"]);
}

#[test]
fn a_clock_that_is_wrong_changes_nothing_about_streams_and_their_readers() {
    let hours = |hours| SignedDuration::from_hours(hours);
    for ahead in [hours(5), hours(-5)] {
        let mut board = board([]);
        board.set_ahead(Ahead { all: ahead, ..Ahead::default() });
        let mut sweep = |second, bytes| {
            board.see(&normalizer([still(0)]));
            board.see(&room("PAGES", [(0, bytes)]));
            let (steps, sight) = board.sweep(at(second).saturating_add(ahead).unwrap());
            let ends: Vec<_> = sight.readers.iter().filter_map(|reader| reader.now?.evicts_at).collect();
            (take(&mut board, steps), ends)
        };
        let raised = ["reader_stopped normalizer Raised after 0", "stream_filling PAGES Raised after 0"];
        // Whoever compares the end with the time has that clock.
        let end = at(7 * 24 * 3_600 - 1_000).saturating_add(ahead).unwrap();
        assert_eq!(sweep(1, 96), (raised.map(String::from).to_vec(), vec![end]));
        // A look that is too old is so by NATS's clock.
        assert_eq!(sweep(96, 0), (vec![], vec![]));
    }
}

#[test]
fn each_stream_is_judged_by_the_clock_of_the_server_that_leads_it() {
    for wrong in [-120, 120, -18_000, 18_000] {
        let mut board = board([]);
        let by_stream = [("PAGES", SignedDuration::from_secs(-wrong)), ("EVENTS", SignedDuration::ZERO)].into();
        board.set_ahead(Ahead { by_stream, ..Ahead::default() });
        let see = |board: &mut Board, second: i64, seen: fn(i64) -> Look, bytes| {
            let shown = second + wrong;
            let since = Look { oldest_at: seen(shown).oldest_at.map(|_| at(shown - 1_000)), ..seen(shown) };
            board.see(&normalizer([Look { moved_at: Some(at(shown - 1_000)), ..since }]));
            board.see(&kept("EVENTS", "files", Role::Sink, [seen(second)]));
            board.see(&room("PAGES", [(shown, bytes)]));
            board.see(&room("EVENTS", [(second, bytes)]));
            sweep(board, second + 1)
        };
        let all = |change: &str| {
            ["reader_stopped files", "reader_stopped normalizer", "stream_filling EVENTS", "stream_filling PAGES"]
                .map(|alert| format!("{alert} {change}"))
        };
        assert_eq!(see(&mut board, 0, still, 96), all("Raised after 0"), "{wrong}");
        let (_, sight) = board.sweep(at(1));
        assert!(sight.readers.iter().all(|reader| reader.now.is_some()), "{wrong}: {sight:?}");
        assert!(sight.streams.iter().all(|stream| stream.now.is_some()), "{wrong}: {sight:?}");
        // Whoever compares the end with the time has our clock.
        let ends: Vec<_> = sight.readers.iter().filter_map(|reader| reader.now?.evicts_at).collect();
        assert_eq!(ends, [at(7 * 24 * 3_600 - 1_000); 2], "{wrong}");
        assert_eq!(see(&mut board, 30, done, 0), all("Resolved after 1"), "{wrong}");
    }
}

#[test]
fn what_nobody_has_looked_at_for_a_while_is_neither_raised_nor_resolved() {
    let mut board = board([]);
    board.see(&normalizer([still(0)]));
    board.see(&room("PAGES", [(0, 96)]));
    assert_eq!(sweep(&mut board, 96), [""; 0]);
    assert_eq!(sweep(&mut board, 95).len(), 2);
    board.see(&normalizer([done(100)]));
    board.see(&room("PAGES", [(100, 0)]));
    assert_eq!(sweep(&mut board, 100_000), [""; 0]);
    let (_, sight) = board.sweep(at(100_000));
    assert!(sight.readers[0].now.is_none() && sight.streams[0].now.is_none());
    assert_eq!(sweep(&mut board, 101).len(), 2);
}

#[test]
fn a_consumer_that_does_not_exist_is_told_of_until_it_does() {
    let mut board = board([]);
    let mut watched = Watched { window: [look(0), look(30)].into_iter().collect(), ..Watched::default() };
    let see = |board: &mut Board, watched: &Watched, second| {
        board.see(&window::Window { stream: "PAGES".into(), of: Some(Of::Reader(watched.keep("normalizer"))) });
        sweep(board, second)
    };
    watched.miss(at(60));
    assert_eq!(see(&mut board, &watched, 60), [""; 0]);
    watched.miss(at(90));
    assert_eq!(see(&mut board, &watched, 90), ["reader_stopped normalizer Raised after 0"]);
    let raised = board.alerts[&(Kind::ReaderStopped, About::Object(Object::named("normalizer")))].known.last.as_ref();
    assert_eq!(raised.map(|alert| alert.reason.as_str()), Some("missing"));
    // It is made anew, and begins with the stream's first message.
    watched.look(Look { floor: 0, delivered: 0, ..look(120) }, KEPT);
    let steps = see(&mut board, &watched, 120);
    assert_eq!(steps, ["reader_set_back normalizer Raised after 0", "reader_stopped normalizer Resolved after 1"]);
}

#[test]
fn a_destination_without_its_consumer_is_told_of_and_only_of_that() {
    let mut board = board([]);
    let window = [Look { max_age: None, ..still(0) }].into_iter().collect();
    let mut watched = Watched { role: Role::Destination, window, ..Watched::default() };
    let see = |board: &mut Board, watched: &Watched, second| {
        board.see(&window::Window { stream: "ALERTS".into(), of: Some(Of::Reader(watched.keep("notifier-chat"))) });
        sweep(board, second)
    };
    // That it stands still is its destination's failure.
    let stands = ["destination_failing chat Raised after 0"];
    board.watch_anew(at(-1_000));
    assert_eq!(see(&mut board, &watched, 1), stands);
    watched.miss(at(30));
    watched.miss(at(60));
    assert_eq!(see(&mut board, &watched, 61), ["reader_stopped notifier-chat Raised after 0"]);
    watched.look(Look { max_age: None, ..done(90) }, KEPT);
    let resolved = ["destination_failing chat Resolved after 1", "reader_stopped notifier-chat Resolved after 1"];
    assert_eq!(see(&mut board, &watched, 91), resolved);
}

#[test]
fn a_destination_that_nobody_has_any_more_has_no_alerts() {
    let hour = 3_600;
    let window = [Look { max_age: None, ..still(0) }].into_iter().collect();
    let mut chat = Watched { role: Role::Destination, window, ..Watched::default() };
    let see_chat = |board: &mut Board, chat: &Watched| {
        board.see(&window::Window { stream: "ALERTS".into(), of: Some(Of::Reader(chat.keep("notifier-chat"))) });
    };
    let others = |board: &mut Board, second| board.see(&kept("ALERTS", "notifier", Role::Consumer, [done(second)]));
    let mut board = board([]);
    board.watch_anew(at(-1_000));
    see_chat(&mut board, &chat);
    assert_eq!(sweep(&mut board, 1), ["destination_failing chat Raised after 0"]);
    chat.miss(at(30));
    chat.miss(at(60));
    see_chat(&mut board, &chat);
    assert_eq!(sweep(&mut board, 61), ["reader_stopped notifier-chat Raised after 0"]);
    // Somebody still has it, whoever else has not.
    chat.miss(at(hour));
    see_chat(&mut board, &chat);
    others(&mut board, hour + 60);
    assert_eq!(sweep(&mut board, hour + 61), [""; 0]);
    // Nobody has looked at anything: why is not known.
    assert_eq!(sweep(&mut board, 2 * hour), [""; 0]);
    others(&mut board, 2 * hour - 1);
    assert_eq!(sweep(&mut board, 2 * hour - 1), [""; 0]);
    // Who has just started may be the one that has it.
    board.watch_anew(at(hour + 1));
    assert_eq!(sweep(&mut board, 2 * hour), [""; 0]);
    board.watch_anew(at(hour));
    // It is in this alerter's configuration, and cannot be looked at.
    board.set_destinations(["chat"]);
    assert_eq!(sweep(&mut board, 2 * hour), [""; 0]);
    board.set_destinations(["mail"]);
    let gone = ["destination_failing chat Resolved after 1", "reader_stopped notifier-chat Resolved after 1"];
    assert_eq!(sweep(&mut board, 2 * hour), gone);
    let told = board.alerts[&(Kind::ReaderStopped, About::Object(Object::named("notifier-chat")))].known.last.as_ref();
    assert_eq!(told.map(|alert| alert.summary.as_str()), Some("notifier-chat was taken out of use."));
    // It is in somebody's configuration again.
    chat.miss(at(2 * hour + 10));
    see_chat(&mut board, &chat);
    assert_eq!(sweep(&mut board, 2 * hour + 11), ["reader_stopped notifier-chat Raised after 2"]);
}

#[test]
fn a_destination_of_which_nothing_is_kept_any_more_has_no_alerts() {
    let mut first = board([]);
    first.watch_anew(at(-1_000));
    first.see(&kept("ALERTS", "notifier-chat", Role::Destination, [Look { max_age: None, ..still(0) }]));
    assert_eq!(sweep(&mut first, 1), ["destination_failing chat Raised after 0"]);
    let about = About::Object(Object::named("chat"));
    let known = first.alerts[&(Kind::DestinationFailing, about.clone())].known.clone();
    // One who starts after what was seen of it has left the bucket.
    let mut second = board([]);
    second.learn(Kind::DestinationFailing, &about, known);
    assert_eq!(sweep(&mut second, 119), [""; 0]);
    second.set_destinations(["chat"]);
    assert_eq!(sweep(&mut second, 120), [""; 0]);
    second.set_destinations(["mail"]);
    assert_eq!(sweep(&mut second, 120), ["destination_failing chat Resolved after 1"]);
    let told = second.alerts[&(Kind::DestinationFailing, about)].known.last.as_ref();
    assert_eq!(told.map(|alert| alert.summary.as_str()), Some("chat was taken out of use."));
}

#[test]
fn a_consumer_that_every_line_has_is_not_taken_out_of_use() {
    let mut first = board([]);
    first.see(&normalizer([still(0)]));
    assert_eq!(sweep(&mut first, 1), ["reader_stopped normalizer Raised after 0"]);
    let about = About::Object(Object::named("normalizer"));
    let known = first.alerts[&(Kind::ReaderStopped, about.clone())].known.clone();
    // What was seen of it is lost, and it cannot be looked at.
    let mut second = board([]);
    second.learn(Kind::ReaderStopped, &about, known);
    assert_eq!(sweep(&mut second, 3_600), [""; 0]);
}

#[test]
fn a_sink_that_is_taken_out_of_use_has_no_alerts() {
    let mut board = board([]);
    board.see(&kept("EVENTS", "files", Role::Sink, [still(0)]));
    assert_eq!(sweep(&mut board, 1), ["reader_stopped files Raised after 0"]);
    // One who has just started knows the alert, and may not have read yet what is kept of the reader.
    let known = board.alerts[&(Kind::ReaderStopped, About::Object(Object::named("files")))].known.clone();
    let mut second = Board::new(Policies::default(), Timing::default(), at(0));
    second.learn(Kind::ReaderStopped, &About::Object(Object::named("files")), known);
    assert_eq!(sweep(&mut second, 119), [""; 0]);
    for board in [&mut board, &mut second] {
        board.see(&kept("EVENTS", "files", Role::Sink, []));
        assert_eq!(sweep(board, 120), ["reader_stopped files Resolved after 1"]);
        assert!(board.sweep(at(121)).1.readers.is_empty());
    }
}

#[test]
fn two_readers_of_one_name_have_one_alert() {
    for (first, second) in [("EVENTS", "PAGES"), ("PAGES", "EVENTS")] {
        let mut board = board([]);
        board.see(&kept(first, "normalizer", Role::Consumer, [still(0)]));
        board.see(&kept(second, "normalizer", Role::Consumer, [done(0)]));
        assert_eq!(sweep(&mut board, 1), ["reader_stopped normalizer Raised after 0"]);
        assert_eq!(sweep(&mut board, 2), [""; 0]);
        board.see(&kept(first, "normalizer", Role::Consumer, [still(0), done(30)]));
        assert_eq!(sweep(&mut board, 31), ["reader_stopped normalizer Resolved after 1"]);
    }
}

#[test]
fn one_who_starts_knows_what_another_has_seen() {
    // Up to 90 was read, and 99 are gone: the look in which that shows is not its own.
    let gone = [look(0), Look { first: 100, floor: 99, delivered: 99, ..done(30) }];
    let (mut first, mut second) = (board([]), board([]));
    second.watch_anew(at(40));
    for board in [&mut first, &mut second] {
        board.see(&normalizer(gone));
        assert_eq!(sweep(board, 41), ["unread_evicted normalizer Raised after 0"]);
    }
    let after = |second| Look { first: 100, ..done(second) };
    let Some(Of::Reader(before)) = normalizer(gone).of else { unreachable!() };
    let mut watched = Watched::recall(&before);
    for (second_of, expect) in
        [(24 * 3_600 + 29, &[""; 0][..]), (24 * 3_600 + 30, &["unread_evicted normalizer Resolved after 1"])]
    {
        watched.window.add(after(second_of), KEPT);
        second.see(&window::Window { stream: "PAGES".into(), of: Some(Of::Reader(watched.keep("normalizer"))) });
        assert_eq!(sweep(&mut second, second_of), expect);
    }
}

#[test]
fn a_destination_is_failing_as_of_the_newest_look() {
    let chat = |since: Option<i64>, seen: i64| {
        let waiting = u64::from(since.is_some());
        let look = Look { pending: 0, ack_pending: waiting, oldest_at: since.map(at), max_age: None, ..still(seen) };
        // It has one delivery open at a time, and stands still while it fails: neither is an alert of its own.
        let look = Look { max_ack_pending: Some(1), ..look };
        kept("ALERTS", "notifier-chat", Role::Destination, [Look { at: at(seen - 1), ..look }, look])
    };
    let mut board = board([]);
    board.see(&chat(Some(0), 299));
    assert_eq!(sweep(&mut board, 300), [""; 0]);
    board.see(&chat(Some(0), 1_000));
    assert_eq!(sweep(&mut board, 1_001), ["destination_failing chat Raised after 0"]);
    // Its own alert waits there: the destination has not come back, whatever else was given up.
    board.see(&chat(Some(1_001), 1_100));
    assert_eq!(sweep(&mut board, 1_101), [""; 0]);
    board.see(&chat(None, 1_200));
    assert_eq!(sweep(&mut board, 1_201), ["destination_failing chat Resolved after 1"]);
}

#[test]
fn messages_that_are_given_up_are_raised_for_an_hour() {
    let given_up = |name: &str, looks: &[Look]| {
        let mut watched = Watched { window: looks.iter().copied().collect(), ..Watched::default() };
        watched.give_up([7].into_iter(), SignedDuration::from_hours(1), at(0));
        window::Window { stream: "PAGES".into(), of: Some(Of::Reader(watched.keep(name))) }
    };
    let mut board = board([]);
    // Another program's consumer is not looked at.
    board.see(&given_up("other", &[]));
    board.see(&given_up("normalizer", &[done(0)]));
    // And one of a stream of somebody else is nobody's business.
    board.see(&window::Window { stream: "THEIRS".into(), ..given_up("other", &[]) });
    let raised = ["deliveries_exhausted normalizer Raised after 0", "deliveries_exhausted other Raised after 0"];
    assert_eq!(sweep(&mut board, 1), raised);
    assert_eq!(sweep(&mut board, 3_599), [""; 0]);
    assert_eq!(sweep(&mut board, 3_600), ["deliveries_exhausted other Resolved after 1"]);
    board.see(&given_up("normalizer", &[done(3_600)]));
    assert_eq!(sweep(&mut board, 3_601), ["deliveries_exhausted normalizer Resolved after 1"]);
}

/// Duties that so many ask for, seen for ten minutes until this second.
fn duties(until: i64, waiting: u64) -> window::Window {
    let asleep = |step: i64| Look {
        asleep: 3,
        waiting: Some(waiting),
        // That all deliveries are open is their schedule.
        max_ack_pending: Some(3),
        ..done(until - 600 + step * 30)
    };
    kept("TASKS", "fetcher", Role::Duties, (0..=20).map(asleep))
}

/// Polled at 0, and next so many seconds later.
fn every(interval: i64, source: &str) -> ChainWindow {
    ChainWindow { next_poll_at: at(interval), ..window_of(chain_of(source, Feed::AuditEvents), Outcome::Quiet) }
}

#[test]
fn duties_that_nobody_takes_up_are_one_alert() {
    let mut board = board(["a", "b", "c"].map(|source| every(3_600, source)));
    board.see(&duties(600, 0));
    // No feed is late yet.
    assert_eq!(sweep(&mut board, 601), ["reader_stopped fetcher Raised after 0"]);
    // That all are late and dead comes of the same.
    board.see(&duties(20_000, 0));
    assert_eq!(sweep(&mut board, 20_001), [""; 0]);
    let steps = board.settle(&chain_of("a", Feed::AuditEvents), at(20_002));
    assert_eq!(take(&mut board, steps), [""; 0]);
    // Fetchers are there again, and come to the feeds one by one.
    board.see(&duties(20_600, 1));
    assert_eq!(sweep(&mut board, 20_601), [""; 0]);
    for source in ["a", "b", "c"] {
        board.observe(ChainWindow { polled_at: at(20_600), next_poll_at: at(24_200), ..every(3_600, source) });
    }
    assert_eq!(sweep(&mut board, 20_602), ["reader_stopped fetcher Resolved after 1"]);
}

#[test]
fn feeds_that_are_late_tell_of_it_themselves() {
    let mut board = board(["a", "b", "c"].map(|source| every(60, source)));
    board.see(&duties(250, 0));
    assert_eq!(sweep(&mut board, 251), ["polling_stopped all Raised after 0"]);
    board.see(&duties(600, 0));
    assert_eq!(sweep(&mut board, 601), [""; 0]);
    // Also for one who has just started and cannot say yet that they are late.
    board.watch_anew(at(700));
    board.see(&duties(700, 0));
    assert_eq!(sweep(&mut board, 701), [""; 0]);
}

#[test]
fn the_last_feed_to_be_polled_again_is_no_alert_of_its_own() {
    let mut board = board(["a", "b", "c"].map(|source| every(60, source)));
    assert_eq!(sweep(&mut board, 251), ["polling_stopped all Raised after 0"]);
    for source in ["a", "b"] {
        board.observe(ChainWindow { polled_at: at(252), next_poll_at: at(312), ..every(60, source) });
    }
    assert_eq!(sweep(&mut board, 253), ["polling_stopped all Resolved after 1"]);
    // One that stays away is.
    assert_eq!(sweep(&mut board, 258), ["poll_dead c/audit_events Raised after 0"]);
}

#[test]
fn the_only_feed_tells_of_it_itself_and_one_of_many_does_not() {
    let mut alone = board([every(60, "a")]);
    alone.see(&duties(600, 0));
    assert_eq!(sweep(&mut alone, 601), ["poll_dead a/audit_events Raised after 0"]);
    let mut many = board(["a", "b", "c", "d"].map(|source| every(if source == "a" { 60 } else { 3_600 }, source)));
    many.see(&duties(250, 1));
    assert_eq!(sweep(&mut many, 251), ["poll_dead a/audit_events Raised after 0"]);
    many.see(&duties(900, 0));
    assert_eq!(sweep(&mut many, 901), ["reader_stopped fetcher Raised after 0"]);
}

#[test]
fn a_source_has_time_until_the_line_or_itself_comes_to_an_end() {
    let day = 24 * 3_600;
    let ends = |board: &mut Board| -> Vec<i64> {
        let (_, sight) = board.sweep(at(481));
        sight.ends.iter().map(|(_, end)| end.duration_since(at(0)).as_secs()).collect()
    };
    let token = ChainWindow { token_expires_at: Some(at(5 * day)), ..every(3_600, "a") };
    let mut board = board([token, every(3_600, "b")]);
    // Of the other nothing is known.
    assert_eq!(ends(&mut board), [5 * day]);
    // What was stored at 470 leaves after seven days.
    board.see(&normalizer([look(450), look(480)]));
    assert_eq!(ends(&mut board), [5 * day, 470 + 7 * day]);
    // Ten bytes in eight minutes, and eighty left.
    board.see(&room("PAGES", (0..=8).map(|minute| (minute * 60, if minute == 8 { 20 } else { 10 }))));
    assert_eq!(ends(&mut board), [480 + 8 * 480; 2]);
    // Who was done once loses nothing, and what does not grow is not full.
    board.see(&normalizer([done(450), look(480)]));
    board.see(&room("PAGES", (0..=8).map(|minute| (minute * 60, 10))));
    assert_eq!(ends(&mut board), [5 * day]);
}
