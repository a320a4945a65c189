//! What operators do with the `nats` tool, for tests of what follows from it. No program of ours does any of it.

use async_nats::{HeaderMap, jetstream::consumer::pull};
use latchkey_contracts::{
    Chain,
    page::RawPage,
    subject,
    topology::{Consumer, PAGES, Stream},
};

use crate::{Error, Publication, connect::Bus, provision::consumer_config};

/// `nats stream purge`.
pub async fn purge(bus: &Bus, stream: &Stream) -> Result<(), Error> {
    let purged = bus.stream(stream).await?.purge().await;
    purged.map(|_| ()).map_err(|error| Error::unavailable("purging a stream", error))
}

/// `nats stream purge PAGES --subject`, of a chain.
pub async fn purge_pages(bus: &Bus, chain: &Chain) -> Result<(), Error> {
    bus.purge(&PAGES, subject::page(chain), u64::MAX).await
}

/// `nats stream purge PAGES --subject --seq`: those of a chain that are older than the page with this sequence.
pub async fn purge_pages_before(bus: &Bus, chain: &Chain, sequence: u64) -> Result<(), Error> {
    bus.purge(&PAGES, subject::page(chain), sequence).await
}

/// `nats pub`, of pages of a chain that nobody polls, until stream PAGES has no room for the smallest.
pub async fn fill_pages(bus: &Bus, chain: &Chain) -> Result<(), Error> {
    let mut last = 0;
    for size in [500_000, 50_000, 5_000, 500, 1] {
        loop {
            let page = RawPage { page_id: format!("{last:032}"), body: vec![0; size].into(), ..RawPage::default() };
            match bus.publish_page(chain, &page, last).await? {
                Publication::Stored { sequence } => last = sequence,
                Publication::Full => break,
                other => return Err(Error::unavailable("filling stream PAGES", format!("{other:?}"))),
            }
        }
    }
    Ok(())
}

/// `nats stream rm`.
pub async fn remove_stream(bus: &Bus, stream: &Stream) -> Result<(), Error> {
    let removed = bus.jetstream.delete_stream(stream.name).await;
    removed.map(|_| ()).map_err(|error| Error::unavailable("removing a stream", error))
}

/// `nats kv del`, of the value with this subject: it leaves a mark in its place.
pub async fn delete_value(bus: &Bus, subject: String) -> Result<(), Error> {
    let mut headers = HeaderMap::new();
    headers.insert("KV-Operation", "DEL");
    let failed = |error| Error::unavailable("deleting a value", error);
    let stored = bus.jetstream.publish_with_headers(subject, headers, "".into()).await.map_err(failed)?;
    stored.await.map(|_| ()).map_err(failed)
}

/// `nats consumer rm`.
pub async fn remove(bus: &Bus, consumer: &Consumer) -> Result<(), Error> {
    let removed = bus.jetstream.delete_consumer_from_stream(consumer.name, consumer.stream).await;
    removed.map(|_| ()).map_err(|error| Error::unavailable("removing a consumer", error))
}

/// `nats consumer edit --max-deliver`.
pub async fn limit_deliveries(bus: &Bus, consumer: &Consumer, most: i64) -> Result<(), Error> {
    let config = pull::Config { max_deliver: most, ..consumer_config(consumer) };
    let edited = bus.jetstream.update_consumer_on_stream(config, consumer.stream).await;
    edited.map(|_| ()).map_err(|error| Error::unavailable("editing a consumer", error))
}
