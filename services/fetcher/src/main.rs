//! The fetcher as a process of its own.

use std::process::ExitCode;

use latchkey_fetcher::{Config, Metrics};
use latchkey_runtime::{Service, start};

fn main() -> ExitCode {
    let service = Service {
        name: "fetcher",
        version: env!("CARGO_PKG_VERSION"),
        about: "Polls 1Password and publishes raw pages.",
    };
    start::<Config, _, _>(service, |config, context| async move {
        let bus = context.connect(&config.nats).await?;
        let fetcher = config.service.build(bus, Metrics::new(&context.metrics)).map_err(latchkey_runtime::refused)?;
        Ok(fetcher.run(context.shutdown.clone()).await?)
    })
}
