//! Measures how fast the simulator serves full pages over loopback, with HTTP and HTTPS.
//!
//! The server has a thread of its own, so its CPU time can be read apart from the client's: the figure that matters is events
//! per CPU second of the server, which is what one core can serve at most. Run it in release mode; the argument is the
//! number of events, a million by default.

#![expect(clippy::print_stdout, reason = "the figures are this program's purpose")]

use std::{error::Error, fs, sync::mpsc, thread, time::Instant};

use latchkey_simulator::{AccountConfig, Profile, Simulator, clock};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ACCOUNT: &str = "bench";

fn main() -> Outcome<()> {
    let events: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a TLS provider is installed already")?;

    let (ready, started) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = thread::Builder::new().name("server".into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        runtime.block_on(async {
            let profile = Profile::Bulk { events_per_feed: events, until: clock::now() };
            let builder = Simulator::builder().account(AccountConfig::new(ACCOUNT, profile));
            let simulator = builder.start().await.expect("loopback ports are free");
            let token = simulator.token(ACCOUNT).expect("the account exists");
            let addresses = (simulator.http_url(), simulator.https_url(), simulator.ca_pem().to_owned());
            ready.send((addresses, token, server_cpu_file())).expect("the client waits for this");
            // An error means that the client is gone, which is a reason to stop as well.
            let _ = stopped.await;
            simulator.shutdown().await;
        });
    })?;
    let ((http, https, ca_pem), token, cpu_file) = started.recv()?;

    let client = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (name, url, feed) in [("HTTP", &http, "itemusages"), ("HTTPS", &https, "signinattempts")] {
        for http1_only in [true, false] {
            if name == "HTTP" && !http1_only {
                continue;
            }
            let mut builder =
                reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(ca_pem.as_bytes())?]);
            if http1_only {
                builder = builder.http1_only();
            }
            let protocol = if http1_only { "1.1" } else { "2" };
            let (before, start) = (cpu_seconds(cpu_file.as_deref()), Instant::now());
            let (bytes, pages) = client.block_on(drain(&builder.build()?, &format!("{url}/api/v2/{feed}"), &token))?;
            let (wall, after) = (start.elapsed().as_secs_f64(), cpu_seconds(cpu_file.as_deref()));
            report(&format!("{name} {protocol}"), events, bytes, pages, wall, after.zip(before).map(|(a, b)| a - b));
        }
    }
    drop(stop);
    server.join().map_err(|_| "the server panicked")?;
    Ok(())
}

/// Reads a whole feed in full pages; returns bytes and pages.
async fn drain(client: &reqwest::Client, url: &str, token: &str) -> Outcome<(usize, usize)> {
    let (mut bytes, mut pages) = (0, 0);
    let mut request = r#"{"limit":1000,"start_time":"2020-01-01T00:00:00Z"}"#.to_owned();
    loop {
        let response = client.post(url).bearer_auth(token).body(request).send().await?.error_for_status()?;
        let body = response.bytes().await?;
        bytes += body.len();
        pages += 1;
        if find(&body, br#""has_more":false"#).is_some() {
            return Ok((bytes, pages));
        }
        let start = find(&body, br#""cursor":""#).ok_or("a page without cursor")? + br#""cursor":""#.len();
        let length = body[start..].iter().position(|byte| *byte == b'"').ok_or("an unfinished cursor")?;
        request = format!(r#"{{"cursor":"{}"}}"#, std::str::from_utf8(&body[start..start + length])?);
    }
}

/// Finds a key of the page itself, which stands before or after the items, without reading the items.
fn find(body: &[u8], wanted: &[u8]) -> Option<usize> {
    let ends = body.len().min(400);
    let within = |from: usize, to: usize| {
        body[from..to].windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
    };
    within(0, ends).or_else(|| within(body.len() - ends, body.len()))
}

fn report(name: &str, events: u64, bytes: usize, pages: usize, wall: f64, cpu: Option<f64>) {
    #[expect(clippy::cast_precision_loss, reason = "figures for reading")]
    let (events, bytes) = (events as f64, bytes as f64);
    println!(
        "{name:9} {pages:5} pages  {:8.0} events/s  {:6.0} MB/s  {wall:.2} s{}",
        events / wall,
        bytes / wall / 1e6,
        cpu.map_or(String::new(), |cpu| format!("  server {cpu:.2} CPU s = {:.0} events/s per core", events / cpu)),
    );
}

/// Where Linux keeps the CPU time of the calling thread.
fn server_cpu_file() -> Option<String> {
    let thread = fs::read_link("/proc/thread-self").ok()?;
    Some(format!("/proc/{}/schedstat", thread.display()))
}

fn cpu_seconds(file: Option<&str>) -> Option<f64> {
    let text = fs::read_to_string(file?).ok()?;
    let nanoseconds: f64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}
