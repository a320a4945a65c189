//! The alerter as a process of its own.

use std::process::ExitCode;

use latchkey_alerter::{Config, Metrics};
use latchkey_runtime::{Service, start};

fn main() -> ExitCode {
    let service = Service {
        name: "alerter",
        version: env!("CARGO_PKG_VERSION"),
        about: "Watches every chain and says why it is silent.",
    };
    start::<Config, _, _>(service, |config, context| async move {
        let bus = context.connect(&config.nats).await?;
        let alerter = config.service.build(bus, Metrics::new(&context.metrics)).map_err(latchkey_runtime::refused)?;
        Ok(alerter.run(context.shutdown.clone()).await?)
    })
}
