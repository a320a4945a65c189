//! Against the real Alertmanager, as Debian packages it.

use std::{io::Write, process::Stdio};

use latchkey_alerter::AlertmanagerConfig;
use tokio::process::{Child, Command};

use super::*;

const PROGRAM: &str = "prometheus-alertmanager";

/// One that tells nobody.
const CONFIG: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

struct Alertmanager {
    /// Ends with its handle.
    _process: Child,
    url: String,
}

impl Alertmanager {
    /// `None` where it is not installed.
    async fn start(line: &Line) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(PROGRAM)
            .arg(format!("--config.file={}", line.file("alertmanager.yml", CONFIG).display()))
            .arg(format!("--storage.path={}", line.server.directory().join("alertmanager").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let process = match process {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            process => process.unwrap(),
        };
        let started = Self { _process: process, url: format!("http://127.0.0.1:{port}") };
        eventually("Alertmanager is ready", async || started.get("/-/ready").await.is_some()).await;
        Some(started)
    }

    async fn get(&self, path: &str) -> Option<String> {
        let answer = client().get(format!("{}{path}", self.url)).send().await.ok()?;
        if answer.status().is_success() { answer.text().await.ok() } else { None }
    }

    /// What it holds as raised.
    async fn alerts(&self) -> Vec<Value> {
        serde_json::from_str(&self.get("/api/v2/alerts").await.unwrap()).unwrap()
    }
}

fn client() -> reqwest::Client {
    latchkey_runtime::install_crypto();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build().unwrap()
}

#[tokio::test]
async fn it_holds_an_alert_for_as_long_as_it_is_raised() {
    let line = Line::start().await;
    let Some(alertmanager) = Alertmanager::start(&line).await else {
        // Written past the capture of output: a skipped test has to be seen.
        writeln!(std::io::stderr(), "skipped: no {PROGRAM}").unwrap();
        return;
    };
    let destination = DestinationConfig::Alertmanager(AlertmanagerConfig {
        url: WebhookUrl::try_from(alertmanager.url.clone()).unwrap(),
        bearer_file: None,
        resend_every: SignedDuration::from_millis(500),
    });
    let runbook_url = Some(WebhookUrl::try_from("https://docs.example.com/runbook".to_owned()).unwrap());
    let config = Config { runbook_url, ..config_with(&[("alertmanager", destination)]) };
    let alerter = line.alerter(config).await;
    line.report(refused()).await;
    eventually("it is raised there", async || alertmanager.alerts().await.len() == 1).await;
    let held = alertmanager.alerts().await.remove(0);
    for (label, value) in [
        ("alertname", "poll_refused"),
        ("code", "LK102"),
        ("feed", "item_usages"),
        ("instance", "latchkey"),
        ("job", "latchkey"),
        ("severity", "critical"),
        ("source", "acme"),
    ] {
        assert_eq!(held["labels"][label], value, "{label}");
    }
    assert_eq!(held["generatorURL"], "https://docs.example.com/runbook/LK102.md");
    let ends_at = |alert: &Value| alert["endsAt"].as_str().unwrap().parse::<Timestamp>().unwrap();

    // It would forget it after two seconds.
    let first = ends_at(&held);
    eventually("it is told again", async || {
        alertmanager.alerts().await.first().is_some_and(|held| ends_at(held).duration_since(first).as_secs() >= 2)
    })
    .await;

    line.report(quiet()).await;
    alerter.shows(&notified("alertmanager", 2)).await;
    eventually("it is resolved there", async || alertmanager.alerts().await.is_empty()).await;
    alerter.stop().await;
}
