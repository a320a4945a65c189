//! The desk over gRPC, on this machine.

use std::net::SocketAddr;

use latchkey_alerter::{
    ApiConfig,
    api::wire::{
        AcknowledgeRequest, EndSilenceRequest, HistoryRequest, ListRequest, ListResponse, SilenceRequest,
        alerts_client::AlertsClient,
    },
};
use latchkey_contracts::{About, Object, alert::alert::Change};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{
    Code, Request, Status, Streaming,
    transport::{Channel, Endpoint},
};

use super::*;

/// An alerter that answers, and somebody who asks it.
async fn served(line: &Line, token: Option<std::path::PathBuf>) -> (Running, AlertsClient<Channel>) {
    let (alerter, address) = serving(line, token).await;
    (alerter, client(address).await)
}

async fn client(address: SocketAddr) -> AlertsClient<Channel> {
    AlertsClient::connect(format!("http://{address}")).await.unwrap()
}

async fn serving(line: &Line, token: Option<std::path::PathBuf>) -> (Running, SocketAddr) {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let config = Config { api: ApiConfig { listen, token_file: token }, ..line.config() };
    let bus = Bus::connect(line.server.connect_options("alerter")).await.unwrap();
    let metrics = latchkey_runtime::Metrics::new();
    let alerter = config.build(bus, Metrics::new(&metrics)).unwrap();
    let address = alerter.api_address().unwrap();
    let shutdown = Shutdown::new();
    let task = tokio::spawn(alerter.run(shutdown.clone()));
    (Running { shutdown, task, metrics }, address)
}

/// All parts of a list as they come.
async fn parts(mut list: Streaming<ListResponse>) -> Result<Vec<ListResponse>, Status> {
    let mut parts = Vec::new();
    while let Some(part) = list.message().await? {
        parts.push(part);
    }
    Ok(parts)
}

/// The list as one message.
async fn list(client: &mut AlertsClient<Channel>) -> ListResponse {
    let mut whole = ListResponse::default();
    for part in parts(client.list(ListRequest {}).await.unwrap().into_inner()).await.unwrap() {
        whole.raised.extend(part.raised);
        whole.silences.extend(part.silences);
    }
    whole
}

/// Stores alerts of 100 KB each that are raised and that no alerter has anything to say about.
async fn raise(line: &Line, count: usize) {
    for number in 0..count {
        let name = format!("reader-{number:02}");
        let alert = Alert {
            kind: "schemas_refused".into(),
            object: name.clone(),
            state: State::Raised.into(),
            change: Change::Raised.into(),
            summary: "x".repeat(100_000),
            told_at_unix_nano: nanos(clock::now()),
            ..Alert::default()
        };
        let about = About::Object(Object::named(&name));
        line.bus.publish_alert_about("schemas_refused", &about, &alert, 0).await.unwrap();
    }
}

