//! `latchkey source list` and `show`.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use latchkey_bus::{BucketValue, Undecodable};
use latchkey_contracts::{
    SourceId,
    checkpoint::{Checkpoint, Outcome, outcome::Kind},
    subject,
};
use latchkey_fetcher::SourceConfig;

use super::{ListArguments, Named, change};
use crate::output::UntilClosed;

/// What is known of one source.
#[derive(Default)]
struct Row {
    standing: String,
    /// Feeds that have been polled, with how their last turns ended.
    feeds: Vec<(String, Option<Outcome>)>,
    /// Why its newest token is not in use.
    token_fault: String,
}

pub(super) async fn show(named: Named) -> anyhow::Result<()> {
    let bus = named.nats.connect().await?;
    let (config, _) = change::read(&bus, &named.source).await?;
    bus.close().await;
    let value: serde_json::Value = serde_json::from_str(&config.to_json())?;
    Ok(writeln!(io::stdout(), "{value:#}")?)
}

pub(super) async fn list(arguments: ListArguments) -> anyhow::Result<()> {
    let bus = arguments.nats.connect().await?;
    let (values, checkpoints) = (bus.sources().await?, bus.checkpoints().await?);
    bus.close().await;
    let mut out = UntilClosed::new(io::stdout().lock());
    let values = values.into_iter().map(|item| (item.subject, item.message));
    for (source, row) in rows(values, checkpoints) {
        writeln!(out, "{source}\t{}\t{}", row.standing, feeds(&row))?;
    }
    Ok(())
}

fn rows(
    values: impl Iterator<Item = (String, Result<BucketValue, Undecodable>)>,
    checkpoints: Vec<Checkpoint>,
) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (subject, value) in values {
        let Some(source) = subject::source_of(&subject) else { continue };
        rows.entry(source.to_string()).or_default().standing = standing(&source, value);
    }
    for checkpoint in checkpoints {
        let row =
            rows.entry(checkpoint.source).or_insert_with(|| Row { standing: "configured".into(), ..Row::default() });
        row.feeds.push((checkpoint.feed, checkpoint.outcome));
        if !checkpoint.token_fault.is_empty() {
            row.token_fault = checkpoint.token_fault;
        }
    }
    rows
}

fn standing(source: &SourceId, value: Result<BucketValue, Undecodable>) -> String {
    let value = match value {
        Ok(value) => value,
        Err(error) => return format!("faulty: {error}"),
    };
    let Some(text) = value.text() else { return "removed".into() };
    let checked = SourceConfig::from_json(source, text)
        .and_then(|config| config.check().map_err(|error| error.to_string()).map(|()| config));
    match checked {
        Ok(config) if config.paused => "paused".into(),
        Ok(_) => "added".into(),
        Err(fault) => format!("faulty: {fault}"),
    }
}

fn feeds(Row { feeds, token_fault, .. }: &Row) -> String {
    if feeds.is_empty() {
        return "not polled yet".into();
    }
    let feed = |(feed, outcome): &(String, Option<Outcome>)| {
        format!("{feed}: {}", outcome.as_ref().map_or_else(String::new, ended))
    };
    let mut said: Vec<_> = feeds.iter().map(feed).collect();
    if !token_fault.is_empty() {
        said.push(format!("the newest token is not in use: {token_fault}"));
    }
    said.join("; ")
}

fn ended(outcome: &Outcome) -> String {
    match outcome.kind() {
        Kind::Quiet => "quiet".into(),
        Kind::Active | Kind::Behind => "active".into(),
        Kind::Off => format!("off ({})", outcome.reason),
        Kind::Refused => format!("refused ({}): {}", outcome.reason, outcome.detail),
        Kind::Unspecified => "unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(source: &str, text: Option<&str>) -> (String, Result<BucketValue, Undecodable>) {
        let value = text.map_or_else(BucketValue::removed, |text| BucketValue::new(text.to_owned()));
        (subject::source(&source.parse().unwrap()), Ok(value))
    }

    #[test]
    fn every_source_has_a_line_that_says_what_is_wrong() {
        let checkpoint = |source: &str, kind: Kind, reason: &str| Checkpoint {
            source: source.into(),
            feed: "item_usages".into(),
            outcome: Some(Outcome {
                kind: kind.into(),
                reason: reason.into(),
                detail: "why".into(),
                ..Outcome::default()
            }),
            ..Checkpoint::default()
        };
        let values = [
            value("added", Some(r#"{"id":"added","token_file":"t"}"#)),
            value("gone", None),
            value("idle", Some(r#"{"id":"idle","token_file":"t","paused":true}"#)),
            value("typo", Some(r#"{"id":"typo","tokenfile":"t"}"#)),
        ];
        let checkpoints = vec![
            checkpoint("added", Kind::Refused, "misconfigured"),
            checkpoint("idle", Kind::Off, "paused"),
            Checkpoint { token_fault: "token_sealed: why".into(), ..checkpoint("of-file", Kind::Quiet, "") },
        ];
        let lines = rows(values.into_iter(), checkpoints).into_iter();
        let lines: Vec<_> = lines.map(|(source, row)| format!("{source} {} {}", row.standing, feeds(&row))).collect();
        assert_eq!(lines[0], "added added item_usages: refused (misconfigured): why");
        assert_eq!(lines[1], "gone removed not polled yet");
        assert_eq!(lines[2], "idle paused item_usages: off (paused)");
        assert_eq!(
            lines[3],
            "of-file configured item_usages: quiet; the newest token is not in use: token_sealed: why"
        );
        assert!(lines[4].starts_with("typo faulty: unknown field `tokenfile`"), "{}", lines[4]);
    }
}
