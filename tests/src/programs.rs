//! The programs under test, built once per test process.
//!
//! `cargo test` builds the binaries of a package for that package's own tests only, so these tests ask cargo for the others'. The
//! request is made to match what `cargo test --workspace` has built: then nothing is compiled, and the question takes a second.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Variables by which cargo tells a test who it is. A build script that reads one would see another package than its own, and run
/// again.
const OF_THIS_TEST: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Variables that configure the programs under test.
const SETTINGS: [&str; 2] = ["LATCHKEY_", "OTEL_"];

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// Where a program of the workspace lies. The first call builds all of them; other test processes wait at cargo's own lock.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let program = DIRECTORY.get_or_init(build).join(name);
    assert!(program.is_file(), "{} is no program of the workspace", program.display());
    program
}

/// A command for a program of the workspace that sees no settings of the environment.
#[must_use]
pub fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    without_variables(&mut command, &SETTINGS);
    command
}

fn build() -> PathBuf {
    let tests = env::current_exe().expect("a running test has a path");
    let directory = tests.ancestors().nth(2).expect("cargo puts tests into <target>/<profile>/deps").to_owned();
    let profile = directory.file_name().and_then(|name| name.to_str()).expect("cargo's profiles have plain names");
    let (target, triple) = target_directory(&directory);

    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    // Naming a test makes cargo count the features of development dependencies, as `cargo test` does.
    cargo.args(["build", "--quiet", "--locked", "--workspace", "--bins", "--test", "architecture"]);
    cargo.args(["--profile", if profile == "debug" { "dev" } else { profile }]).arg("--target-dir").arg(target);
    if let Some(triple) = triple {
        cargo.args(["--target", triple]);
    }
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    without_variables(&mut cargo, &OF_THIS_TEST);
    let output = cargo.output().expect("cargo can be started");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the programs under test cannot be built ({}):\n{words}", output.status);
    directory
}

/// `<target>/<profile>`, or `<target>/<triple>/<profile>` for a build that names its target.
fn target_directory(directory: &Path) -> (&Path, Option<&str>) {
    let parent = directory.parent().expect("a profile's folder lies in another");
    if fs::exists(parent.join(".rustc_info.json")).unwrap_or(false) {
        return (parent, None);
    }
    let triple = parent.file_name().and_then(|name| name.to_str());
    (parent.parent().unwrap_or(parent), triple)
}

fn without_variables(command: &mut Command, prefixes: &[&str]) {
    for (name, _) in env::vars_os() {
        if prefixes.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
}
