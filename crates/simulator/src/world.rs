//! Everything the server shares between requests: accounts, tokens, the request log and the clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use jiff::Timestamp;

use crate::{
    account::{Account, AccountConfig, lock},
    cursor::Sealer,
    error::Error,
    fault::{Active, Asked, Effects, Fault, Plan},
    feed::Feed,
    ledger::{RequestLog, RequestRecord},
    random::Random,
    server::Served,
    token::{self, Grant},
};

/// Tells the time. Tests give their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The state behind all listeners.
pub(crate) struct World {
    accounts: Vec<Account>,
    tokens: RwLock<Tokens>,
    requests: Mutex<RequestLog>,
    plan: Mutex<Active>,
    pub(crate) sealer: Sealer,
    pub(crate) ca_pem: String,
    clock: Clock,
}

#[derive(Default)]
struct Tokens {
    grants: HashMap<String, Grant>,
    /// Every token ever issued, by account; the last is the current one. Revoked tokens stay here and lose their grant.
    issued: Vec<Vec<String>>,
}

impl World {
    pub(crate) fn new(accounts: Vec<Account>, seed: u64, ca_pem: String, clock: Clock) -> Self {
        let issued = vec![Vec::new(); accounts.len()];
        let world = Self {
            accounts,
            tokens: RwLock::new(Tokens { grants: HashMap::new(), issued }),
            requests: Mutex::default(),
            plan: Mutex::new(Active::new(Plan::default(), clock())),
            sealer: Sealer::new(seed),
            ca_pem,
            clock,
        };
        for (index, account) in world.accounts.iter().enumerate() {
            let AccountConfig { features, expires_at, .. } = &account.config;
            world.issue(index, features.clone(), *expires_at).expect("the first token is not too many");
        }
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Index of the account with this name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.accounts.iter().position(|account| account.config.name == name)
    }

    /// Hands out a further token, which becomes the current one; earlier tokens stay good.
    pub(crate) fn issue(
        &self,
        account: usize,
        features: Vec<Feed>,
        expires_at: Option<Timestamp>,
    ) -> Result<String, Error> {
        let Account { config, seed, .. } = &self.accounts[account];
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        let number = tokens.issued[account].len();
        if number >= MAX_TOKENS {
            return Err(Error::TooManyTokens);
        }
        let mut random = Random::of(&[*seed, TOKENS, number as u64]);
        let grant =
            Grant { account, features, issued_at: config.issued_at, expires_at, id: token::new_id(&mut random) };
        let token = token::spell(&grant, &config.audience, self.accounts[account].named_uuid(), &mut random);
        tokens.grants.insert(token.clone(), grant);
        tokens.issued[account].push(token.clone());
        Ok(token)
    }

    /// The account's current token, good or not.
    pub(crate) fn token(&self, account: usize) -> String {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.issued[account].last().cloned().expect("every account is issued a token at the start")
    }

    /// What a token allows at this moment.
    pub(crate) fn grant(&self, token: &str, now: Timestamp) -> Option<Grant> {
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.grants.get(token).filter(|grant| grant.lives(now)).cloned()
    }

    /// Makes one token worthless.
    pub(crate) fn revoke_token(&self, token: &str) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).grants.remove(token);
    }

    /// Makes all tokens of an account worthless.
    pub(crate) fn revoke_account(&self, account: usize) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.grants.retain(|_, grant| grant.account != account);
    }

    /// Changes what the account's tokens may read.
    pub(crate) fn set_features(&self, account: usize, features: &[Feed]) {
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        for grant in tokens.grants.values_mut().filter(|grant| grant.account == account) {
            grant.features = features.to_vec();
        }
    }

    /// What the account's current token may read; nothing if it is revoked.
    pub(crate) fn features(&self, account: usize) -> Vec<Feed> {
        let token = self.token(account);
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.grants.get(&token).map(|grant| grant.features.clone()).unwrap_or_default()
    }

    /// Takes another plan into use, whose schedules begin at this moment.
    pub(crate) fn set_plan(&self, plan: Plan) {
        *lock(&self.plan) = Active::new(plan, self.now());
    }

    pub(crate) fn plan(&self) -> Plan {
        lock(&self.plan).plan().clone()
    }

    /// What goes wrong with a request: the account's standing fault first, then the plan's.
    pub(crate) fn effects(&self, account: &Account, asked: Asked<'_>, now: Timestamp) -> Effects {
        let mut faults = lock(&self.plan).strike(asked, now);
        let standing = account.standing();
        if *standing.of(asked.feed) != Fault::None {
            faults.insert(0, standing.of(asked.feed).clone());
        }
        Effects::of(&faults)
    }

    /// Counts events as served.
    pub(crate) fn count(&self, served: &Served) {
        let now = self.now();
        self.accounts[served.account].store(served.feed).count(&served.indexes, now);
    }

    pub(crate) fn log(&self, record: RequestRecord) {
        lock(&self.requests).push(record);
    }

    pub(crate) fn requests(&self) -> Vec<RequestRecord> {
        lock(&self.requests).all()
    }
}

/// Tokens an account is issued at most.
pub const MAX_TOKENS: usize = 1000;

/// Keeps the numbers of tokens apart from those of events.
const TOKENS: u64 = u64::MAX - 2;
