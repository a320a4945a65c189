//! Alerts about more and less than a chain: common causes, readers, streams, and silences.

use latchkey_alerter::ReaderConfig;
use latchkey_contracts::{
    About, Object, SourceId,
    page::RawPage,
    rejection::{Problem, Rejection, RejectionBatch},
};
use latchkey_core::alert::silence::{self, Silence};

use super::*;

/// An alerter that looks often and is not patient.
pub(super) fn quick(line: &Line) -> Config {
    let reader = ReaderConfig { stands_still: SignedDuration::from_secs(1), ..ReaderConfig::default() };
    let looks_kept_for = SignedDuration::from_secs(12);
    Config { look_every: SignedDuration::from_millis(100), looks_kept_for, reader, ..line.config() }
}

pub(super) fn object(name: &str) -> About {
    About::Object(Object::named(name))
}

impl Line {
    async fn alert(&self, kind: &str, about: &About) -> Option<Alert> {
        self.bus.last_alert_about(kind, about).await.unwrap().map(|stored| stored.message)
    }

    /// Waits until the alert is raised or resolved.
    pub(super) async fn becomes(&self, kind: &str, about: &About, state: State) -> Alert {
        let is = async || self.alert(kind, about).await.is_some_and(|alert| alert.state() == state);
        eventually(&format!("{kind} of {about} becomes {state:?}"), is).await;
        self.alert(kind, about).await.unwrap()
    }

