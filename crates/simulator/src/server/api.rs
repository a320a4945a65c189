//! The Events API itself: introspection and pages, versions 1, 2 and 3.
//!
//! A request passes its gates in a fixed order (token, budget, fault, scope, body) and is then answered from the feed's store.
//! Everything but an injected wait is done without waiting.

use std::{future, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
    routing::{any, get, post},
};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::json;

use super::{
    answer::{Answer, Manner},
    body::{self, PageRequest},
    line::Line,
    page, query,
};
use crate::{
    account::Account,
    fault::{Asked, Delivery, Effects, Instead, RetryAfter},
    feed::{Feed, Version},
    ledger::{RequestKind, RequestRecord},
    limits::{Refused, Spent},
    token::Grant,
    world::World,
};

/// Largest request body read; a cursor is a twentieth of this.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// Characters of a path that the request log keeps.
const MAX_LOGGED_PATH: usize = 256;

/// What a route serves.
#[derive(Clone, Copy)]
struct Endpoint {
    version: Version,
    /// Without a feed: introspection.
    feed: Option<Feed>,
}

/// An endpoint of one world: what its routes carry.
#[derive(Clone)]
struct Site {
    world: Arc<World>,
    endpoint: Endpoint,
}

/// The routes of all versions; every other path answers 404, as a wrong base URL meets it.
pub(crate) fn routes(world: &Arc<World>) -> Router {
    let mut router = Router::new().fallback_service(any(not_found).with_state(Arc::clone(world)));
    for version in Version::ALL {
        let site = |feed| Site { world: Arc::clone(world), endpoint: Endpoint { version, feed } };
        if let Some(path) = version.introspect_path() {
            router = router.route(path, get(serve).fallback(wrong_method).with_state(site(None)));
        }
        for feed in Feed::ALL {
            let Some(path) = version.page_path(feed) else { continue };
            let pages = if version == Version::V3 { get(serve) } else { post(serve) };
            router = router.route(&path, pages.fallback(wrong_method).with_state(site(Some(feed))));
        }
    }
    router
}

async fn not_found(State(world): State<Arc<World>>, request: Request) -> Response {
    refuse(&world, &request, Answer::plain(StatusCode::NOT_FOUND))
}

async fn wrong_method(State(site): State<Site>, request: Request) -> Response {
    refuse(&site.world, &request, Answer::plain(StatusCode::METHOD_NOT_ALLOWED))
}

async fn serve(State(Site { world, endpoint }): State<Site>, mut request: Request) -> Response {
    let body = to_bytes(std::mem::replace(request.body_mut(), Body::empty()), MAX_REQUEST_BYTES).await.ok();
    let grant = bearer(request.headers()).and_then(|token| world.grant(token, world.now()));
    let Some(grant) = grant else { return refuse(&world, &request, Answer::unauthorized()) };
    let account = &world.accounts()[grant.account];
    let asked = match endpoint.feed {
        None => Question::Introspection,
        Some(feed) if endpoint.version == Version::V3 => Question::Page(feed, query::parse(request.uri())),
        Some(feed) => Question::Page(feed, body::parse(body.as_deref())),
    };
    let call = Call { world: &world, account, grant: &grant, version: endpoint.version, question: asked };

    let (effects, spent) = match call.admit() {
        Ok(admitted) => admitted,
        Err(Refused { retry_after, spent }) => {
            let refusal = Answer::status(StatusCode::TOO_MANY_REQUESTS, retry_after.map(RetryAfter::Seconds));
            return call.log_and_send(&request, &Effects::default(), spent, refusal);
        }
    };
    if !effects.delivery.delay.is_zero() {
        tokio::time::sleep(effects.delivery.delay).await;
    }
    let answer = match effects.instead {
        None => call.answer(&effects),
        Some(Instead::Status { code, retry_after }) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Answer::status(status, retry_after)
        }
        Some(Instead::RejectCursor) => call.reject_cursor(&effects),
        Some(Instead::Html) => Answer::html(),
        Some(Instead::Hang) => {
            call.log(&request, &effects, spent, 0, 0);
            return future::pending().await;
        }
        Some(Instead::Reset) => {
            line(&request).reset_now();
            call.log(&request, &effects, spent, 0, 0);
            return Response::default();
        }
    };
    if effects.resets_in_body() {
        line(&request).reset_at_close();
    }
    call.log_and_send(&request, &effects, spent, answer)
}

/// What a request asks for.
enum Question {
    Introspection,
    Page(Feed, Result<PageRequest, body::Error>),
}

