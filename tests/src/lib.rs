//! End-to-end tests: real binaries, a real nats-server, the simulator.
