//! A small client of the Events API, and the simulators the tests run it against.

use std::sync::{
    Arc, Once,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;
use latchkey_simulator::{AccountConfig, Builder, Clock, Feed, Profile, Simulator};
use reqwest::{Certificate, Response, StatusCode};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "acme";
pub(crate) const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// Pages a test reads at most before it calls the chain endless.
const MAX_PAGES: usize = 10_000;

/// A week of a quiet company: some thousand events, all of them arrived.
pub(crate) fn quiet_week() -> AccountConfig {
    let until = "2026-10-01T00:00:00Z".parse().unwrap();
    AccountConfig::new(ACCOUNT, Profile::Company { weeks: 1, until, factor: 0.1 })
}

pub(crate) fn empty() -> AccountConfig {
    AccountConfig::new(ACCOUNT, Profile::Empty)
}

pub(crate) fn builder() -> Builder {
    Simulator::builder().seed(7)
}

pub(crate) async fn start(config: AccountConfig) -> Simulator {
    builder().account(config).start().await.unwrap()
}

/// A clock that a test sets.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicI64>);

impl Hands {
    pub(crate) fn at(moment: &str) -> Self {
        Self(Arc::new(AtomicI64::new(moment.parse::<Timestamp>().unwrap().as_second())))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }

    pub(crate) fn clock(&self) -> Clock {
        let hands = self.clone();
        Arc::new(move || hands.now())
    }
}

/// A client with a token.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
    version: &'static str,
}

/// A page as far as the tests look into it.
pub(crate) struct Page {
    pub(crate) cursor: String,
    pub(crate) has_more: bool,
    pub(crate) uuids: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

impl Client {
    /// Over plain HTTP, version 2, with the account's current token.
    pub(crate) fn of(simulator: &Simulator) -> Self {
        Self::at(simulator, simulator.http_url())
    }

    /// The same over HTTPS, trusting the simulator's authority alone.
    pub(crate) fn secure(simulator: &Simulator) -> Self {
        Self::at(simulator, simulator.https_url())
    }

    fn at(simulator: &Simulator, base: String) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let authority = Certificate::from_pem(simulator.ca_pem().as_bytes()).unwrap();
        let http =
            reqwest::Client::builder().tls_certs_only([authority]).no_gzip().no_zstd().no_proxy().build().unwrap();
        Self { http, base, token: simulator.token(ACCOUNT).unwrap(), version: "v2" }
    }

    pub(crate) fn with_token(self, token: impl Into<String>) -> Self {
        Self { token: token.into(), ..self }
    }

    pub(crate) fn version_1(self) -> Self {
        Self { version: "v1", ..self }
    }

    /// GET of a path, with the token.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token).send().await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Response {
        let request = self.http.put(format!("{}{path}", self.base)).header("content-type", "application/json");
        request.body(body.to_owned()).send().await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Response {
        self.http.delete(format!("{}{path}", self.base)).send().await.unwrap()
    }

    /// POST to the simulator itself.
    pub(crate) async fn send_json(&self, path: &str, body: &Value) -> Response {
        self.http.post(format!("{}{path}", self.base)).json(body).send().await.unwrap()
    }

    /// POST of plain text to the simulator itself.
    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Response {
        self.http.post(format!("{}{path}", self.base)).body(body.to_owned()).send().await.unwrap()
    }

    /// POST to a feed, whatever comes of it.
    pub(crate) async fn try_post(&self, feed: Feed, body: &Value) -> reqwest::Result<Response> {
        let url = format!("{}/api/{}/{}", self.base, self.version, feed.endpoint());
        self.http.post(url).bearer_auth(&self.token).json(body).send().await
    }

    /// POST by a client that reads these encodings.
    pub(crate) async fn post_accepting(&self, feed: Feed, body: &Value, encodings: &str) -> Response {
        let url = format!("{}/api/{}/{}", self.base, self.version, feed.endpoint());
        let request = self.http.post(url).bearer_auth(&self.token).header("accept-encoding", encodings);
        request.json(body).send().await.unwrap()
    }

    pub(crate) async fn post(&self, feed: Feed, body: &Value) -> Response {
        self.try_post(feed, body).await.unwrap()
    }

    pub(crate) async fn status(&self, feed: Feed, body: &Value) -> StatusCode {
        self.post(feed, body).await.status()
    }

    pub(crate) async fn page(&self, feed: Feed, body: &Value) -> Page {
        let response = self.post(feed, body).await;
        assert_eq!(response.status(), 200);
        let bytes = response.bytes().await.unwrap().to_vec();
        let page: Value = serde_json::from_slice(&bytes).unwrap();
        let uuid = |item: &Value| item["uuid"].as_str().unwrap().to_owned();
        Page {
            cursor: page["cursor"].as_str().unwrap().to_owned(),
            has_more: page["has_more"].as_bool().unwrap(),
            uuids: page["items"].as_array().unwrap().iter().map(uuid).collect(),
            bytes,
        }
    }

    /// The page from the beginning of time.
    pub(crate) async fn first(&self, feed: Feed, limit: usize) -> Page {
        self.page(feed, &json!({"limit": limit, "start_time": LONG_AGO})).await
    }

    pub(crate) async fn after(&self, feed: Feed, cursor: &str) -> Page {
        self.page(feed, &json!({"cursor": cursor})).await
    }

    /// All pages of a chain until `has_more` is false.
    pub(crate) async fn drain(&self, feed: Feed, reset: &Value) -> Vec<Page> {
        let mut pages = vec![self.page(feed, reset).await];
        while pages.last().is_some_and(|page| page.has_more) {
            assert!(pages.len() < MAX_PAGES, "an endless chain");
            let next = self.after(feed, &pages.last().unwrap().cursor).await;
            pages.push(next);
        }
        pages
    }
}

/// The uuids of pages in order.
pub(crate) fn uuids(pages: &[Page]) -> Vec<String> {
    pages.iter().flat_map(|page| page.uuids.clone()).collect()
}

/// The uuids that a feed holds, in order of arrival.
pub(crate) fn exist(simulator: &Simulator, feed: Feed) -> Vec<String> {
    simulator.dataset(ACCOUNT, feed).unwrap().into_iter().map(|entry| entry.uuid).collect()
}
