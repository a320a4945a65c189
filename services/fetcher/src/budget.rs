//! The share that this process has in its accounts' budgets.
//!
//! Requests are taken a few at a time from the account's message in stream BUDGETS and spent from here. How many follows from how many
//! the last ones in a row were: a source whose feeds are polled once a minute, one behind the other, takes one for each feed; a chain that
//! catches up takes 32. Taking some is one message: its last state is remembered, and if another fetcher was faster, the stream says so
//! and it is read again.
//!
//! Who cannot reach the budget allows itself an eighth of the limits for live polls, and nothing for the rest.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use latchkey_bus::{Bus, Publication};
use latchkey_core::budget::{AccountKey, Budget, GRANT_LIFETIME, Limits, MAX_GRANT, Work};
use latchkey_runtime::clock;

use crate::metrics::Metrics;

/// How long an exchange with the budget may take. A fetch may take a minute.
const PATIENCE: Duration = Duration::from_secs(2);

/// Fetchers that are faster before this one goes on alone.
const MAX_CONFLICTS: u32 = 8;

/// How long a poll waits inside of its turn; then it is handed back until there is something to take.
const WAIT_IN_TURN: Duration = Duration::from_secs(10);

/// Accounts remembered. A token that names no account is one of its own, so tokens that are replaced leave some behind. What is
/// forgotten is read again from the stream; what was taken and not spent counts as spent.
const MAX_ACCOUNTS: usize = 20_000;

/// How long work that is not live waits for a budget that cannot be reached.
const UNREACHABLE_PAUSE: Duration = Duration::from_secs(10);

/// All accounts of this process.
pub(crate) struct Budgets {
    bus: Bus,
    limits: Limits,
    metrics: Metrics,
    accounts: Mutex<HashMap<AccountKey, Arc<tokio::sync::Mutex<Account>>>>,
}

/// One of them.
#[derive(Default)]
struct Account {
    /// The budget as last seen in the stream, and its sequence there.
    seen: Budget,
    sequence: u64,
    /// What is taken and not spent.
    purses: HashMap<Work, Purse>,
    /// What was spent while the budget could not be reached.
    alone: Budget,
}

#[derive(Clone, Copy)]
struct Purse {
    left: u32,
    taken: u32,
    until: Instant,
    /// Requests in a row: since some were last taken after the ones before had run out of time.
    row: u32,
}

/// What came of an exchange with the stream.
enum Exchange {
    Settled(Result<u32, Duration>),
    Unreachable,
}

impl Budgets {
    pub(crate) fn new(bus: Bus, limits: Limits, metrics: Metrics) -> Self {
        Self { bus, limits, metrics, accounts: Mutex::default() }
    }

    /// Takes one request, waiting a little if that is enough; else says how long it would take.
    pub(crate) async fn take_or_wait(&self, account: &AccountKey, work: Work) -> Result<(), Duration> {
        let deadline = Instant::now() + WAIT_IN_TURN;
        loop {
            match self.take(account, work).await {
                Err(wait) if Instant::now() + wait <= deadline => tokio::time::sleep(wait).await,
                answer => break answer,
            }
        }
    }

    /// Takes one request, or says how long to wait before asking again.
    pub(crate) async fn take(&self, key: &AccountKey, work: Work) -> Result<(), Duration> {
        let account = self.account(key);
        let mut account = account.lock().await;
        if account.spend(work) {
            return Ok(());
        }
        let want = account.want(work);
        let exchange = tokio::time::timeout(
            PATIENCE,
            self.exchange(key, &mut account, |budget| budget.take(self.limits, work, want, clock::now())),
        );
        match exchange.await.unwrap_or(Exchange::Unreachable) {
            Exchange::Settled(Ok(granted)) => {
                self.metrics.budget_asked(work, "taken");
                account.fill(work, granted);
                Ok(())
            }
            Exchange::Settled(Err(wait)) => {
                self.metrics.budget_asked(work, "refused");
                Err(wait)
            }
            Exchange::Unreachable => {
                self.metrics.budget_asked(work, "alone");
                account.forget();
                account.alone(self.limits, work)
            }
        }
    }

