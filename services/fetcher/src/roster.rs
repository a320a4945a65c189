//! Which sources there are, by the configuration file and by the bucket SOURCES, as both stand at this moment.
//!
//! What the file names is the file's: it stays as it is until the process ends. What the bucket says may change at any time, and what
//! is wrong with one value is told of and hurts no other. A change ends the turns under way softly and makes the chains due at once.
//!
//! A removed source leaves a last word in its checkpoints, so that whoever watches learns of it, and no duties. After a while the last
//! word goes as well. All fetchers do this side by side: each step can be done twice.

mod member;
mod tokens;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use latchkey_bus::{BucketValue, Bus, Error, Item, Reader};
use latchkey_contracts::{
    Chain, SourceId, subject,
    topology::{KeyValue, SOURCES},
};
use latchkey_core::polling::{Circumstances, Input, Off, Report};
use latchkey_runtime::{Shutdown, clock};
use tokio::time::{MissedTickBehavior, interval, timeout};

pub(crate) use self::member::{Duty, Member};
use crate::{
    config::{InvalidConfig, SourceConfig},
    connections::Connections,
    metrics::Metrics,
    performer,
    sealed_tokens::SealedTokens,
};

/// How long a removed source's last word is kept: longer than an alerter takes to come back.
const LAST_WORD: SignedDuration = SignedDuration::from_mins(15);

/// How often it is looked whether a last word has been kept for long enough.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// How long the values that are there at the start may take to be read.
const READ_WITHIN: Duration = Duration::from_mins(1);

/// How long the turns of a removed source may take to end. One that goes on for longer finds its duty gone when it does.
const END_WITHIN: Duration = Duration::from_secs(10);

/// Duties created at once.
const AT_ONCE: usize = 64;

/// The sources of a process.
pub(crate) struct Roster {
    bus: Bus,
    metrics: Metrics,
    connections: Connections,
    tokens: SealedTokens,
    /// Other addresses than 1Password's that sources of the bucket may name.
    addresses: Vec<String>,
    members: RwLock<HashMap<SourceId, Arc<Member>>>,
}

impl Roster {
    pub(crate) fn new(bus: Bus, metrics: Metrics, addresses: Vec<String>, tokens: SealedTokens) -> Self {
        Self { bus, metrics, connections: Connections::default(), tokens, addresses, members: RwLock::default() }
    }

    /// Takes in a source of the configuration file.
    pub(crate) fn name(&self, config: &SourceConfig) -> Result<(), InvalidConfig> {
        let member = Member::of_file(config, &self.connections, &self.tokens)?;
        self.put(Arc::new(member));
        Ok(())
    }

