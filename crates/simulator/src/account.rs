//! One account of the stand-in: how it is configured, and what the server keeps for it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use jiff::Timestamp;

use crate::{
    dataset::{Company, Profile},
    fault::Standing,
    feed::Feed,
    limits::{Limiter, RateLimits},
    live::{Arrivals, Live},
    random::{mix, number_of},
    selection::{Reach, Repeats},
    series::Series,
    store::Store,
};

/// Longest name of an account.
pub const MAX_NAME_LENGTH: usize = 64;

/// When tokens are issued unless the account says otherwise: fixed, so that the same seed gives the same tokens.
const ISSUED_AT: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// An account to simulate.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountConfig {
    /// 1 to [`MAX_NAME_LENGTH`] lower-case letters, digits, `-` and `_`. Together with the seed it decides all content.
    pub name: String,
    /// What the feeds hold at the start.
    pub profile: Profile,
    /// Feeds the first token may read.
    pub features: Vec<Feed>,
    /// Host in the token's `aud` claim.
    pub audience: String,
    /// `iat` of tokens.
    pub issued_at: Timestamp,
    /// `exp` of tokens; without it the claim is absent and tokens never expire.
    pub expires_at: Option<Timestamp>,
    /// Whether tokens and introspections name the account.
    pub names_account: bool,
    /// Whether a service provider manages the account: its sign-ins and usages then carry `account_uuid` in version 2.
    pub managed: bool,
    /// Share of events that the API shows again, 0 to 1; nearby or up to 1,500 events later.
    pub repeat_rate: f64,
    /// Rate limits; none by default.
    pub rate_limits: Option<RateLimits>,
    /// Events that arrive while the simulator runs, on top of the profile; none by default.
    pub live: Option<Live>,
}

impl AccountConfig {
    /// An account whose token reads all feeds and never expires, without repeats and limits.
    #[must_use]
    pub fn new(name: impl Into<String>, profile: Profile) -> Self {
        Self {
            name: name.into(),
            profile,
            features: Feed::ALL.to_vec(),
            audience: "events.1password.com".into(),
            issued_at: ISSUED_AT,
            expires_at: None,
            names_account: true,
            managed: false,
            repeat_rate: 0.0,
            rate_limits: None,
            live: None,
        }
    }

    /// The bound that this configuration breaks, if it breaks one.
    pub(crate) fn broken_bound(&self) -> Option<&'static str> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !(1..=MAX_NAME_LENGTH).contains(&self.name.len()) || !self.name.bytes().all(allowed) {
            return Some("a name is 1 to 64 lower-case letters, digits, `-` and `_`");
        }
        if !(0.0..=1.0).contains(&self.repeat_rate) {
            return Some("the repeat rate must be 0 to 1");
        }
        self.live.and_then(|live| live.broken_bound()).or_else(|| self.profile.broken_bound())
    }

    /// The company behind this account, under the simulator's seed.
    pub(crate) fn company(&self, seed: u64) -> Company {
        Company::found(self.own_seed(seed), self.managed)
    }

    /// Distinct for each account of a simulator.
    fn own_seed(&self, seed: u64) -> u64 {
        mix(seed ^ number_of(&self.name))
    }
}

/// An account as it is served.
pub(crate) struct Account {
    pub(crate) config: AccountConfig,
    /// Seed of this account's content.
    pub(crate) seed: u64,
    pub(crate) uuid: String,
    /// Founded when needed: ten thousand empty accounts shall not hold ten thousand companies.
    company: OnceLock<Arc<Company>>,
    stores: [Mutex<Store>; 3],
    limiter: Mutex<Limiter>,
    standing: Mutex<Standing>,
    rejected: Mutex<RejectedCursors>,
}

/// Fingerprints of cursors that are refused for ever, oldest first.
#[derive(Debug, Default)]
struct RejectedCursors(VecDeque<u64>);

