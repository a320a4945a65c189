//! Who may call: everybody on this machine, or whoever has the token.

use ring::digest;
use secrecy::ExposeSecret;
use tonic::{Request, Status, service::Interceptor};

use crate::destination::SecretFile;

/// The token's file, read for each call, so that one that is rotated is used at once; none if everybody may call.
#[derive(Clone)]
pub(super) struct Token(pub(super) Option<SecretFile>);

impl Interceptor for Token {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(file) = &self.0 else { return Ok(request) };
        let token = file.read().map_err(|error| {
            tracing::error!(%error, "a call was refused: there is no token to compare with");
            Status::unavailable("the token cannot be read here")
        })?;
        let given =
            request.metadata().get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        if given.is_some_and(|given| same(given, token.expose_secret())) {
            Ok(request)
        } else {
            Err(Status::unauthenticated("use `authorization: Bearer` with the token of alerter.api.token_file"))
        }
    }
}

/// By digests: how long it takes says nothing of the texts.
fn same(one: &str, other: &str) -> bool {
    let digest = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    digest(one).as_ref() == digest(other).as_ref()
}
