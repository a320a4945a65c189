//! The runtime from outside: configuration as data, health over HTTP, whole processes with signals and a collector.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod configuration;
mod http;
mod lifecycle;
mod nats;
mod process;
mod traces;
