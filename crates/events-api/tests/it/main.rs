//! The client against servers of every kind of behaviour, over loopback.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report, in helpers too")]

mod answers;
mod connections;
mod secrets;
mod support;
