//! The whole system from outside: real programs, a real nats-server, the stand-in for 1Password.
//!
//! Each test compares what was delivered with what the stand-in holds. One binary for all of them, because linking one takes longer
//! than most of them run.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod alerters;
mod configuration;
mod container;
mod demo;
mod faults;
mod heartbeat;
mod kills;
mod kinds;
mod line;
mod secrets;
mod up;
