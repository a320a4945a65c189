//! `latchkey alerts list` and `history`.

use std::{
    collections::VecDeque,
    io::{self, Write},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use latchkey_bus::{Bus, Item, Reader};
use latchkey_contracts::{
    About,
    alert::{Alert, alert::Change},
    topology::ALERTS,
};
use latchkey_core::{
    alert::{Kind, is_raised, severity_word, silence},
    instant,
};
use latchkey_runtime::clock;
use tokio::time::timeout;

use super::{Whom, kind};
use crate::lookup::bucket::NatsOptions;

/// The longest wait for the next message of what is there already.
const PATIENCE: Duration = Duration::from_secs(30);

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
    pub(super) about: Option<Whom>,
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
    let bus = arguments.nats.connect().await?;
    let mut alerts = Vec::new();
    each(&bus, bus.watch_alerts().await?, |item| alerts.extend(item.message.ok())).await?;
    bus.close().await;
    Ok(show_raised(&mut io::stdout().lock(), alerts, clock::now())?)
}

pub(super) async fn history(arguments: &HistoryArguments) -> anyhow::Result<()> {
    let bus = arguments.nats.connect().await?;
    let limit = usize::from(arguments.limit);
    let mut kept = VecDeque::with_capacity(limit);
    each(&bus, bus.alert_history().await?, |item| {
        let Ok(alert) = item.message else { return };
        if is_asked_for(&alert, arguments.about.as_ref(), arguments.kind) {
            if kept.len() == limit {
                kept.pop_front();
            }
            kept.push_back(alert);
        }
    })
    .await?;
    bus.close().await;
    let mut out = io::stdout().lock();
    for alert in &kept {
        show_transition(&mut out, alert)?;
    }
    Ok(())
}

/// What is in the stream at this moment; what comes later is left for the next time.
async fn each(bus: &Bus, mut reader: Reader<Alert>, mut take: impl FnMut(Item<Alert>)) -> anyhow::Result<()> {
    let state = bus.stream_state(&ALERTS).await?;
    if state.messages == 0 {
        return Ok(());
    }
    loop {
        let item = timeout(PATIENCE, reader.next()).await.context("reading ALERTS: no message in time")??;
        let sequence = item.sequence;
        take(item);
        if sequence >= state.last {
            return Ok(());
        }
    }
}

fn is_asked_for(alert: &Alert, about: Option<&Whom>, kind: Option<Kind>) -> bool {
    let named = |about: &About| match about {
        About::Line => alert.source.is_empty() && alert.object.is_empty(),
        // A source's alerts and those of its feeds; or an object that is called so.
        About::Source(source) => alert.source == source.as_str() || alert.object == source.as_str(),
        about => (about.source(), about.feed(), about.object()) == (&*alert.source, &*alert.feed, &*alert.object),
    };
    about.is_none_or(|whom| named(&whom.0)) && kind.is_none_or(|kind| kind.as_str() == alert.kind)
}

/// The worst first, then the oldest; silences at the end.
pub(super) fn show_raised(out: &mut impl Write, mut alerts: Vec<Alert>, now: Timestamp) -> io::Result<()> {
    alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.since_unix_nano));
    let (silences, raised): (Vec<_>, Vec<_>) = alerts.into_iter().partition(|alert| alert.kind == silence::WORD);
    let raised: Vec<_> = raised.iter().filter(|alert| is_raised(alert)).collect();
    if raised.is_empty() {
        writeln!(out, "nothing is raised")?;
    }
    for alert in raised {
        let since = instant::from_unix_nano(alert.since_unix_nano);
        let severity = severity_word(alert.severity());
        let (code, kind, whom) = (&alert.code, &alert.kind, whom(alert));
        writeln!(out, "{severity}\t{code}\t{kind}\t{whom}\tsince {since:.0}{}", state(alert))?;
        writeln!(out, "\t{}", alert.summary)?;
        writeln!(out, "\t{}", alert.next_step)?;
    }
    for silence in silences.iter().filter(|silence| silence::holds(silence, now)) {
        let until = instant::from_unix_nano(silence.silenced_until_unix_nano);
        let kinds =
            if silence.silenced_kinds.is_empty() { "all kinds".into() } else { silence.silenced_kinds.join(", ") };
        let (by, note) = (&silence.acknowledged_by, &silence.note);
        writeln!(out, "silenced\t{}\t{kinds}\tuntil {until:.0}, by {by}: {note}", whom(silence))?;
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
