//! The Events API itself: introspection and pages, versions 1 and 2.
//!
//! A request passes its gates in a fixed order (token, fault, rate limit, scope, body) and is then answered from the feed's
//! store. Everything but an injected delay is done without waiting.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::Response,
    routing::{any, get, post},
};
use http::{HeaderMap, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    answer::Answer,
    body::{self, PageRequest},
};
use crate::{
    account::Account,
    cursor::{Cursor, Position, Window},
    fault::Fault,
    feed::{Feed, Version},
    ledger::RequestRecord,
    store::Page,
    token::Grant,
    world::World,
};

/// Largest request body read; a cursor is a twentieth of this.
const MAX_REQUEST_BYTES: usize = 16 * 1024;

/// Characters of a path that the request log keeps.
const MAX_LOGGED_PATH: usize = 256;

/// A guess above the size of an event, so that a page is written without growing its buffer.
const EVENT_SIZE_GUESS: usize = 1024;

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

/// The routes of both versions; every other path answers 404, as a wrong base URL meets it.
pub(crate) fn routes(world: &Arc<World>) -> Router {
    let mut router = Router::new().fallback_service(any(not_found).with_state(Arc::clone(world)));
    for version in Version::ALL {
        let site = |feed| Site { world: Arc::clone(world), endpoint: Endpoint { version, feed } };
        let introspection = get(serve).fallback(wrong_method).with_state(site(None));
        router = router.route(version.introspect_path(), introspection);
        for feed in Feed::ALL {
            let pages = post(serve).fallback(wrong_method).with_state(site(Some(feed)));
            router = router.route(&version.page_path(feed), pages);
        }
    }
    router
}

async fn not_found(State(world): State<Arc<World>>, request: Request) -> Response {
    log(&world, &request, None, Answer::plain(StatusCode::NOT_FOUND))
}

async fn wrong_method(State(site): State<Site>, request: Request) -> Response {
    log(&site.world, &request, None, Answer::plain(StatusCode::METHOD_NOT_ALLOWED))
}

async fn serve(State(Site { world, endpoint }): State<Site>, mut request: Request) -> Response {
    let body = to_bytes(std::mem::replace(request.body_mut(), Body::empty()), MAX_REQUEST_BYTES).await.ok();
    let grant = bearer(request.headers()).and_then(|token| world.grant(token, world.now()));
    let Some(grant) = grant else { return log(&world, &request, None, Answer::unauthorized()) };
    let account = &world.accounts()[grant.account];
    let call = Call { world: &world, account, grant: &grant, endpoint, body };

    let answer = match account.fault(endpoint.feed) {
        Fault::None => call.answer(Counting::Yes),
        Fault::Delay(delay) => {
            tokio::time::sleep(delay).await;
            call.answer(Counting::Yes)
        }
        Fault::Status { code, retry_after } => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Answer::status(status, retry_after)
        }
        Fault::Html => Answer::html(),
        Fault::Truncated => call.answer(Counting::No).truncated(),
    };
    log(&world, &request, Some(account), answer)
}

/// Whether the ledger counts what the answer holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    Yes,
    No,
}

/// A request with a good token.
struct Call<'a> {
    world: &'a World,
    account: &'a Account,
    grant: &'a Grant,
    endpoint: Endpoint,
    /// Absent if it was too long or broke off.
    body: Option<Bytes>,
}

impl Call<'_> {
    fn answer(&self, counting: Counting) -> Answer {
        let now = self.world.now();
        if let Err(refused) = self.account.limiter().admit(now) {
            return Answer::status(StatusCode::TOO_MANY_REQUESTS, refused.retry_after);
        }
        match self.endpoint.feed {
            None => self.introspection(),
            Some(feed) if !self.grant.features.contains(&feed) => Answer::unauthorized(),
            Some(feed) => self.page(feed, now, counting),
        }
    }

    fn introspection(&self) -> Answer {
        let features = self.grant.feature_names();
        let issued_at = self.grant.issued_at.to_string();
        let body = match self.endpoint.version {
            Version::V1 => json!({"UUID": self.grant.id, "IssuedAt": issued_at, "Features": features}),
            Version::V2 => {
                let mut body = json!({"uuid": self.grant.id, "issued_at": issued_at, "features": features});
                if let Some(account_uuid) = self.account.named_uuid() {
                    body["account_uuid"] = json!(account_uuid);
                }
                body
            }
        };
        Answer::ok(body.to_string(), 0)
    }

    fn page(&self, feed: Feed, now: Timestamp, counting: Counting) -> Answer {
        let Some(body) = &self.body else { return Answer::bad_request("the body is too long or incomplete") };
        let request = match body::parse(body) {
            Ok(request) => request,
            Err(error) => return Answer::bad_request(&error.to_string()),
        };
        let mut store = self.account.store(feed);
        let page = match request {
            PageRequest::Reset { limit, start, end } => {
                let cursor = self.start(feed, limit, start.unwrap_or_else(|| an_hour_before(now)), end);
                store.first_page(&cursor, now)
            }
            PageRequest::Continue(text) => match self.open(&text, feed) {
                Some(cursor) => store.next_page(&cursor, now),
                None => return Answer::bad_request("invalid cursor"),
            },
        };
        if counting == Counting::Yes {
            store.count(&page);
        }
        let cursor = self.world.sealer.seal(&page.cursor);
        let body = spell(&page, &cursor, |out| store.write(&page, self.endpoint.version, out));
        Answer::ok(body, page.len())
    }

    fn start(&self, feed: Feed, limit: u16, start: Timestamp, end: Option<Timestamp>) -> Cursor {
        Cursor {
            account: self.account.number(),
            feed: feed.code(),
            limit,
            window: Window { start, end },
            position: Position::START,
        }
    }

    /// A cursor is good for the account and feed it was given for, in either version.
    fn open(&self, text: &str, feed: Feed) -> Option<Cursor> {
        let cursor = self.world.sealer.open(text).ok()?;
        (cursor.account == self.account.number() && cursor.feed == feed.code()).then_some(cursor)
    }
}

/// Writes a page with its keys in one of three orders, because nothing promises one. The cursor decides, so the same page is
/// always spelt alike.
fn spell(page: &Page, cursor: &str, write_items: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let has_more = page.has_more;
    let (front, back) = match cursor.as_bytes().last().map_or(0, |byte| byte % 3) {
        0 => (format!(r#"{{"cursor":"{cursor}","has_more":{has_more},"items":["#), "]}".to_owned()),
        1 => (r#"{"items":["#.to_owned(), format!(r#"],"cursor":"{cursor}","has_more":{has_more}}}"#)),
        _ => (format!(r#"{{"has_more":{has_more},"items":["#), format!(r#"],"cursor":"{cursor}"}}"#)),
    };
    let mut out = Vec::with_capacity(front.len() + back.len() + page.len() * EVENT_SIZE_GUESS);
    out.extend_from_slice(front.as_bytes());
    write_items(&mut out);
    out.extend_from_slice(back.as_bytes());
    out
}

fn an_hour_before(now: Timestamp) -> Timestamp {
    now.saturating_sub(SignedDuration::from_hours(1)).expect("a duration without calendar units always applies")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn log(world: &World, request: &Request, account: Option<&Account>, answer: Answer) -> Response {
    let path: String = request.uri().path().chars().take(MAX_LOGGED_PATH).collect();
    world.log(RequestRecord {
        at: world.now(),
        account: account.map(|account| account.config.name.clone()),
        endpoint: format!("{} {path}", request.method()),
        status: answer.status.as_u16(),
        events: answer.events,
    });
    answer.into()
}
