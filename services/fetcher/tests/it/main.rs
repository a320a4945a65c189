//! Fetchers against the simulator and a real nats-server.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod absence;
mod budget;
mod chains;
mod faults;
mod live_first;
mod others_lose_events;
mod page_tokens;
mod past;
mod recovery;
mod room;
mod scale_out;
mod sealed;
mod sources;
mod support;
mod tokens;
