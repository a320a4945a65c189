//! Starting a simulator, and the handle with which a test steers and questions it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    account::{Account, AccountConfig},
    dataset::{self, Event, Lookups},
    error::Error,
    event::NewEvent,
    fault::{Fault, Plan},
    feed::Feed,
    ledger::{DatasetEntry, LedgerEntry, RequestRecord},
    server, tls,
    world::{Clock, World},
};

/// Most accounts in one simulator.
pub const MAX_ACCOUNTS: usize = 10_000;

/// Builds a simulator: seed, accounts, addresses, clock.
#[must_use]
pub struct Builder {
    seed: u64,
    accounts: Vec<AccountConfig>,
    listen: SocketAddr,
    tls_listen: SocketAddr,
    tls_names: Vec<String>,
    clock: Clock,
    plan: Plan,
}

/// A running simulator. Dropping it stops it.
pub struct Simulator {
    world: Arc<World>,
    http: SocketAddr,
    https: SocketAddr,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl Builder {
    /// Decides all content, together with the accounts' names and profiles. 1 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Adds an account.
    pub fn account(mut self, config: AccountConfig) -> Self {
        self.accounts.push(config);
        self
    }

    /// Where to serve HTTP: a free port on 127.0.0.1 by default.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Where to serve HTTPS: a free port on 127.0.0.1 by default.
    pub fn tls_listen(mut self, address: SocketAddr) -> Self {
        self.tls_listen = address;
        self
    }

    /// A further host name or address for the certificate, which always holds localhost, 127.0.0.1 and `::1`.
    pub fn tls_name(mut self, name: impl Into<String>) -> Self {
        self.tls_names.push(name.into());
        self
    }

    /// Another clock than the machine's: it decides which events are visible, default start times, expiry and rate limits.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// What goes wrong from the start; nothing by default.
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = plan;
        self
    }

    /// Makes the data and starts to serve, on the current tokio runtime.
    pub async fn start(self) -> Result<Simulator, Error> {
        self.check()?;
        let identity = tls::identity(&self.tls_names)?;
        let now = (self.clock)();
        let accounts = self.accounts.into_iter().map(|config| Account::open(config, self.seed, now)).collect();
        let world = Arc::new(World::new(accounts, self.seed, identity.ca_pem, self.clock));
        world.set_plan(self.plan);

        let plain = TcpListener::bind(self.listen).await.map_err(Error::Bind)?;
        let secure = TcpListener::bind(self.tls_listen).await.map_err(Error::Bind)?;
        let (http, https) = (plain.local_addr().map_err(Error::Bind)?, secure.local_addr().map_err(Error::Bind)?);

        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let routes = server::routes(&world);
        tasks.spawn(server::serve(plain, None, routes.clone(), stop.clone()));
        tasks.spawn(server::serve(secure, Some(TlsAcceptor::from(identity.server)), routes, stop.clone()));
        tasks.close();
        Ok(Simulator { world, http, https, tasks, stop: stop.drop_guard() })
    }

    fn check(&self) -> Result<(), Error> {
        self.plan.check()?;
        if self.accounts.len() > MAX_ACCOUNTS {
            return Err(Error::TooManyAccounts);
        }
        let mut names = std::collections::HashSet::new();
        for config in &self.accounts {
            if let Some(bound) = config.broken_bound() {
                return Err(Error::Account { name: config.name.clone(), bound });
            }
            if !names.insert(config.name.as_str()) {
                return Err(Error::DuplicateAccount(config.name.clone()));
            }
        }
        Ok(())
    }
}

impl Simulator {
    /// A builder without accounts.
    pub fn builder() -> Builder {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Builder {
            seed: 1,
            accounts: Vec::new(),
            listen: loopback,
            tls_listen: loopback,
            tls_names: Vec::new(),
            clock: Arc::new(crate::clock::now),
            plan: Plan::default(),
        }
    }

    /// Base URL over HTTP, without a slash at the end.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Base URL over HTTPS, without a slash at the end.
    #[must_use]
    pub fn https_url(&self) -> String {
        format!("https://{}", self.https)
    }

