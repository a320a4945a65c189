//! Compiles the alerters' own interface under `proto/` without protoc. The messages it shares with the streams are those of the contracts.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new("../../proto");
    for file in ["latchkey/alerts/v1/alerts.proto", "latchkey/alert/v1/alert.proto"] {
        println!("cargo:rerun-if-changed={}", root.join(file).display());
    }
    let descriptors = protox::compile([root.join("latchkey/alerts/v1/alerts.proto")], [root])?;
    tonic_prost_build::configure()
        .extern_path(".latchkey.alert.v1", "::latchkey_contracts::alert")
        .compile_fds(descriptors)?;
    Ok(())
}
