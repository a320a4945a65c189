//! The simulator over real HTTP and HTTPS, asked by an ordinary client.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod admin;
mod client;
mod docs;
mod faults;
mod listeners;
mod live;
mod pages;
mod program;
mod steering;
mod tokens;
