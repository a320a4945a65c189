//! `latchkey source add`, `set`, `pause`, `resume` and `remove`.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use latchkey_bus::{BucketValue, Bus, Publication};
use latchkey_contracts::{Chain, Feed, SourceId};
use latchkey_fetcher::SourceConfig;
use latchkey_runtime::Failure;
use tokio::time::{Instant, sleep};

use super::{Named, Settings, token};

/// How long a removal is waited for. Fetchers take seconds.
const REMOVED_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn add(named: Named, settings: Settings) -> anyhow::Result<()> {
    let bus = named.nats.connect().await?;
    let (source, stored) = (&named.source, bus.source(&named.source).await?);
    if stored.as_ref().is_some_and(|stored| stored.message.text().is_some()) {
        bail!("{source} is there already; change it with `latchkey source set {source}`");
    }
    let config = settings.apply(SourceConfig::new(source.clone()));
    write(&bus, &config, stored.map_or(0, |stored| stored.sequence)).await?;
    say(&format!("{source} is added; `latchkey source list` says how its feeds stand"))
}

pub(super) async fn set(named: Named, settings: Settings) -> anyhow::Result<()> {
    change(&named, |config| settings.apply(config)).await?;
    say(&format!("{} is changed", named.source))
}

pub(super) async fn pause(named: Named, paused: bool) -> anyhow::Result<()> {
    change(&named, |config| SourceConfig { paused, ..config }).await?;
    say(&format!("{} {}", named.source, if paused { "is paused" } else { "goes on" }))
}

/// Leaves a mark, also of a source that is in no bucket: one that was taken out of a configuration file may have left duties.
pub(super) async fn remove(named: Named) -> anyhow::Result<()> {
    let bus = named.nats.connect().await?;
    let source = &named.source;
    let sequence = bus.source(source).await?.map_or(0, |stored| stored.sequence);
    publish(&bus, source, &BucketValue::removed(), sequence).await?;
    token::remove(&bus, source).await?;
    let deadline = Instant::now() + REMOVED_WITHIN;
    while has_duties(&bus, source).await? {
        if Instant::now() >= deadline {
            bail!(
                "{source} is marked as removed, but its duties are still there: no fetcher runs, or one has the source in its \
                 configuration file; take it out there and start that fetcher again"
            );
        }
        sleep(LOOK).await;
    }
    bus.close().await;
    say(&format!("{source} is removed; what was fetched stays as long as the streams keep it"))
}

async fn change(named: &Named, change: impl FnOnce(SourceConfig) -> SourceConfig) -> anyhow::Result<()> {
    let bus = named.nats.connect().await?;
    let (config, sequence) = read(&bus, &named.source).await?;
    write(&bus, &change(config), sequence).await
}

/// The settings of a source of the bucket, and the sequence they have there.
pub(super) async fn read(bus: &Bus, source: &SourceId) -> anyhow::Result<(SourceConfig, u64)> {
    let stored = bus.source(source).await?;
    let found = stored.as_ref().and_then(|stored| Some((stored.message.text()?, stored.sequence)));
    let Some((text, sequence)) = found else {
        bail!("no source {source} was added; one of a fetcher's configuration file is changed there")
    };
    let config = SourceConfig::from_json(source, text).map_err(anyhow::Error::msg);
    Ok((
        config.with_context(|| format!("the settings of {source} cannot be read; remove it and add it again"))?,
        sequence,
    ))
}

async fn write(bus: &Bus, config: &SourceConfig, expected: u64) -> anyhow::Result<()> {
    config.check().map_err(|error| Failure::Configuration(error.to_string()))?;
    publish(bus, &config.id, &BucketValue::new(config.to_json()), expected).await?;
    bus.close().await;
    Ok(())
}

async fn publish(bus: &Bus, source: &SourceId, value: &BucketValue, expected: u64) -> anyhow::Result<()> {
    match bus.publish_source(source, value, expected).await? {
        Publication::Stored { .. } | Publication::Repeated { .. } => Ok(()),
        Publication::Conflict => bail!("somebody else has just changed {source}; look at it and try again"),
        other => bail!("{source} was not written: {other:?}"),
    }
}

async fn has_duties(bus: &Bus, source: &SourceId) -> anyhow::Result<bool> {
    for feed in Feed::ALL {
        if bus.has_poll_task(&Chain { source: source.clone(), feed }).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

impl Settings {
    fn apply(self, mut config: SourceConfig) -> SourceConfig {
        // A token has one place: naming another gives the first one up.
        if self.token_file.is_some() || self.token_env.is_some() || self.token_sealed {
            config.token_file = self.token_file.unwrap_or_default();
            (config.token_env, config.token_sealed) = (self.token_env, self.token_sealed);
        }
        SourceConfig {
            label: self.label.or(config.label),
            region: self.region.or(config.region),
            events_api_url: self.events_api_url.or(config.events_api_url),
            ca_file: self.ca_file.or(config.ca_file),
            feeds: self.feeds.unwrap_or(config.feeds),
            start_time: self.start_time.or(config.start_time),
            poll_interval: self.poll_interval.unwrap_or(config.poll_interval),
            ..config
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays_as_it_is() {
        let config = SourceConfig {
            label: Some("Acme".into()),
            token_file: "/run/token".into(),
            ..SourceConfig::new("acme".parse().unwrap())
        };
        let same = Settings::default().apply(config.clone());
        assert_eq!(same.to_json(), config.to_json());
        let settings =
            Settings { token_env: Some("TOKEN".into()), feeds: Some(vec![Feed::ItemUsages]), ..Settings::default() };
        let changed = settings.apply(config);
        assert_eq!((changed.token_file.as_os_str().len(), changed.token_env.as_deref()), (0, Some("TOKEN")));
        assert_eq!((changed.label.as_deref(), &*changed.feeds), (Some("Acme"), [Feed::ItemUsages].as_slice()));
        let sealed = Settings { token_sealed: true, ..Settings::default() }.apply(changed);
        assert!(sealed.token_sealed && sealed.token_env.is_none() && sealed.check().is_ok());
    }

    #[test]
    fn what_is_written_reads_back() {
        let config =
            SourceConfig { token_file: "t".into(), paused: true, ..SourceConfig::new("acme".parse().unwrap()) };
        let read = SourceConfig::from_json(&config.id, config.to_json().as_bytes()).unwrap();
        assert_eq!(read.to_json(), config.to_json());
        let other = SourceConfig::from_json(&"other".parse().unwrap(), config.to_json().as_bytes());
        assert!(other.unwrap_err().contains("acme"));
    }
}
