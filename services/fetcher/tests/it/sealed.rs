//! Tokens that lie sealed in the bucket TOKENS: replaced without a restart, and never by what does not open.

use std::path::PathBuf;

use latchkey_bus::{BucketValue, Publication};
use latchkey_contracts::{Feed, SourceId, checkpoint::Checkpoint, checkpoint::outcome::Kind};
use latchkey_fetcher::seal::TokenKey;
use latchkey_runtime::{Metrics, Shutdown, shutdown::Reason};
use latchkey_simulator::{AccountConfig, Profile};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{World, chain, kind};

const USAGES: latchkey_simulator::Feed = latchkey_simulator::Feed::ItemUsages;

/// A world with a key whose secret half lies in a file.
struct Sealed {
    world: World,
    key: TokenKey,
    key_file: PathBuf,
}

impl Sealed {
    async fn new() -> Self {
        let world = World::new(AccountConfig::new("acme", Profile::Empty)).await;
        // Nothing may be read from there by mistake.
        std::fs::remove_file(&world.token_file).unwrap();
        let (key, key_file) = (TokenKey::generate(), world.server.directory().join("token.key"));
        std::fs::write(&key_file, format!("# newest\n{}\n", key.to_text().expose_secret())).unwrap();
        Self { world, key, key_file }
    }

    /// Runs a fetcher whose file names the source.
    async fn run(&self) -> (JoinHandle<()>, Shutdown) {
        let changes = json!({"token_file": "", "token_sealed": true, "feeds": ["item_usages"]});
        let service =
            json!({"token_key_file": self.key_file, "requests_per_minute": 100_000, "audit": {"enabled": false}});
        self.world.run_as(&changes, &service, &Metrics::new()).await
    }

    /// The account's token, sealed for a source to a key.
    fn sealed(&self, source: &str, key: &TokenKey) -> String {
        let token = SecretString::from(self.world.simulator.token("acme").unwrap());
        key.recipient().seal(&source.parse().unwrap(), &token)
    }

    async fn put(&self, value: impl Into<bytes::Bytes>) {
        self.write(BucketValue::new(value)).await;
    }

    async fn write(&self, value: BucketValue) {
        let acme: SourceId = "acme".parse().unwrap();
        let before = self.world.bus.token(&acme).await.unwrap().map_or(0, |stored| stored.sequence);
        let published = self.world.bus.publish_token(&acme, &value, before).await.unwrap();
        assert!(matches!(published, Publication::Stored { .. }), "{published:?}");
    }

    /// Waits for a poll that brings new events, and says what its checkpoint says.
    async fn polled(&self) -> Checkpoint {
        self.world.simulator.append_sample("acme", USAGES, 2).unwrap();
        let exist = self.world.simulator.dataset("acme", USAGES).unwrap().len() as u64;
        self.world.checkpoint_where(Feed::ItemUsages, |checkpoint| checkpoint.events_total == exist).await
    }

    async fn fault_where(&self, condition: impl Fn(&str) -> bool) -> Checkpoint {
        self.world.checkpoint_where(Feed::ItemUsages, |checkpoint| condition(&checkpoint.token_fault)).await
    }
}

