//! Keeps what is learned of feeds in the bucket HABITS.
//!
//! A task of its own, so that a server which answers slowly holds back no verdict. While it is at work, at most one batch more waits for it; what
//! the watcher does not hand over stays due.

use latchkey_bus::{Bus, Error, Publication};
use latchkey_core::alert::board::Keep;
use latchkey_runtime::Shutdown;
use tokio::sync::mpsc;

pub(crate) struct Keeper {
    bus: Bus,
    keep: mpsc::Receiver<Vec<Keep>>,
}

impl Keeper {
    /// A keeper, and where to hand over what it is to keep.
    pub(crate) fn new(bus: Bus) -> (Self, mpsc::Sender<Vec<Keep>>) {
        let (hand, keep) = mpsc::channel(1);
        (Self { bus, keep }, hand)
    }

    /// Works until the soft shutdown.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) {
        loop {
            let work = async {
                let Some(keep) = self.keep.recv().await else { return false };
                self.keep_all(&keep).await;
                true
            };
            tokio::select! {
                () = shutdown.soft().cancelled() => return,
                goes_on = work => if !goes_on { return },
            }
        }
    }

    /// What fails is kept an hour later: the habits of the hour before are there until then. What could not be removed is found left over by
    /// the alerter that starts next.
    async fn keep_all(&self, keep: &[Keep]) {
        for keep in keep {
            let (chain, outcome) = match keep {
                Keep::Store(chain, habit) => (chain, self.bus.publish_habit(chain, habit).await.and_then(stored)),
                Keep::Remove(chain) => (chain, self.bus.forget_habit(chain).await),
            };
            if let Err(failure) = outcome {
                tracing::warn!(source = %chain.source, feed = %chain.feed, %failure, "what was learned of feeds could not be kept");
                return;
            }
        }
    }
}

fn stored(answer: Publication) -> Result<(), Error> {
    match answer {
        Publication::Stored { .. } | Publication::Repeated { .. } => Ok(()),
        other => Err(Error::not_stored("keeping a habit", other)),
    }
}
