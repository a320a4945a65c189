//! An API that fails in many ways at once, and cursors that are refused for ever: what is delivered is what exists, each event once.

use latchkey_bus::server;
use latchkey_contracts::{Chain, Feed};
use latchkey_simulator::{Fault, Plan, RequestKind, RetryAfter, Rule, When};
use latchkey_tests::{ACCOUNT, Delivered, Line, Nats, Settings, company};

/// Every kind of disturbance, so often that every feed meets several.
fn plan() -> Plan {
    let refuse = |nth| Rule {
        on: Some(RequestKind::Cursor),
        when: When { nth, times: Some(1), ..When::default() },
        ..Rule::new(Fault::RejectCursor)
    };
    let some = |fault| Rule { when: When::rate(0.05), ..Rule::new(fault) };
    Plan::new([
        refuse(3),
        refuse(9),
        some(Fault::Status { code: 503, retry_after: None }),
        some(Fault::Status { code: 429, retry_after: Some(RetryAfter::Seconds(1)) }),
        some(Fault::Html),
        some(Fault::ResetInBody),
        some(Fault::CorruptGzip),
        some(Fault::SamePage),
        some(Fault::Shuffled),
        some(Fault::Doubled { share: 0.2, across: true }),
    ])
}

#[tokio::test]
async fn a_failing_api_costs_no_event_and_doubles_none() {
    let nats = server::scratch().await.unwrap();
    let simulator = company(0.3).await.unwrap();
    simulator.set_plan(plan()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { page_limit: 100, ..Settings::default() };
    let mut line = Line::start(directory.path(), &Nats::of(&nats), &simulator, &settings).await.unwrap();
    line.settled(&simulator).await.unwrap();
    Delivered::read(&line.output()).unwrap().check(&simulator).unwrap();
    for feed in Feed::USUAL {
        let chain = Chain { source: ACCOUNT.parse().unwrap(), feed };
        let checkpoint = line.bus().last_checkpoint(&chain).await.unwrap().unwrap().message;
        assert!(checkpoint.recoveries >= 1, "{feed}: no cursor was refused");
        assert_eq!(checkpoint.last_recovery.unwrap().reason, "cursor_refused", "{feed}");
    }
    line.stop().await;
}
