//! What the processes have used, who talks to whom, and how much, at one moment.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::Instant;

use crate::usage::{self, Usage};

/// How long the server's monitoring may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// `TCP_ESTABLISHED` in /proc/net/tcp.
const ESTABLISHED: &str = "01";

/// Where to look.
pub(super) struct Meter {
    pub(super) fetcher: u32,
    pub(super) nats: u32,
    pub(super) simulator: u32,
    /// The server's monitoring.
    pub(super) monitoring: String,
    /// The simulator's port for polls.
    pub(super) port: u16,
    pub(super) http: reqwest::Client,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) fetcher: Usage,
    pub(super) nats: Usage,
    simulator: Usage,
    own: Usage,
    machine: Duration,
    /// Messages that the server has taken and given.
    pub(super) messages: u64,
    /// Connections to the simulator that polls may use.
    pub(super) connections: usize,
}

impl Meter {
    pub(super) async fn read(&self) -> Result<Reading> {
        let of = |pid, name: &str| Usage::of(pid).with_context(|| format!("{name} has ended"));
        let answer = self.http.get(&self.monitoring).timeout(ANSWER_WITHIN).send().await?.bytes().await?;
        let server: Value = serde_json::from_slice(&answer)?;
        let count = |key: &str| server[key].as_u64().with_context(|| format!("the server's monitoring has no {key}"));
        Ok(Reading {
            at: Instant::now(),
            fetcher: of(self.fetcher, "the fetcher")?,
            nats: of(self.nats, "nats-server")?,
            simulator: of(self.simulator, "the simulator")?,
            own: of(std::process::id(), "the benchmark")?,
            machine: usage::machine()?,
            messages: count("in_msgs")? + count("out_msgs")?,
            connections: connections(&fs::read_to_string("/proc/net/tcp")?, self.port),
        })
    }
}

impl Reading {
    /// Processors that all else on this machine kept busy since `before`.
    pub(super) fn others(&self, before: &Self) -> f64 {
        let ours = |reading: &Self| {
            [&reading.fetcher, &reading.nats, &reading.simulator, &reading.own].map(Usage::cpu).into_iter().sum()
        };
        let ours: Duration = Duration::saturating_sub(ours(self), ours(before));
        let rest = self.machine.saturating_sub(before.machine).saturating_sub(ours);
        rest.as_secs_f64() / self.at.duration_since(before.at).as_secs_f64()
    }
}

/// Established connections to a port of this machine, seen from the side that has opened them.
fn connections(table: &str, port: u16) -> usize {
    let port = format!(":{port:04X}");
    let to_port = |line: &&str| {
        let mut fields = line.split_ascii_whitespace().skip(2);
        fields.next().is_some_and(|remote| remote.ends_with(&port)) && fields.next() == Some(ESTABLISHED)
    };
    table.lines().filter(to_port).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_from_one_side() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
            1: 0100007F:D431 0100007F:1F90 01 00000000:00000000\n\
            2: 0100007F:1F90 0100007F:D431 01 00000000:00000000\n\
            3: 0100007F:D432 0100007F:1F90 06 00000000:00000000\n";
        assert_eq!(connections(table, 8080), 1);
    }
}
