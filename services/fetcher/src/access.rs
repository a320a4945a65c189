//! A source's way into 1Password: its token and the client that carries it, replaced together when the token is.
//!
//! Tokens are rotated while pages are read. The place a token is kept in is looked at when a turn begins and when 1Password refuses the
//! token, so that a rotation needs no restart and costs no poll. What cannot be used as a token changes nothing: the one in use stays.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use latchkey_contracts::{Feed, SourceId};
use latchkey_core::{budget::AccountKey, polling::TokenFault};
use latchkey_events_api::{Client, ClientOptions, Endpoint, Region, Token};
use latchkey_runtime::clock;
use secrecy::{ExposeSecret, SecretString};

use crate::{budget::Budgets, connections::Connections, keeper::Keeper, scopes::Scopes};

/// How often the token's place is looked at, however many turns begin.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What an operator says of a source's access.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) keeper: Keeper,
    pub(crate) region: Option<String>,
    pub(crate) events_api_url: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Duration,
}

/// Why there is no access: the configuration key at fault, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) key: &'static str,
    pub(crate) reason: String,
}

/// One source's access.
pub(crate) struct Access {
    source: SourceId,
    settings: Settings,
    connections: Connections,
    current: RwLock<Arc<Pass>>,
    looked: Mutex<Looked>,
    scopes: Scopes,
}

/// A token in use. What holds one goes on with it when another takes its place.
pub(crate) struct Pass {
    pub(crate) client: Client,
    pub(crate) expires_at: Option<Timestamp>,
    /// Whose budget its requests are taken from.
    pub(crate) account: AccountKey,
    text: SecretString,
}

/// The last look at the token's place.
struct Looked {
    at: Instant,
    /// A text that was no use: told of once.
    refused: Option<SecretString>,
    /// Why what is there is not what is in use, and since when.
    fault: Option<TokenFault>,
}

impl Looked {
    /// Another reason is no other beginning.
    fn fails(&mut self, reason: String) {
        let since = self.fault.as_ref().map_or_else(clock::now, |fault| fault.since);
        self.fault = Some(TokenFault { reason, since });
    }
}

impl Access {
    /// Reads the token. Nothing is sent yet.
    pub(crate) fn open(
        source: SourceId,
        feeds: Vec<Feed>,
        settings: Settings,
        connections: &Connections,
    ) -> Result<Self, Fault> {
        let text = settings.keeper.read().map_err(|reason| Fault { key: settings.keeper.key(), reason })?;
        let pass = settings.pass(text, connections)?;
        let looked = Looked { at: Instant::now(), refused: None, fault: None };
        let scopes = Scopes::new(source.clone(), feeds);
        Ok(Self {
            source,
            settings,
            connections: connections.clone(),
            current: RwLock::new(Arc::new(pass)),
            looked: Mutex::new(looked),
            scopes,
        })
    }

    /// The token in use.
    pub(crate) fn pass(&self) -> Arc<Pass> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The token in use, after a look at its place unless the last was just now, and with its scopes asked for if they are due.
    pub(crate) async fn fresh(&self, budgets: &Budgets) -> Arc<Pass> {
        let due = self.settings.keeper.is_at_hand() || self.looked().at.elapsed() >= LOOK_AGAIN;
        if due {
            self.look().await;
        }
        let pass = self.pass();
        self.scopes.learn(&pass, budgets).await;
        pass
    }

    /// After a refusal: another token, if there is one by now.
    pub(crate) async fn replaced(&self, refused: &Pass) -> Option<Arc<Pass>> {
        self.settings.keeper.look().await;
        self.look().await;
        Some(self.pass()).filter(|pass| !pass.is_of(&refused.text))
    }

    /// Why what its place holds is not in use, where that is so.
    pub(crate) fn token_fault(&self) -> Option<TokenFault> {
        self.looked().fault.clone()
    }

