//! What operators do with the `nats` tool, for tests of what follows from it. No program of ours does any of it.

use async_nats::jetstream::consumer::pull;
use latchkey_contracts::topology::{Consumer, Stream};

use crate::{Error, connect::Bus, provision::consumer_config};

/// `nats stream purge`.
pub async fn purge(bus: &Bus, stream: &Stream) -> Result<(), Error> {
    let purged = bus.stream(stream).await?.purge().await;
    purged.map(|_| ()).map_err(|error| Error::unavailable("purging a stream", error))
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
