//! The forwarder as a process of its own.

use std::process::ExitCode;

use latchkey_forwarder::{Config, Metrics};
use latchkey_runtime::{Service, start};

fn main() -> ExitCode {
    let service = Service {
        name: "forwarder",
        version: env!("CARGO_PKG_VERSION"),
        about: "Delivers events to files and object stores, each exactly once.",
    };
    start::<Config, _, _>(service, |config, context| async move {
        let bus = context.connect(&config.nats).await?;
        let output = context.health.component("output");
        let metrics = Metrics::new(&context.metrics);
        let forwarder = config.service.build(bus, &metrics, output).map_err(latchkey_runtime::refused)?;
        Ok(forwarder.run(context.shutdown.clone()).await?)
    })
}
