//! Takes pages, as many at once as there are permits, and answers each.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use latchkey_bus::{Bus, Delivered, trace};
use latchkey_contracts::{Chain, page::RawPage, topology::PAGES};
use latchkey_core::{delivery, lookup::Lookups};
use latchkey_runtime::{Shutdown, clock};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::{
    drift::Books,
    metrics::Metrics,
    publish::{Unfinished, publish},
    report,
    rulebook::Rulebook,
    tables::Tables,
    watch::Watch,
    work::{self, Origin, Output, Rules},
};

/// How often a page in work extends its lease: three times within the consumer's `ack_wait` of a minute.
const LEASE_RENEWAL: Duration = Duration::from_secs(20);

/// When a page is tried again after a failure that passes by itself.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// When a page is tried again after a stream was full: readers need time to make room.
const FULL_PAUSE: Duration = Duration::from_secs(10);

/// Normalizes pages.
pub struct Normalizer {
    inner: Arc<Inner>,
    permits: Arc<Semaphore>,
    look_every: Duration,
}

struct Inner {
    rulebook: Arc<Rulebook>,
    tables: Arc<Tables>,
    bus: Bus,
    metrics: Metrics,
    books: Arc<Books>,
}

impl Normalizer {
    pub(crate) fn new(
        rulebook: Rulebook,
        tables: Tables,
        look_every: Duration,
        concurrency: NonZeroUsize,
        bus: Bus,
        metrics: Metrics,
    ) -> Self {
        let (rulebook, tables) = (Arc::new(rulebook), Arc::new(tables));
        let inner = Inner { rulebook, tables, bus, metrics, books: Arc::default() };
        Self { inner: Arc::new(inner), permits: Arc::new(Semaphore::new(concurrency.get())), look_every }
    }

    /// Works until the soft shutdown, then finishes what it holds.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), latchkey_bus::Error> {
        let mut pages = self.inner.bus.pages();
        // Should the stream be created anew, the consumer is gone too, and this service ends and starts again.
        let epoch: Arc<str> = delivery::epoch(self.inner.bus.stream_state(&PAGES).await?.created).into();
        let tasks = TaskTracker::new();
        // Before the first page: whoever starts again joins events with the tables that all others have.
        let watch = Watch {
            rulebook: Arc::clone(&self.inner.rulebook),
            tables: Arc::clone(&self.inner.tables),
            bus: self.inner.bus.clone(),
            every: self.look_every,
            metrics: self.inner.metrics.clone(),
        };
        watch.look().await;
        tasks.spawn(watch.run(shutdown.clone()));
        tasks.spawn(report::run(self.inner.bus.clone(), Arc::clone(&self.inner.books), shutdown.clone()));
        loop {
            let permit = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                permit = Arc::clone(&self.permits).acquire_owned() => permit,
            };
            // Nobody closes the semaphore.
            let Ok(permit) = permit else { break };
            let page = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                page = pages.next() => page?,
            };
            let (inner, epoch) = (Arc::clone(&self.inner), Arc::clone(&epoch));
            tasks.spawn(async move {
                inner.answer(page, epoch).await;
                drop(permit);
            });
        }
        pages.close().await;
        tasks.close();
        let finish = async {
            tasks.wait().await;
            report::run_last(&self.inner.bus, &self.inner.books).await;
        };
        tokio::select! {
            () = finish => {}
            () = shutdown.hard().cancelled() => {}
        }
        Ok(())
    }
}

impl Inner {
    async fn answer(&self, page: Delivered<RawPage>, epoch: Arc<str>) {
        let Some(origin) = origin(&page, epoch) else {
            // The stream takes only subjects of this shape, but not only names that are sources.
            tracing::error!(
                subject = page.subject,
                sequence = page.sequence,
                "a page on a subject of no chain was left out"
            );
            note("terminated", page.term().await);
            return;
        };
        let (source, feed) = (&origin.chain.source, origin.chain.feed);
        let span = tracing::info_span!("normalize", %source, %feed, sequence = page.sequence, page_id = origin.page_id);
        trace::set_parent(&span, page.context.clone());
        let work = async {
            tokio::select! {
                () = self.work(&page, &origin) => {}
                () = renew(&page) => {}
            }
        };
        work.instrument(span).await;
    }

