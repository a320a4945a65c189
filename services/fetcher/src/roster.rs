//! Which sources there are, by the configuration file and by the bucket SOURCES, as both stand at this moment.
//!
//! What the file names is the file's: it stays as it is until the process ends. What the bucket says may change at any time
//! (`follow`), what is wrong with one value is told of and hurts no other, and a removed source leaves a last word (`last_word`).

mod follow;
mod last_word;
mod member;
mod tokens;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use latchkey_bus::Bus;
use latchkey_contracts::{Chain, SourceId};
use latchkey_core::{
    audit::Span,
    polling::{Circumstances, Report},
};
use latchkey_runtime::clock;

pub(crate) use self::member::{Duty, Member};
use crate::{
    config::{InvalidConfig, SourceConfig},
    connections::Connections,
    memory::Memories,
    metrics::Metrics,
    sealed_tokens::SealedTokens,
};

/// The sources of a process.
pub(crate) struct Roster {
    bus: Bus,
    metrics: Metrics,
    /// What is remembered of a chain goes when its duty does.
    memories: Memories,
    connections: Connections,
    tokens: SealedTokens,
    /// Other addresses than 1Password's that sources of the bucket may name.
    addresses: Vec<String>,
    members: RwLock<HashMap<SourceId, Arc<Member>>>,
}

impl Roster {
    pub(crate) fn new(bus: Bus, metrics: Metrics, addresses: Vec<String>, tokens: SealedTokens) -> Self {
        Self {
            bus,
            metrics,
            memories: Memories::default(),
            connections: Connections::default(),
            tokens,
            addresses,
            members: RwLock::default(),
        }
    }

    /// Takes in a source of the configuration file.
    pub(crate) fn name(&self, config: &SourceConfig) -> Result<(), InvalidConfig> {
        let member = Member::of_file(config, &self.connections, &self.tokens)?;
        self.put(Arc::new(member));
        Ok(())
    }

    /// What this process remembers of its chains.
    pub(crate) fn memories(&self) -> &Memories {
        &self.memories
    }

    /// Whether the chain is to be polled, as things stand.
    pub(crate) fn lists(&self, chain: &Chain) -> bool {
        self.get(&chain.source).is_some_and(|member| member.lists(chain.feed))
    }

    pub(crate) fn get(&self, source: &SourceId) -> Option<Arc<Member>> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).get(source).cloned()
    }

    /// Every chain that is to have a duty.
    pub(crate) fn chains(&self) -> Vec<Chain> {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.values().flat_map(|member| member.chains()).collect()
    }

    /// Writes a turn's checkpoint.
    pub(crate) async fn publish(&self, chain: &Chain, report: &Report, circumstances: &Circumstances) {
        if let Some(Span { from, to }) = report.history.given_up {
            tracing::warn!(
                source = %chain.source, feed = %chain.feed, %from, %to,
                "what a recovery passed by a week ago is given up for what another passes by: no audit reads it that has not yet"
            );
        }
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
