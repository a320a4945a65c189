//! The JetStream adapter; the only crate that names async-nats.
