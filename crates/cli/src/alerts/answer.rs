//! `latchkey alerts ack` and `silence`.

use std::io::{self, Write as _};

use anyhow::{anyhow, bail};
use clap::Args;
use jiff::SignedDuration;
use latchkey_bus::{Bus, Publication};
use latchkey_contracts::{About, alert::Alert};
use latchkey_core::alert::{Kind, lifecycle, silence};
use latchkey_runtime::clock;

use super::{Whom, kind};
use crate::lookup::bucket::NatsOptions;

/// How often somebody else may write to the same alert at the same moment.
const ATTEMPTS: usize = 5;

/// What `latchkey alerts ack` takes.
#[derive(Args)]
pub(crate) struct AckArguments {
    /// The alert's kind, by its word or code
    #[arg(value_parser = kind)]
    pub(super) kind: Kind,
    /// What it is about: all, a source, source/feed, or the name of a consumer, sink, stream or lookup table
    #[arg(value_name = "ABOUT", default_value = "all")]
    pub(super) about: Whom,
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
    pub(super) about: Whom,
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
    match text.chars().count() {
        ..=silence::MAX_TEXT if !text.contains(char::is_control) => Ok(text.trim().into()),
        _ => Err(format!("at most {} characters, in one line", silence::MAX_TEXT)),
    }
}

pub(super) async fn ack(arguments: &AckArguments) -> anyhow::Result<()> {
    let AckArguments { kind, about: Whom(about), who, nats } = arguments;
    let bus = nats.connect().await?;
    let not_raised = || anyhow!("{} of {about} is not raised; `latchkey alerts list` says what is", kind.as_str());
    let written = write(&bus, kind.as_str(), about, |last| {
        let acknowledged = last.and_then(|last| lifecycle::acknowledge(last, &who.by, &who.note, clock::now()));
        acknowledged.ok_or_else(not_raised)
    });
    let written = written.await;
    bus.close().await;
    written?;
    Ok(writeln!(io::stdout(), "{} of {about} is acknowledged by {}", kind.as_str(), who.by)?)
}

pub(super) async fn silence(arguments: &SilenceArguments) -> anyhow::Result<()> {
    let SilenceArguments { about: Whom(about), span, kinds, who, nats, .. } = arguments;
    let now = clock::now();
    let until = match span {
        Some(span) if *span > SignedDuration::ZERO && *span <= silence::MAX => Some(now.saturating_add(*span)?),
        Some(_) => bail!("--for: use a span of at most 30 days"),
        None => None,
    };
    let bus = nats.connect().await?;
    let written = write(&bus, silence::WORD, about, |last| match until {
        Some(until) => Ok(silence::Silence { about, kinds, until, by: &who.by, note: &who.note }.begin(last, now)),
        None => last.and_then(|last| silence::end(last, now)).ok_or_else(|| anyhow!("{about} is not silenced")),
    });
    let written = written.await;
    bus.close().await;
    written?;
    match until {
        Some(until) => writeln!(io::stdout(), "{about} is silenced until {until:.0}")?,
        None => writeln!(io::stdout(), "{about} is silenced no longer")?,
    }
    Ok(())
}

/// Publishes what `next` makes of the last transition onto it.
async fn write(
    bus: &Bus,
    kind: &str,
    about: &About,
    next: impl Fn(Option<&Alert>) -> anyhow::Result<Alert>,
) -> anyhow::Result<()> {
    for _ in 0..ATTEMPTS {
        let stored = bus.last_alert_about(kind, about).await?;
        let alert = next(stored.as_ref().map(|stored| &stored.message))?;
        let expected = stored.map_or(0, |stored| stored.sequence);
        match bus.publish_alert_about(kind, about, &alert, expected).await? {
            Publication::Stored { .. } | Publication::Repeated { .. } => return Ok(()),
            Publication::Conflict => {}
            other => bail!("it may not have been written ({other:?}); see `latchkey alerts list`"),
        }
    }
    bail!("somebody else wrote to it {ATTEMPTS} times at the same moment; try again")
}
