//! The line over a NATS in a container, as an operator's is.

use std::{io::Write, time::Duration};

use latchkey_tests::{Delivered, Line, Nats, NatsImage, Settings, company, engine_answers, nats_image};
use testcontainers::{
    GenericImage, ImageExt,
    core::{IntoContainerPort, WaitFor},
    runners::AsyncRunner,
};

/// How long a container may take to start.
const START_LIMIT: Duration = Duration::from_mins(1);

/// What streams may store: the server takes three quarters of the free disk for its bound, which may be little.
const MAX_BYTES: i64 = 256 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_runs_over_nats_in_a_container() {
    if !engine_answers() {
        // Written past the capture of output: a skipped test has to be seen.
        writeln!(std::io::stderr(), "skipped: no container engine").unwrap();
        return;
    }
    let NatsImage { name, tag } = tokio::task::spawn_blocking(nats_image).await.unwrap().unwrap();
    let container = GenericImage::new(name, tag)
        .with_exposed_port(4222.tcp())
        .with_wait_for(WaitFor::message_on_stderr("Server is ready"))
        .with_cmd(["--jetstream", "--store_dir", "/data"])
        .with_startup_timeout(START_LIMIT)
        .start()
        .await
        .unwrap();
    let (host, port) = (container.get_host().await.unwrap(), container.get_host_port_ipv4(4222).await.unwrap());
    let nats = Nats { url: format!("nats://{host}:{port}"), token_file: None, max_bytes: Some(MAX_BYTES) };

    let simulator = company(0.1).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut line = Line::start(directory.path(), &nats, &simulator, &Settings::default()).await.unwrap();
    line.settled(&simulator).await.unwrap();
    Delivered::read(&line.output()).unwrap().check(&simulator).unwrap();
    line.stop().await;
    container.rm().await.unwrap();
}