    /// Whether its token is kept in the bucket TOKENS.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self.settings.keeper, Keeper::Sealed(..))
    }

    /// Whether the token is known not to be made for this feed.
    pub(crate) fn excludes(&self, feed: Feed) -> bool {
        self.scopes.exclude(feed)
    }

    /// After a refusal: the same, with the scopes asked for again.
    pub(crate) async fn excludes_by_now(&self, feed: Feed, pass: &Pass, budgets: &Budgets) -> bool {
        self.scopes.doubt(pass, budgets).await;
        self.scopes.exclude(feed)
    }

    async fn look(&self) {
        self.looked().at = Instant::now();
        let keeper = self.settings.keeper.clone();
        let read = if keeper.is_at_hand() {
            keeper.read()
        } else {
            let Ok(read) = tokio::task::spawn_blocking(move || keeper.read()).await else { return };
            read
        };
        match read {
            Ok(text) if self.pass().is_of(&text) => self.is_as_wanted(),
            Ok(text) => self.replace(text),
            // Between removing the old file and writing the new one there is none.
            Err(reason) => {
                tracing::debug!(source = %self.source, reason, "the token cannot be read; the one in use stays");
                self.looked().fails(format!("{}: {reason}", self.settings.keeper.key()));
            }
        }
    }

    fn is_as_wanted(&self) {
        let fault = self.settings.keeper.fault().map(|reason| format!("{}: {reason}", self.settings.keeper.key()));
        let mut looked = self.looked();
        looked.refused = None;
        match fault {
            Some(reason) => looked.fails(reason),
            None => looked.fault = None,
        }
    }

    fn replace(&self, text: SecretString) {
        let told = self.looked().refused.as_ref().is_some_and(|refused| same(refused, &text));
        match self.settings.pass(text.clone(), &self.connections) {
            Ok(pass) => {
                let expires_at = pass.expires_at.map(tracing::field::display);
                tracing::info!(source = %self.source, expires_at, "another token is in use");
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pass);
                self.is_as_wanted();
                self.scopes.forget();
            }
            Err(Fault { key, reason }) => {
                if !told {
                    tracing::warn!(source = %self.source, key, reason, "the new token cannot be used; the one in use stays");
                }
                let mut looked = self.looked();
                looked.refused = Some(text);
                looked.fails(format!("{key}: {reason}"));
            }
        }
    }

    fn looked(&self) -> std::sync::MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    fn is_of(&self, text: &SecretString) -> bool {
        same(&self.text, text)
    }
}

impl Settings {
    /// A client for the token in `text`, with the connections of all that go to the same address in the same way.
    fn pass(&self, text: SecretString, connections: &Connections) -> Result<Pass, Fault> {
        let fault = |key, reason| Fault { key, reason };
        let token = Token::parse(text.expose_secret()).map_err(|error| fault(self.keeper.key(), error.to_string()))?;
        let region = self.region.as_deref().map(str::parse::<Region>).transpose();
        let region = region.map_err(|error| fault("region", error.to_string()))?;
        let explicit = self.events_api_url.as_deref().map(str::parse).transpose();
        let explicit = explicit.map_err(|error| fault("events_api_url", format!("no URL: {error}")))?;
        let endpoint =
            Endpoint::for_token(&token, region, explicit).map_err(|error| fault("region", error.to_string()))?;
        let expires_at = token.expires_at();
        let account = match &token.claims().account_uuid {
            Some(uuid) => AccountKey::of_account(uuid),
            None => AccountKey::of_token(text.expose_secret()),
        };
        let client = connections
            .client(endpoint, token, self.options()?)
            .map_err(|error| fault("ca_file", error.to_string()))?;
        Ok(Pass { client, expires_at, account, text })
    }

    fn options(&self) -> Result<ClientOptions, Fault> {
        let ca_pem = self.ca_file.as_ref().map(std::fs::read).transpose();
        let ca_pem = ca_pem.map_err(|error| Fault { key: "ca_file", reason: error.to_string() })?;
        let defaults = ClientOptions::default();
        let connect_timeout = defaults.connect_timeout.min(self.timeout);
        Ok(ClientOptions { ca_pem, timeout: self.timeout, connect_timeout, ..defaults })
    }
}

fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret().trim() == other.expose_secret().trim()
}
