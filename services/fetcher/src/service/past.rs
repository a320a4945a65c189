//! What is to be done for a chain whose past is due to be read again.

use latchkey_bus::Delivered;
use latchkey_contracts::task::Task;
use latchkey_runtime::Shutdown;

use super::{Inner, UNKNOWN_PAUSE, chain, renew};
use crate::{
    audit::{After, Order, Reader, off_pause},
    roster::Duty,
    stop::Stop,
};

impl Inner {
    /// Reads for a turn, and says what becomes of the task.
    pub(super) async fn turn_of_past(&self, task: &Delivered<Task>, shutdown: &Shutdown) -> After {
        let known = chain(task).and_then(|chain| self.roster.get(&chain.source).map(|member| (chain, member)));
        let Some((chain, member)) = known else { return After::Again(UNKNOWN_PAUSE) };
        // A source that rests, or is removed, has its past left alone; with a removed one the duty goes.
        let Duty::Poll(source) = &member.duty else { return After::Again(off_pause(rand::random())) };
        if !member.lists(chain.feed) {
            return After::Again(UNKNOWN_PAUSE);
        }
        let order = task.message.as_ref().ok().and_then(|message| Order::of(message, self.audits.schedule));
        let Some(order) = order else { return After::Again(off_pause(rand::random())) };
        let random = rand::random();
        let Some(_place) = self.audits.place() else { return After::Again(order.pause(random)) };
        let reader = Reader {
            chain: &chain,
            source,
            bus: &self.bus,
            budgets: &self.budgets,
            lanes: &self.lanes,
            metrics: &self.metrics,
            audits: &self.audits,
            order: &order,
            random,
            stop: Stop::new(&member.stop, shutdown.soft()),
        };
        let turn = member.turns.track_future(reader.turn());
        tokio::select! {
            after = turn => after,
            _ = renew(task) => After::Again(UNKNOWN_PAUSE),
        }
    }
}
