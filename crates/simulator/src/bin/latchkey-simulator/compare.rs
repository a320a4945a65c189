//! `latchkey-simulator compare`: hands a collector's uuids to the running simulator and shows what it makes of them.

use std::{
    io::{self, Read as _, Write as _},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use axum::body::{Body, Bytes, to_bytes};
use http::{Method, Request, StatusCode, Uri, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use latchkey_simulator::{Comparison, Named};
use tokio::{net::TcpStream, time};

/// Longest answer: a few uuids of each kind.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How long the simulator may take, over a list of millions.
const TIMEOUT: Duration = Duration::from_mins(2);

/// Compares standard input with the simulator's ledger, and says whether they agree.
pub(crate) async fn run(ledger: &str) -> anyhow::Result<bool> {
    let target = target(ledger)?;
    let mut list = Vec::new();
    io::stdin().lock().read_to_end(&mut list).context("cannot read standard input")?;
    let outcome = time::timeout(TIMEOUT, ask(&target, list)).await.context("the simulator takes too long")?;
    let outcome = outcome.with_context(|| format!("cannot ask {ledger}"))?;
    show(&outcome)?;
    Ok(outcome.agrees())
}

/// Where to compare, from where the ledger is.
fn target(ledger: &str) -> anyhow::Result<Uri> {
    let ledger: Uri = ledger.parse().context("--ledger is no URL")?;
    ensure!(ledger.scheme_str() == Some("http") && ledger.host().is_some(), "--ledger is http://HOST:PORT");
    let query = ledger.query().map_or(String::new(), |query| format!("?{query}"));
    let mut parts = ledger.into_parts();
    parts.path_and_query = Some(format!("/_simulator/compare{query}").parse()?);
    Ok(Uri::from_parts(parts)?)
}

async fn ask(target: &Uri, list: Vec<u8>) -> anyhow::Result<Comparison> {
    let host = target.host().context("a URL without a host")?;
    let stream = TcpStream::connect((host, target.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    let request =
        Request::builder().method(Method::POST).uri(path).header(header::HOST, host).body(Body::from(list))?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body: Bytes = to_bytes(Body::new(body), MAX_ANSWER_BYTES).await?;
    drop(sender);
    // It ends with its last request, and its outcome is known by the answer.
    let _ = connection.await;
    if head.status != StatusCode::OK {
        bail!("{}: {}", head.status, String::from_utf8_lossy(&body).trim());
    }
    serde_json::from_slice(&body).context("not an answer of this simulator")
}

fn show(outcome: &Comparison) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{} events served, {} uuids given", outcome.served, outcome.given)?;
    for (name, named, meaning) in [
        ("lost", &outcome.lost, "served, and not given"),
        ("missed", &outcome.missed, "there, and never asked for"),
        ("doubled", &outcome.doubled, "given more than once"),
        ("unknown", &outcome.unknown, "given, and no event of this simulator"),
    ] {
        writeln!(out, "{name:8} {:6}  {meaning}", named.count)?;
        names(&mut out, named)?;
    }
    writeln!(out, "{}", if outcome.agrees() { "nothing lost, nothing doubled" } else { "they differ" })?;
    out.flush()
}

fn names(out: &mut impl io::Write, named: &Named) -> io::Result<()> {
    for uuid in &named.first {
        writeln!(out, "           {uuid}")?;
    }
    let more = named.count - named.first.len();
    if more > 0 {
        writeln!(out, "           and {more} more")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledgers_address_says_where_to_compare() {
        let check = |ledger: &str, expect: &str| assert_eq!(target(ledger).unwrap().to_string(), expect);
        check("http://127.0.0.1:8790", "http://127.0.0.1:8790/_simulator/compare");
        check("http://[::1]:1/_simulator/ledger?account=a", "http://[::1]:1/_simulator/compare?account=a");
        for wrong in ["https://127.0.0.1", "127.0.0.1:8790", "/_simulator"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