async fn end((running, shutdown): (JoinHandle<()>, Shutdown)) {
    shutdown.begin(Reason::Finished);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_token_replaced_and_revoked_between_two_polls_costs_no_poll() {
    let sealed = Sealed::new().await;
    sealed.put(sealed.sealed("acme", &sealed.key)).await;
    let running = sealed.run().await;
    sealed.world.caught_up(Feed::ItemUsages).await;
    for round in 1..=5 {
        let before = sealed.world.simulator.token("acme").unwrap();
        sealed.world.simulator.issue_token("acme", &latchkey_simulator::Feed::ALL).unwrap();
        sealed.put(sealed.sealed("acme", &sealed.key)).await;
        // There is no time for the fetcher to hear of it first.
        sealed.world.simulator.revoke_token(&before);
        sealed.world.simulator.append_sample("acme", USAGES, 2).unwrap();
        let exist = sealed.world.simulator.dataset("acme", USAGES).unwrap().len() as u64;
        let stored = |checkpoint: &Checkpoint| {
            assert_ne!(kind(checkpoint), Kind::Refused, "round {round}: {:?}", checkpoint.outcome);
            checkpoint.events_total == exist
        };
        sealed.world.checkpoint_where(Feed::ItemUsages, stored).await;
    }
    end(running).await;
    sealed.world.assert_complete(Feed::ItemUsages).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_open_replaces_nothing_and_is_told() {
    let sealed = Sealed::new().await;
    let good = sealed.sealed("acme", &sealed.key);
    sealed.put(good.clone()).await;
    let running = sealed.run().await;
    sealed.world.caught_up(Feed::ItemUsages).await;
    let mut changed = good.clone();
    let last = changed.pop().unwrap();
    changed.insert(good.len() - 10, last);
    for (value, expect) in [
        (sealed.sealed("acme", &TokenKey::generate()), "sealed to another key"),
        (sealed.sealed("other", &sealed.key), "sealed for another source"),
        (changed, "changed, or"),
        (sealed.world.simulator.token("acme").unwrap(), "no sealed token"),
        (sealed.key.recipient().seal(&"acme".parse().unwrap(), &"ops_ey".to_owned().into()), "service account token"),
    ] {
        sealed.put(value).await;
        let told = sealed.fault_where(|fault| fault.contains(expect)).await;
        assert!(told.token_fault.starts_with("token_sealed: "), "{}", told.token_fault);
        assert!(told.token_fault_since_unix_nano != 0 && told.token_fault_since_unix_nano <= told.polled_at_unix_nano);
        assert!(!told.token_fault.contains("eyJ"), "{}", told.token_fault);
        assert_ne!(kind(&sealed.polled().await), Kind::Refused, "{expect}");
    }
    // A removed one is no better one either.
    sealed.write(BucketValue::removed()).await;
    sealed.fault_where(|fault| fault.contains("the bucket TOKENS has none")).await;
    assert_ne!(kind(&sealed.polled().await), Kind::Refused);

    sealed.put(good).await;
    sealed.fault_where(str::is_empty).await;
    end(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_waits_for_its_token_and_begins_with_it() {
    let sealed = Sealed::new().await;
    sealed.put(sealed.sealed("acme", &TokenKey::generate())).await;
    let running = sealed.run().await;
    let waits = sealed.world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    let outcome = waits.outcome.unwrap();
    assert_eq!(outcome.reason, "misconfigured");
    assert!(outcome.detail.contains("sealed to another key"), "{}", outcome.detail);
    sealed.put(sealed.sealed("acme", &sealed.key)).await;
    sealed.world.caught_up(Feed::ItemUsages).await;
    end(running).await;

    // The next process finds it there.
    let running = sealed.run().await;
    sealed.polled().await;
    end(running).await;
    let kept = sealed.world.bus.token(&"acme".parse().unwrap()).await.unwrap().unwrap();
    let token = sealed.world.simulator.token("acme").unwrap();
    let text = String::from_utf8(kept.message.text().unwrap().to_vec()).unwrap();
    assert!(token.split('.').all(|part| !text.contains(part)), "nothing of it shows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_of_the_bucket_has_its_token_there_too() {
    let sealed = Sealed::new().await;
    let service = json!({
        "token_key_file": sealed.key_file,
        "requests_per_minute": 100_000,
        "events_api_urls": [sealed.world.simulator.http_url()],
        "audit": {"enabled": false},
    });
    let config: latchkey_fetcher::Config = serde_json::from_value(service).unwrap();
    let bus = latchkey_bus::Bus::connect(sealed.world.server.connect_options("fetcher")).await.unwrap();
    let fetcher = config.build(bus, latchkey_fetcher::Metrics::new(&Metrics::new())).unwrap();
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    let running = (tokio::spawn(async move { fetcher.run(stop).await.unwrap() }), shutdown);
    let value = json!({
        "id": "acme", "token_sealed": true, "feeds": ["item_usages"], "poll_interval": "1s",
        "events_api_url": sealed.world.simulator.http_url(), "start_time": "2026-01-01T00:00:00Z",
    });
    let acme: SourceId = "acme".parse().unwrap();
    sealed.world.bus.publish_source(&acme, &BucketValue::new(value.to_string()), 0).await.unwrap();
    sealed.world.checkpoint_where(Feed::ItemUsages, |checkpoint| kind(checkpoint) == Kind::Refused).await;
    sealed.put(sealed.sealed("acme", &sealed.key)).await;
    sealed.polled().await;
    assert!(sealed.world.bus.last_checkpoint(&chain(Feed::AuditEvents)).await.unwrap().is_none());
    end(running).await;
}

#[tokio::test]
async fn a_file_without_keys_is_refused_without_a_word_of_its_content() {
    let (server, bus) = crate::support::nats().await;
    for (content, expect) in
        [("", "there is no key"), ("# nothing\n", "there is no key"), ("hunter2\n", "no token key")]
    {
        let path = server.directory().join("token.key");
        std::fs::write(&path, content).unwrap();
        let config: latchkey_fetcher::Config = serde_json::from_value(json!({"token_key_file": path})).unwrap();
        let refused = config.build(bus.clone(), latchkey_fetcher::Metrics::new(&Metrics::new())).map(|_| ());
        let refused = refused.unwrap_err().to_string();
        assert!(refused.starts_with("fetcher.token_key_file: ") && refused.contains(expect), "{refused}");
        assert!(!refused.contains("hunter2"));
    }
}
