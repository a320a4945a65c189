//! `latchkey alerts list` and `history`.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;
use latchkey_alerter::desk::{Desk, Question, Standing};
use latchkey_contracts::{
    About,
    alert::{Alert, alert::Change},
};
use latchkey_core::{
    alert::{Kind, is_raised, severity_word, silence},
    instant,
};
use latchkey_runtime::clock;

use super::kind;
use crate::lookup::bucket::NatsOptions;

/// What `latchkey alerts list` takes.
#[derive(Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(super) nats: NatsOptions,
}

/// What `latchkey alerts history` takes.
#[derive(Args)]
pub(crate) struct HistoryArguments {
    /// Only of this: all, a source, source/feed, or the name of a consumer, sink, stream or lookup table
    #[arg(value_name = "ABOUT")]
    pub(super) about: Option<About>,
    /// Only of this kind, by its word or code
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub(super) kind: Option<Kind>,
    /// The most transitions that are shown, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) limit: u16,
    #[command(flatten)]
    pub(super) nats: NatsOptions,
}

pub(super) async fn list(arguments: &ListArguments) -> anyhow::Result<()> {
    let (bus, now) = (arguments.nats.connect().await?, clock::now());
    let standing = Desk::new(bus.clone()).list(now).await?;
    bus.close().await;
    Ok(show_raised(&mut io::stdout().lock(), &standing, now)?)
}

pub(super) async fn history(arguments: &HistoryArguments) -> anyhow::Result<()> {
    let HistoryArguments { about, kind, limit, nats } = arguments;
    let bus = nats.connect().await?;
    let question = Question { about: about.clone(), kind: *kind, limit: usize::from(*limit) };
    let transitions = Desk::new(bus.clone()).history(&question).await?;
    bus.close().await;
    let mut out = io::stdout().lock();
    for alert in &transitions {
        show_transition(&mut out, alert)?;
    }
    Ok(())
}

/// The worst first, then the oldest; silences at the end.
pub(super) fn show_raised(out: &mut impl Write, standing: &Standing, now: Timestamp) -> io::Result<()> {
    if standing.raised.is_empty() {
        writeln!(out, "nothing is raised")?;
    }
    for alert in &standing.raised {
        let since = instant::from_unix_nano(alert.since_unix_nano);
        let severity = severity_word(alert.severity());
        let (code, kind, whom) = (&alert.code, &alert.kind, whom(alert));
        writeln!(out, "{severity}\t{code}\t{kind}\t{whom}\tsince {since:.0}{}", state(alert))?;
        writeln!(out, "\t{}", alert.summary)?;
        writeln!(out, "\t{}", alert.next_step)?;
    }
    for silence in &standing.silences {
        let [from, until] =
            [silence.silenced_from_unix_nano, silence.silenced_until_unix_nano].map(instant::from_unix_nano);
        let kinds =
            if silence.silenced_kinds.is_empty() { "all kinds".into() } else { silence.silenced_kinds.join(", ") };
        let (by, note) = (&silence.acknowledged_by, &silence.note);
        let when = if from > now { format!("from {from:.0} ") } else { String::new() };
        writeln!(out, "silenced\t{}\t{kinds}\t{when}until {until:.0}, by {by}: {note}", whom(silence))?;
    }
    Ok(())
}

fn state(alert: &Alert) -> String {
    let mut states = Vec::new();
    if !alert.acknowledged_by.is_empty() {
        let note = if alert.note.is_empty() { String::new() } else { format!(": {}", alert.note) };
        states.push(format!("acknowledged by {}{note}", alert.acknowledged_by));
    }
    if alert.flapping {
        states.push("flapping".into());
    }
    // Older writers said nothing of whom they told.
    if alert.told_at_unix_nano == 0 && alert.change() != Change::Unspecified {
        states.push("silenced".into());
    }
    if states.is_empty() { String::new() } else { format!(" ({})", states.join("; ")) }
}

fn show_transition(out: &mut impl Write, alert: &Alert) -> io::Result<()> {
    let at = instant::from_unix_nano(alert.judged_at_unix_nano);
    let change = match alert.change() {
        _ if alert.kind == silence::WORD => {
            if is_raised(alert) {
                "begun"
            } else {
                "ended"
            }
        }
        Change::Unspecified => {
            if is_raised(alert) {
                "raised"
            } else {
                "resolved"
            }
        }
        Change::Raised => "raised",
        Change::Updated => "updated",
        Change::Reminded => "reminded",
        Change::Acknowledged => "acknowledged",
        Change::Resolved => "resolved",
    };
    let said = if alert.kind == silence::WORD { &alert.note } else { &alert.summary };
    writeln!(out, "{at:.0}\t{change}\t{}\t{}\t{said}", alert.kind, whom(alert))
}

fn whom(alert: &Alert) -> String {
    About::read(&alert.source, &alert.feed, &alert.object).map_or_else(String::new, |about| about.to_string())
}
