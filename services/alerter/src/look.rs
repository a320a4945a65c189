//! One look at a consumer: what is asked of the server, in which order, and what it says together.

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::{Bus, ConsumerState, Error, StreamState};
use latchkey_contracts::topology::Stream;
use latchkey_core::{
    alert::reader::Role,
    verdict::lag::{Given, Look},
};

/// What can be asked.
pub(crate) trait Server {
    /// How a consumer of the stream is.
    async fn consumer(&self, stream: &Stream, name: &str) -> Result<ConsumerState, Error>;

    /// How the stream is.
    async fn stream(&self, stream: &Stream) -> Result<StreamState, Error>;

    /// When the first of its messages from `sequence` on was stored.
    async fn stored_at_or_after(&self, stream: &Stream, sequence: u64) -> Result<Option<Timestamp>, Error>;
}

impl Server for Bus {
    async fn consumer(&self, stream: &Stream, name: &str) -> Result<ConsumerState, Error> {
        self.state_of(stream.name, name).await
    }

    async fn stream(&self, stream: &Stream) -> Result<StreamState, Error> {
        self.stream_state(stream).await
    }

    async fn stored_at_or_after(&self, stream: &Stream, sequence: u64) -> Result<Option<Timestamp>, Error> {
        Self::stored_at_or_after(self, stream, sequence).await
    }
}

/// Looks at a consumer in this role.
pub(crate) async fn at_consumer(server: &impl Server, stream: &Stream, name: &str, role: Role) -> Result<Look, Error> {
    let found = server.consumer(stream, name).await?;
    // Asked after the consumer: the server moves its floor over what leaves the stream, and beside an older beginning of the stream that
    // would look as if it had been read.
    let state = server.stream(stream).await?;
    // What sleeps in a delayed nak is done for now.
    let (floor, ack_pending, asleep) = match role {
        Role::Duties => (found.delivered, 0, found.ack_pending),
        Role::Consumer | Role::Destination | Role::Sink => (found.floor, found.ack_pending, 0),
    };
    let ConsumerState { pending, delivered, redelivered, waiting, max_ack_pending, max_deliver, .. } = found;
    let is_unread = pending + ack_pending > 0;
    let oldest_at = if is_unread { server.stored_at_or_after(stream, floor + 1).await? } else { None };
    Ok(Look {
        at: state.at,
        first: state.first,
        last: state.last,
        floor,
        delivered,
        pending,
        ack_pending,
        redelivered,
        asleep,
        waiting: Some(waiting as u64),
        max_ack_pending,
        max_deliver,
        given: Some(Given { deliveries: found.deliveries, since: found.created }),
        oldest_at,
        moved_at: found.moved_at,
        max_age: max_age(stream),
    })
}

/// How long the stream keeps messages.
pub(crate) fn max_age(stream: &Stream) -> Option<SignedDuration> {
    stream.max_age.and_then(|age| SignedDuration::try_from(age).ok())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use latchkey_bus::{operator, server};
    use latchkey_contracts::{
        Chain, Feed,
        page::RawPage,
        topology::{Limits, NORMALIZER, PAGES},
    };
    use latchkey_core::verdict::lag::{Eviction, Patience, Window};

    use super::*;

    /// A server whose stream is purged as soon as it has answered one question, whichever that is.
    struct Purged<'b> {
        bus: &'b Bus,
        is_purged: AtomicBool,
    }

    impl Purged<'_> {
        async fn answered<T>(&self, answer: Result<T, Error>) -> Result<T, Error> {
            if !self.is_purged.swap(true, Ordering::Relaxed) {
                operator::purge(self.bus, &PAGES).await?;
            }
            answer
        }
    }

    impl Server for Purged<'_> {
        async fn consumer(&self, stream: &Stream, name: &str) -> Result<ConsumerState, Error> {
            self.answered(self.bus.consumer(stream, name).await).await
        }

        async fn stream(&self, stream: &Stream) -> Result<StreamState, Error> {
            self.answered(self.bus.stream(stream).await).await
        }

        async fn stored_at_or_after(&self, stream: &Stream, sequence: u64) -> Result<Option<Timestamp>, Error> {
            self.answered(self.bus.stored_at_or_after(stream, sequence).await).await
        }
    }

    #[tokio::test]
    async fn what_goes_unread_in_the_middle_of_a_look_is_lost_all_the_same() {
        let nats = server::scratch().await.unwrap();
        let bus = Bus::connect(nats.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages };
        for sequence in 0..10 {
            let page = RawPage { page_id: format!("{sequence:032}"), ..RawPage::default() };
            bus.publish_page(&chain, &page, sequence).await.unwrap();
        }
        let (mut window, patience) = (Window::default(), Patience::default());
        let purged = Purged { bus: &bus, is_purged: AtomicBool::new(false) };
        window.add(at_consumer(&bus, &PAGES, NORMALIZER.name, Role::Consumer).await.unwrap(), patience.window);
        window.add(at_consumer(&purged, &PAGES, NORMALIZER.name, Role::Consumer).await.unwrap(), patience.window);
        window.add(at_consumer(&bus, &PAGES, NORMALIZER.name, Role::Consumer).await.unwrap(), patience.window);
        let newest = window.newest().unwrap();
        assert_eq!((newest.first, newest.floor), (11, 10));
        let eviction = window.eviction(newest.at, patience);
        assert!(matches!(eviction, Eviction::Evicted { messages: 10, .. }), "{eviction:?}");
    }
}
