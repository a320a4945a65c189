//! The life of a process: install, work, soft shutdown, hard shutdown, flush, exit code.
//!
//! The order is the point. Telemetry is first in and last out, so that the reason for an end is seen; signals are caught
//! before the start line, so that who reads that line may send them; the health port outlives the work, so that an
//! orchestrator sees *not ready* and never *gone*.

use crate::config::{HttpConfig, ShutdownConfig, TelemetryConfig};
use crate::exit::{self, Exit};
use crate::shutdown::{Force, Reason};
use crate::signals::Signals;
use crate::telemetry::{self, FLUSH_LIMIT};
use crate::{Context, Failure, Metrics, Service, http};
use std::future::Future;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long tasks have, after the hard token, to come to their next await and return.
pub const HARD_LIMIT: Duration = Duration::from_secs(2);

/// How long an abandoned task's destructors may take before the process leaves without them.
const ABANDON_LIMIT: Duration = Duration::from_secs(1);

/// The parts of a process that are configured, without its service's own configuration.
#[derive(Debug, Clone, Default)]
pub struct RunConfig {
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// Health and metrics.
    pub http: HttpConfig,
    /// Patience.
    pub shutdown: ShutdownConfig,
}

/// Runs `body` as a whole process, from telemetry to exit code: for a command with arguments of its own.
/// [`crate::start`] does the same for a service.
///
/// The body is a watched task like any other: returning `Ok` ends the process once all tasks it spawned have ended,
/// returning an error ends it with the code the error asks for (see [`Failure`]).
#[expect(clippy::needless_pass_by_value, reason = "callers build the parts for this one call")]
pub fn run_with<F, Fut>(service: Service, parts: RunConfig, body: F) -> ExitCode
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    run(service, &parts, "", body).into()
}

pub(crate) fn run<F, Fut>(service: Service, parts: &RunConfig, nats: &str, body: F) -> Exit
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    install_crypto();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(service, Exit::Internal, &format!("no threads: {error}")),
    };
    let guard = {
        let _inside = runtime.enter();
        match telemetry::install(&parts.telemetry, &service) {
            Ok(guard) => guard,
            Err(error) => return complain(service, Exit::Configuration, &error.to_string()),
        }
    };
    log_panics();
    let exit = runtime.block_on(live(service, parts, nats, body));
    guard.flush(FLUSH_LIMIT);
    // A task that is stuck in a system call must not keep the process.
    runtime.shutdown_background();
    exit
}

/// Makes ring the process' TLS provider. Two providers in one process panic, so this comes before any connection; calling
/// it again changes nothing. Tests that speak TLS without a runtime of ours call it themselves.
pub fn install_crypto() {
    // An error means that a provider is installed: ours, since ring is the only one in the tree.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn live<F, Fut>(service: Service, parts: &RunConfig, nats: &str, body: F) -> Exit
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let started = Instant::now();
    let context = Context::with(service, Metrics::with_sources(parts.http.metrics_sources));
    let server = match open(parts, &context).await {
        Ok(server) => server,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "{} did not start", service.full_name());
            return exit::code_of(&error);
        }
    };
    tracing::info!(
        version = service.version,
        pid = std::process::id(),
        nats,
        listen = server.as_ref().map(|server| tracing::field::display(server.address())),
        log_level = parts.telemetry.log_level,
        "{} started",
        service.full_name()
    );
    spawn_body(&context, body);
    let outcome = context.drain(&parts.shutdown).await;
    tracing::info!(
        reason = context.shutdown.reason().map(tracing::field::display),
        exit_code = outcome as u8,
        seconds = started.elapsed().as_secs_f64(),
        "{} stopped",
        service.full_name()
    );
    drop(server);
    outcome
}

/// Catches signals and opens the health port.
async fn open(parts: &RunConfig, context: &Context) -> anyhow::Result<Option<http::Server>> {
    let signals = Signals::register()?;
    tokio::spawn(signals.drive(context.shutdown.clone()));
    match parts.http.listen {
        Some(address) => http::serve(address, context)
            .await
            .map(Some)
            .map_err(|error| Failure::unavailable("the address of http.listen", error).into()),
        None => Ok(None),
    }
}

fn spawn_body<F, Fut>(context: &Context, body: F)
where
    F: FnOnce(Context) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let body = body(context.clone());
    let shutdown = context.shutdown.clone();
    context.spawn("main", async move {
        body.await?;
        shutdown.begin(Reason::Finished);
        anyhow::Ok(())
    });
}

impl Context {
    /// Waits for a reason to stop, then until every task has ended: softly for `config.grace`, then hard for
    /// [`HARD_LIMIT`]; what is left is abandoned. Returns how the process should end.
    pub async fn drain(&self, config: &ShutdownConfig) -> Exit {
        self.shutdown.soft().cancelled().await;
        tracing::info!(
            reason = self.shutdown.reason().map(tracing::field::display),
            grace = config.grace.as_secs_f64(),
            "shutting down"
        );
        let grace = config.grace.unsigned_abs();
        tokio::select! {
            // Tasks that end because of the hard token are ready together with it: the line about it comes first.
            biased;
            () = self.shutdown.hard().cancelled() => {}
            () = self.tasks.ended() => return self.outcome(0),
            () = tokio::time::sleep(grace) => self.shutdown.force(Force::GraceOver),
        }
        tracing::warn!(why = ?self.shutdown.forced(), "stopping hard");
        if tokio::time::timeout(HARD_LIMIT, self.tasks.ended()).await.is_ok() {
            return self.outcome(0);
        }
        let left = self.tasks.abandon();
        // Either they end here, or they are stuck in code that no token reaches.
        let _ = tokio::time::timeout(ABANDON_LIMIT, self.tasks.ended()).await;
        self.outcome(left)
    }

    fn outcome(&self, abandoned: usize) -> Exit {
        if self.shutdown.forced() == Some(Force::SecondSignal) {
            // What failed while being cut short says nothing.
            return Exit::Forced;
        }
        let stuck = (abandoned > 0).then_some(Exit::Internal);
        self.tasks.failure().or(stuck).unwrap_or(Exit::Ok)
    }
}

/// Sends panics to the log, with their place, instead of as plain text between the lines.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let words = panic.payload_as_str().unwrap_or("without a message");
        tracing::error!(panic = words, place = panic.location().map(tracing::field::display), "panicked");
    }));
}

/// Says what prevents a start, before there is a log to say it in.
pub(crate) fn complain(service: Service, exit: Exit, words: &str) -> Exit {
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{}: {words}", service.full_name());
    exit
}
