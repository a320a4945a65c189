//! Cursors that are given up, and pages that are too large: from where a chain begins again, and what it asks for.

use jiff::SignedDuration;
use latchkey_contracts::Feed;
use latchkey_core::{
    audit::Span,
    duplicates::Breadth,
    look_back::LookBack,
    polling::{
        Action, CURSOR_REFUSED, Failure, Fetched, History, Input, LastPage, MAX_PAGES, Outcome, Policy, Position,
        Published, Request, TOO_LARGE, Turn,
    },
};

use crate::{
    an_hour_ago, page,
    world::{PAGE_SIZE, bad_request, failure, now, policy, start},
};

/// What the turns of a chain lead to: the requests made, and each turn's word and pause.
fn turns(checkpoint: (Position, History), answers: &mut dyn FnMut(&Request) -> Input, count: usize) -> Vec<String> {
    let (mut checkpoint, mut told) = (checkpoint, Vec::new());
    for _ in 0..count {
        let (mut turn, mut action) = Turn::begin(policy(), 1.0, now());
        loop {
            let input = match &action {
                Action::Recover => Input::Recovered { last_page: None, checkpoint: Some(Box::new(checkpoint.clone())) },
                Action::LookBack { from } => Input::LookedBack { covered: *from },
                Action::Publish { expected } => Input::Published(Published::Stored(expected + 1)),
                Action::Fetch(request) => {
                    told.push(match request {
                        Request::After(cursor) => format!("after {cursor}"),
                        Request::From { start, limit } => format!("{limit} from {:#}", now().duration_since(*start)),
                    });
                    answers(request)
                }
                Action::Finish(report) => {
                    let word = report.outcome.as_ref().and_then(Outcome::reason).unwrap_or("fine");
                    told.push(format!("{word}, {} s", report.delay.as_secs()));
                    checkpoint = (report.position.clone(), report.history.clone());
                    break;
                }
            };
            action = turn.handle(input, now()).action;
        }
    }
    told
}

#[test]
fn a_cursor_that_is_refused_once_is_used_again() {
    let mut answers = [Input::FetchFailed(bad_request()), Input::Fetched(page("old", false, 0))].into_iter();
    let told = turns(an_hour_ago(), &mut |_| answers.next().unwrap(), 2);
    assert_eq!(told, ["after old", "cursor_refused, 1 s", "after old", "fine, 60 s"]);
}

#[test]
fn a_cursor_that_is_refused_twice_is_given_up() {
    let told = turns(
        an_hour_ago(),
        &mut |request| match request {
            Request::After(cursor) if cursor.as_str() == "old" => Input::FetchFailed(bad_request()),
            Request::After(_) => Input::Fetched(page("newer", false, 1)),
            Request::From { .. } => Input::Fetched(page("new", true, 3)),
        },
        3,
    );
    let expect = ["after old", "cursor_refused, 1 s", "after old", "2 from 27h", "after new", "fine, 60 s"];
    assert_eq!(told, [&expect[..], &["after newer", "fine, 60 s"]].concat());
}

/// Paused or refused for so long that none of its pages is kept.
#[test]
fn a_chain_without_pages_begins_again_behind_what_it_has_stored() {
    let ago = |hours| now() - SignedDuration::from_hours(hours);
    for (newest, last_success_at, reached) in [(Some(ago(2)), now(), ago(2)), (None, ago(3), ago(3))] {
        let (position, history) = an_hour_ago();
        let history = History {
            cursor_refusals: 1,
            events_total: 9,
            newest_event_at: newest,
            last_success_at: Some(last_success_at),
            ..history
        };
        let (mut turn, _) = Turn::begin(policy(), 0.0, now());
        turn.handle(Input::Recovered { last_page: None, checkpoint: Some(Box::new((position, history))) }, now());
        let wanted = ago(27);
        let action = turn.handle(Input::FetchFailed(bad_request()), now()).action;
        assert_eq!((action, turn.reached()), (Action::LookBack { from: wanted }, Some(reached)));
        let from = LookBack::new(Feed::ItemUsages, wanted, now(), turn.reached(), Breadth::Wide, 1).finish().1;
        turn.handle(Input::LookedBack { covered: from }, now());
        turn.handle(Input::Fetched(page("new", true, 3)), now());
        turn.handle(Input::Published(Published::Stored(8)), now());
        let Action::Finish(report) = turn.handle(Input::Fetched(page("newer", false, 0)), now()).action else {
            panic!("the turn goes on")
        };
        assert_eq!(report.history.passed_by, Some(Span { from: wanted, to: from }));
        assert!(from > reached);
    }
}

/// What it would recognise is gone with its pages, so its cursor would bring it again.
#[test]
fn a_recovery_that_outlasts_its_pages_begins_again() {
    let (position, history) = an_hour_ago();
    let position = Position { recovering_from: Some(start()), ..position };
    let begins = |history: History| {
        let (mut turn, _) = Turn::begin(policy(), 0.0, now());
        let last = (Position { latest_event_at: history.newest_event_at, ..position.clone() }, history);
        let read = turn.handle(Input::Recovered { last_page: None, checkpoint: Some(Box::new(last.clone())) }, now());
        let (_, from_memory) = Turn::resume(policy(), 0.0, last, now());
        assert_eq!(read.action, from_memory);
        from_memory
    };
    let stored = History { newest_event_at: Some(now()), ..history.clone() };
    assert_eq!(begins(stored), Action::LookBack { from: now() - SignedDuration::from_hours(27) });
    assert_eq!(begins(history), Action::Fetch(Request::After("old".parse().unwrap())));
}

