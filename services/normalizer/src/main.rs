//! The normalizer as a process of its own.

use std::process::ExitCode;

use latchkey_normalizer::{Config, Metrics};
use latchkey_runtime::{Service, start};

fn main() -> ExitCode {
    let service = Service {
        name: "normalizer",
        version: env!("CARGO_PKG_VERSION"),
        about: "Turns raw pages into validated, enriched events.",
    };
    start::<Config, _, _>(service, |config, context| async move {
        let bus = context.connect(&config.nats).await?;
        let normalizer =
            config.service.build(bus, Metrics::new(&context.metrics)).map_err(latchkey_runtime::refused)?;
        Ok(normalizer.run(context.shutdown.clone()).await?)
    })
}
