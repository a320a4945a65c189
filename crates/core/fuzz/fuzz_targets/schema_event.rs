//! Looks for inputs that break the laws of schemas and events.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../laws.rs"]
mod laws;

fuzz_target!(|input: &[u8]| laws::schema_event(input));