/// Rejected cursors remembered for each account; older ones are forgotten.
const MAX_REJECTED: usize = 1000;

impl Account {
    pub(crate) fn open(config: AccountConfig, seed: u64, now: Timestamp) -> Self {
        let own_seed = config.own_seed(seed);
        let company = OnceLock::new();
        let found = || company.get_or_init(|| Arc::new(config.company(seed)));
        let stores = Feed::ALL.map(|feed| {
            let series = match &config.profile {
                Profile::Empty => Series::default(),
                profile => Series::new(profile.bulk(feed, found()), profile.stored(feed, found())),
            };
            let seed = mix(own_seed ^ u64::from(feed.code()));
            let repeats = Repeats { rate: config.repeat_rate, reach: Reach::Anywhere, seed };
            let arrivals = config.live.map(|live| Arrivals::new(live, Arc::clone(found()), feed, now));
            Mutex::new(Store::new(series, arrivals, repeats, now))
        });
        let limiter = Mutex::new(Limiter::new(config.rate_limits));
        let uuid = Company::account_uuid_of(own_seed);
        let (standing, rejected) = (Mutex::default(), Mutex::default());
        Self { config, seed: own_seed, uuid, company, stores, limiter, standing, rejected }
    }

    pub(crate) fn company(&self) -> &Company {
        self.company.get_or_init(|| Arc::new(Company::found(self.seed, self.config.managed)))
    }

    /// Identifies the account in cursors.
    pub(crate) fn number(&self) -> u64 {
        number_of(&self.config.name)
    }

    /// The account's uuid where tokens and introspections may say it.
    pub(crate) fn named_uuid(&self) -> Option<&str> {
        self.config.names_account.then_some(self.uuid.as_str())
    }

    pub(crate) fn store(&self, feed: Feed) -> MutexGuard<'_, Store> {
        lock(&self.stores[feed.index()])
    }

    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        lock(&self.limiter)
    }

    pub(crate) fn standing(&self) -> MutexGuard<'_, Standing> {
        lock(&self.standing)
    }

    /// Refuses a cursor for ever.
    pub(crate) fn reject_cursor(&self, cursor: &str) {
        let mut rejected = lock(&self.rejected);
        if rejected.0.len() == MAX_REJECTED {
            rejected.0.pop_front();
        }
        rejected.0.push_back(number_of(cursor));
    }

    pub(crate) fn rejects(&self, cursor: &str) -> bool {
        let rejected = lock(&self.rejected);
        !rejected.0.is_empty() && rejected.0.contains(&number_of(cursor))
    }
}

/// Locks, also after a panic elsewhere: the values are counters and events that stay meaningful.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_the_uuid_of_its_company() {
        let account = Account::open(AccountConfig::new("acme", Profile::Empty), 7, Timestamp::UNIX_EPOCH);
        assert_eq!(account.uuid, account.company().account_uuid);
    }

    #[test]
    fn bounds_are_checked() {
        let check = |change: fn(&mut AccountConfig), fine: bool| {
            let mut config = AccountConfig::new("acme-1", Profile::Empty);
            change(&mut config);
            assert_eq!(config.broken_bound().is_none(), fine, "{config:?}");
        };
        check(|_| (), true);
        check(|config| config.name = String::new(), false);
        check(|config| config.name = "../etc".into(), false);
        check(|config| config.name = "a".repeat(65), false);
        check(|config| config.repeat_rate = 1.5, false);
        check(|config| config.repeat_rate = f64::NAN, false);
        let company = |weeks, factor| Profile::Company { weeks, until: Timestamp::UNIX_EPOCH, factor };
        for (weeks, factor) in [(0, 1.0), (18, 1.0), (3, 0.0), (3, f64::NAN), (3, 1e9)] {
            assert!(company(weeks, factor).broken_bound().is_some());
        }
        assert!(company(3, 1.0).broken_bound().is_none());
    }
}
