//! What the services say: each call names a noun of the system, and only here do nouns meet streams and subjects.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use latchkey_contracts::{
    About, Chain, Feed, LogType, SourceId,
    alert::Alert,
    batch::Batch,
    budget::Budget,
    checkpoint::Checkpoint,
    delivery::Delivery,
    drift::Drift,
    habit::Habit,
    page::RawPage,
    rejection::RejectionBatch,
    reread::Reread,
    subject,
    task::{Task, task::Kind},
    topology::{
        ALERTS, BUDGETS, CHECKPOINTS, DELIVERIES, DRIFTS, EVENTS, FETCHER, HABITS, HEADS, NORMALIZER, NOTIFIER, PAGES,
        REJECTIONS, REREADS, TASKS, WINDOWS,
    },
    window::{Window, window::Of},
};

use crate::{Deliveries, Error, Publication, Reader, Stored, connect::Bus, publish::Guard, reader::From, wire::Wire};

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

    /// Deletes the chain's checkpoint: there is nothing left to tell of it.
    pub async fn delete_checkpoint(&self, chain: &Chain) -> Result<(), Error> {
        self.purge(&CHECKPOINTS, subject::checkpoint(chain), u64::MAX).await
    }

    /// Where the chain stood in the middle of a turn, the newest that is known of.
    pub async fn last_head(&self, chain: &Chain) -> Result<Option<Stored<Checkpoint>>, Error> {
        self.last(&HEADS.stream, subject::head(chain)).await
    }

    /// Replaces it, and waits for nobody: it goes out before whatever is published next.
    pub async fn leave_head(&self, chain: &Chain, head: &Checkpoint) -> Result<(), Error> {
        let sent = self.client.publish(subject::head(chain), head.to_payload()).await;
        sent.map_err(|error| Error::unavailable("leaving a head", error))
    }

    /// Deletes the chain's head.
    pub async fn delete_head(&self, chain: &Chain) -> Result<(), Error> {
        self.purge(&HEADS.stream, subject::head(chain), u64::MAX).await
    }

    /// The last checkpoint of every chain, then each further one as it comes.
    pub fn watch_checkpoints(&self) -> Reader<Checkpoint> {
        Reader::new(self, CHECKPOINTS, From::LastPerSubject)
    }

    /// The last checkpoint of every chain as of this moment, without those that cannot be read.
    pub async fn checkpoints(&self) -> Result<Vec<Checkpoint>, Error> {
        let all = self.stream_state(&CHECKPOINTS).await?;
        let items = self.watch_checkpoints().up_to(all.messages).await?;
        Ok(items.into_iter().filter_map(|item| item.message.ok()).collect())
    }

    /// The shared work of the normalizers.
    pub fn pages(&self) -> Deliveries<RawPage> {
        Deliveries::new(self, NORMALIZER.name, NORMALIZER.stream, PAGES_PREFETCH)
    }
}

/// Tasks.
impl Bus {
    /// Makes sure that the chain's polling duty exists, once.
    pub async fn ensure_poll_task(&self, chain: &Chain) -> Result<(), Error> {
        self.ensure_task(subject::poll_task(chain), &task(Kind::Poll, chain)).await
    }

    /// Makes sure that the duty to audit the chain exists, once.
    pub async fn ensure_audit_task(&self, chain: &Chain) -> Result<(), Error> {
        self.ensure_task(subject::audit_task(chain), &task(Kind::Audit, chain)).await
    }

    /// Orders a backfill or a comparison of the chain, in the place of the one before.
    pub async fn order_reread(&self, chain: &Chain, order: &Task) -> Result<(), Error> {
        let subject = match order.kind() {
            Kind::Backfill => subject::backfill_task(chain),
            _ => subject::compare_task(chain),
        };
        created(self.publish(subject, order, Guard::None).await?)
    }

    async fn ensure_task(&self, subject: String, task: &Task) -> Result<(), Error> {
        match self.publish(subject, task, Guard::After(0)).await? {
            // It exists.
            Publication::Conflict => Ok(()),
            other => created(other),
        }
    }

