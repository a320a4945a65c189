//! Which feeds a token is made for, as 1Password says when it is asked.
//!
//! A refused feed and a feed that the token was never made for look alike: 401. Introspection tells them apart. It may fail on its own, and
//! then nothing is known: every feed is polled, as without it. It counts in the account's budget and does not wait for it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use latchkey_contracts::{Feed, SourceId};
use latchkey_core::budget::Work;
use latchkey_events_api::Introspection;

use crate::{access::Pass, budget::Budgets};

/// How long an answer counts. 1Password's scopes stay as they are; a stand-in's may change.
const LIFETIME: Duration = Duration::from_hours(1);

/// How long after an answer or a failure a refusal makes us ask again.
const DOUBT_AFTER: Duration = Duration::from_secs(30);

/// Pause after introspection has failed.
const RETRY: Duration = Duration::from_mins(5);

/// What is known of a source's token.
pub(crate) struct Scopes {
    source: SourceId,
    /// The feeds to be polled.
    feeds: Vec<Feed>,
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    answer: Option<Introspection>,
    /// The last answer or failure to this token.
    asked: Option<Asked>,
    /// The feeds that were off when it was last told.
    told_off: Vec<Feed>,
    /// Counts tokens: an answer about one of the past does not count.
    generation: u64,
}

#[derive(Clone, Copy)]
struct Asked {
    at: Instant,
    failed: bool,
}

impl Scopes {
    pub(crate) fn new(source: SourceId, feeds: Vec<Feed>) -> Self {
        Self { source, feeds, known: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Whether the token is known not to be made for this feed.
    pub(crate) fn exclude(&self, feed: Feed) -> bool {
        self.known().answer.as_ref().is_some_and(|answer| !answer.allows(feed))
    }

    /// Asks if it is time to; whoever comes while another asks goes on with what is known.
    pub(crate) async fn learn(&self, pass: &Pass, budgets: &Budgets) {
        let pause = |asked: Asked| if asked.failed { RETRY } else { LIFETIME };
        if self.due(pause)
            && let Ok(_asking) = self.asking.try_lock()
        {
            self.ask(pass, budgets).await;
        }
    }

    /// After a refusal: asks unless the last answer is fresh.
    pub(crate) async fn doubt(&self, pass: &Pass, budgets: &Budgets) {
        let _asking = self.asking.lock().await;
        if self.due(|_| DOUBT_AFTER) {
            self.ask(pass, budgets).await;
        }
    }

    /// There is another token.
    pub(crate) fn forget(&self) {
        let mut known = self.known();
        (known.answer, known.asked) = (None, None);
        known.generation += 1;
    }

    fn due(&self, pause: impl Fn(Asked) -> Duration) -> bool {
        self.known().asked.is_none_or(|asked| asked.at.elapsed() >= pause(asked))
    }

    async fn ask(&self, pass: &Pass, budgets: &Budgets) {
        let generation = self.known().generation;
        let _ = budgets.take(&pass.account, Work::Live).await;
        let answer = pass.client.introspect().await;
        let failed = answer.is_err();
        let mut known = self.known();
        if known.generation != generation {
            return;
        }
        known.asked = Some(Asked { at: Instant::now(), failed });
        match answer {
            Ok(answer) => {
                self.tell(&mut known, &answer);
                known.answer = Some(answer);
            }
            Err(error) => {
                tracing::debug!(source = %self.source, reason = error.reason(), "the token's scopes are not known");
            }
        }
    }

    /// A feed that goes off or on is a change of state.
    fn tell(&self, known: &mut Known, answer: &Introspection) {
        let off: Vec<Feed> = self.feeds.iter().copied().filter(|feed| !answer.allows(*feed)).collect();
        for feed in &self.feeds {
            match (known.told_off.contains(feed), off.contains(feed)) {
                (false, true) => {
                    tracing::info!(source = %self.source, %feed, "the token is not made for this feed: it is off");
                }
                (true, false) => {
                    tracing::info!(source = %self.source, %feed, "the token is made for this feed: it is on");
                }
                _ => {}
            }
        }
        known.told_off = off;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
