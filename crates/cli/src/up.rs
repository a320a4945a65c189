//! `latchkey up`: one account, for ever or until everything is delivered.

use std::{io::Write as _, num::NonZeroU32, path::PathBuf, process::ExitCode};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use latchkey_alerter as alerter;
use latchkey_contracts::{Feed, SourceId};
use latchkey_core::{normalize::Options, number::grouped};
use latchkey_fetcher as fetcher;
use latchkey_normalizer as normalizer;
use latchkey_runtime::{Service, run_with};

use crate::{
    line::{self, Settings, Summary},
    options::LineOptions,
    schema::Compatibility,
};

/// What `latchkey up` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// A name for the account: a-z, 0-9, '-' and '_'
    #[arg(long, value_name = "NAME", env = "LATCHKEY_SOURCE")]
    source: SourceId,
    /// A file with the bearer token of 1Password's Events Reporting, and nothing else
    #[arg(long, value_name = "FILE", env = "LATCHKEY_TOKEN_FILE")]
    token_file: PathBuf,
    /// Where the account is hosted: us, us-enterprise, ca or eu (default: what the token says)
    #[arg(long, value_name = "us|us-enterprise|ca|eu", env = "LATCHKEY_REGION")]
    region: Option<String>,
    /// Another address than 1Password's: a proxy, or a stand-in. The token is sent there
    #[arg(long, value_name = "URL", env = "LATCHKEY_EVENTS_API_URL")]
    events_api_url: Option<String>,
    /// Certificates to trust for it, in PEM, beside the system's
    #[arg(long, value_name = "FILE", env = "LATCHKEY_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Which feeds to collect
    #[arg(
        long,
        value_delimiter = ',',
        env = "LATCHKEY_FEEDS",
        default_value = "sign_in_attempts,item_usages,audit_events"
    )]
    feeds: Vec<Feed>,
    /// The oldest event to fetch, where nothing was fetched yet (default: all that 1Password keeps, 120 days)
    #[arg(long, value_name = "RFC3339", env = "LATCHKEY_START_TIME")]
    start_time: Option<Timestamp>,
    /// Pause after a poll that reached a feed's end
    #[arg(long, value_name = "DURATION", env = "LATCHKEY_POLL_INTERVAL", default_value = "60s")]
    poll_interval: SignedDuration,
    /// Requests a minute that 1Password allows the account, over all who share this nats-server
    #[arg(long, value_name = "N", env = "LATCHKEY_REQUESTS_PER_MINUTE", default_value = "600")]
    requests_per_minute: NonZeroU32,
    /// Requests an hour
    #[arg(long, value_name = "N", env = "LATCHKEY_REQUESTS_PER_HOUR", default_value = "30000")]
    requests_per_hour: NonZeroU32,
    /// A directory with tables of names (items.jsonl, vaults.csv, …) to enrich events with
    #[arg(long, value_name = "DIR", env = "LATCHKEY_LOOKUPS")]
    lookups: Option<PathBuf>,
    /// A directory with your own schemas, in the place of shipped ones and beside them
    #[arg(long, value_name = "DIR", env = "LATCHKEY_SCHEMAS")]
    schemas: Option<PathBuf>,
    #[command(flatten)]
    compatibility: Compatibility,
    /// Where the private nats-server and, by default, the events are kept
    #[arg(long, value_name = "DIR", env = "LATCHKEY_DATA_DIR", default_value = "./latchkey-data")]
    data_dir: PathBuf,
    /// Stop with 0 once every feed has been polled to its end and everything is delivered
    #[arg(long)]
    until_caught_up: bool,
    /// Post each alert to this address
    #[arg(long, value_name = "URL", env = "LATCHKEY_ALERT_WEBHOOK", hide_env_values = true, value_parser = webhook)]
    alert_webhook: Option<alerter::WebhookUrl>,
    /// Write each alert to standard output, as a line of JSON
    #[arg(long, env = "LATCHKEY_ALERT_STDOUT")]
    alert_stdout: bool,
    /// Alert when a feed has brought nothing for this long: 15m to 30d
    #[arg(long, value_name = "DURATION", env = "LATCHKEY_DROP_OFF_AFTER", default_value = "24h")]
    drop_off_after: SignedDuration,
    #[command(flatten)]
    line: LineOptions,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let service = Service { name: "up", version: env!("CARGO_PKG_VERSION"), about: "The whole line in one process." };
    let parts = arguments.line.run_config();
    run_with(service, parts, |context| async move {
        let settings = arguments.settings();
        let summary = line::run(settings, context).await?;
        print(&summary)?;
        Ok(())
    })
}

impl Arguments {
    fn settings(self) -> Settings {
        let Options { unknown, email_usernames, .. } = self.compatibility.into();
        let normalizer = normalizer::Config {
            schemas: self.schemas,
            lookups: self.lookups,
            unknown_fields: unknown,
            email_usernames,
            ..normalizer::Config::default()
        };
        let source = fetcher::SourceConfig {
            label: None,
            token_file: self.token_file,
            region: self.region,
            events_api_url: self.events_api_url,
            ca_file: self.ca_file,
            feeds: self.feeds,
            start_time: self.start_time,
            poll_interval: self.poll_interval,
            ..fetcher::SourceConfig::new(self.source)
        };
        let webhook = |url| {
            let webhook = alerter::WebhookConfig { url: Some(url), ..alerter::WebhookConfig::default() };
            ("webhook".to_owned(), alerter::DestinationConfig::Webhook(webhook))
        };
        let alerter = alerter::Config {
            stdout: self.alert_stdout,
            drop_off: alerter::DropOffConfig { after: self.drop_off_after, ..alerter::DropOffConfig::default() },
            destinations: self.alert_webhook.map(webhook).into_iter().collect(),
            ..alerter::Config::default()
        };
        Settings {
            data_dir: self.data_dir,
            options: self.line,
            fetcher: fetcher::Config {
                sources: vec![source],
                requests_per_minute: self.requests_per_minute,
                requests_per_hour: self.requests_per_hour,
                ..fetcher::Config::default()
            },
            normalizer,
            alerter,
            until_caught_up: self.until_caught_up,
        }
    }
}

fn webhook(text: &str) -> Result<alerter::WebhookUrl, String> {
    alerter::WebhookUrl::try_from(text.to_owned()).map_err(ToString::to_string)
}

fn print(summary: &Summary) -> std::io::Result<()> {
    let Summary { output, snapshot, elapsed, caught_up } = summary;
    let state = if *caught_up { "Everything is delivered" } else { "Stopped; the next start continues here" };
    writeln!(
        std::io::stdout(),
        "{state}: {} new events fetched, {} rejected, {} delivered in all, in {:.1} s. They are in {output}",
        grouped(snapshot.events()),
        grouped(snapshot.rejections()),
        grouped(snapshot.delivered()),
        elapsed.as_secs_f64(),
    )
}
