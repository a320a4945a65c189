//! `latchkey source token-key` and `seal`.

use std::{
    fs::OpenOptions,
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use latchkey_bus::{BucketValue, Bus, Publication};
use latchkey_contracts::SourceId;
use latchkey_events_api::Token;
use latchkey_fetcher::seal::{Recipient, TokenKey};
use latchkey_runtime::Failure;
use secrecy::{ExposeSecret as _, SecretString};

use super::Named;

/// What `latchkey source token-key` takes.
#[derive(Args)]
pub(super) struct KeyArguments {
    /// The file for the secret key, which must not be there yet; only its owner may read it
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

/// What `latchkey source seal` takes.
#[derive(Args)]
pub(super) struct SealArguments {
    #[command(flatten)]
    named: Named,
    /// A file on this machine with the bearer token and nothing else; `-` for standard input
    #[arg(long, value_name = "FILE|-")]
    token_file: PathBuf,
    /// The fetchers' public key, as `latchkey source token-key` printed it
    #[arg(long, value_name = "RECIPIENT", env = "LATCHKEY_TOKEN_RECIPIENT")]
    recipient: String,
}

/// Makes a key pair: the secret key into a file, the recipient to standard output.
pub(super) fn make_key(arguments: &KeyArguments) -> anyhow::Result<()> {
    let key = TokenKey::generate();
    let named = || arguments.file.display().to_string();
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&arguments.file);
    let mut file = file.with_context(named)?;
    writeln!(file, "# Opens tokens sealed to {}", key.recipient())
        .and_then(|()| writeln!(file, "{}", key.to_text().expose_secret()))
        .and_then(|()| file.sync_all())
        .with_context(named)?;
    Ok(writeln!(io::stdout(), "{}", key.recipient())?)
}

/// Seals a token and puts it into the bucket TOKENS.
pub(super) async fn seal(arguments: SealArguments) -> anyhow::Result<()> {
    let refused = |reason: String| Failure::Configuration(reason);
    let recipient: Recipient = arguments.recipient.parse().map_err(|error| refused(format!("--recipient: {error}")))?;
    let text = read(&arguments.token_file)?;
    Token::parse(text.expose_secret()).map_err(|error| refused(error.to_string()))?;
    let Named { source, nats } = arguments.named;
    let bus = nats.connect().await?;
    let before = bus.token(&source).await?.map_or(0, |stored| stored.sequence);
    publish(&bus, &source, &BucketValue::new(recipient.seal(&source, &text)), before).await?;
    bus.close().await;
    Ok(writeln!(
        io::stdout(),
        "the token of {source} is sealed; fetchers that have the key use it at the next request"
    )?)
}

/// Removes the sealed token of a source that is removed, if it has one.
pub(super) async fn remove(bus: &Bus, source: &SourceId) -> anyhow::Result<()> {
    match bus.token(source).await? {
        Some(stored) if stored.message.text().is_some() => {
            publish(bus, source, &BucketValue::removed(), stored.sequence).await
        }
        _ => Ok(()),
    }
}

async fn publish(bus: &Bus, source: &SourceId, value: &BucketValue, before: u64) -> anyhow::Result<()> {
    match bus.publish_token(source, value, before).await? {
        Publication::Stored { .. } | Publication::Repeated { .. } => Ok(()),
        Publication::Conflict => {
            bail!("somebody else has just sealed a token of {source}; try again if yours is newer")
        }
        other => bail!("the token of {source} was not written: {other:?}"),
    }
}

/// A token file holds one line; what is larger is refused before it is read whole.
fn read(path: &Path) -> anyhow::Result<SecretString> {
    let mut text = String::with_capacity(Token::MAX_LENGTH);
    let most = 2 * Token::MAX_LENGTH as u64;
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text))
    };
    let text = SecretString::from(text);
    read.with_context(|| path.display().to_string())?;
    Ok(text)
}
