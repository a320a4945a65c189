//! `latchkey alerts habits`.

use std::io::{self, Write};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{SourceId, habit::Habit as Kept};
use latchkey_core::{
    instant,
    verdict::{Habit, adaptive::Silent},
};
use latchkey_runtime::clock;

use crate::lookup::bucket::NatsOptions;

/// Habits are kept once an hour: what is older than this, nobody learns any more.
const STALE: SignedDuration = SignedDuration::from_hours(3);

/// What `latchkey alerts habits` takes.
#[derive(Args)]
pub(crate) struct HabitsArguments {
    /// Only of this source
    #[arg(value_name = "SOURCE")]
    pub(super) source: Option<SourceId>,
    #[command(flatten)]
    pub(super) nats: NatsOptions,
}

pub(super) async fn habits(arguments: &HabitsArguments) -> anyhow::Result<()> {
    let bus = arguments.nats.connect().await?;
    let mut habits = bus.habits().await?;
    bus.close().await;
    habits.retain(|kept| arguments.source.as_ref().is_none_or(|source| source.as_str() == kept.source));
    Ok(show(&mut io::stdout().lock(), habits, clock::now())?)
}

pub(super) fn show(out: &mut impl Write, mut habits: Vec<Kept>, now: Timestamp) -> io::Result<()> {
    if habits.is_empty() {
        return writeln!(out, "nothing is learned: no feed has the policy adaptive, or no alerter runs");
    }
    habits.sort_by(|one, other| (&one.source, &one.feed).cmp(&(&other.source, &other.feed)));
    for kept in habits {
        let at = instant::from_unix_nano(kept.saved_at_unix_nano);
        let stale = if now.duration_since(at) > STALE { "; nobody learns it any more" } else { "" };
        writeln!(out, "{}/{}\t{} (at {at:.0}{stale})", kept.source, kept.feed, said(&kept))?;
    }
    Ok(())
}

fn said(kept: &Kept) -> String {
    let Some(habit) = Habit::recall(kept) else { return "unreadable; it is learned anew".into() };
    match habit.silent() {
        Silent::Learning => format!("learning, {} % of two weeks seen; the threshold holds", habit.learned()),
        Silent::Sparse => "not monitorable statistically: too little arrives; the threshold holds".into(),
        Silent::Usual => "learned; the silence is usual".into(),
        Silent::Unusual { expected } => {
            format!("learned; the silence is unusual, with {expected} five-minute spans of arrivals missed")
        }
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::{Chain, Feed};

    use super::*;

    #[test]
    fn what_is_learned_is_shown_by_feed() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let habit = |feed| Habit::default().keep(&Chain { source: "acme".parse().unwrap(), feed }, now);
        let mut broken = habit(Feed::AuditEvents);
        broken.arrived = Vec::new().into();
        let mut out = Vec::new();
        show(&mut out, vec![habit(Feed::ItemUsages), broken], now + SignedDuration::from_hours(4)).unwrap();
        let expect = "acme/audit_events\tunreadable; it is learned anew (at 2023-11-14T22:13:20Z; nobody learns it any more)\n\
                      acme/item_usages\tlearning, 0 % of two weeks seen; the threshold holds (at 2023-11-14T22:13:20Z; nobody learns it \
                      any more)\n";
        assert_eq!(String::from_utf8(out).unwrap(), expect);
        let mut out = Vec::new();
        show(&mut out, Vec::new(), now).unwrap();
        assert!(String::from_utf8(out).unwrap().starts_with("nothing is learned"));
    }
}
