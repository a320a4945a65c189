//! The stand-in as a program: serves invented 1Password events until it is told to stop.
//!
//! Its tokens are fake, so they may be written to files; they still stay out of its output, because habits matter.

use std::{
    fs,
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;
use latchkey_simulator::{AccountConfig, Builder, Lookups, Plan, Simulator};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use self::args::{Command, Program, Serve};

mod args;
mod catalogue;
mod compare;
mod files;

/// Exit code of a comparison that found something.
const DISAGREES: u8 = 1;

/// Exit code for arguments that parse and yet cannot be used (`EX_USAGE`).
const USAGE: u8 = 64;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match run(&Program::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to tell if even this cannot be written.
            let _ = writeln!(io::stderr(), "latchkey-simulator: {error:#}");
            ExitCode::from(USAGE)
        }
    }
}

async fn run(program: &Program) -> anyhow::Result<ExitCode> {
    match &program.command {
        None => start(&program.serve).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Faults) => catalogue::print().map(|()| ExitCode::SUCCESS),
        Some(Command::Compare(compare)) => {
            let agrees = compare::run(&compare.ledger).await?;
            Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::from(DISAGREES) })
        }
    }
}

async fn start(args: &Serve) -> anyhow::Result<()> {
    let clock = args.clock()?;
    let accounts = args.account_configs(clock());
    if let Some(directory) = &args.write_lookups {
        let tables = accounts.iter().map(|config| latchkey_simulator::lookups(args.seed, config));
        files::write_lookups(directory, &tables.collect::<Vec<Lookups>>())?;
    }
    if args.lookups_only {
        return Ok(());
    }
    let builder = Simulator::builder().seed(args.seed).clock(clock).plan(plan(args)?);
    serve(args, builder, accounts).await
}

fn plan(args: &Serve) -> anyhow::Result<Plan> {
    let Some(file) = &args.faults else { return Ok(Plan::default()) };
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Plan::parse(&text).with_context(|| file.display().to_string())
}

async fn serve(args: &Serve, mut builder: Builder, accounts: Vec<AccountConfig>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;

    let names: Vec<String> = accounts.iter().map(|config| config.name.clone()).collect();
    builder = builder.listen(args.listen).tls_listen(args.tls_listen);
    builder = args.tls_names.iter().fold(builder, Builder::tls_name);
    builder = accounts.into_iter().fold(builder, Builder::account);
    let simulator = builder.start().await?;

    if let Some(directory) = &args.write_tokens {
        for name in &names {
            files::write_token(directory, name, &simulator.token(name)?)?;
        }
    }
    if let Some(file) = &args.write_ca {
        files::write(file, simulator.ca_pem())?;
    }
    announce(args, &simulator)?;

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulator.shutdown().await;
    Ok(())
}

/// One line that says it runs, then where things are.
fn announce(args: &Serve, simulator: &Simulator) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (http, https) = (simulator.http_url(), simulator.https_url());
    writeln!(
        out,
        "latchkey-simulator {} serves {} account(s), seed {}, at {http} and {https}",
        env!("CARGO_PKG_VERSION"),
        args.accounts,
        args.seed,
    )?;
    match &args.write_tokens {
        Some(directory) => writeln!(out, "  tokens       {}/<account>.token", directory.display())?,
        None => writeln!(out, "  tokens       {http}/_simulator/accounts")?,
    }
    writeln!(out, "  certificate  {http}/_simulator/ca.pem")?;
    writeln!(out, "  ledger       {http}/_simulator/ledger?account=account-1&feed=sign_in_attempts")?;
    writeln!(out, "  all of it    {http}/_simulator/")?;
    out.flush()
}