    /// Makes a chain due at once, wherever it sleeps: its polling duty is published anew, in the place of the one before. Once for each
    /// `occasion`, which says what it is woken for, whoever asks.
    pub async fn wake_poll_task(&self, chain: &Chain, occasion: &str) -> Result<(), Error> {
        let id = format!("wake.{}.{}.{occasion}", chain.source, chain.feed);
        match self.publish(subject::poll_task(chain), &task(Kind::Poll, chain), Guard::Id(&id)).await? {
            Publication::Stored { .. } | Publication::Repeated { .. } => Ok(()),
            other => Err(Error::unavailable("creating a task", format!("{other:?}"))),
        }
    }

    /// Whether the chain has a polling duty.
    pub async fn has_poll_task(&self, chain: &Chain) -> Result<bool, Error> {
        Ok(self.last::<Task>(&TASKS, subject::poll_task(chain)).await?.is_some())
    }

    /// Deletes the chain's duties and orders: nobody reads it any more.
    pub async fn delete_tasks(&self, chain: &Chain) -> Result<(), Error> {
        let subjects = [subject::poll_task, subject::audit_task, subject::backfill_task, subject::compare_task];
        for subject in subjects {
            self.purge(&TASKS, subject(chain), u64::MAX).await?;
        }
        Ok(())
    }

    /// The shared work of the fetchers.
    pub fn tasks(&self) -> Deliveries<Task> {
        Deliveries::new(self, FETCHER.name, FETCHER.stream, TASKS_PREFETCH)
    }
}

/// Audits, backfills and the budgets they share with polling.
impl Bus {
    /// How far the chain's past has been read again; `kind` is audit, backfill or compare.
    pub async fn last_reread(&self, kind: &str, chain: &Chain) -> Result<Option<Stored<Reread>>, Error> {
        self.last(&REREADS, subject::reread(kind, chain)).await
    }

    /// How far every chain's past has been read again, then each further step as it comes.
    pub fn watch_rereads(&self) -> Reader<Reread> {
        Reader::new(self, REREADS, From::LastPerSubject)
    }

    /// Replaces it if `expected` is the sequence of the newest (0: there is none).
    pub async fn publish_reread(
        &self,
        kind: &str,
        chain: &Chain,
        reread: &Reread,
        expected: u64,
    ) -> Result<Publication, Error> {
        self.publish(subject::reread(kind, chain), reread, Guard::After(expected)).await
    }

    /// What has been taken of an account's requests.
    pub async fn last_budget(&self, account: &str) -> Result<Option<Stored<Budget>>, Error> {
        self.last(&BUDGETS, subject::budget(account)).await
    }

    /// Replaces it if `expected` is the sequence of the newest (0: there is none).
    pub async fn publish_budget(&self, account: &str, budget: &Budget, expected: u64) -> Result<Publication, Error> {
        self.publish(subject::budget(account), budget, Guard::After(expected)).await
    }
}

/// Events and rejections.
impl Bus {
    /// Stores one part of a page's events, once.
    pub async fn publish_events(
        &self,
        source: &SourceId,
        log_type: LogType,
        batch: &Batch,
    ) -> Result<Publication, Error> {
        let id = format!("{}.{}", batch.header.page_id, batch.header.part);
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
    pub fn events_from(&self, sequence: u64) -> Reader<Batch> {
        Reader::new(self, EVENTS, From::Sequence(sequence))
    }

    /// The message at a sequence of EVENTS; `None` if there is none or retention has removed it.
    pub async fn events_at(&self, sequence: u64) -> Result<Option<Stored<Batch>>, Error> {
        self.at(&EVENTS, sequence).await
    }
}

/// What validation refused.
impl Bus {
    /// Every message of REJECTIONS stored after a moment, in order, then each further one as it comes.
    pub fn rejections_since(&self, since: Timestamp) -> Reader<RejectionBatch> {
        Reader::new(self, REJECTIONS, From::Time(since))
    }
}

/// How events differ from their schemas.
impl Bus {
    /// What is known of the chain's.
    pub async fn last_drift(&self, chain: &Chain) -> Result<Option<Stored<Drift>>, Error> {
        self.last(&DRIFTS.stream, subject::drift(chain)).await
    }

    /// Replaces it if `expected` is the sequence of the newest (0: there is none).
    pub async fn publish_drift(&self, chain: &Chain, drift: &Drift, expected: u64) -> Result<Publication, Error> {
        self.publish(subject::drift(chain), drift, Guard::After(expected)).await
    }

