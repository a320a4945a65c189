//! From calls to the desk and back.

use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use latchkey_contracts::{About, alert::Alert};
use latchkey_core::{alert::Kind, instant};
use latchkey_runtime::clock;
use tonic::{Request, Response, Status};

use super::wire::{
    AcknowledgeRequest, EndSilenceRequest, HistoryRequest, ListRequest, ListResponse, SilenceRequest,
    alerts_server::Alerts,
};
use crate::desk::{Desk, DeskError, MAX_HISTORY, Question, Quiet, Standing, Word};

/// How many transitions are sent where nobody says how many.
const HISTORY: usize = 50;

/// Answers calls.
pub(super) struct Service {
    desk: Desk,
}

impl Service {
    pub(super) const fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[tonic::async_trait]
impl Alerts for Service {
    async fn list(&self, _: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let Standing { raised, silences } = self.desk.list(clock::now()).await?;
        Ok(Response::new(ListResponse { raised, silences }))
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
        let alerts = self.desk.history(&question).await?;
        Ok(Response::new(stream::iter(alerts).map(Ok).boxed()))
    }

    async fn acknowledge(&self, request: Request<AcknowledgeRequest>) -> Result<Response<Alert>, Status> {
        let AcknowledgeRequest { kind, about, by, note } = request.into_inner();
        let (kind, about, word) = (read_kind(&kind)?, read_about(&about)?, Word::new(&by, &note)?);
        Ok(Response::new(self.desk.acknowledge(kind, &about, &word).await?))
    }

    async fn silence(&self, request: Request<SilenceRequest>) -> Result<Response<Alert>, Status> {
        let SilenceRequest { about, kinds, from_unix_nano, until_unix_nano, by, note } = request.into_inner();
        let kinds = kinds.iter().map(|kind| read_kind(kind)).collect::<Result<_, _>>()?;
        let until: Timestamp = instant::from_unix_nano(until_unix_nano);
        let quiet =
            Quiet { about: read_about(&about)?, kinds, from: instant::optional_from_unix_nano(from_unix_nano), until };
        Ok(Response::new(self.desk.silence(&quiet, &Word::new(&by, &note)?).await?))
    }

    async fn end_silence(&self, request: Request<EndSilenceRequest>) -> Result<Response<Alert>, Status> {
        let about = read_about(&request.into_inner().about)?;
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
