//! How fast the line drains, and what that costs.
//!
//! A million simulated events of two feeds go through the real programs and a real nats-server into files, and what comes out is
//! counted. It prints figures and judges none of them: a machine that is busy with other things makes any limit a coin toss. It
//! fails only if events are missing or doubled, for then there is nothing to measure.

use std::io::{self, Write as _};

use anyhow::{Result, anyhow, ensure};
use clap::Parser as _;
use latchkey_bus::server::{self, Binary, ObtainOptions};
use latchkey_runtime::clock;

use self::{alone::Material, arguments::Arguments, drain::Drain, programs::Programs};

mod alone;
mod arguments;
mod delivered;
mod dice;
mod drain;
mod judging;
mod number;
mod process;
mod programs;
mod report;
mod side_by_side;
mod silence;
mod soak;
mod sources;
mod stand_in;
mod usage;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    latchkey_runtime::install_crypto();
    tokio::select! {
        // Whatever is running is dropped, and what it has started ends with it.
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into).and(Err(anyhow!("interrupted"))),
        measured = measure(&arguments) => measured,
    }
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let mut out = io::stdout().lock();
    if arguments.judging {
        return Ok(report::judging(&mut out, &judging::run(clock::now())?)?);
    }
    if arguments.silence {
        return Ok(report::silence(&mut out, &silence::run()?)?);
    }
    if let Some(number) = arguments.sources {
        let programs = programs(arguments)?;
        return sources::run(&mut out, &programs, &nats().await?, arguments, number).await;
    }
    if let Some(minutes) = arguments.soak {
        let programs = programs(arguments)?;
        return soak::run(&mut out, &programs, &nats().await?, arguments, minutes).await;
    }
    alone(&mut out, arguments).await?;
    if arguments.only_alone() {
        return Ok(());
    }
    let (programs, nats) = (programs(arguments)?, nats().await?);
    let mut drains = Vec::new();
    for number in 1..=usize::from(arguments.runs) {
        let drain = drain::run(&programs, &nats, arguments).await?;
        check(&drain)?;
        report::line(&mut out, number, &drain)?;
        drains.push(drain);
    }
    drains.sort_by_key(|drain| drain.elapsed);
    if let Some(median) = drains.get(drains.len() / 2) {
        report::table(&mut out, arguments, median)?;
    }
    Ok(())
}

fn programs(arguments: &Arguments) -> Result<Programs> {
    if arguments.no_build { Programs::find() } else { Programs::build() }
}

async fn nats() -> Result<Binary> {
    Ok(server::obtain(ObtainOptions::default(), |step| drop(writeln!(io::stderr(), "{step}"))).await?)
}

async fn alone(out: &mut impl io::Write, arguments: &Arguments) -> Result<()> {
    let now = clock::now();
    let material = Material::get(&arguments.feeds, now).await?;
    if let Some(dir) = &arguments.write_pages {
        material.write(dir)?;
    }
    Ok(report::alone(out, &alone::run(&material, now)?)?)
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
