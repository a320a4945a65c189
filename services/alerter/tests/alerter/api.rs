//! The desk over gRPC, on this machine.

use std::net::SocketAddr;

use latchkey_alerter::{
    ApiConfig,
    api::wire::{
        AcknowledgeRequest, EndSilenceRequest, HistoryRequest, ListRequest, SilenceRequest, alerts_client::AlertsClient,
    },
};
use latchkey_contracts::alert::alert::Change;
use tonic::{Code, Request, transport::Channel};

use super::*;

/// An alerter that answers, and somebody who asks it.
async fn served(line: &Line, token: Option<std::path::PathBuf>) -> (Running, AlertsClient<Channel>) {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let config = Config { api: ApiConfig { listen, token_file: token }, ..line.config() };
    let bus = Bus::connect(line.server.connect_options("alerter")).await.unwrap();
    let metrics = latchkey_runtime::Metrics::new();
    let alerter = config.build(bus, Metrics::new(&metrics)).unwrap();
    let address = alerter.api_address().unwrap();
    let shutdown = Shutdown::new();
    let task = tokio::spawn(alerter.run(shutdown.clone()));
    let client = AlertsClient::connect(format!("http://{address}")).await.unwrap();
    (Running { shutdown, task, metrics }, client)
}

#[tokio::test]
async fn alerts_are_looked_after_over_grpc() {
    let line = Line::start().await;
    let (alerter, mut client) = served(&line, None).await;
    let nothing = client.list(ListRequest {}).await.unwrap().into_inner();
    assert_eq!((nothing.raised.len(), nothing.silences.len()), (0, 0));
    line.report(refused()).await;
    eventually("it is raised", async || line.transitions().await == 1).await;
    let listed = client.list(ListRequest {}).await.unwrap().into_inner();
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
        kinds: vec!["LK103".into()],
        from_unix_nano: from,
        until_unix_nano: until,
        by: "Ada".into(),
        note: String::new(),
    };
    let now = nanos(clock::now());
    assert_eq!(client.silence(silence(0, now - 1)).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(client.silence(silence(0, now + 31 * 24 * hour)).await.unwrap_err().code(), Code::InvalidArgument);
    let planned = client.silence(silence(now + hour, now + 2 * hour)).await.unwrap().into_inner();
    assert_eq!(planned.silenced_from_unix_nano, now + hour);
    assert_eq!(client.list(ListRequest {}).await.unwrap().into_inner().silences, [planned]);
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
