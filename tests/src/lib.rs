//! What the end-to-end tests stand on: the programs under test, running processes, the line made of them, and what it delivered.
//!
//! The tests see the system from outside only: files, exit codes, logs, NATS, HTTP. So everything here starts, stops, waits or
//! reads, and nothing reaches into a service.

mod collector;
mod container;
mod delivered;
mod line;
mod onepassword;
mod process;
mod programs;
mod wait;

pub use collector::{Collector, Span};
pub use container::{NatsImage, engine_answers, nats_image};
pub use delivered::{Delivered, objects, records};
pub use line::{Line, Nats, Service, Settings};
pub use onepassword::{ACCOUNT, AccountFiles, company, existing, keep_busy, write_account};
pub use process::Process;
pub use programs::{command, program};
pub use wait::until;
