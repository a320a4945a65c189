//! `latchkey demo`: a newcomer's first command, twice.

use std::{path::Path, time::Duration};

use latchkey_tests::{Delivered, Process, command};

/// How long one run may take.
const RUN_LIMIT: Duration = Duration::from_mins(2);

async fn run(directory: &Path) -> (String, Delivered) {
    let mut command = command("latchkey");
    command.args(["demo", "--weeks", "1", "--busy", "0.3", "--log-level", "warn"]).current_dir(directory);
    let mut process = Process::start("demo", &mut command, directory).unwrap();
    let status = process.ended(RUN_LIMIT).await;
    assert!(status.success(), "{status}: {}", process.log().unwrap());
    let delivered = Delivered::read(&directory.join("latchkey-data/demo/events")).unwrap();
    (process.said().unwrap(), delivered)
}

#[tokio::test]
async fn a_second_demo_continues_and_delivers_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let (said, first) = run(directory.path()).await;
    assert!(said.contains("The events are in ./latchkey-data/demo/events"), "{said}");
    assert!(said.contains("What to try next"), "{said}");
    assert!(first.events() > 1_000, "{} events", first.events());
    first.check_once().unwrap();

    // The company has gone on in between, for some seconds.
    let (_, second) = run(directory.path()).await;
    second.check_once().unwrap();
    assert!(second.objects.is_superset(&first.objects), "what was delivered stays");
    let new = second.events() - first.events();
    assert!(new < 100, "{new} events in some seconds");
}
