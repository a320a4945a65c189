//! What happens on the way.

use std::{io, sync::Arc, time::Duration};

use latchkey_events_api::{ClientOptions, Error};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};

use crate::support::{After, options, page, serve};

const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n{\"cursor\":";
const HALF_CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"cur\r\n";

fn impatient() -> ClientOptions {
    ClientOptions { timeout: Duration::from_millis(200), ..options() }
}

fn check(result: Result<latchkey_events_api::Response, Error>, reason: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.reason(), reason, "{error:?}");
    assert_eq!(error.http_status(), None);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    for answer in ["", HALF, HALF_CHUNKED] {
        check(page(&serve(answer, After::Close).await, options()).await, "body");
    }
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up() {
    for answer in ["", HALF, HALF_CHUNKED] {
        check(page(&serve(answer, After::Stall).await, impatient()).await, "timeout");
    }
    // An answer that is whole does not wait for the connection's end.
    assert_eq!(page(&serve(WHOLE, After::Stall).await, options()).await.unwrap().body, "{}");
}

#[tokio::test]
async fn a_connection_that_fails_is_said_so() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let result = page(&format!("http://{nobody}"), options()).await;
    assert!(matches!(result, Err(Error::Connect { kind: io::ErrorKind::ConnectionRefused })), "{result:?}");
}

/// Serves [`WHOLE`] over TLS for `localhost`; the address and the certificate.
async fn serve_tls() -> (String, Vec<u8>) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], own.signing_key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust the certificate ends the handshake.
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        let mut seen = Vec::new();
        while !seen.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "the request ended early");
        }
        stream.write_all(WHOLE.as_bytes()).await.unwrap();
        let _ = stream.shutdown().await;
    });
    (address, own.cert.pem().into_bytes())
}

#[tokio::test]
async fn only_a_trusted_certificate_gets_the_token() {
    let (address, _) = serve_tls().await;
    let result = page(&address, options()).await;
    assert!(matches!(&result, Err(Error::Tls { reason }) if reason.contains("UnknownIssuer")), "{result:?}");

    let (address, certificate) = serve_tls().await;
    let trusting = ClientOptions { ca_pem: Some(certificate), ..options() };
    assert_eq!(page(&address, trusting).await.unwrap().body, "{}");
}