    pub(super) async fn store_page(&self, size: usize) {
        let page = RawPage { page_id: "0".repeat(32), body: vec![0; size].into(), ..RawPage::default() };
        self.bus.publish_page(&chain(), &page, 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_normalizer_that_is_gone_is_raised_and_resolved() {
    let line = Line::start().await;
    let alerter = line.alerter(quick(&line)).await;
    line.store_page(10).await;
    let raised = line.becomes("reader_stopped", &object("normalizer"), State::Raised).await;
    assert_eq!((raised.code.as_str(), raised.reason.as_str()), ("LK301", "nobody_pulls"));
    assert!(raised.summary.ends_with("and 1 messages of PAGES wait."), "{}", raised.summary);
    alerter.shows(r#"latchkey_alerter_reader_lag_messages{reader="normalizer",stream="PAGES"} 1"#).await;

    let mut pages = line.bus.pages();
    pages.next().await.unwrap().ack().await.unwrap();
    line.becomes("reader_stopped", &object("normalizer"), State::Resolved).await;
    alerter.shows(r#"latchkey_alerter_reader_lag_messages{reader="normalizer",stream="PAGES"} 0"#).await;
    alerter.stop().await;
}

#[tokio::test]
async fn a_stream_that_fills_is_raised() {
    let line = Line::with(Limits { max_bytes: 1 << 20, ..Limits::default() }).await;
    let alerter = line.alerter(quick(&line)).await;
    line.store_page(360_000).await;
    let raised = line.becomes("stream_filling", &object("PAGES"), State::Raised).await;
    assert!(raised.summary.starts_with("Stream PAGES is 8"), "{}", raised.summary);
    alerter.stop().await;
}

#[tokio::test]
async fn an_outage_is_one_alert() {
    let line = Line::start().await;
    let source: SourceId = "acme".parse().unwrap();
    let chains = Feed::USUAL.map(|feed| Chain { source: source.clone(), feed });
    let timeout = || Outcome { kind: Kind::Refused.into(), reason: "timeout".into(), ..Outcome::default() };
    let alerter = line.alerter(line.config()).await;
    for chain in &chains {
        line.report_of(chain, timeout(), 1).await;
    }
    for chain in &chains {
        let shown =
            format!(r#"latchkey_alerter_chain_verdict{{source="acme",feed="{}",verdict="refused"}} 1"#, chain.feed);
        alerter.shows(&shown).await;
    }
    // All have failed; from here on none is told of alone.
    for chain in &chains {
        line.report_of(chain, timeout(), 5).await;
    }
    let raised = line.becomes("outage", &About::Line, State::Raised).await;
    assert_eq!((raised.code.as_str(), raised.reason.as_str()), ("LK201", "timeout"));
    assert_eq!(line.transitions().await, 1);
    for chain in &chains {
        line.report_of(chain, quiet(), 0).await;
    }
    line.becomes("outage", &About::Line, State::Resolved).await;
    alerter.stop().await;
}

#[tokio::test]
async fn an_alerter_that_starts_in_an_outage_tells_of_it_once() {
    let line = Line::start().await;
    let source: SourceId = "acme".parse().unwrap();
    for feed in Feed::USUAL {
        let timeout = Outcome { kind: Kind::Refused.into(), reason: "timeout".into(), ..Outcome::default() };
        line.report_of(&Chain { source: source.clone(), feed }, timeout, 5).await;
    }
    let alerter = line.alerter(line.config()).await;
    line.becomes("outage", &About::Line, State::Raised).await;
    alerter.stop().await;
    assert_eq!(line.transitions().await, 1);
}

#[tokio::test]
async fn a_silence_keeps_people_from_being_told_until_it_ends() {
    let line = Line::start().await;
    let (about, now) = (About::Source(chain().source), clock::now());
    let until = now.checked_add(SignedDuration::from_hours(1)).unwrap();
    let begin = Silence { about: &about, kinds: &[], from: now, until, by: "Ada", note: "moving" }.begin(None, now);
    line.bus.publish_alert_about(silence::WORD, &about, &begin, 0).await.unwrap();

    let alerter = line.alerter(line.config()).await;
    line.report(refused()).await;
    let raised = line.becomes("poll_refused", &About::Chain(chain()), State::Raised).await;
    assert!(raised.muted);
    line.drained().await;
    assert_eq!(line.calls().await.len(), 0);

    let end = silence::end(&begin, clock::now()).unwrap();
    line.bus.publish_alert_about(silence::WORD, &about, &end, 1).await.unwrap();
    alerter.shows(r#"latchkey_alerter_notifications_total{destination="webhook"} 1"#).await;
    let told = body(&line.calls().await[0]);
    assert_eq!((&told["state"], &told["change"]), (&Value::from("raised"), &Value::from("reminded")));
    alerter.stop().await;
}

#[tokio::test]
async fn a_page_that_is_no_page_is_raised() {
    let line = Line::start().await;
    let problem = Problem { path: "$".into(), rule: "json".into(), ..Problem::default() };
    let batch = RejectionBatch {
        page_id: "0".repeat(32),
        source: "acme".into(),
        feed: "item_usages".into(),
        rejected_at_unix_nano: nanos(clock::now()),
        rejections: vec![Rejection { item: None, problems: vec![problem], raw: Vec::new().into() }],
        ..RejectionBatch::default()
    };
    // Before the alerter is there: it reads the last hour.
    line.bus.publish_rejections(&chain(), &batch, 0).await.unwrap();
    line.report(quiet()).await;
    let alerter = line.alerter(line.config()).await;
    let raised = line.becomes("rejections", &About::Chain(chain()), State::Raised).await;
    assert_eq!(raised.reason, "page");
    assert!(raised.summary.ends_with("in the last hour, the newest for json at $."), "{}", raised.summary);
    alerter.stop().await;
}

#[tokio::test]
async fn a_token_that_cannot_be_used_is_raised_while_the_one_before_works() {
    let line = Line::start().await;
    let alerter = line.alerter(line.config()).await;
    let about = About::Chain(chain());
    line.report(quiet()).await;
    let mut checkpoint = line.bus.last_checkpoint(&chain()).await.unwrap().unwrap().message;
    checkpoint.caught_up_at_unix_nano = checkpoint.polled_at_unix_nano;
    let polled_at = checkpoint.polled_at_unix_nano;
    // Long enough ago for a poll without it to be the end.
    checkpoint.polled_at_unix_nano -= 400_000_000_000;
    checkpoint.token_fault = "token_sealed: the value does not open with our key".into();
    checkpoint.token_fault_since_unix_nano = checkpoint.polled_at_unix_nano - 600_000_000_000;
    line.bus.publish_checkpoint(&chain(), &checkpoint).await.unwrap();
    let raised = line.becomes("data_at_risk", &about, State::Raised).await;
    assert_eq!((raised.code.as_str(), raised.reason.as_str()), ("LK105", "token_unusable"));
    assert_eq!(raised.since_unix_nano, checkpoint.token_fault_since_unix_nano);
    (checkpoint.token_fault, checkpoint.token_fault_since_unix_nano) = (String::new(), 0);
    checkpoint.polled_at_unix_nano = polled_at;
    line.bus.publish_checkpoint(&chain(), &checkpoint).await.unwrap();
    line.becomes("data_at_risk", &about, State::Resolved).await;
    alerter.stop().await;
}
