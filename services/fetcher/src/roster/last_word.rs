//! What a removed source leaves, and how that goes as well.
//!
//! Its chains lose their duties at once and keep a last word in their checkpoints, so that whoever watches learns of it. After a while
//! the last word goes too. All fetchers do this side by side: each step can be done twice.

use std::{sync::PoisonError, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::Error;
use latchkey_contracts::{Chain, checkpoint::Checkpoint};
use latchkey_core::polling::{Circumstances, Input, Off, REMOVED};

use super::{Member, Roster};
use crate::performer;

/// How long a removed source's last word is kept: longer than an alerter takes to come back.
const LAST_WORD: SignedDuration = SignedDuration::from_mins(15);

/// How often it is looked whether a last word has been kept for long enough.
pub(super) const TIDY_EVERY: Duration = Duration::from_secs(30);

impl Roster {
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
        self.memories.forget(chain);
        if let Err(error) = retired.await {
            tracing::warn!(source = %chain.source, feed = %chain.feed, %error, "a removed chain's duty could not be deleted; the next who takes it up does");
        }
    }

    /// Deletes the last words that have been kept for long enough.
    pub(super) async fn tidy(&self, now: Timestamp) {
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
            self.bus.delete_head(&chain).await?;
        }
        self.bus.forget_source(&member.id, member.revision).await?;
        let mut members = self.members.write().unwrap_or_else(PoisonError::into_inner);
        if members.get(&member.id).is_some_and(|current| current.revision == member.revision) {
            members.remove(&member.id);
        }
        Ok(())
    }
}

fn is_last_word(checkpoint: &Checkpoint) -> bool {
    checkpoint.outcome.as_ref().is_some_and(|outcome| outcome.reason == REMOVED)
}

#[cfg(test)]
mod tests {
    use latchkey_bus::{BucketValue, Bus, server};
    use latchkey_contracts::{Feed, SourceId, topology::Limits};
    use latchkey_runtime::clock;

    use super::*;
    use crate::{memory::Memory, metrics::Metrics, sealed_tokens::SealedTokens};

    #[tokio::test]
    async fn a_removed_source_leaves_nothing_behind_in_the_end() {
        let server = server::scratch().await.unwrap();
        let bus = Bus::connect(server.connect_options("test")).await.unwrap();
        bus.provision(Limits::default()).await.unwrap();
        let source: SourceId = "acme".parse().unwrap();
        bus.publish_source(&source, &BucketValue::removed(), 0).await.unwrap();
        let roster =
            Roster::new(bus.clone(), Metrics::new(&latchkey_runtime::Metrics::new()), Vec::new(), SealedTokens::none());
        for chain in Feed::ALL.map(|feed| Chain { source: source.clone(), feed }) {
            roster.memories().keep(chain, Memory::default());
        }
        for item in bus.sources().await.unwrap() {
            roster.change(&item).await;
        }
        let member = roster.get(&source).unwrap();
        assert!(member.every_chain().all(|chain| roster.memories().recall(&chain).is_none() && !roster.lists(&chain)));
        for chain in member.every_chain() {
            bus.ensure_poll_task(&chain).await.unwrap();
            bus.publish_checkpoint(&chain, &Checkpoint::default()).await.unwrap();
            bus.leave_head(&chain, &Checkpoint { page_sequence: 1, ..Checkpoint::default() }).await.unwrap();
            let arrived = async { while bus.last_head(&chain).await.unwrap().is_none() {} };
            tokio::time::timeout(Duration::from_secs(10), arrived).await.unwrap();
        }

        roster.tidy(clock::now()).await;
        assert!(bus.source(&source).await.unwrap().is_some(), "the last word is kept for a while");
        roster.tidy(clock::now() + LAST_WORD * 2).await;
        assert!(bus.source(&source).await.unwrap().is_none() && roster.get(&source).is_none());
        for chain in member.every_chain() {
            assert!(!bus.has_poll_task(&chain).await.unwrap(), "{chain}");
            assert!(bus.last_checkpoint(&chain).await.unwrap().is_none(), "{chain}");
            assert!(bus.last_head(&chain).await.unwrap().is_none(), "{chain}");
        }
        // What is added while an old mark is being deleted stays.
        bus.publish_source(&source, &BucketValue::new("{}"), 0).await.unwrap();
        bus.forget_source(&source, member.revision).await.unwrap();
        assert!(bus.source(&source).await.unwrap().is_some());
    }
}