    async fn work(&self, page: &Delivered<RawPage>, origin: &Origin) {
        let started = Instant::now();
        // One version for the whole of the page.
        let rules = self.rulebook.current();
        let mut output = self.normalize(page, origin, &rules, self.tables.current()).await;
        let mut outcome = publish(&self.bus, origin, &output).await;
        if let Err(Unfinished::TooLarge(_)) = outcome {
            // Enrichment is the one thing that can grow without bound; parts that are stored already stay as they are.
            tracing::warn!("events of a page do not fit into a message; publishing them without enrichment");
            output = self.normalize(page, origin, &rules, Lookups::default()).await;
            outcome = self.publish_at_any_price(origin, &mut output).await;
        }
        match outcome {
            Ok(()) => {
                self.metrics.page_done(&origin.chain, &output.summary, started.elapsed().as_secs_f64());
                self.metrics.drifted(origin.chain.feed.log_type(), &output.summary.drift);
                self.books.note(&origin.chain, &output.summary.drift, output.at);
                if let Some(first) = output.rejections.first().and_then(|rejection| rejection.problems.first()) {
                    let (count, rule, path) = (output.summary.rejections, &first.rule, &first.path);
                    tracing::warn!(count, rule, path, "items were refused; they are in REJECTIONS");
                }
                note("acknowledged", page.ack().await);
            }
            Err(unfinished) => {
                let pause = if matches!(unfinished, Unfinished::Full) { FULL_PAUSE } else { RETRY_PAUSE };
                self.metrics.page_returned(unfinished.word());
                tracing::warn!(reason = %unfinished, deliveries = page.deliveries, retry_in = ?pause, "a page was handed back");
                note("handed back", page.nak(pause).await);
            }
        }
    }

    /// Off the threads that serve the network: a page takes milliseconds of computing.
    async fn normalize(
        &self,
        page: &Delivered<RawPage>,
        origin: &Origin,
        rules: &Arc<Rules>,
        lookups: Lookups,
    ) -> Output {
        let message = match &page.message {
            Ok(message) => message.clone(),
            Err(reason) => return work::undecodable(origin, reason.to_string(), &page.payload, clock::now()),
        };
        let (rules, origin) = (Arc::clone(rules), origin.clone());
        let tables = Arc::clone(&self.tables);
        let work = move || {
            let output = work::page(&origin, &message, &rules, &lookups, clock::now());
            let events = output.batches.iter().flat_map(|batch| batch.records.iter());
            tables.learn(events.map(|event| event.record));
            output
        };
        tokio::task::spawn_blocking(work).await.expect("normalizing is total, and its task is never cancelled")
    }

    /// Empties parts that fit into no message, until the page is out.
    async fn publish_at_any_price(&self, origin: &Origin, output: &mut Output) -> Result<(), Unfinished> {
        loop {
            match publish(&self.bus, origin, output).await {
                Err(Unfinished::TooLarge(part)) if !output.batches[part].records.is_empty() => {
                    tracing::error!(part, "events fit into no message; they go to REJECTIONS");
                    work::refuse_part(output, part);
                }
                outcome => return outcome,
            }
        }
    }
}

/// Which page a delivery is. The subject is the truth about its chain: it is where the page's cursor counts.
fn origin(page: &Delivered<RawPage>, epoch: Arc<str>) -> Option<Origin> {
    let mut tokens = page.subject.rsplit('.');
    let (feed, source) = (tokens.next()?.parse().ok()?, tokens.next()?.parse().ok()?);
    let chain = Chain { source, feed };
    let sequence = page.sequence;
    Some(match &page.message {
        Ok(message) => Origin {
            chain,
            page_id: message.page_id.clone(),
            sequence,
            epoch,
            fetched_at_unix_nano: message.fetched_at_unix_nano,
        },
        // The sequence names a page that cannot say its own name.
        Err(_) => Origin { chain, page_id: format!("sequence-{sequence}"), sequence, epoch, fetched_at_unix_nano: 0 },
    })
}

async fn renew(page: &Delivered<RawPage>) {
    loop {
        tokio::time::sleep(LEASE_RENEWAL).await;
        if let Err(error) = page.progress().await {
            tracing::debug!(%error, "the lease could not be extended; should the page come again, its messages are the same");
        }
    }
}

/// An answer that does not arrive costs a repetition and nothing else.
fn note(answer: &'static str, outcome: Result<(), latchkey_bus::Error>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "a page could not be {answer}; it will come again");
    }
}
