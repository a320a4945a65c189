//! Where programs look after alerts.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::InvalidConfig;
use crate::{api::Api, destination::SecretFile};

/// The desk over gRPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// The address that answers: `127.0.0.1:7070`. Unset: none. One that other machines reach wants a token.
    pub listen: Option<SocketAddr>,
    /// A file with the token that callers send as `authorization: Bearer`. It may be replaced at any time.
    pub token_file: Option<PathBuf>,
}

impl ApiConfig {
    pub(super) fn build(self) -> Result<Option<Api>, InvalidConfig> {
        let refused = |key: &str, reason: String| InvalidConfig::Destination { key: format!("api.{key}"), reason };
        let token = self.token_file.map(SecretFile::new).transpose();
        let token = token.map_err(|failure| refused("token_file", failure.to_string()))?;
        let Some(address) = self.listen else { return Ok(None) };
        Api::open(address, token).map(Some).map_err(|error| refused("listen", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_wants_a_token() {
        let config = |listen: &str| ApiConfig { listen: Some(listen.parse().unwrap()), token_file: None };
        assert!(ApiConfig::default().build().unwrap().is_none());
        assert!(config("127.0.0.1:0").build().unwrap().is_some());
        assert!(config("[::1]:0").build().is_ok());
        let Err(error) = config("0.0.0.0:0").build() else { panic!("everybody may silence everything") };
        let text = "alerter.api.listen: the address 0.0.0.0:0 is reached from other machines: name a token_file";
        assert_eq!(error.to_string(), text);
    }
}
