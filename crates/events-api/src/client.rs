//! Sends requests, one at a time and once each.
//!
//! No retries and no redirects: when to try again is a decision with a budget behind it, made by the caller, and a redirect could
//! carry the token to an address that must not see it. Answers are read piece by piece against a bound, after decompression, so a
//! small answer that unpacks into a large one is stopped as well. Who has an answer's header may let its body wait: the time of a request
//! is the API's, and does not run meanwhile.
//!
//! Proxies come from the environment as usual (`HTTPS_PROXY`, `NO_PROXY`, …), except that this very machine is always reached
//! directly. Over HTTPS a proxy sees the host's name alone.

mod failure;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use latchkey_contracts::Feed;
use latchkey_core::{
    feed::{Definition, Method},
    page_token::Place,
};
use reqwest::{
    StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue},
    redirect,
};
use tokio::time::timeout;

use crate::{Endpoint, Error, Introspection, PageRequest, Response, Token, request, retry_after, tls};

/// How requests are made.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Certificates to trust beside the machine's own, in PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// To connect, TLS included.
    pub connect_timeout: Duration,
    /// For the whole request, from connecting to the answer's last byte, but for the time in which nobody reads on.
    pub timeout: Duration,
    /// The largest answer, in bytes after decompression. A page of 1,000 events has under 1 MiB.
    pub max_body: usize,
    /// What this program calls itself.
    pub user_agent: String,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            ca_pem: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_mins(1),
            max_body: 32 << 20,
            user_agent: concat!("latchkey/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// A client for one token. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    endpoint: Endpoint,
    authorization: HeaderValue,
    timeout: Duration,
    max_body: usize,
}

/// How much of an answer may come before anybody reads it, in bytes: most pages as a whole.
const STREAM_WINDOW: u32 = 512 << 10;

/// The same for all answers of a connection together: no bound, since who waits to read one must not hold up those who read others. What
/// is on its way is bounded by [`STREAM_WINDOW`] and the number of requests.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// For introspection, which nothing waits for that could not do without.
const INTROSPECTION_TIMEOUT: Duration = Duration::from_secs(10);

impl Client {
    /// Sets a client up. Sends nothing yet.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the client takes the token over: no copy is left with the caller"
    )]
    pub fn new(endpoint: Endpoint, token: Token, options: ClientOptions) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(options.user_agent)
            .https_only(!endpoint.is_explicit())
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .gzip(true)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .connect_timeout(options.connect_timeout);
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = tls::configure(builder, &endpoint, options.ca_pem.as_deref())?.build().map_err(failure::of_setup)?;
        let authorization = authorization(&token)?;
        let ClientOptions { timeout, max_body, .. } = options;
        Ok(Self(Arc::new(Inner { http, endpoint, authorization, timeout, max_body })))
    }

    /// The same client with another token: its address and its connections stay. Whether the token may go there is for the caller to
    /// make sure, by [`Endpoint::for_token`].
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the client takes the token over: no copy is left with the caller"
    )]
    pub fn with_token(&self, token: Token) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner {
            http: self.0.http.clone(),
            endpoint: self.0.endpoint.clone(),
            authorization: authorization(&token)?,
            timeout: self.0.timeout,
            max_body: self.0.max_body,
        })))
    }

    /// The address requests go to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Asks for one page of `feed`. Whatever comes with status 200 is an answer; [`Response::page`] reads it.
    ///
    /// Cancel-safe: dropping the future ends the request.
    pub async fn page(&self, feed: Feed, request: &PageRequest) -> Result<Response, Error> {
        self.ask(feed, request).await?.read().await
    }

    /// The same, up to the answer's header: nothing of its body is held yet but what is on its way.
    pub async fn ask(&self, feed: Feed, request: &PageRequest) -> Result<Answer, Error> {
        let definition = Definition::of(feed);
        let mut url = self.0.endpoint.url(&definition.path);
        let place = match &definition.query {
            Some(names) => {
                let place = request.place()?;
                request.write_query(&place, names, &mut url);
                Some(place)
            }
            None => None,
        };
        let asked = match definition.method {
            Method::Get => self.0.http.get(url),
            Method::Post => self.0.http.post(url).header(CONTENT_TYPE, "application/json").body(request.body()),
        };
        Ok(Answer { head: self.send(asked, self.0.timeout).await?, feed, place })
    }

    /// Asks what the token may read.
    pub async fn introspect(&self) -> Result<Introspection, Error> {
        let url: Url = self.0.endpoint.url(request::INTROSPECT);
        let head = self.send(self.0.http.get(url), INTROSPECTION_TIMEOUT.min(self.0.timeout)).await?;
        Introspection::read(&head.body().await?)
    }

    async fn send(&self, request: reqwest::RequestBuilder, within: Duration) -> Result<Head, Error> {
        let request = request.header(AUTHORIZATION, self.0.authorization.clone());
        let began = Instant::now();
        let sent = timeout(within, request.send()).await.map_err(|_| Error::Timeout)?;
        let answer = sent.map_err(|error| failure::of_request(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(failure::of_status(answer.status(), answer.headers()));
        }
        Ok(Head { answer, left: within.saturating_sub(began.elapsed()), max_body: self.0.max_body })
    }
}

/// An answer of which only the header was read.
#[derive(Debug)]
pub struct Answer {
    head: Head,
    feed: Feed,
    place: Option<Place>,
}

impl Answer {
    /// Reads its body, within what is left of the time of the request: none has passed since the header came.
    ///
    /// Cancel-safe: dropping the future ends the request.
    pub async fn read(self) -> Result<Response, Error> {
        let Self { head, feed, place } = self;
        let date = head.date();
        Ok(Response { body: head.body().await?, date, feed, place })
    }
}

/// An answer with status 200, its body yet to come.
#[derive(Debug)]
struct Head {
    answer: reqwest::Response,
    /// Time for the body.
    left: Duration,
    max_body: usize,
}

impl Head {
    fn date(&self) -> Option<Timestamp> {
        retry_after::date(self.answer.headers(), &DATE)
    }

    async fn body(self) -> Result<Bytes, Error> {
        timeout(self.left, self.pieces()).await.map_err(|_| Error::Timeout)?
    }

    async fn pieces(mut self) -> Result<Bytes, Error> {
        let limit = self.max_body;
        // The stated length saves copying the body with each doubling. It is a hint: the bound is on what comes.
        let stated = self.answer.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        let mut body = BytesMut::with_capacity(stated.min(limit));
        while let Some(piece) = self.answer.chunk().await.map_err(|error| failure::of_body(&error))? {
            if piece.len() > limit - body.len() {
                return Err(Error::TooLarge { limit });
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Client").field(&self.0.endpoint.to_string()).finish()
    }
}

fn authorization(token: &Token) -> Result<HeaderValue, Error> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| Error::Setup { reason: "the token does not fit into an HTTP header".into() })?;
    authorization.set_sensitive(true);
    Ok(authorization)
}
