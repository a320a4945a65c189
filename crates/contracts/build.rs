//! Compiles the contracts under `proto/` without protoc.

use std::path::Path;

const NOUNS: [&str; 12] = [
    "alert",
    "budget",
    "checkpoint",
    "delivery",
    "drift",
    "event",
    "habit",
    "page",
    "rejection",
    "reread",
    "task",
    "window",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../proto");
    let files: Vec<_> = NOUNS.iter().map(|noun| root.join(format!("latchkey/{noun}/v1/{noun}.proto"))).collect();
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    let descriptors = protox::compile(&files, [root])?;
    // `bytes` fields share the received buffer instead of copying it.
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
