//! The token shows nowhere.

use std::fmt::Write;

use jiff::Timestamp;
use latchkey_events_api::{Client, ClientOptions, Endpoint, Error};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::any};

use crate::support::{After, client, options, page, serve, token, token_text};

fn show(shown: &mut String, error: &Error) {
    let cause = std::error::Error::source(error);
    write!(shown, "{error} {error:?} {error:#?} {cause:?} {} ", error.next_step()).unwrap();
}

#[tokio::test]
async fn no_output_shows_the_token_or_an_answer() {
    let mut shown = format!("{:?} {:#?}", client("http://127.0.0.1:1", options()), token());

    // A server that hands everything it was given back, in the body and in headers.
    for status in [200, 302, 400, 401, 403, 404, 429, 500] {
        let server = MockServer::start().await;
        let echo = move |request: &Request| {
            let token = request.headers["authorization"].to_str().unwrap();
            ResponseTemplate::new(status)
                .set_body_string(format!("private {token}"))
                .insert_header("location", format!("http://127.0.0.1:1/?{token}"))
                .insert_header("retry-after", token)
        };
        Mock::given(any()).respond_with(echo).mount(&server).await;
        match page(&server.uri(), options()).await {
            Ok(response) => {
                write!(shown, "{response:?} {response:#?} ").unwrap();
                show(&mut shown, &response.page(Timestamp::UNIX_EPOCH).unwrap_err());
            }
            Err(error) => show(&mut shown, &error),
        }
        show(&mut shown, &client(&server.uri(), options()).introspect().await.unwrap_err());
    }
    show(&mut shown, &page("http://127.0.0.1:1", options()).await.unwrap_err());
    show(&mut shown, &page(&serve("private", After::Close).await, options()).await.unwrap_err());

    let untrusting = ClientOptions { ca_pem: Some(token_text().into_bytes()), ..options() };
    let endpoint = Endpoint::for_token(&token(), None, None).unwrap();
    show(&mut shown, &Client::new(endpoint, token(), untrusting).unwrap_err());

    assert!(shown.contains("401") && shown.contains("429"), "{shown}");
    for secret in token_text().split('.').chain(["private"]) {
        assert!(!shown.contains(secret), "{shown}");
    }
}
