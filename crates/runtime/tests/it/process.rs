//! Whole processes: the example service, started, signalled, and judged by its exit code and its lines.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

/// The example of this crate, which cargo builds with the package's tests (but not with `--test it` alone).
pub(crate) fn example() -> Command {
    let tests = std::env::current_exe().unwrap();
    let binary: PathBuf = tests.ancestors().nth(2).unwrap().join("examples/service");
    assert!(binary.exists(), "{} is built by `cargo test` of this package", binary.display());
    let mut command = Command::new(binary);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LATCHKEY_") || name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command
}

fn behave(behaviour: &str) -> Command {
    let mut command = example();
    command.env("LATCHKEY_EXAMPLE__BEHAVIOUR", behaviour);
    command
}

/// Its JSON lines.
fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
}

fn line<'a>(lines: &'a [Value], message: &str) -> &'a Value {
    lines.iter().find(|line| line["fields"]["message"] == message).unwrap_or_else(|| panic!("{message}: {lines:#?}"))
}

/// A started service; killed when dropped, so that a failing test leaves nothing behind.
struct Started {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Started {
    fn new(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut started = Self { child, stderr };
        started.wait_for("latchkey-example started");
        started
    }

    fn wait_for(&mut self, message: &str) -> Value {
        let mut line = String::new();
        while self.stderr.read_line(&mut line).unwrap() > 0 {
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["fields"]["message"] == message {
                return value;
            }
            line.clear();
        }
        panic!("the process ended without saying {message}");
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Fails when the process has ended already, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_ends_it_with_one_start_line_and_one_stop_line() {
    let mut command = behave("serve");
    command.args(["--listen", "127.0.0.1:0", "--nats-url", "nats://user:secret@192.0.2.1:4222"]);
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut first = String::new();
    stderr.read_line(&mut first).unwrap();
    let start: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(start["fields"]["message"], "latchkey-example started");
    assert_eq!(start["fields"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(start["fields"]["pid"], child.id());
    assert_eq!(start["fields"]["nats"], "nats://192.0.2.1:4222");
    assert!(start["fields"]["listen"].as_str().unwrap().starts_with("127.0.0.1:"));

    let mut started = Started { child, stderr };
    started.signal("TERM");
    let stop = started.wait_for("latchkey-example stopped");
    assert_eq!(stop["fields"]["reason"], "SIGTERM");
    assert_eq!(stop["fields"]["exit_code"], 0);
    let mut rest = String::new();
    started.stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "the stop line is the last");
    assert_eq!(started.code(), Some(0));
}

#[test]
fn work_that_outlasts_grace_is_stopped_hard() {
    let mut command = behave("hold");
    command.args(["--set", "shutdown.grace=10ms"]);
    let mut started = Started::new(command);
    started.signal("INT");
    started.wait_for("stopping hard");
    assert_eq!(started.code(), Some(0));
}

#[test]
fn a_second_signal_forces_the_end() {
    let mut command = behave("hold");
    command.args(["--set", "shutdown.grace=10m"]);
    let mut started = Started::new(command);
    started.signal("TERM");
    started.wait_for("shutting down");
    started.signal("TERM");
    started.wait_for("stopping hard");
    assert_eq!(started.code(), Some(130));
}

#[test]
fn a_stubborn_body_does_not_keep_the_process() {
    let mut command = behave("stubborn");
    command.args(["--set", "shutdown.grace=0s"]);
    let started = Started::new(command);
    started.signal("TERM");
    assert_eq!(started.code(), Some(70));
}

#[test]
fn failures_choose_the_exit_code() {
    #[track_caller]
    fn check(behaviour: &str, code: i32, message: &str, field: &str, value: &str) {
        let output = behave(behaviour).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{behaviour}");
        let lines = lines(&output);
        assert_eq!(line(&lines, message)["fields"][field], value, "{behaviour}");
    }
    check("fail", 70, "task failed", "error", "disk is full");
    check("fail", 70, "latchkey-example stopped", "reason", "task poller failed");
    check("panic", 70, "task panicked", "task", "poller");
    check("need", 69, "task failed", "error", "connecting: nats is unavailable: connection refused");
}

#[test]
fn a_panic_is_a_line_with_its_place() {
    let output = behave("panic").output().unwrap();
    let panic = lines(&output).into_iter().find(|line| line["fields"]["place"].is_string()).expect("a panic line");
    assert_eq!(panic["fields"]["panic"], "an invariant is broken");
    assert!(panic["fields"]["place"].as_str().unwrap().contains("service.rs"), "{panic}");
}

#[test]
fn a_taken_address_is_unavailable() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let output = example().args(["--listen", &taken.local_addr().unwrap().to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
}

#[test]
fn a_refused_configuration_is_told_in_plain_words() {
    let output = example().env("LATCHKEY_EXAMPLE__BEHAVOUR", "serve").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "latchkey-example: configuration refused\n\
         environment LATCHKEY_EXAMPLE__BEHAVOUR: example.behavour: unknown key, did you mean LATCHKEY_EXAMPLE__BEHAVIOUR?\n"
    );
    assert_eq!(example().arg("--no-such-flag").output().unwrap().status.code(), Some(64));
}

#[test]
fn help_and_printed_configuration_go_to_standard_output() {
    let help = example().arg("--help").output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8(help.stdout).unwrap();
    for words in [
        "Shows how a service lives.",
        "latchkey-example",
        "--nats-url",
        "--print-config",
        "LATCHKEY_NATS__URL",
        "behaviour: serve",
    ] {
        assert!(help.contains(words), "{words} in\n{help}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latchkey.yaml");
    std::fs::write(&file, "example:\n  behaviour: hold\n").unwrap();
    let printed = example().arg("--print-config").env("LATCHKEY_CONFIG", &file).output().unwrap();
    assert_eq!(printed.status.code(), Some(0));
    assert!(String::from_utf8(printed.stdout).unwrap().contains("example:\n  behaviour: hold\n"));
}