    /// Takes note of a 429, for everybody.
    pub(crate) async fn refused(&self, key: &AccountKey, retry_after: Option<Duration>) {
        let account = self.account(key);
        let mut account = account.lock().await;
        account.purses.clear();
        account.alone.refused(retry_after, clock::now());
        let exchange = tokio::time::timeout(
            PATIENCE,
            self.exchange(key, &mut account, |budget| {
                budget.refused(retry_after, clock::now());
                Ok(0)
            }),
        );
        if let Exchange::Unreachable = exchange.await.unwrap_or(Exchange::Unreachable) {
            account.forget();
        }
    }

    /// Changes the budget in the stream, on top of what is there. A change that is refused by the budget itself is not written.
    async fn exchange(
        &self,
        key: &AccountKey,
        account: &mut Account,
        change: impl Fn(&mut Budget) -> Result<u32, Duration>,
    ) -> Exchange {
        for _ in 0..=MAX_CONFLICTS {
            let mut budget = account.seen.clone();
            let outcome = change(&mut budget);
            if outcome.is_err() {
                return Exchange::Settled(outcome);
            }
            match self.bus.publish_budget(key.as_str(), &budget.write(), account.sequence).await {
                Ok(Publication::Stored { sequence } | Publication::Repeated { sequence }) => {
                    (account.seen, account.sequence) = (budget, sequence);
                    return Exchange::Settled(outcome);
                }
                Ok(Publication::Conflict) => match self.bus.last_budget(key.as_str()).await {
                    Ok(stored) => account.learn(stored.map(|stored| (Budget::read(&stored.message), stored.sequence))),
                    Err(_) => return Exchange::Unreachable,
                },
                Ok(Publication::Full | Publication::TooLarge { .. } | Publication::Unknown) | Err(_) => {
                    return Exchange::Unreachable;
                }
            }
        }
        Exchange::Unreachable
    }

    fn account(&self, key: &AccountKey) -> Arc<tokio::sync::Mutex<Account>> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MAX_ACCOUNTS && !accounts.contains_key(key) {
            // Those that nobody asks at this moment.
            accounts.retain(|_, account| Arc::strong_count(account) > 1);
        }
        Arc::clone(accounts.entry(key.clone()).or_default())
    }
}

impl Account {
    fn spend(&mut self, work: Work) -> bool {
        let Some(purse) = self.purses.get_mut(&work) else { return false };
        let good = purse.left > 0 && Instant::now() < purse.until;
        purse.left -= u32::from(good);
        purse.row += u32::from(good);
        good
    }

    /// Twice as many as last time if those are spent before their time, else as many as there were in a row.
    fn want(&self, work: Work) -> u32 {
        let Some(last) = self.purses.get(&work) else { return 1 };
        let want = if Instant::now() < last.until { last.taken * 2 } else { last.row };
        want.clamp(1, MAX_GRANT)
    }

    /// The first of them is spent at once.
    fn fill(&mut self, work: Work, granted: u32) {
        let now = Instant::now();
        let before = self.purses.get(&work).filter(|last| now < last.until).map_or(0, |last| last.row);
        let purse = Purse { left: granted - 1, taken: granted, until: now + GRANT_LIFETIME, row: before + 1 };
        self.purses.insert(work, purse);
    }

    fn learn(&mut self, stored: Option<(Budget, u64)>) {
        (self.seen, self.sequence) = stored.unwrap_or_default();
    }

    /// What is in the stream is not certain: the next exchange finds out.
    fn forget(&mut self) {
        self.learn(None);
    }

    fn alone(&mut self, limits: Limits, work: Work) -> Result<(), Duration> {
        match work {
            Work::Live => self.alone.take(limits.alone(), work, 1, clock::now()).map(|_| ()),
            Work::Backfill | Work::Audit => Err(UNREACHABLE_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_taken_as_there_were_in_a_row() {
        let mut account = Account::default();
        // One minute after the other, so many requests in each: how many messages they cost.
        for (requests, messages) in [(3, 2), (3, 1), (3, 1), (40, 4), (3, 1), (3, 1), (1, 1), (1, 1)] {
            let mut taken = 0;
            for _ in 0..requests {
                if !account.spend(Work::Live) {
                    account.fill(Work::Live, account.want(Work::Live));
                    taken += 1;
                }
            }
            assert_eq!(taken, messages, "{requests}");
            let purse = account.purses.get_mut(&Work::Live).unwrap();
            purse.until = Instant::now();
        }
    }
}