    /// What is known of every chain that has any, then each further value as it comes.
    pub fn watch_drifts(&self) -> Reader<Drift> {
        Reader::new(self, DRIFTS.stream, From::LastPerSubject)
    }
}

/// What is learned of feeds.
impl Bus {
    /// Replaces what is learned of a chain.
    pub async fn publish_habit(&self, chain: &Chain, habit: &Habit) -> Result<Publication, Error> {
        self.publish(subject::habit(chain), habit, Guard::None).await
    }

    /// Removes what is learned of a chain.
    pub async fn forget_habit(&self, chain: &Chain) -> Result<(), Error> {
        let subject = subject::habit(chain);
        let sequence = match self.last::<Habit>(&HABITS.stream, subject.clone()).await {
            Ok(Some(stored)) => stored.sequence,
            Ok(None) => return Ok(()),
            Err(Error::Undecodable { sequence, .. }) => sequence,
            Err(error) => return Err(error),
        };
        self.purge(&HABITS.stream, subject, sequence + 1).await
    }

    /// What is learned of every chain as of this moment, without what cannot be read.
    pub async fn habits(&self) -> Result<Vec<Habit>, Error> {
        let all = self.stream_state(&HABITS.stream).await?;
        let items = Reader::new(self, HABITS.stream, From::LastPerSubject).up_to(all.messages).await?;
        Ok(items.into_iter().filter_map(|item| item.message.ok()).collect())
    }
}

/// What alerters have seen of streams and their readers.
impl Bus {
    /// The window of every stream and reader, then each further one as it comes.
    pub fn watch_windows(&self) -> Reader<Window> {
        Reader::new(self, WINDOWS.stream, From::LastPerSubject)
    }

    /// The window of the same stream or reader as this one.
    pub async fn last_window(&self, like: &Window) -> Result<Option<Stored<Window>>, Error> {
        self.last(&WINDOWS.stream, window(like)).await
    }

    /// Replaces a window if `expected` is the sequence of the one before (0: there is none).
    pub async fn publish_window(&self, value: &Window, expected: u64) -> Result<Publication, Error> {
        self.publish(window(value), value, Guard::After(expected)).await
    }
}

fn window(Window { stream, of }: &Window) -> String {
    match of {
        Some(Of::Reader(reader)) => subject::window_of_reader(stream, &reader.name),
        Some(Of::Room(_)) | None => subject::window_of_stream(stream),
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

    /// How far every sink is, then each further step as it comes.
    pub fn watch_deliveries(&self) -> Reader<Delivery> {
        Reader::new(self, DELIVERIES, From::LastPerSubject)
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

    /// As [`Self::last_alert`], for anything that an alert can be about.
    pub async fn last_alert_about(&self, kind: &str, about: &About) -> Result<Option<Stored<Alert>>, Error> {
        self.last(&ALERTS, subject::alert_about(kind, about)).await
    }

    /// As [`Self::publish_alert`], for anything that an alert can be about.
    pub async fn publish_alert_about(
        &self,
        kind: &str,
        about: &About,
        alert: &Alert,
        expected: u64,
    ) -> Result<Publication, Error> {
        self.publish(subject::alert_about(kind, about), alert, Guard::After(expected)).await
    }

    /// The last transition of every alert, then each further one as it comes.
    pub fn watch_alerts(&self) -> Reader<Alert> {
        Reader::new(self, ALERTS, From::LastPerSubject)
    }

    /// Every transition that is kept, oldest first.
    pub fn alert_history(&self) -> Reader<Alert> {
        Reader::new(self, ALERTS, From::Sequence(1))
    }

    /// Every transition once, for the logs of all alerters together.
    pub fn alerts(&self) -> Deliveries<Alert> {
        Deliveries::new(self, NOTIFIER.name, NOTIFIER.stream, ALERTS_PREFETCH)
    }
}

fn task(kind: Kind, chain: &Chain) -> Task {
    Task { kind: kind.into(), source: chain.source.to_string(), feed: chain.feed.to_string(), ..Task::default() }
}

fn created(publication: Publication) -> Result<(), Error> {
    match publication {
        Publication::Stored { .. } | Publication::Repeated { .. } => Ok(()),
        other => Err(Error::not_stored("creating a task", other)),
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::topology::TASKS;

    /// `ensure_task` leans on it: an existing task refuses the expected sequence 0.
    #[test]
    fn a_chain_has_one_task() {
        assert_eq!(TASKS.max_messages_per_subject, Some(1));
    }
}
