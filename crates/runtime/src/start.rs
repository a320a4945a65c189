//! A service's main: flags, environment and file into a configuration, then a life.
//!
//! Everything that can be wrong with what the operator wrote is said here, before anything is opened.

use crate::config::{self, Config, Flags};
use crate::exit::Exit;
use crate::run::{self, RunConfig, complain};
use crate::{Context, Service};
use clap::{Args, FromArgMatches};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::io::Write;
use std::process::ExitCode;

/// Runs a service as a whole process. `S` is the service's own section of the configuration.
///
/// Prints help, version or the effective configuration when asked to; refuses wrong flags, variables and keys with
/// [`Exit::Configuration`]; otherwise [runs](crate::run_with) `body`.
pub fn start<S, F, Fut>(service: Service, body: F) -> ExitCode
where
    S: Serialize + DeserializeOwned + Default,
    F: FnOnce(Config<S>, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    begin(service, body).into()
}

fn begin<S, F, Fut>(service: Service, body: F) -> Exit
where
    S: Serialize + DeserializeOwned + Default,
    F: FnOnce(Config<S>, Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let flags = match parse::<S>(service) {
        Ok(flags) => flags,
        Err(error) => {
            // Help and version arrive as errors too, meant for standard output.
            let _ = error.print();
            return if error.use_stderr() { Exit::Configuration } else { Exit::Ok };
        }
    };
    let config = match config::load::<S>(service.name, &flags, std::env::vars_os(), config::read_file) {
        Ok(config) => config,
        Err(faults) => return complain(service, Exit::Configuration, &format!("configuration refused\n{faults}")),
    };
    if flags.print_config {
        // A closed pipe (`| head`) is no failure.
        let _ = std::io::stdout().write_all(config.to_yaml(service.name).as_bytes());
        return Exit::Ok;
    }
    let parts =
        RunConfig { telemetry: config.telemetry.clone(), http: config.http.clone(), shutdown: config.shutdown.clone() };
    let nats = config.nats.shown();
    run::run(service, &parts, &nats, |context| body(config, context))
}

fn parse<S>(service: Service) -> Result<Flags, clap::Error>
where
    S: Serialize + Default,
{
    let keys = Config::<S>::default().to_yaml(service.name);
    let command = Flags::augment_args(clap::Command::new(service.name))
        .bin_name(service.full_name())
        .display_name(service.full_name())
        .version(service.version)
        .about(service.about)
        .long_about(service.about)
        .after_help("Precedence: flag, environment, file, default. --help lists all keys.")
        .after_long_help(format!(
            "Every key can be written in the file, as --set PATH=VALUE, or as a variable: LATCHKEY_ and the path in capitals, \
             with two underscores between levels (LATCHKEY_NATS__URL). Flags go before variables, variables before the \
             file.\n\nKeys and their defaults:\n\n{keys}"
        ));
    Flags::from_arg_matches(&command.try_get_matches()?)
}
