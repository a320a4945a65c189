//! A NATS that is not there yet, and one that does not let us in.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use latchkey_bus::server;
use latchkey_runtime::{Context, Exit, Failure, NatsConfig, Service, ShutdownConfig, shutdown::Reason};
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const PATIENCE: Duration = Duration::from_mins(1);

fn context() -> Context {
    Context::new(Service { name: "example", version: "0", about: "" })
}

/// A server that is not there at this moment, and how it is reached.
async fn absent() -> (server::Scratch, NatsConfig) {
    let mut server = server::scratch().await.unwrap();
    let options = server.connect_options("");
    let token_file = server.directory().join("token-of-the-test");
    std::fs::write(&token_file, options.token.unwrap().expose_secret()).unwrap();
    server.kill().await.unwrap();
    (server, NatsConfig { url: options.servers, token_file: Some(token_file), ..NatsConfig::default() })
}

/// A NATS whose JetStream answers nothing; it hangs up on everybody until it `speaks`.
async fn without_jetstream(speaks: &Arc<AtomicBool>) -> NatsConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = vec![format!("nats://{}", listener.local_addr().unwrap())];
    let speaks = Arc::clone(speaks);
    tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            if speaks.load(Ordering::Relaxed) {
                tokio::spawn(speak(peer));
            }
        }
    });
    NatsConfig { url, ..NatsConfig::default() }
}

async fn speak(peer: TcpStream) -> std::io::Result<()> {
    let (reader, mut writer) = peer.into_split();
    writer.write_all(b"INFO {\"version\":\"2.11.0\",\"max_payload\":1048576,\"proto\":1,\"headers\":true}\r\n").await?;
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        if line == "PING" {
            writer.write_all(b"PONG\r\n").await?;
        }
    }
    Ok(())
}

/// Until readiness says that it waits, and for what.
async fn told(context: &Context, what: &str) {
    let told = async {
        loop {
            let told = context.health.components().get("nats").and_then(|state| state.reason.clone());
            if told.is_some_and(|reason| reason.starts_with("waiting for NATS, for ") && reason.contains(what)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("readiness says why not");
}

fn connecting(context: &Context, nats: NatsConfig) -> JoinHandle<Result<(), Failure>> {
    let context = context.clone();
    tokio::spawn(async move { context.connect(&nats).await.map(|_| ()) })
}

/// A connecting that has said that it waits.
async fn waiting(context: &Context, nats: NatsConfig) -> JoinHandle<Result<(), Failure>> {
    let connecting = connecting(context, nats);
    told(context, "").await;
    connecting
}

#[tokio::test]
async fn a_service_waits_for_its_nats() {
    let (mut server, nats) = absent().await;
    let context = context();
    let connecting = waiting(&context, nats).await;
    assert!(!context.health.is_ready());
    server.restart().await.unwrap();
    tokio::time::timeout(PATIENCE, connecting).await.expect("it connects").unwrap().unwrap();
    let ready = async {
        while !context.health.is_ready() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, ready).await.expect("it is ready");
    context.shutdown.begin(Reason::Finished);
}

#[tokio::test]
async fn a_service_that_waits_can_be_stopped() {
    let (_server, nats) = absent().await;
    let context = context();
    let connecting = waiting(&context, nats).await;
    context.shutdown.begin(Reason::Signal("SIGTERM"));
    let ended = tokio::time::timeout(PATIENCE, connecting).await.expect("it stops").unwrap();
    context.spawn("main", async { ended });
    let exit = context.drain(&ShutdownConfig::default()).await;
    assert_eq!(exit, Exit::Ok);
}

#[tokio::test]
async fn patience_has_an_end() {
    let (_server, nats) = absent().await;
    let nats = NatsConfig { patience: SignedDuration::ZERO, ..nats };
    let failure = context().connect(&nats).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable { .. }), "{failure:?}");
}

#[tokio::test]
async fn a_service_says_what_it_waits_for_at_this_moment() {
    let (speaks, context) = (Arc::new(AtomicBool::new(false)), context());
    let connecting = connecting(&context, without_jetstream(&speaks).await);
    told(&context, "no connection to NATS").await;
    speaks.store(true, Ordering::Relaxed);
    told(&context, "creating a stream failed").await;
    context.shutdown.begin(Reason::Finished);
    assert!(tokio::time::timeout(PATIENCE, connecting).await.expect("it stops").unwrap().is_err());
}

#[tokio::test]
async fn a_jetstream_that_does_not_answer_is_waited_for_no_longer_than_asked() {
    let nats = without_jetstream(&Arc::new(AtomicBool::new(true))).await;
    let nats = NatsConfig { patience: SignedDuration::from_secs(1), ..nats };
    let began = Instant::now();
    let failure = context().connect(&nats).await.unwrap_err();
    assert!(matches!(failure, Failure::Unavailable { .. }), "{failure:?}");
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn more_copies_than_servers_are_not_waited_for() {
    let (mut server, nats) = absent().await;
    server.restart().await.unwrap();
    let nats = NatsConfig { replicas: 3, ..nats };
    let failure = tokio::time::timeout(PATIENCE, context().connect(&nats)).await.expect("at once").unwrap_err();
    assert!(matches!(&failure, Failure::Configuration(words) if words.contains("10074")), "{failure:?}");
}

#[tokio::test]
async fn an_unreadable_authority_is_not_waited_for() {
    let (server, nats) = absent().await;
    let no_certificate = server.directory().join("key.pem");
    std::fs::write(&no_certificate, "-----BEGIN PUBLIC KEY-----").unwrap();
    for file in ["no/such/ca.pem".into(), no_certificate] {
        let nats = NatsConfig { ca_file: Some(file), ..nats.clone() };
        let failure = tokio::time::timeout(PATIENCE, context().connect(&nats)).await.expect("at once").unwrap_err();
        assert!(matches!(&failure, Failure::Configuration(words) if words.contains("ca_file ")), "{failure:?}");
    }
}

#[tokio::test]
async fn refused_credentials_are_not_waited_for() {
    let (mut server, nats) = absent().await;
    server.restart().await.unwrap();
    std::fs::write(nats.token_file.as_ref().unwrap(), "another").unwrap();
    let failure = tokio::time::timeout(PATIENCE, context().connect(&nats)).await.expect("at once").unwrap_err();
    assert!(
        matches!(&failure, Failure::Configuration(words) if words.contains("refuses the credentials")),
        "{failure:?}"
    );
}