#[test]
fn a_recovery_leaves_a_trace_for_the_operator() {
    let history = History { cursor_refusals: 1, ..an_hour_ago().1 };
    let (mut turn, _) = Turn::begin(policy(), 0.0, now());
    turn.handle(Input::Recovered { last_page: None, checkpoint: Some(Box::new((an_hour_ago().0, history))) }, now());
    turn.handle(Input::FetchFailed(bad_request()), now());
    let from = now() - SignedDuration::from_hours(27);
    let step = turn.handle(Input::LookedBack { covered: from }, now());
    assert_eq!(step.action, Action::Fetch(Request::From { start: from, limit: PAGE_SIZE - 1 }));
    assert_eq!((turn.recovering_from(), turn.recoveries()), (Some(from), 1));
    turn.handle(Input::Fetched(page("new", true, 3)), now());
    turn.handle(Input::Published(Published::Stored(8)), now());
    // More pages of the overlap follow.
    assert_eq!(turn.recovering_from(), Some(from));
    let Action::Finish(report) = turn.handle(Input::Fetched(page("newer", false, 0)), now()).action else {
        panic!("the turn goes on")
    };
    assert_eq!(report.position.recovering_from, None);
    let recovery = report.history.last_recovery.unwrap();
    assert_eq!((recovery.at, recovery.from, recovery.reason.as_str()), (now(), from, CURSOR_REFUSED));
    assert_eq!((report.history.recoveries, report.history.cursor_refusals), (1, 0));
}

#[test]
fn a_reset_that_is_refused_as_well_is_an_ordinary_refusal() {
    let told = turns(an_hour_ago(), &mut |_| Input::FetchFailed(bad_request()), 4);
    let expect = [
        "after old",
        "cursor_refused, 1 s",
        "after old",
        "2 from 27h",
        "bad_request, 2 s",
        "after old",
        "2 from 27h",
        "bad_request, 4 s",
        "after old",
        "2 from 27h",
        "bad_request, 8 s",
    ];
    assert_eq!(told, expect);
}

#[test]
fn an_api_that_refuses_every_cursor_is_asked_less_and_less_often() {
    let mut answers = 0;
    let told = turns(
        an_hour_ago(),
        &mut |request| match request {
            Request::After(_) => Input::FetchFailed(bad_request()),
            Request::From { .. } => {
                answers += 1;
                let page_id = format!("page {answers}");
                Input::Fetched(Fetched { page_id, new_items: 0, ..page(&format!("new {answers}"), true, 3) })
            }
        },
        6,
    );
    let pauses: Vec<_> = told.iter().filter(|word| word.ends_with(" s")).map(String::as_str).collect();
    let refused = |seconds: u32| format!("{CURSOR_REFUSED}, {seconds} s");
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32].map(refused));
}

#[test]
fn pages_that_are_too_large_are_asked_for_smaller() {
    let told = turns(
        an_hour_ago(),
        &mut |request| match request {
            Request::From { limit: 1, .. } => Input::Fetched(page("new", false, 1)),
            _ => Input::FetchFailed(Failure { reason: TOO_LARGE, http_status: 0, ..failure() }),
        },
        1,
    );
    assert_eq!(told, ["after old", "1 from 27h", "fine, 60 s"]);
}

/// The newest page, where a checkpoint was written on top of it.
fn last_page(position: &Position, history: &History) -> LastPage {
    LastPage {
        sequence: position.sequence,
        previous_sequence: position.sequence - 1,
        page_id: position.page_id.clone().unwrap(),
        cursor: position.cursor.clone().unwrap(),
        fetched_at: now(),
        has_news: true,
        events_total: history.events_total,
        newest_event_at: None,
        latest_event_at: Some(now()),
        recovering_from: position.recovering_from,
        recoveries: history.recoveries,
    }
}

/// A way of more pages than a turn stores leads to the one that is too large, from wherever the chain can begin.
#[test]
fn a_page_that_is_too_large_is_passed_however_far_it_is_from_the_beginning() {
    const SPOT: u32 = 3 * MAX_PAGES;
    let policy = Policy { page_limit: 16, ..policy() };
    let (mut checkpoint, mut asked) = ((Position::default(), History::default()), Vec::new());
    for turn in 0.. {
        assert!(turn < 40, "no end: {asked:?}");
        let (mut turn, mut action) = Turn::begin(policy, 1.0, now());
        let report = loop {
            let input = match &action {
                Action::Recover => {
                    let (position, history) = &checkpoint;
                    let last_page = (position.sequence > 0).then(|| last_page(position, history));
                    Input::Recovered { last_page, checkpoint: Some(Box::new(checkpoint.clone())) }
                }
                Action::LookBack { from } => Input::LookedBack { covered: *from },
                Action::Publish { expected } => Input::Published(Published::Stored(expected + 1)),
                Action::Fetch(request) => {
                    let (number, limit) = match request {
                        Request::From { limit, .. } => {
                            asked.push(*limit);
                            (0, *limit)
                        }
                        Request::After(cursor) => {
                            let (number, limit) = cursor.as_str().split_once(' ').unwrap();
                            (number.parse().unwrap(), limit.parse().unwrap())
                        }
                    };
                    if number == SPOT && limit > 2 {
                        Input::FetchFailed(Failure { reason: TOO_LARGE, http_status: 0, ..failure() })
                    } else {
                        let cursor = format!("{} {limit}", number + 1);
                        Input::Fetched(Fetched { page_id: cursor.clone(), ..page(&cursor, number < SPOT, limit) })
                    }
                }
                Action::Finish(report) => break report.clone(),
            };
            action = turn.handle(input, now()).action;
        };
        checkpoint = (report.position, report.history);
        if report.outcome.as_ref() == Some(&Outcome::Active) {
            break;
        }
    }
    assert!(asked.is_sorted_by(|one, next| one > next) && asked.last() <= Some(&2), "{asked:?}");
}
