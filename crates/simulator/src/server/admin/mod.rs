//! What the stand-in tells about itself and lets be changed, under `/_simulator/`.
//!
//! These are for tests and people, not part of the Events API: they need no token, are not in the request log and meet no
//! fault. Tokens are shown because they are invented. `docs/simulator.md` describes each.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};

use crate::{error::Error, feed::Feed, world::World};

mod check;
mod read;
mod steer;

/// The routes.
pub(crate) fn routes(world: &Arc<World>) -> Router {
    Router::new()
        .route("/_simulator/", get(index))
        .merge(read::routes())
        .merge(steer::routes())
        .merge(check::routes())
        .with_state(Arc::clone(world))
}

const INDEX: &str = "\
GET    /_simulator/ledger    ?account= &feed=            events that were served, and how often
GET    /_simulator/dataset   ?account= &feed=            events that exist
GET    /_simulator/requests  ?account= &feed= &after=    the latest requests, after the one with this number
POST   /_simulator/compare   ?account= &feed=            a collector's uuids, one a line: what is lost, missed, doubled, unknown
POST   /_simulator/events    ?account= &feed=            further events, one JSON object a line
GET    /_simulator/faults                                the plan of faults; PUT replaces it (YAML or JSON), DELETE ends it
GET    /_simulator/accounts                              accounts and their current tokens
POST   /_simulator/tokens    {account, features?, expires_at?}   a further token
POST   /_simulator/revoke    {account} or {token}        makes tokens worthless
PUT    /_simulator/features  {account, features}         changes what an account's tokens may read
GET    /_simulator/ca.pem                                the certificate authority behind HTTPS
Feeds are sign_in_attempts, item_usages and audit_events; without account or feed, all are meant.
";

async fn index() -> Response {
    typed("text/plain; charset=utf-8", Body::from(INDEX))
}

/// Why a request to the simulator itself is refused.
struct Refusal(StatusCode, String);

impl Refusal {
    fn bad(reason: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.into())
    }

    fn no_account(name: &str) -> Self {
        Error::UnknownAccount(name.to_owned()).into()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::UnknownAccount(_) => StatusCode::NOT_FOUND,
            Error::TooManyTokens => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1 + "\n").into_response()
    }
}

/// The stores that a query means: of one account or all, of one feed or all.
fn stores(world: &World, account: Option<&str>, feed: Option<&str>) -> Result<Vec<(usize, Feed)>, Refusal> {
    let accounts = match account {
        Some(name) => {
            let index = world.find(name).ok_or_else(|| Refusal::no_account(name))?;
            index..index + 1
        }
        None => 0..world.accounts().len(),
    };
    let feeds = match feed {
        Some(name) => vec![name.parse::<Feed>().map_err(|error| Refusal::bad(error.to_string()))?],
        None => Feed::ALL.to_vec(),
    };
    Ok(accounts.flat_map(|account| feeds.iter().map(move |feed| (account, *feed))).collect())
}

fn typed(content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
