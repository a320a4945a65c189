//! From calls to the desk and back.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use latchkey_contracts::{About, alert::Alert};
use latchkey_core::{alert::Kind, instant};
use latchkey_runtime::clock;
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Request, Response, Status};

use super::wire::{
    AcknowledgeRequest, EndSilenceRequest, HistoryRequest, ListRequest, ListResponse, SilenceRequest,
    alerts_server::Alerts,
};
use crate::desk::{Desk, DeskError, MAX_HISTORY, Question, Quiet, Standing, Word};

/// How many transitions are sent where nobody says how many.
const HISTORY: usize = 50;

/// Calls at once, of all connections together, until the last of their answer is sent: each may read stream ALERTS and hold what it found.
pub(super) const CALLS: usize = 16;

/// The most bytes of alerts in one message of a list. Clients take 4 MiB unless they are told otherwise.
pub(super) const PART: usize = 1 << 20;

/// Tag and length of an alert in its message.
const AROUND_ALERT: usize = 16;

/// Answers calls.
pub(super) struct Service {
    desk: Desk,
    places: Arc<Semaphore>,
}

impl Service {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk, places: Arc::new(Semaphore::new(CALLS)) }
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Status> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| Status::resource_exhausted(format!("{CALLS} calls are under way; try again")))
    }
}

/// Sends what there is, and holds its place until then.
fn answer<T: Send + 'static>(
    parts: impl IntoIterator<Item = T, IntoIter: Send + 'static>,
    place: OwnedSemaphorePermit,
) -> Response<BoxStream<'static, Result<T, Status>>> {
    let sent = stream::iter(parts).map(move |part| {
        let _held = &place;
        Ok(part)
    });
    Response::new(sent.boxed())
}

/// The list in messages that everybody takes.
fn parts(Standing { raised, silences }: Standing) -> Vec<ListResponse> {
    let (mut parts, mut filled) = (vec![ListResponse::default()], 0);
    let alerts = raised.into_iter().map(|alert| (true, alert)).chain(silences.into_iter().map(|alert| (false, alert)));
    for (is_raised, alert) in alerts {
        let size = alert.encoded_len() + AROUND_ALERT;
        if filled > 0 && filled + size > PART {
            parts.push(ListResponse::default());
            filled = 0;
        }
        filled += size;
        let part = parts.last_mut().expect("there is one from the start");
        if is_raised { part.raised.push(alert) } else { part.silences.push(alert) }
    }
    parts
}

#[tonic::async_trait]
impl Alerts for Service {
    type ListStream = BoxStream<'static, Result<ListResponse, Status>>;

    async fn list(&self, _: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        let place = self.place()?;
        Ok(answer(parts(self.desk.list(clock::now()).await?), place))
    }

    type HistoryStream = BoxStream<'static, Result<Alert, Status>>;

    async fn history(&self, request: Request<HistoryRequest>) -> Result<Response<Self::HistoryStream>, Status> {
        let HistoryRequest { about, kind, limit } = request.into_inner();
        let limit = usize::try_from(limit).unwrap_or(MAX_HISTORY);
        let question = Question {
            about: if about.is_empty() { None } else { Some(read_about(&about)?) },
            kind: if kind.is_empty() { None } else { Some(read_kind(&kind)?) },
            limit: if limit == 0 { HISTORY } else { limit },
        };
        let place = self.place()?;
        Ok(answer(self.desk.history(&question).await?, place))
    }

    async fn acknowledge(&self, request: Request<AcknowledgeRequest>) -> Result<Response<Alert>, Status> {
        let AcknowledgeRequest { kind, about, by, note } = request.into_inner();
        let (kind, about, word) = (read_kind(&kind)?, read_about(&about)?, Word::new(&by, &note)?);
        let _place = self.place()?;
        Ok(Response::new(self.desk.acknowledge(kind, &about, &word).await?))
    }

    async fn silence(&self, request: Request<SilenceRequest>) -> Result<Response<Alert>, Status> {
        let SilenceRequest { about, kinds, from_unix_nano, until_unix_nano, by, note } = request.into_inner();
        let kinds = kinds.iter().map(|kind| read_kind(kind)).collect::<Result<_, _>>()?;
        let until: Timestamp = instant::from_unix_nano(until_unix_nano);
        let quiet =
            Quiet { about: read_about(&about)?, kinds, from: instant::optional_from_unix_nano(from_unix_nano), until };
        let _place = self.place()?;
        Ok(Response::new(self.desk.silence(&quiet, &Word::new(&by, &note)?).await?))
    }

    async fn end_silence(&self, request: Request<EndSilenceRequest>) -> Result<Response<Alert>, Status> {
        let about = read_about(&request.into_inner().about)?;
        let _place = self.place()?;
        Ok(Response::new(self.desk.end_silence(&about).await?))
    }
}

fn read_about(text: &str) -> Result<About, Status> {
    text.parse().map_err(|error: latchkey_contracts::UnknownAbout| Status::invalid_argument(format!("about: {error}")))
}

fn read_kind(text: &str) -> Result<Kind, Status> {
    Kind::of_text(text).ok_or_else(|| Status::invalid_argument(format!("kind: {text:?} is none; see docs/alerts.md")))
}

impl From<DeskError> for Status {
    fn from(error: DeskError) -> Self {
        let text = error.to_string();
        match error {
            DeskError::NotRaised { .. } | DeskError::NotSilenced(_) => Self::failed_precondition(text),
            DeskError::Span | DeskError::Text => Self::invalid_argument(text),
            DeskError::Contended => Self::aborted(text),
            DeskError::Unknown(_) => Self::unknown(text),
            DeskError::Bus(error) => {
                tracing::warn!(%error, "a call could not be answered");
                Self::unavailable("the bus gave no answer")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(label: usize, bytes: usize) -> Alert {
        Alert { object: label.to_string(), summary: "x".repeat(bytes), ..Alert::default() }
    }

    #[test]
    fn a_list_comes_in_parts_and_whole() {
        assert_eq!(parts(Standing::default()), [ListResponse::default()]);
        let raised: Vec<_> = (0..12).map(|label| alert(label, 400_000)).collect();
        let silences = vec![alert(20, PART), alert(21, 5)];
        let parts = parts(Standing { raised: raised.clone(), silences: silences.clone() });
        let counts: Vec<_> = parts.iter().map(|part| (part.raised.len(), part.silences.len())).collect();
        assert_eq!(counts, [(2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (0, 1), (0, 1)]);
        // One that is larger than a part is a part.
        assert!(parts.iter().all(|part| part.encoded_len() <= PART || part.raised.len() + part.silences.len() == 1));
        assert_eq!(parts.iter().flat_map(|part| part.raised.clone()).collect::<Vec<_>>(), raised);
        assert_eq!(parts.iter().flat_map(|part| part.silences.clone()).collect::<Vec<_>>(), silences);
    }
}
