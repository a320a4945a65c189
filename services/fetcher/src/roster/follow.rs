//! Follows the bucket SOURCES, and makes its changes come into effect.
//!
//! A change ends the turns under way softly and makes the chains due at once. All fetchers do this side by side: each step can be done
//! twice.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use latchkey_bus::{BucketValue, Error, Item, Reader};
use latchkey_contracts::{
    Chain, subject,
    topology::{KeyValue, SOURCES},
};
use latchkey_runtime::{Shutdown, clock};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Duty, Member, Roster, last_word::TIDY_EVERY, tokens};

/// How long the values that are there at the start may take to be read.
const READ_WITHIN: Duration = Duration::from_mins(1);

/// How long the turns of a removed source may take to end. One that goes on for longer finds its duty gone when it does.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Duties created at once.
const AT_ONCE: usize = 64;

impl Roster {
    /// Reads the bucket, creates the duties that are missing, and follows the bucket from there until the soft shutdown. Calls `ready`
    /// in between.
    pub(crate) async fn follow(&self, shutdown: &Shutdown, ready: impl FnOnce()) -> Result<(), Error> {
        // Tokens first: a source is opened with its own.
        let mut tokens = self.follow_tokens().await?;
        let mut values = self.bus.watch_sources();
        self.read(&mut values, &SOURCES, |item| _ = self.enter(item)).await?;
        let waiting: Vec<_> = self.members.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for member in waiting {
            self.try_again(&member);
        }
        self.tell();
        futures::stream::iter(self.chains().into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |chain| async move { self.ensure(&chain).await })
            .await?;
        ready();
        let mut tidy = interval(TIDY_EVERY);
        tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.soft().cancelled() => return Ok(()),
                item = values.next() => self.change(&item?).await,
                item = tokens::next(&mut tokens) => self.change_token(&item?).await,
                _ = tidy.tick() => self.tidy(clock::now()).await,
            }
            self.tell();
        }
    }

    /// Reads what a bucket holds at this moment.
    pub(super) async fn read(
        &self,
        values: &mut Reader<BucketValue>,
        bucket: &KeyValue,
        enter: impl Fn(&Item<BucketValue>),
    ) -> Result<(), Error> {
        let mut unread = self.bus.stream_state(&bucket.stream).await?.messages > 0;
        while unread {
            // What is removed at this very moment may have been the last one.
            let Ok(item) = timeout(READ_WITHIN, values.next()).await else { break };
            let item = item?;
            unread = item.pending > 0;
            enter(&item);
        }
        Ok(())
    }

    /// Takes in a value. Returns what stood there before and stands there now, unless the file has the source.
    pub(super) fn enter(&self, item: &Item<BucketValue>) -> Option<(Option<Arc<Member>>, Arc<Member>)> {
        let Some(source) = subject::source_of(&item.subject) else {
            tracing::warn!(sequence = item.sequence, "a key of the bucket SOURCES cannot name a source");
            return None;
        };
        let before = self.get(&source);
        if before.as_ref().is_some_and(|member| member.is_of_file()) {
            tracing::warn!(%source, "the configuration file names this source: what the bucket SOURCES says of it does not count");
            return None;
        }
        let member = match item.message.as_ref().map(BucketValue::text) {
            Ok(Some(text)) => {
                Member::of_bucket(&source, text, item.sequence, &self.connections, &self.tokens, &self.addresses)
            }
            Ok(None) => Member::removed(source, item.sequence, item.published_at),
            Err(error) => Member::unreadable(source, item.sequence, error.to_string()),
        };
        if let Duty::Misconfigured { reason, .. } = &member.duty {
            tracing::error!(source = %member.id, reason, "the source cannot be polled as the bucket SOURCES says");
        }
        let member = Arc::new(member);
        self.put(Arc::clone(&member));
        Some((before, member))
    }

    /// Takes in a value that changes while chains are polled.
    pub(super) async fn change(&self, item: &Item<BucketValue>) {
        let Some((before, member)) = self.enter(item) else { return };
        let standing = member.duty.as_str();
        tracing::info!(source = %member.id, standing, "a source has changed");
        if let Some(before) = before {
            before.stop.cancel();
            before.turns.close();
            if before.chains().any(|chain| !member.lists(chain.feed)) {
                let _ = timeout(END_WITHIN, before.turns.wait()).await;
            }
            for chain in before.chains().filter(|chain| !member.lists(chain.feed)) {
                self.retire(&chain, &member).await;
            }
        }
        if let Duty::Removed { .. } = member.duty {
            // Of one that was never in the bucket, every feed may have left something.
            for chain in member.every_chain() {
                self.retire(&chain, &member).await;
            }
        }
        self.wake_all(&member, &member.revision.to_string()).await;
    }

    pub(super) async fn wake_all(&self, member: &Member, occasion: &str) {
        futures::stream::iter(member.chains())
            .for_each_concurrent(AT_ONCE, |chain| async move {
                if let Err(error) = self.wake(&chain, occasion).await {
                    tracing::warn!(source = %chain.source, feed = %chain.feed, %error, "the change comes into effect at the next poll");
                }
            })
            .await;
    }

    /// One fetcher may wake a chain and another, which hears of an earlier removal only now, delete it: so each makes sure that it is there.
    pub(super) async fn wake(&self, chain: &Chain, occasion: &str) -> Result<(), Error> {
        self.bus.wake_poll_task(chain, occasion).await?;
        self.ensure(chain).await
    }

    pub(super) async fn ensure(&self, chain: &Chain) -> Result<(), Error> {
        self.bus.ensure_poll_task(chain).await?;
        self.bus.ensure_audit_task(chain).await
    }
}
