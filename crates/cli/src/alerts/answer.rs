//! `latchkey alerts ack` and `silence`.

use std::io::{self, Write as _};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use latchkey_alerter::desk::{Desk, DeskError, Quiet, Word};
use latchkey_contracts::About;
use latchkey_core::alert::Kind;
use latchkey_runtime::clock;

use super::kind;
use crate::lookup::bucket::NatsOptions;

/// What `latchkey alerts ack` takes.
#[derive(Args)]
pub(crate) struct AckArguments {
    /// The alert's kind, by its word or code
    #[arg(value_parser = kind)]
    pub(super) kind: Kind,
    /// What it is about: all, a source, source/feed, or the name of a consumer, sink, stream or lookup table
    #[arg(value_name = "ABOUT", default_value = "all")]
    pub(super) about: About,
    #[command(flatten)]
    pub(super) who: Who,
    #[command(flatten)]
    pub(super) nats: NatsOptions,
}

/// What `latchkey alerts silence` takes.
#[derive(Args)]
pub(crate) struct SilenceArguments {
    /// What nobody is to be told of: all, a source, source/feed, or the name of a consumer, sink, stream or lookup table
    #[arg(value_name = "ABOUT")]
    pub(super) about: About,
    /// From when on, such as 2026-12-24T18:00:00Z, for maintenance that is planned: within 30 days
    #[arg(long, value_name = "INSTANT", conflicts_with = "end")]
    pub(super) from: Option<Timestamp>,
    /// For how long, such as 4h: at most 30 days
    #[arg(long = "for", value_name = "SPAN", required_unless_present = "end")]
    pub(super) span: Option<SignedDuration>,
    /// Only alerts of this kind; may be given several times
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    pub(super) kinds: Vec<Kind>,
    /// End it before its time
    #[arg(long, conflicts_with = "span")]
    pub(super) end: bool,
    #[command(flatten)]
    pub(super) who: Who,
    #[command(flatten)]
    pub(super) nats: NatsOptions,
}

/// Who says so, and why.
#[derive(Args, Clone)]
pub(super) struct Who {
    /// Who you are
    #[arg(long, value_name = "NAME", env = "USER", default_value = "somebody", value_parser = text)]
    pub(super) by: String,
    /// What others should know
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = text)]
    pub(super) note: String,
}

fn text(text: &str) -> Result<String, String> {
    Word::new(text, "").map(|word| word.by().to_owned()).map_err(|error| error.to_string())
}

impl Who {
    fn word(&self) -> Result<Word, DeskError> {
        Word::new(&self.by, &self.note)
    }
}

pub(super) async fn ack(arguments: &AckArguments) -> anyhow::Result<()> {
    let AckArguments { kind, about, who, nats } = arguments;
    let bus = nats.connect().await?;
    let written = Desk::new(bus.clone()).acknowledge(*kind, about, &who.word()?).await;
    bus.close().await;
    written?;
    Ok(writeln!(io::stdout(), "{} of {about} is acknowledged by {}", kind.as_str(), who.by)?)
}

pub(super) async fn silence(arguments: &SilenceArguments) -> anyhow::Result<()> {
    let SilenceArguments { about, from, span, kinds, who, nats, .. } = arguments;
    let begin = from.unwrap_or_else(clock::now);
    let quiet = match span {
        Some(span) => {
            let until = begin.saturating_add(*span)?;
            Some(Quiet { about: about.clone(), kinds: kinds.clone(), from: *from, until })
        }
        None => None,
    };
    let bus = nats.connect().await?;
    let desk = Desk::new(bus.clone());
    let written = match &quiet {
        Some(quiet) => desk.silence(quiet, &who.word()?).await,
        None => desk.end_silence(about).await,
    };
    bus.close().await;
    written?;
    match quiet {
        Some(Quiet { from: Some(from), until, .. }) => {
            writeln!(io::stdout(), "{about} is silenced from {from:.0} until {until:.0}")?;
        }
        Some(Quiet { until, .. }) => writeln!(io::stdout(), "{about} is silenced until {until:.0}")?,
        None => writeln!(io::stdout(), "{about} is silenced no longer")?,
    }
    Ok(())
}
