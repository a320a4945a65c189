//! A day in minutes, with everything going wrong that may.
//!
//! Feeds are polled every second in place of every minute, so 24 minutes hold the polls of a day; nothing else is accelerated. Events
//! arrive all the time, every fault that the simulator knows strikes at random, and at random the fetcher or the nats-server is killed
//! as `kill -9` does. Then all troubles end, and what lies in stream PAGES is compared with what the API has: whatever arrived until
//! then must be there once, also what the API hid from the cursor, which audits find.

mod compare;
mod faults;
mod figures;

use std::{fs, io::Write, path::PathBuf, process::Command, time::Duration};

use anyhow::{Result, ensure};
use latchkey_bus::{
    Bus,
    server::{Binary, Server, ServerOptions},
};
use latchkey_contracts::topology::Limits;
use latchkey_runtime::clock;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, sleep_until};

use self::{
    compare::Comparison,
    faults::{Admin, Struck},
    figures::Figures,
};
use crate::{arguments::Arguments, dice::Dice, process::Process, programs::Programs, stand_in::StandIn};

/// Accounts, with three feeds each.
const ACCOUNTS: usize = 8;

/// How the simulator is started: feeds that grow by an event a second, some of them late, and repeats.
const SERVE: [&str; 10] =
    ["--profile", "empty", "--live", "60", "--late-share", "0.05", "--late-from", "2s", "--late-to", "30s"];

/// Seconds between two kills: at least so many, and up to so many more.
const CALM: (u64, i64) = (15, 30);

/// The simulator forgets all but the newest requests: they are looked at before.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// How long it may take after the troubles until everything is there: the longest pauses and an audit.
const REPAIR_WITHIN: Duration = Duration::from_mins(5);

/// How often what is stored is compared until then.
const COMPARE_EVERY: Duration = Duration::from_secs(10);

/// Everything that runs.
struct Scene<'a> {
    programs: &'a Programs,
    configuration: PathBuf,
    admin: Admin,
    bus: Bus,
    /// `None` while it is dead.
    fetcher: Option<Process>,
    stand_in: StandIn,
    server: Server,
    struck: Struck,
    kills: Kills,
    directory: TempDir,
}

/// Who was killed, how often.
#[derive(Clone, Copy, Default)]
struct Kills {
    fetcher: u32,
    nats: u32,
}

/// Runs it, and prints what came of it. Fails if an event is missing or doubled.
pub(crate) async fn run(
    out: &mut impl Write,
    programs: &Programs,
    nats: &Binary,
    arguments: &Arguments,
    minutes: u16,
) -> Result<()> {
    let mut scene = Scene::set(programs, nats, arguments).await?;
    let mut dice = Dice::new(u64::from(minutes));
    scene.trouble(Duration::from_mins(minutes.into()), &mut dice).await?;
    let (comparison, repaired) = scene.calm().await?;
    let figures = Figures { minutes, kills: scene.kills, struck: &scene.struck, comparison, repaired };
    figures.print(out)?;
    if let Some(fetcher) = scene.fetcher.take() {
        fetcher.stop()?;
    }
    scene.stand_in.process.stop()?;
    scene.server.stop().await?;
    let Comparison { lost, doubled, .. } = figures.comparison;
    ensure!(lost == 0 && doubled == 0, "{lost} events are lost and {doubled} doubled; use --keep to see the logs");
    Ok(())
}