#[tokio::test]
async fn alerts_are_looked_after_over_grpc() {
    let line = Line::start().await;
    let (alerter, mut client) = served(&line, None).await;
    let nothing = list(&mut client).await;
    assert_eq!((nothing.raised.len(), nothing.silences.len()), (0, 0));
    line.report(refused()).await;
    eventually("it is raised", async || line.transitions().await == 1).await;
    let listed = list(&mut client).await;
    assert_eq!(listed.raised[0].code, "LK102");

    let acknowledge = |kind: &str| AcknowledgeRequest {
        kind: kind.into(),
        about: "acme/item_usages".into(),
        by: "Ada".into(),
        note: "new token ordered".into(),
    };
    let taken = client.acknowledge(acknowledge("LK102")).await.unwrap().into_inner();
    assert_eq!((taken.acknowledged_by.as_str(), taken.change()), ("Ada", Change::Acknowledged));
    assert_eq!(line.last().await.unwrap(), taken);
    for (kind, code) in [("drop_off", Code::FailedPrecondition), ("nonsense", Code::InvalidArgument)] {
        assert_eq!(client.acknowledge(acknowledge(kind)).await.unwrap_err().code(), code, "{kind}");
    }

    let hour = 3_600_000_000_000;
    let silence = |from: i64, until: i64| SilenceRequest {
        about: "acme".into(),
        kinds: vec!["LK103".into(), "drop_off".into()],
        from_unix_nano: from,
        until_unix_nano: until,
        by: "Ada".into(),
        note: String::new(),
    };
    let now = nanos(clock::now());
    assert_eq!(client.silence(silence(0, now - 1)).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(client.silence(silence(0, now + 31 * 24 * hour)).await.unwrap_err().code(), Code::InvalidArgument);
    let planned = client.silence(silence(now + hour, now + 2 * hour)).await.unwrap().into_inner();
    assert_eq!((planned.silenced_from_unix_nano, &*planned.silenced_kinds), (now + hour, &["drop_off".to_owned()][..]));
    assert_eq!(list(&mut client).await.silences, [planned]);
    let end = || EndSilenceRequest { about: "acme".into() };
    client.end_silence(end()).await.unwrap();
    assert_eq!(client.end_silence(end()).await.unwrap_err().code(), Code::FailedPrecondition);

    let question = HistoryRequest { about: "acme/item_usages".into(), ..HistoryRequest::default() };
    let mut history = client.history(question).await.unwrap().into_inner();
    let mut changes = Vec::new();
    while let Some(alert) = history.message().await.unwrap() {
        changes.push(alert.change());
    }
    assert_eq!(changes, [Change::Raised, Change::Acknowledged]);
    drop((client, history));
    alerter.stop().await;
}

#[tokio::test]
async fn a_list_may_be_larger_than_a_message() {
    let line = Line::start().await;
    raise(&line, 50).await;
    let (alerter, mut client) = served(&line, None).await;
    // The client takes what clients take unless they are told otherwise: 4 MiB.
    let parts = parts(client.list(ListRequest {}).await.unwrap().into_inner()).await.unwrap();
    let bytes: usize = parts.iter().flat_map(|part| &part.raised).map(|alert| alert.summary.len()).sum();
    let names: std::collections::BTreeSet<_> =
        parts.iter().flat_map(|part| &part.raised).map(|it| &it.object).collect();
    assert_eq!((parts.len(), bytes, names.len()), (5, 5_000_000, 50));
    drop(client);
    alerter.stop().await;
}

#[tokio::test]
async fn calls_beyond_the_bound_are_refused_until_there_is_a_place() {
    let line = Line::start().await;
    raise(&line, 30).await;
    let (alerter, address) = serving(&line, None).await;
    // Lists that nobody reads: more than may be on its way of one, while each may be on its way.
    let mut held = Vec::new();
    for _ in 0..2 {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let narrow = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(16 << 20);
        let mut client = AlertsClient::connect(narrow).await.unwrap();
        for _ in 0..8 {
            held.push(client.list(ListRequest {}).await.unwrap().into_inner());
        }
    }
    let mut another = client(address).await;
    assert_eq!(another.list(ListRequest {}).await.unwrap_err().code(), Code::ResourceExhausted);
    let history = another.history(HistoryRequest::default()).await;
    assert_eq!(history.unwrap_err().code(), Code::ResourceExhausted);
    // One is read to its end, and its place is free.
    assert_eq!(parts(held.pop().unwrap()).await.unwrap().iter().map(|part| part.raised.len()).sum::<usize>(), 30);
    eventually("there is a place", async || another.clone().list(ListRequest {}).await.is_ok()).await;
    drop((held, another));
    alerter.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed() {
    let line = Line::start().await;
    let (alerter, address) = serving(&line, None).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        let mut connection = TcpStream::connect(address).await.unwrap();
        // The server's own greeting shows that it has taken the connection.
        connection.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        connection.read_u8().await.unwrap();
        open.push(connection);
    }
    let mut more = TcpStream::connect(address).await.unwrap();
    assert!(matches!(more.read(&mut [0]).await, Ok(0) | Err(_)), "one more is answered");
    drop(open);
    eventually("there is a place", async || {
        let Ok(mut client) = AlertsClient::connect(format!("http://{address}")).await else { return false };
        client.list(ListRequest {}).await.is_ok()
    })
    .await;
    alerter.stop().await;
}

#[tokio::test]
async fn without_the_token_nobody_is_answered() {
    let line = Line::start().await;
    let file = line.server.directory().join("api-token");
    std::fs::write(&file, "first\n").unwrap();
    let (alerter, mut client) = served(&line, Some(file.clone())).await;
    let with = |token: Option<&str>| {
        let mut request = Request::new(ListRequest {});
        if let Some(token) = token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        request
    };
    for token in [None, Some("second"), Some("")] {
        assert_eq!(client.list(with(token)).await.unwrap_err().code(), Code::Unauthenticated, "{token:?}");
    }
    client.list(with(Some("first"))).await.unwrap();
    // One that is replaced counts at once.
    std::fs::write(&file, "second\n").unwrap();
    assert_eq!(client.list(with(Some("first"))).await.unwrap_err().code(), Code::Unauthenticated);
    client.list(with(Some("second"))).await.unwrap();
    drop(client);
    alerter.stop().await;
}