/// A request with a good token.
struct Call<'a> {
    world: &'a Arc<World>,
    account: &'a Account,
    grant: &'a Grant,
    version: Version,
    question: Question,
}

impl Call<'_> {
    /// Counts the request, and says what goes wrong with it.
    fn admit(&self) -> Result<(Effects, Spent), Refused> {
        let now = self.world.now();
        let spent = self.account.limiter().admit(&self.grant.id, now)?;
        let asked = Asked { account: &self.account.config.name, feed: self.feed(), kind: self.kind() };
        Ok((self.world.effects(self.account, asked, now), spent))
    }

    fn answer(&self, effects: &Effects) -> Answer {
        match &self.question {
            Question::Introspection => self.introspection(),
            Question::Page(feed, _) if !self.grant.features.contains(feed) => Answer::unauthorized(),
            Question::Page(_, Err(error)) => Answer::bad_request(&error.to_string()),
            Question::Page(feed, Ok(request)) => {
                let place = page::Place { account: self.grant.account, feed: *feed, version: self.version };
                page::answer(self.world, place, request, effects.page)
            }
        }
    }

    fn introspection(&self) -> Answer {
        let features = self.grant.feature_names();
        let issued_at = self.grant.issued_at.to_string();
        let body = match self.version {
            Version::V1 => json!({"UUID": self.grant.id, "IssuedAt": issued_at, "Features": features}),
            Version::V2 | Version::V3 => {
                let mut body = json!({"uuid": self.grant.id, "issued_at": issued_at, "features": features});
                if let Some(account_uuid) = self.account.named_uuid() {
                    body["account_uuid"] = json!(account_uuid);
                }
                body
            }
        };
        Answer::ok(body.to_string())
    }

    /// Refuses this request's cursor for ever; a request without one is answered as usual.
    fn reject_cursor(&self, effects: &Effects) -> Answer {
        if let Question::Page(_, Ok(PageRequest::Continue(cursor))) = &self.question {
            self.account.reject_cursor(cursor);
        }
        self.answer(effects)
    }

    fn feed(&self) -> Option<Feed> {
        match self.question {
            Question::Introspection => None,
            Question::Page(feed, _) => Some(feed),
        }
    }

    fn kind(&self) -> RequestKind {
        match self.question {
            Question::Introspection => RequestKind::Introspection,
            Question::Page(_, Ok(PageRequest::Reset { .. })) => RequestKind::Reset,
            Question::Page(_, Ok(PageRequest::Continue(_))) => RequestKind::Cursor,
            Question::Page(_, Err(_)) => RequestKind::Unknown,
        }
    }

    fn log_and_send(&self, request: &Request, effects: &Effects, spent: Spent, answer: Answer) -> Response {
        self.log(request, effects, spent, answer.status.as_u16(), answer.events(effects.delivery));
        let accepts_gzip = accepts_gzip(request.headers());
        answer.send(&Manner { delivery: effects.delivery, accepts_gzip, now: self.world.now() }, self.world)
    }

    fn log(&self, request: &Request, effects: &Effects, spent: Spent, status: u16, events: usize) {
        self.world.log(RequestRecord {
            number: 0,
            at: self.world.now(),
            account: Some(self.account.config.name.clone()),
            feed: self.feed(),
            kind: self.kind(),
            endpoint: endpoint(request),
            status,
            faults: effects.names.clone(),
            events,
            spent: Some(spent),
        });
    }
}

/// Answers a request that is nobody's.
fn refuse(world: &Arc<World>, request: &Request, answer: Answer) -> Response {
    world.log(RequestRecord {
        number: 0,
        at: world.now(),
        account: None,
        feed: None,
        kind: RequestKind::Unknown,
        endpoint: endpoint(request),
        status: answer.status.as_u16(),
        faults: Vec::new(),
        events: 0,
        spent: None,
    });
    answer.send(&Manner { delivery: Delivery::default(), accepts_gzip: false, now: world.now() }, world)
}

fn endpoint(request: &Request) -> String {
    let path: String = request.uri().path().chars().take(MAX_LOGGED_PATH).collect();
    format!("{} {path}", method(request.method()))
}

/// A method of the client's own making may be of any length.
fn method(method: &Method) -> &str {
    let known = method.as_str();
    if known.len() <= 16 { known } else { "unknown" }
}

/// The connection of a request.
fn line(request: &Request) -> Line {
    request.extensions().get::<Line>().cloned().unwrap_or_default()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let named = |value: &str| value.split(',').any(|coding| coding.trim().split(';').next() == Some("gzip"));
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(named)
}
