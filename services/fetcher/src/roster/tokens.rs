//! How the sources of a process come by their sealed tokens.

use latchkey_bus::{BucketValue, Error, Item, Reader};
use latchkey_contracts::{SourceId, subject, topology::TOKENS};

use super::Roster;

impl Roster {
    /// Reads the bucket TOKENS and goes on from there; not at all in a fetcher without a key, which need not be allowed to.
    pub(super) async fn follow_tokens(&self) -> Result<Option<Reader<BucketValue>>, Error> {
        if !self.tokens.has_keys() {
            return Ok(None);
        }
        let mut tokens = self.bus.watch_tokens();
        self.read(&mut tokens, &TOKENS, |item| _ = self.take_in(item)).await?;
        Ok(Some(tokens))
    }

    /// Takes in a sealed token. Returns the source that has another one by it.
    fn take_in(&self, item: &Item<BucketValue>) -> Option<SourceId> {
        let Some(source) = subject::source_of(&item.subject) else {
            tracing::warn!(sequence = item.sequence, "a key of the bucket TOKENS cannot name a source");
            return None;
        };
        self.tokens.take_in(&source, item.sequence, item.message.as_ref()).then_some(source)
    }

    /// Takes in a sealed token that changes while chains are polled. Turns under way find it by themselves; a source that had none, or one
    /// that was refused, need not wait for its next turn.
    pub(super) async fn change_token(&self, item: &Item<BucketValue>) {
        let Some(source) = self.take_in(item) else { return };
        let Some(member) = self.get(&source) else { return };
        let member = self.try_again(&member);
        if member.is_sealed() {
            self.wake_all(&member, &format!("token {}", item.sequence)).await;
        }
    }
}

/// The next value; never, if nothing is followed.
pub(super) async fn next(values: &mut Option<Reader<BucketValue>>) -> Result<Item<BucketValue>, Error> {
    match values {
        Some(values) => values.next().await,
        None => std::future::pending().await,
    }
}
