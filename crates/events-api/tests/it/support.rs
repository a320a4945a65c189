//! A token, clients, and a server that answers with exactly the bytes it is told.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use latchkey_contracts::Feed;
use latchkey_events_api::{Client, ClientOptions, Endpoint, Error, PageRequest, Response, Token};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// What the signature of [`token`] decodes to: a text to look for where it must not be.
pub(crate) const SIGNATURE: &str = "signature-of-a-token";

pub(crate) fn token_text() -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode(r#"{"alg":"ES256"}"#), encode(r#"{"aud":["events.1password.com"]}"#), encode(SIGNATURE))
}

pub(crate) fn token() -> Token {
    Token::parse(&token_text()).unwrap()
}

pub(crate) fn client(address: &str, options: ClientOptions) -> Client {
    let endpoint = Endpoint::for_token(&token(), None, Some(address.parse().unwrap())).unwrap();
    Client::new(endpoint, token(), options).unwrap()
}

pub(crate) fn options() -> ClientOptions {
    ClientOptions { timeout: Duration::from_secs(20), ..ClientOptions::default() }
}

pub(crate) fn request() -> PageRequest {
    PageRequest::Continue { cursor: "c1".parse().unwrap() }
}

/// Asks `address` for a page.
pub(crate) async fn page(address: &str, options: ClientOptions) -> Result<Response, Error> {
    client(address, options).page(Feed::ItemUsages, &request()).await
}

/// What becomes of a connection after its answer.
#[derive(Clone, Copy)]
pub(crate) enum After {
    Close,
    Stall,
}

/// Serves `answer` to the first connection; the address.
pub(crate) async fn serve(answer: &'static str, after: After) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "the request ended early");
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        if let After::Stall = after {
            // The peer goes away when it has lost patience.
            let _ = stream.read_buf(&mut seen).await;
        }
    });
    address
}
