//! Runs the binary.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `latchkey schema` in the directory of the test data, without settings of the environment.
pub(crate) fn latchkey() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latchkey"));
    command.arg("schema").current_dir(data()).env_clear();
    command
}

/// The files beside these tests.
pub(crate) fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// Runs it with `input` on standard input.
pub(crate) fn run(arguments: &[&str], input: &str) -> Ran {
    run_in(&data(), arguments, input)
}

/// Runs it in another directory.
pub(crate) fn run_in(directory: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut command = latchkey();
    command.current_dir(directory).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Beside the reading of its output, or both sides wait for ever once the pipes are full.
    let feeder = std::thread::spawn(move || {
        // Who refuses its arguments reads nothing.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
