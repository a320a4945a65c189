//! Connections to 1Password that sources share.
//!
//! Ten thousand accounts live at four addresses. A client for each would keep ten thousand sets of connections, certificates and
//! threads of its own; what differs between them is the token, which goes with each request and is no part of a connection.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use latchkey_events_api::{Client, ClientOptions, Endpoint, Error, Token};

/// Ways to go that are remembered. Beyond, a source has connections of its own: operators have few addresses and few authorities.
const MAX_WAYS: usize = 64;

/// The connections of a process, by the way they go. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Mutex<Vec<Way>>>);

struct Way {
    ca_pem: Option<Vec<u8>>,
    timeout: Duration,
    /// Any client of this way.
    client: Client,
}

impl Connections {
    /// A client for this token. Whether the token may go there is for the caller to make sure.
    pub(crate) fn client(&self, endpoint: Endpoint, token: Token, options: ClientOptions) -> Result<Client, Error> {
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |way: &&Way| {
            *way.client.endpoint() == endpoint && way.timeout == options.timeout && way.ca_pem == options.ca_pem
        };
        if let Some(way) = ways.iter().find(same) {
            return way.client.with_token(token);
        }
        let (ca_pem, timeout) = (options.ca_pem.clone(), options.timeout);
        let client = Client::new(endpoint, token, options)?;
        if ways.len() < MAX_WAYS {
            ways.push(Way { ca_pem, timeout, client: client.clone() });
        }
        Ok(client)
    }
}