    pub(crate) fn get(&self, source: &SourceId) -> Option<Arc<Member>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }

    /// Every chain that is to have a duty.
    pub(crate) fn chains(&self) -> Vec<Chain> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.values().flat_map(|member| member.chains()).collect()
    }

    /// Reads the bucket, creates the duties that are missing, and follows the bucket from there until the soft shutdown. Calls `ready`
    /// in between.
    pub(crate) async fn follow(&self, shutdown: &Shutdown, ready: impl FnOnce()) -> Result<(), Error> {
        // Tokens first: a source is opened with its own.
        let mut tokens = self.follow_tokens().await?;
        let mut values = self.bus.watch_sources().await?;
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
    async fn read(
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
    fn enter(&self, item: &Item<BucketValue>) -> Option<(Option<Arc<Member>>, Arc<Member>)> {
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
    async fn change(&self, item: &Item<BucketValue>) {
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

    async fn wake_all(&self, member: &Member, occasion: &str) {
        futures::stream::iter(member.chains())
            .for_each_concurrent(AT_ONCE, |chain| async move {
                if let Err(error) = self.wake(&chain, occasion).await {
                    tracing::warn!(source = %chain.source, feed = %chain.feed, %error, "the change comes into effect at the next poll");
                }
            })
            .await;
    }

    /// One fetcher may wake a chain and another, which hears of an earlier removal only now, delete it: so each makes sure that it is there.
    async fn wake(&self, chain: &Chain, occasion: &str) -> Result<(), Error> {
        self.bus.wake_poll_task(chain, occasion).await?;
        self.ensure(chain).await
    }

    async fn ensure(&self, chain: &Chain) -> Result<(), Error> {
        self.bus.ensure_poll_task(chain).await?;
        self.bus.ensure_audit_task(chain).await
    }

    /// Ends a chain that nobody is to poll any more: its duty goes, and its checkpoint says why.
    pub(crate) async fn retire(&self, chain: &Chain, member: &Member) {
        let retired = async {
            self.bus.delete_tasks(chain).await?;
            if self.bus.last_checkpoint(chain).await?.is_some_and(|last| !is_last_word(&last.message)) {
                let report = performer::rest(chain, member.policy, &self.bus, &Input::Off(Off::Removed)).await;
                self.publish(
                    chain,
                    &report,
                    &Circumstances { source_label: member.label.clone(), ..Circumstances::default() },
                )
                .await;
            }
            Ok::<_, Error>(())
        };
        self.metrics.forget(chain);
        if let Err(error) = retired.await {
            tracing::warn!(source = %chain.source, feed = %chain.feed, %error, "a removed chain's duty could not be deleted; the next who takes it up does");
        }
    }

    /// Writes a turn's checkpoint.
    pub(crate) async fn publish(&self, chain: &Chain, report: &Report, circumstances: &Circumstances) {
        let Some(checkpoint) = report.checkpoint(chain, circumstances, clock::now()) else { return };
        if let Err(error) = self.bus.publish_checkpoint(chain, &checkpoint).await {
            tracing::warn!(source = %chain.source, feed = %chain.feed, %error, "the checkpoint could not be written");
        }
    }

    /// Tries again to make something of settings that could not be used: a file may be there by now.
    pub(crate) fn try_again(&self, member: &Arc<Member>) -> Arc<Member> {
        let Some(new) = member.opened(&self.connections, &self.tokens) else { return Arc::clone(member) };
        let new = Arc::new(new);
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        match members.get(&member.id) {
            Some(current) if current.revision == new.revision => {
                if let Duty::Poll(_) = new.duty {
                    tracing::info!(source = %new.id, "the source can be polled");
                }
                members.insert(new.id.clone(), Arc::clone(&new));
                new
            }
            _ => Arc::clone(member),
        }
    }

    /// Deletes the last words that have been kept for long enough.
    async fn tidy(&self, now: Timestamp) {
        let old: Vec<_> = {
            let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
            members.values().filter(|member| member.is_removed_before(now - LAST_WORD)).cloned().collect()
        };
        for member in old {
            if let Err(error) = self.forget(&member).await {
                tracing::warn!(source = %member.id, %error, "what is left of a removed source could not be deleted; trying again");
            }
        }
    }

    async fn forget(&self, member: &Member) -> Result<(), Error> {
        for chain in member.every_chain() {
            // A fetcher that had not heard of it may have been at work.
            self.bus.delete_tasks(&chain).await?;
            self.bus.delete_checkpoint(&chain).await?;
        }
        self.bus.forget_source(&member.id, member.revision).await?;
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        if members.get(&member.id).is_some_and(|current| current.revision == member.revision) {
            members.remove(&member.id);
        }
        Ok(())
    }

    fn put(&self, member: Arc<Member>) {
        self.members.write().unwrap_or_else(PoisonError::into_inner).insert(member.id.clone(), member);
    }

    fn tell(&self) {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        self.metrics.standings(
            Duty::WORDS.map(|word| (word, members.values().filter(|member| member.duty.as_str() == word).count())),
        );
    }
}

fn is_last_word(checkpoint: &latchkey_contracts::checkpoint::Checkpoint) -> bool {
    checkpoint.outcome.as_ref().is_some_and(|outcome| outcome.reason == latchkey_core::polling::REMOVED)
}

#[cfg(test)]
mod tests {
    use latchkey_bus::server;
    use latchkey_contracts::{checkpoint::Checkpoint, topology::Limits};

    use super::*;

    #[tokio::test]
    async fn a_removed_source_leaves_nothing_behind_in_the_end() {
        let server = server::scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let source: SourceId = "acme".parse().unwrap();
        bus.publish_source(&source, &BucketValue::removed(), 0).await.unwrap();
        let roster =
            Roster::new(bus.clone(), Metrics::new(&latchkey_runtime::Metrics::new()), Vec::new(), SealedTokens::none());
        for item in bus.sources().await.unwrap() {
            roster.enter(&item);
        }
        let member = roster.get(&source).unwrap();
        for chain in member.every_chain() {
            bus.ensure_poll_task(&chain).await.unwrap();
            bus.publish_checkpoint(&chain, &Checkpoint::default()).await.unwrap();
        }

        roster.tidy(clock::now()).await;
        assert!(bus.source(&source).await.unwrap().is_some(), "the last word is kept for a while");
        roster.tidy(clock::now() + LAST_WORD * 2).await;
        assert!(bus.source(&source).await.unwrap().is_none() && roster.get(&source).is_none());
        for chain in member.every_chain() {
            assert!(!bus.has_poll_task(&chain).await.unwrap(), "{chain}");
            assert!(bus.last_checkpoint(&chain).await.unwrap().is_none(), "{chain}");
        }
        // What is added while an old mark is being deleted stays.
        bus.publish_source(&source, &BucketValue::new("{}"), 0).await.unwrap();
        bus.forget_source(&source, member.revision).await.unwrap();
        assert!(bus.source(&source).await.unwrap().is_some());
    }
}
