use std::fs;

use clap::Parser;
use jiff::SignedDuration;
use latchkey_alerter::desk::Standing;
use latchkey_bus::{Bus, server};
use latchkey_contracts::{
    About, Object,
    alert::{Alert, alert::State},
    topology::Limits,
};
use latchkey_core::alert::{Circumstances, Finding, lifecycle};
use latchkey_runtime::clock;

use super::*;
use crate::lookup::bucket::NatsOptions;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Line::try_parse_from(["alerts"].into_iter().chain(line.split(' '))).map(|line| line.arguments)
}

#[test]
fn flags_are_understood() {
    let check = |line: &str, expect: bool| assert_eq!(parse(line).is_ok(), expect, "{line}");
    check("list", true);
    check("history acme/item_usages --kind drop_off --limit 5", true);
    check("history --kind LK103", true);
    check("history --kind nonsense", false);
    check("history acme/nonsense", false);
    check("ack poll_refused acme/item_usages --by Ada --note ok", true);
    check("ack lk201", true);
    check("ack nonsense acme", false);
    check("silence acme --for 4h --kind drop_off --kind LK102", true);
    check("silence all", false);
    check("silence all --from 2026-12-24T18:00:00Z --for 4h", true);
    check("silence all --from tomorrow --for 4h", false);
    check("silence all --end", true);
    check("silence all --for 4h --end", false);
    check(&format!("silence all --for 4h --note {}", "x".repeat(301)), false);
}

#[tokio::test]
async fn an_alert_is_taken_on_and_silenced() {
    let server = server::scratch().await.unwrap();
    let bus = Bus::connect(server.connect_options("test")).await.unwrap();
    bus.provision(Limits::default()).await.unwrap();
    let options = server.connect_options("test");
    let token = server.directory().join("a-token");
    fs::write(&token, options.token.as_ref().map(secrecy::ExposeSecret::expose_secret).unwrap_or_default()).unwrap();
    let nats = NatsOptions {
        nats_url: Some(options.servers.join(",")),
        nats_token_file: options.token.is_some().then_some(token),
        ..NatsOptions::default()
    };
    let who = answer::Who { by: "Ada".into(), note: "on it".into() };
    let about = About::Object(Object::named("normalizer"));

    let ack =
        answer::AckArguments { kind: Kind::ReaderStopped, about: about.clone(), who: who.clone(), nats: nats.clone() };
    assert!(answer::ack(&ack).await.unwrap_err().to_string().contains("is not raised"));
    read::list(&read::ListArguments { nats: nats.clone() }).await.unwrap();

    let raised = Alert {
        kind: "reader_stopped".into(),
        object: "normalizer".into(),
        state: State::Raised.into(),
        generation: 1,
        ..Alert::default()
    };
    bus.publish_alert_about("reader_stopped", &about, &raised, 0).await.unwrap();
    answer::ack(&ack).await.unwrap();
    let last = bus.last_alert_about("reader_stopped", &about).await.unwrap().unwrap().message;
    assert_eq!((last.acknowledged_by.as_str(), last.note.as_str()), ("Ada", "on it"));

    let silence = |span: Option<SignedDuration>| answer::SilenceArguments {
        about: about.clone(),
        from: None,
        span,
        kinds: vec![Kind::ReaderStopped],
        end: span.is_none(),
        who: who.clone(),
        nats: nats.clone(),
    };
    assert!(answer::silence(&silence(Some(SignedDuration::from_hours(31 * 24)))).await.is_err());
    assert!(answer::silence(&silence(None)).await.unwrap_err().to_string().contains("is not silenced"));
    answer::silence(&silence(Some(SignedDuration::from_hours(4)))).await.unwrap();
    let begun = bus.last_alert_about("silence", &about).await.unwrap().unwrap().message;
    assert!(latchkey_core::alert::silence::covers(&begun, Kind::ReaderStopped, &about, clock::now()));

    let mut out = Vec::new();
    let planned = Alert { silenced_from_unix_nano: begun.silenced_until_unix_nano - 60_000_000_000, ..begun.clone() };
    let standing = Standing { raised: vec![last.clone()], silences: vec![begun, planned] };
    read::show_raised(&mut out, &standing, clock::now()).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.contains("reader_stopped\tnormalizer\tsince 1970-01-01T00:00:00Z (acknowledged by Ada: on it)"),
        "{out}"
    );
    assert!(out.contains("silenced\tnormalizer\treader_stopped\tuntil "), "{out}");
    assert!(out.contains("silenced\tnormalizer\treader_stopped\tfrom "), "{out}");

    answer::silence(&silence(None)).await.unwrap();
    let history = read::HistoryArguments { about: None, kind: None, limit: 10, nats };
    read::history(&history).await.unwrap();
    // Resolved as ever.
    let around = Circumstances {
        about: &about,
        label: "normalizer",
        muted: false,
        clear_since: None,
        remind_every: None,
        now: clock::now(),
    };
    let resolved = lifecycle::next(Some(&last), Kind::ReaderStopped, &Finding::Clear, &around).unwrap();
    assert_eq!(resolved.state(), State::Resolved);
}
