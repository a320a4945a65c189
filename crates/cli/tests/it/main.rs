//! The `latchkey` command as people and their pipelines meet it: the real binary, its output and its exit code.

#![expect(clippy::unwrap_used, reason = "a helper of a test that cannot go on fails the test")]

mod byte_order_marks;
mod command;
mod lookup_check;
mod lookup_import;
mod pages;
mod past;
mod schema_check;
mod schema_drift;
mod schema_infer;
mod schema_parse;
mod schema_test;
mod source_token;