    /// Certificate of the authority that signed the HTTPS certificate.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.world.ca_pem
    }

    /// The account's current bearer token, revoked or not.
    pub fn token(&self, account: &str) -> Result<String, Error> {
        Ok(self.world.token(self.find(account)?))
    }

    /// Hands out a further token for these feeds, which becomes the current one; earlier tokens stay good.
    pub fn issue_token(&self, account: &str, features: &[Feed]) -> Result<String, Error> {
        let account = self.find(account)?;
        self.world.issue(account, features.to_vec(), self.world.accounts()[account].config.expires_at)
    }

    /// The same for a token that expires, and says so in its `exp` claim.
    pub fn issue_token_until(&self, account: &str, features: &[Feed], expires_at: Timestamp) -> Result<String, Error> {
        self.world.issue(self.find(account)?, features.to_vec(), Some(expires_at))
    }

    /// Makes all tokens of the account worthless, at once.
    pub fn revoke(&self, account: &str) -> Result<(), Error> {
        self.world.revoke_account(self.find(account)?);
        Ok(())
    }

    /// Makes one token worthless, at once.
    pub fn revoke_token(&self, token: &str) {
        self.world.revoke_token(token);
    }

    /// Changes what the account's tokens may read, at once. The claims inside the tokens stay as they were.
    pub fn set_features(&self, account: &str, features: &[Feed]) -> Result<(), Error> {
        self.world.set_features(self.find(account)?, features);
        Ok(())
    }

    /// Sets how one feed's requests fail, or those of every endpoint of the account. Lasts until it is set again;
    /// [`Fault::None`] ends it. A [`Plan`] is the way to faults that come and go.
    pub fn set_fault(&self, account: &str, feed: Option<Feed>, fault: Fault) -> Result<(), Error> {
        let account = self.account(account)?;
        if let Some(bound) = fault.broken_bound() {
            return Err(Error::Fault(bound));
        }
        account.standing().set(feed, fault);
        Ok(())
    }

    /// Replaces the plan of faults; its counts and times begin anew. An empty plan ends all faults but the standing ones.
    pub fn set_plan(&self, plan: Plan) -> Result<(), Error> {
        plan.check()?;
        self.world.set_plan(plan);
        Ok(())
    }

    /// The plan of faults in use.
    #[must_use]
    pub fn plan(&self) -> Plan {
        self.world.plan()
    }

    /// Adds events to a feed. One whose arrival lies in the future becomes visible when the clock reaches it; no event
    /// arrives earlier than what clients may have seen already.
    pub fn append(&self, account: &str, feed: Feed, events: impl IntoIterator<Item = NewEvent>) -> Result<(), Error> {
        let now = self.world.now();
        let events = events.into_iter().map(|event| event.placed(now)).collect();
        self.account(account)?.store(feed).append(events, now);
        Ok(())
    }

    /// Adds believable events that happen and arrive at this moment. Returns their uuids.
    pub fn append_sample(&self, account: &str, feed: Feed, count: usize) -> Result<Vec<String>, Error> {
        let now = self.world.now();
        let account = self.account(account)?;
        let mut store = account.store(feed);
        let events: Vec<Event> = dataset::sample(feed, account.company(), now, count, SAMPLES ^ store.len(now) as u64);
        let uuids = events.iter().map(|event| event.uuid.to_string()).collect();
        store.append(events, now);
        Ok(uuids)
    }

    /// Every event of the feed that was served at least once, in order of arrival.
    pub fn ledger(&self, account: &str, feed: Feed) -> Result<Vec<LedgerEntry>, Error> {
        Ok(self.account(account)?.store(feed).ledger(0, usize::MAX).0)
    }

    /// Every event of the feed, visible or not, in order of arrival.
    pub fn dataset(&self, account: &str, feed: Feed) -> Result<Vec<DatasetEntry>, Error> {
        let now = self.world.now();
        Ok(self.account(account)?.store(feed).dataset(0, usize::MAX, now).0)
    }

    /// The latest requests to the Events API, oldest first; [`MAX_REQUESTS_KEPT`](crate::MAX_REQUESTS_KEPT) at most.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.world.requests()
    }

    /// Tables that give names to the account's items, vaults and people.
    pub fn lookups(&self, account: &str) -> Result<Lookups, Error> {
        Ok(Lookups::of(self.account(account)?.company()))
    }

    /// Stops serving; requests under way may finish within two seconds.
    pub async fn shutdown(self) {
        drop(self.stop);
        self.tasks.wait().await;
    }

    fn find(&self, account: &str) -> Result<usize, Error> {
        self.world.find(account).ok_or_else(|| Error::UnknownAccount(account.to_owned()))
    }

    fn account(&self, account: &str) -> Result<&Account, Error> {
        Ok(&self.world.accounts()[self.find(account)?])
    }
}

/// Keeps the numbers of appended samples apart from those of histories.
const SAMPLES: u64 = 1 << 63;

/// The lookup tables of an account without starting a server: those that [`Simulator::lookups`] gives under the same seed.
#[must_use]
pub fn lookups(seed: u64, config: &AccountConfig) -> Lookups {
    Lookups::of(&config.company(seed))
}

/// Tokens stay out of debug output.
impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("http", &self.http).field("https", &self.https).finish_non_exhaustive()
    }
}
