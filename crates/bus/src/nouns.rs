//! What the services say: each call names a noun of the system, and only here do nouns meet streams and subjects.

use std::hash::{DefaultHasher, Hash, Hasher};

use latchkey_contracts::{
    Chain, Feed, LogType, SourceId,
    alert::Alert,
    checkpoint::Checkpoint,
    delivery::Delivery,
    event::EventBatch,
    page::RawPage,
    rejection::RejectionBatch,
    subject,
    task::{Task, task::Kind},
    topology::{ALERTS, CHECKPOINTS, DELIVERIES, EVENTS, FETCHER, NORMALIZER, NOTIFIER, PAGES},
};

use crate::{Deliveries, Error, Publication, Reader, Stored, connect::Bus, publish::Guard, reader::From};

/// Deliveries held in advance by a process: few, since their leases run while they wait.
const TASKS_PREFETCH: usize = 16;
const PAGES_PREFETCH: usize = 8;
/// One at a time: a slow destination may take half a lease for each.
const ALERTS_PREFETCH: usize = 1;

/// Pages and checkpoints.
impl Bus {
    /// The chain's newest page.
    pub async fn last_page(&self, chain: &Chain) -> Result<Option<Stored<RawPage>>, Error> {
        self.last(&PAGES, subject::page(chain)).await
    }

    /// The page at a sequence of PAGES; `None` if there is none or retention has removed it.
    pub async fn page_at(&self, sequence: u64) -> Result<Option<Stored<RawPage>>, Error> {
        self.at(&PAGES, sequence).await
    }

    /// Stores a page if `expected` is the sequence of the chain's newest page (0: there is none).
    pub async fn publish_page(&self, chain: &Chain, page: &RawPage, expected: u64) -> Result<Publication, Error> {
        self.publish(subject::page(chain), page, Guard::After(expected)).await
    }

    /// The outcome of the chain's last turn.
    pub async fn last_checkpoint(&self, chain: &Chain) -> Result<Option<Stored<Checkpoint>>, Error> {
        self.last(&CHECKPOINTS, subject::checkpoint(chain)).await
    }

    /// Replaces the chain's checkpoint.
    pub async fn publish_checkpoint(&self, chain: &Chain, checkpoint: &Checkpoint) -> Result<Publication, Error> {
        self.publish(subject::checkpoint(chain), checkpoint, Guard::None).await
    }

    /// The last checkpoint of every chain, then each further one as it comes.
    pub async fn watch_checkpoints(&self) -> Result<Reader<Checkpoint>, Error> {
        Reader::open(self, CHECKPOINTS, From::LastPerSubject).await
    }

    /// The shared work of the normalizers.
    pub async fn pages(&self) -> Result<Deliveries<RawPage>, Error> {
        Deliveries::open(self, NORMALIZER, PAGES_PREFETCH).await
    }
}

/// Tasks.
impl Bus {
    /// Makes sure that the chain's polling duty exists, once.
    pub async fn ensure_poll_task(&self, chain: &Chain) -> Result<(), Error> {
        let task = Task { kind: Kind::Poll.into(), source: chain.source.to_string(), feed: chain.feed.to_string() };
        match self.publish(subject::poll_task(chain), &task, Guard::After(0)).await? {
            // A conflict says that it exists.
            Publication::Stored { .. } | Publication::Repeated { .. } | Publication::Conflict => Ok(()),
            other @ (Publication::Full | Publication::TooLarge { .. } | Publication::Unknown) => {
                Err(Error::unavailable("creating a task", format!("{other:?}")))
            }
        }
    }

    /// The shared work of the fetchers.
    pub async fn tasks(&self) -> Result<Deliveries<Task>, Error> {
        Deliveries::open(self, FETCHER, TASKS_PREFETCH).await
    }
}

/// Events and rejections.
impl Bus {
    /// Stores one part of a page's events, once.
    pub async fn publish_events(
        &self,
        source: &SourceId,
        log_type: LogType,
        batch: &EventBatch,
    ) -> Result<Publication, Error> {
        let id = format!("{}.{}", batch.page_id, batch.part);
        self.publish(subject::events(source, log_type), batch, Guard::Id(&id)).await
    }

    /// Stores a page's rejections, once. `part` tells apart the messages of a page with more than fit into one.
    ///
    /// What is refused is part of the id: before a page is done, it may be judged anew by other schemas, and then other items are.
    pub async fn publish_rejections(
        &self,
        chain: &Chain,
        batch: &RejectionBatch,
        part: u32,
    ) -> Result<Publication, Error> {
        let id = format!("{}.{part}.{:016x}", batch.page_id, fingerprint(batch));
        self.publish(subject::rejections(chain), batch, Guard::Id(&id)).await
    }

    /// Every message of EVENTS from `sequence` on, in order.
    pub async fn events_from(&self, sequence: u64) -> Result<Reader<EventBatch>, Error> {
        Reader::open(self, EVENTS, From::Sequence(sequence)).await
    }

    /// The message at a sequence of EVENTS; `None` if there is none or retention has removed it.
    pub async fn events_at(&self, sequence: u64) -> Result<Option<Stored<EventBatch>>, Error> {
        self.at(&EVENTS, sequence).await
    }
}

/// Of the refused items and their bytes. It need not outlive the duplicate window, so the standard library's hash will do.
fn fingerprint(batch: &RejectionBatch) -> u64 {
    let mut hasher = DefaultHasher::new();
    for rejection in &batch.rejections {
        (rejection.item, &rejection.raw).hash(&mut hasher);
    }
    hasher.finish()
}

/// Progress of sinks.
impl Bus {
    /// How far a sink is.
    pub async fn last_delivery(&self, sink: &SourceId) -> Result<Option<Stored<Delivery>>, Error> {
        self.last(&DELIVERIES, subject::delivery(sink)).await
    }

    /// Replaces a sink's progress if `expected` is the sequence of its newest (0: there is none).
    pub async fn publish_delivery(
        &self,
        sink: &SourceId,
        delivery: &Delivery,
        expected: u64,
    ) -> Result<Publication, Error> {
        self.publish(subject::delivery(sink), delivery, Guard::After(expected)).await
    }
}

/// Alerts.
impl Bus {
    /// The newest transition of an alert; without a source, of one that is about the whole line.
    pub async fn last_alert(
        &self,
        kind: &str,
        source: Option<&SourceId>,
        feed: Option<Feed>,
    ) -> Result<Option<Stored<Alert>>, Error> {
        self.last(&ALERTS, subject::alert(kind, source, feed)).await
    }

    /// Stores a transition if `expected` is the sequence of the alert's newest (0: there is none).
    pub async fn publish_alert(
        &self,
        kind: &str,
        source: Option<&SourceId>,
        feed: Option<Feed>,
        alert: &Alert,
        expected: u64,
    ) -> Result<Publication, Error> {
        self.publish(subject::alert(kind, source, feed), alert, Guard::After(expected)).await
    }

    /// The shared work of the notifiers.
    pub async fn alerts(&self) -> Result<Deliveries<Alert>, Error> {
        Deliveries::open(self, NOTIFIER, ALERTS_PREFETCH).await
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::topology::TASKS;

    /// `ensure_poll_task` leans on it: an existing task refuses the expected sequence 0.
    #[test]
    fn a_chain_has_one_task() {
        assert_eq!(TASKS.max_messages_per_subject, Some(1));
    }
}