impl<'a> Scene<'a> {
    async fn set(programs: &'a Programs, nats: &Binary, arguments: &Arguments) -> Result<Self> {
        fs::create_dir_all(&arguments.dir)?;
        let mut directory =
            tempfile::Builder::new().prefix("latchkey-soak-").tempdir_in(fs::canonicalize(&arguments.dir)?)?;
        directory.disable_cleanup(arguments.keep);
        let accounts = ACCOUNTS.to_string();
        let serve = [&SERVE[..], &["--accounts", &accounts, "--repeat-rate", "0.02"]].concat();
        let stand_in = StandIn::start(programs, &serve, directory.path()).await?;
        let server = Server::start(ServerOptions::new(nats.clone(), directory.path().join("nats"))).await?;
        let bus = Bus::connect(server.connect_options("latchkey-bench")).await?;
        bus.provision(Limits::default()).await?;
        let sources: Vec<_> = (1..=ACCOUNTS)
            .map(|account| {
                json!({
                    "id": name(account),
                    "token_file": stand_in.token_file(account),
                    "events_api_url": stand_in.url,
                    "ca_file": stand_in.ca_file,
                    "poll_interval": "1s",
                    "timeout": "2s",
                    "page_limit": 100,
                })
            })
            .collect();
        let written = json!({
            "nats": { "url": server.url(), "token_file": server.token_file() },
            "fetcher": {
                "sources": sources,
                "requests_per_minute": 100_000,
                "requests_per_hour": 1_000_000,
                "audit": { "lag": "1s", "recent_every": "1m" },
            },
        });
        let configuration = directory.path().join("latchkey.yml");
        fs::write(&configuration, serde_json::to_vec_pretty(&written)?)?;
        let admin = Admin::new(&stand_in.plain_url)?;
        let (struck, kills) = (Struck::default(), Kills::default());
        let mut scene =
            Self { programs, configuration, admin, bus, fetcher: None, stand_in, server, struck, kills, directory };
        scene.start_fetcher()?;
        Ok(scene)
    }

    fn start_fetcher(&mut self) -> Result<()> {
        let mut command: Command = self.programs.command("latchkey-fetcher")?;
        command.arg("--config").arg(&self.configuration);
        self.fetcher = Some(Process::start("fetcher", command, self.directory.path())?);
        Ok(())
    }

    /// Faults all the time, and a kill now and then.
    async fn trouble(&mut self, length: Duration, dice: &mut Dice) -> Result<()> {
        self.admin.begin(&faults::plan()).await?;
        let end = Instant::now() + length;
        let mut look = Instant::now() + LOOK_EVERY;
        let mut kill = next_kill(dice);
        while Instant::now() < end {
            sleep_until(kill.min(look).min(end)).await;
            if Instant::now() >= look {
                self.admin.requests(&mut self.struck).await?;
                look = Instant::now() + LOOK_EVERY;
            }
            if Instant::now() >= kill {
                self.kill(dice).await?;
                kill = next_kill(dice);
            }
        }
        self.admin.end().await?;
        self.admin.requests(&mut self.struck).await
    }

    /// Whether the fetcher lives.
    fn check(&mut self) -> Result<()> {
        let lives = self.fetcher.as_mut().map_or(Ok(false), Process::check)?;
        ensure!(lives, "the fetcher ended by itself");
        Ok(())
    }

    async fn kill(&mut self, dice: &mut Dice) -> Result<()> {
        if dice.fraction() < 0.3 {
            self.server.restart().await?;
            self.kills.nats += 1;
            return Ok(());
        }
        self.check()?;
        // Dropping it kills it.
        self.fetcher = None;
        self.start_fetcher()?;
        self.kills.fetcher += 1;
        Ok(())
    }

    /// Waits until everything is there that had arrived when the troubles ended. Returns how long that took.
    async fn calm(&mut self) -> Result<(Comparison, Duration)> {
        let (began, until) = (Instant::now(), clock::now());
        loop {
            sleep(COMPARE_EVERY).await;
            let comparison = compare::compare(&self.bus, &self.admin, (1..=ACCOUNTS).map(name), until).await?;
            if comparison.lost == 0 || began.elapsed() > REPAIR_WITHIN {
                self.admin.requests(&mut self.struck).await?;
                return Ok((comparison, began.elapsed()));
            }
            self.check()?;
        }
    }
}

fn next_kill(dice: &mut Dice) -> Instant {
    let (least, more) = CALM;
    Instant::now() + Duration::from_secs(least + dice.below(more).unsigned_abs())
}

fn name(account: usize) -> String {
    format!("account-{account}")
}
