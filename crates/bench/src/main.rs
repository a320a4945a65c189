//! How fast the line drains, and what that costs.
//!
//! A million simulated events of two feeds go through the real programs and a real nats-server into files, and what comes out is
//! counted. It prints figures and judges none of them: a machine that is busy with other things makes any limit a coin toss. It
//! fails only if events are missing or doubled, for then there is nothing to measure.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use latchkey_bus::server::{self, ObtainOptions};
use latchkey_runtime::clock;

use self::{arguments::Arguments, drain::Drain, programs::Programs};

mod alone;
mod arguments;
mod delivered;
mod drain;
mod process;
mod programs;
mod report;
mod stand_in;
mod usage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    latchkey_runtime::install_crypto();
    let programs = if arguments.no_build { Programs::find() } else { Programs::build() }?;
    let nats = server::obtain(ObtainOptions::default(), |step| drop(writeln!(io::stderr(), "{step}"))).await?;
    let mut out = io::stdout().lock();

    report::alone(&mut out, &alone::run(&arguments.feeds, clock::now()).await?)?;
    let mut drains = Vec::new();
    for number in 1..=usize::from(arguments.runs) {
        let drain = drain::run(&programs, &nats, &arguments).await?;
        check(&drain)?;
        report::line(&mut out, number, &drain)?;
        drains.push(drain);
    }
    drains.sort_by_key(|drain| drain.elapsed);
    report::table(&mut out, &arguments, drains.get(drains.len() / 2).context("there was no run")?)?;
    Ok(())
}

fn check(drain: &Drain) -> Result<()> {
    let delivered = &drain.delivered;
    ensure!(
        delivered.records == drain.events && delivered.doubled == 0,
        "of {} events, {} were delivered and {} twice",
        drain.events,
        delivered.records,
        delivered.doubled
    );
    Ok(())
}
