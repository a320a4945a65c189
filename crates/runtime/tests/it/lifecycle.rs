//! Soft, then hard, then abandoned, on paused time.

use jiff::SignedDuration;
use latchkey_runtime::shutdown::{Force, Reason};
use latchkey_runtime::{Context, Exit, Failure, HARD_LIMIT, Service, ShutdownConfig};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const GRACE: Duration = Duration::from_secs(20);

fn context() -> Context {
    Context::new(Service { name: "example", version: "0", about: "" })
}

async fn drain(context: &Context) -> Exit {
    context.drain(&ShutdownConfig { grace: SignedDuration::try_from(GRACE).unwrap() }).await
}

#[tokio::test(start_paused = true)]
async fn soft_comes_first_and_hard_when_grace_is_over() {
    let context = context();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (shutdown, seen) = (context.shutdown.clone(), order.clone());
    context.spawn("holder", async move {
        shutdown.soft().cancelled().await;
        seen.lock().unwrap().push("soft");
        shutdown.hard().cancelled().await;
        seen.lock().unwrap().push("hard");
        anyhow::Ok(())
    });
    let begun = Instant::now();
    context.shutdown.begin(Reason::Signal("SIGTERM"));
    assert_eq!(drain(&context).await, Exit::Ok);
    assert_eq!(*order.lock().unwrap(), ["soft", "hard"]);
    assert_eq!(begun.elapsed(), GRACE);
    assert_eq!(context.shutdown.forced(), Some(Force::GraceOver));
}

#[tokio::test(start_paused = true)]
async fn work_that_ends_in_time_is_never_forced() {
    let context = context();
    let shutdown = context.shutdown.clone();
    context.spawn("worker", async move {
        shutdown.soft().cancelled().await;
        tokio::time::sleep(Duration::from_secs(7)).await;
        anyhow::Ok(())
    });
    context.shutdown.begin(Reason::Finished);
    assert_eq!(drain(&context).await, Exit::Ok);
    assert!(!context.shutdown.hard().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_heeds_no_token_is_abandoned() {
    let context = context();
    context.spawn("stubborn", std::future::pending::<anyhow::Result<()>>());
    let begun = Instant::now();
    context.shutdown.begin(Reason::Finished);
    assert_eq!(drain(&context).await, Exit::Internal);
    assert_eq!(begun.elapsed(), GRACE + HARD_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_is_its_own_exit_code() {
    let context = context();
    let shutdown = context.shutdown.clone();
    context.spawn("holder", async move {
        shutdown.hard().cancelled().await;
        anyhow::bail!("cut short")
    });
    context.shutdown.begin(Reason::Signal("SIGINT"));
    context.shutdown.force(Force::SecondSignal);
    assert_eq!(drain(&context).await, Exit::Forced);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_begins_the_shutdown_and_chooses_the_code() {
    let context = context();
    context.spawn("poller", async { Err::<(), _>(Failure::unavailable("nats", "connection refused")) });
    let shutdown = context.shutdown.clone();
    context.spawn("echo", async move {
        shutdown.soft().cancelled().await;
        anyhow::bail!("nothing left to do")
    });
    assert_eq!(drain(&context).await, Exit::Unavailable);
    assert_eq!(context.shutdown.reason(), Some(&Reason::TaskFailed("poller".into())));
}
