//! `latchkey demo`: the whole line on a made-up company, so that a newcomer sees it work before trusting it with a token.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    num::NonZeroU32,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use jiff::SignedDuration;
use latchkey_alerter as alerter;
use latchkey_core::number::grouped;
use latchkey_fetcher as fetcher;
use latchkey_normalizer as normalizer;
use latchkey_runtime::{Service, clock, run_with};
use latchkey_simulator::{AccountConfig, Profile, Simulator};

use crate::{
    line::{self, Settings, Summary},
    options::LineOptions,
};

/// The same company every time, so that a second run continues the first.
const SEED: u64 = 1;

/// The account at the stand-in, and the source's name.
const NAME: &str = "demo";

/// The API repeats itself now and then; so does the stand-in.
const REPEAT_RATE: f64 = 0.01;

/// What `latchkey demo` takes.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How many weeks of events the company has
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=17))]
    weeks: u32,
    /// How busy the company is, as a multiple
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    busy: f64,
    /// Where the private nats-server and, by default, the events are kept
    #[arg(long, value_name = "DIR", env = "LATCHKEY_DATA_DIR", default_value = "./latchkey-data/demo")]
    data_dir: PathBuf,
    #[command(flatten)]
    line: LineOptions,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let service =
        Service { name: "demo", version: env!("CARGO_PKG_VERSION"), about: "The whole line on a made-up company." };
    let parts = arguments.line.run_config();
    run_with(service, parts, |context| async move {
        let simulator = start_simulator(&arguments).await.context("starting the stand-in for 1Password")?;
        let settings = settings(arguments, &simulator)?;
        let summary = line::run(settings, context).await?;
        print(&summary)?;
        simulator.shutdown().await;
        Ok(())
    })
}

async fn start_simulator(arguments: &Arguments) -> Result<Simulator, latchkey_simulator::Error> {
    let profile = Profile::Company { weeks: arguments.weeks, until: clock::now(), factor: arguments.busy };
    let account = AccountConfig { repeat_rate: REPEAT_RATE, ..AccountConfig::new(NAME, profile) };
    Simulator::builder().seed(SEED).account(account).start().await
}

fn settings(arguments: Arguments, simulator: &Simulator) -> anyhow::Result<Settings> {
    let Arguments { data_dir, line: options, .. } = arguments;
    let lookups = data_dir.join("lookups");
    fs::create_dir_all(&lookups).with_context(|| format!("{} cannot be made", lookups.display()))?;
    let tables = simulator.lookups(NAME)?;
    for (name, rows) in [("items", &tables.items), ("vaults", &tables.vaults), ("users", &tables.users)] {
        let path = lookups.join(name).with_extension("jsonl");
        fs::write(&path, rows).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let token_file = data_dir.join("token");
    write_secret(&token_file, &simulator.token(NAME)?)
        .with_context(|| format!("{} cannot be written", token_file.display()))?;
    let source = fetcher::SourceConfig {
        label: Some("Demo company".into()),
        token_file,
        events_api_url: Some(simulator.http_url()),
        poll_interval: SignedDuration::from_secs(5),
        ..fetcher::SourceConfig::new(NAME.parse()?)
    };
    Ok(Settings {
        data_dir,
        options,
        fetcher: fetcher::Config {
            sources: vec![source],
            // The stand-in has no limits.
            requests_per_minute: NonZeroU32::MAX,
            requests_per_hour: NonZeroU32::MAX,
            ..fetcher::Config::default()
        },
        normalizer: normalizer::Config { lookups: Some(lookups), ..normalizer::Config::default() },
        alerter: alerter::Config::default(),
        until_caught_up: true,
    })
}

fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

fn print(summary: &Summary) -> io::Result<()> {
    let Summary { output, snapshot, elapsed, caught_up } = summary;
    let mut out = io::stdout().lock();
    if !caught_up {
        return writeln!(out, "Stopped. Nothing is lost: run the same command again and it continues.");
    }
    writeln!(
        out,
        "Fetched {} new events, {} rejected, {} delivered in all, in {:.1} s.",
        grouped(snapshot.events()),
        grouped(snapshot.rejections()),
        grouped(snapshot.delivered()),
        elapsed.as_secs_f64(),
    )?;
    writeln!(
        out,
        "\nThe events are in {output}, one JSON object per line:\n  \
         find {output} -name '*.ndjson'\n  \
         grep -rh '\"firewall_failed\"' {output}/OnePassword.SignInAttempt | head -n 1\n\n\
         What to try next:\n  \
         run it again: it continues, and delivers nothing twice\n  \
         your own account: latchkey up --source NAME --token-file FILE (README, \"Your first real source\")"
    )
}
