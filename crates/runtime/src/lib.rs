//! How a service lives: configuration, telemetry, health, metrics, signals, shutdown.
