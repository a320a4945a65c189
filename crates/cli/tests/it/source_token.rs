//! `latchkey source token-key` and `seal`, from an empty machine to a polled source and a token replaced.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Stdio, time::Duration};

use latchkey_bus::{Bus, server};
use latchkey_contracts::{Chain, Feed, checkpoint::Checkpoint, topology::Limits};
use latchkey_fetcher::{Config, Metrics};
use latchkey_runtime::{Shutdown, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Profile, Simulator};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Runs `latchkey source …` with a text on standard input; its exit code, and both outputs in one.
async fn source(server: &server::Scratch, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let options = server.connect_options("test");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.env_clear().current_dir(server.directory()).arg("source").args(arguments);
    if arguments[0] != "token-key" {
        command.args(["--nats-url", &options.servers.join(",")]);
        if let Some(token) = &options.token {
            let file = server.directory().join("nats-token");
            fs::write(&file, secrecy::ExposeSecret::expose_secret(token)).unwrap();
            command.arg("--nats-token-file").arg(file);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

async fn checkpoint_where(bus: &Bus, condition: impl Fn(&Checkpoint) -> bool) -> Checkpoint {
    let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages };
    let wait = async {
        loop {
            let last = bus.last_checkpoint(&chain).await.unwrap().map(|stored| stored.message);
            if let Some(last) = last.filter(&condition) {
                break last;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the checkpoint comes")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_sealed_used_replaced_and_never_shown() {
    latchkey_runtime::install_crypto();
    let simulator = Simulator::builder().account(AccountConfig::new("acme", Profile::Empty)).start().await.unwrap();
    let server = server::scratch().await.unwrap();
    let bus = Bus::connect(server.connect_options("test")).await.unwrap();
    bus.provision(Limits::default()).await.unwrap();

    let (code, recipient) = source(&server, &["token-key", "--file", "token.key"], "").await;
    assert_eq!(code, Some(0), "{recipient}");
    let (recipient, key) = (recipient.trim().to_owned(), server.directory().join("token.key"));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let content = fs::read_to_string(&key).unwrap();
    let (code, again) = source(&server, &["token-key", "--file", "token.key"], "").await;
    assert_ne!(code, Some(0), "{again}");
    assert_eq!(fs::read_to_string(&key).unwrap(), content, "a key is never overwritten");

    let config = json!({"token_key_file": key, "events_api_urls": [simulator.http_url()], "audit": {"enabled": false}});
    let config: Config = serde_json::from_value(config).unwrap();
    let fetcher = config.build(bus.clone(), Metrics::new(&latchkey_runtime::Metrics::new())).unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(fetcher.run(shutdown.clone()));
    let url = simulator.http_url();
    let add =
        ["add", "acme", "--token-sealed", "--feeds", "item_usages", "--poll-interval", "1s", "--events-api-url", &url];
    assert_eq!(source(&server, &add, "").await.0, Some(0));

    let token = simulator.token("acme").unwrap();
    let seal = ["seal", "acme", "--token-file", "-", "--recipient", &recipient];
    for nonsense in ["", "ops_eyJzaWduSW5BZGRyZXNz", "hunter2"] {
        let (code, said) = source(&server, &seal, nonsense).await;
        assert!(code == Some(64) && (nonsense.is_empty() || !said.contains(nonsense)), "{code:?} {said}");
    }
    let (code, said) = source(&server, &seal, &token).await;
    assert!(code == Some(0) && !said.contains(&token), "{said}");
    checkpoint_where(&bus, |checkpoint| checkpoint.caught_up_at_unix_nano > 0).await;

    // Sealed to somebody else: the one in use stays, and the list says why.
    let (_, other) = source(&server, &["token-key", "--file", "other.key"], "").await;
    let (code, said) =
        source(&server, &["seal", "acme", "--token-file", "-", "--recipient", other.trim()], &token).await;
    assert_eq!(code, Some(0), "{said}");
    checkpoint_where(&bus, |checkpoint| !checkpoint.token_fault.is_empty()).await;
    let (_, list) = source(&server, &["list"], "").await;
    assert!(list.contains("item_usages: quiet") && list.contains("sealed to another key"), "{list}");
    let (_, shown) = source(&server, &["show", "acme"], "").await;
    assert!(shown.contains("\"token_sealed\": true") && !(list + &shown).contains(&token));

    assert_eq!(source(&server, &["remove", "acme"], "").await.0, Some(0));
    let kept = bus.token(&"acme".parse().unwrap()).await.unwrap().unwrap();
    assert!(kept.message.text().is_none(), "the token goes with the source");
    shutdown.begin(Reason::Finished);
    running.await.unwrap().unwrap();
}
