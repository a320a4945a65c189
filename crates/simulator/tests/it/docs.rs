//! Runs the commands of docs/simulator.md.
//!
//! A fenced block's first word is its language, the second its role: `sh start` starts the simulator, which the test puts on
//! free ports, `sh` runs, `text` is what the block before it prints, and anything else with a name is a file.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use latchkey_simulator::Plan;

const DOCUMENT: &str = include_str!("../../../../docs/simulator.md");

/// What the document says the simulator listens on.
const HTTP: &str = "127.0.0.1:8790";

/// Stands in for curl where there is none: tests need no more than Rust and Python.
const CURL: &str = r#"#!/usr/bin/env python3
import sys, urllib.request
arguments, headers, method, data, url = sys.argv[1:], {}, None, None, None
while arguments:
    flag = arguments.pop(0)
    if flag == "-X": method = arguments.pop(0)
    elif flag == "-H": headers.update([arguments.pop(0).split(": ", 1)])
    elif flag == "-d": data = arguments.pop(0).encode()
    elif flag == "--data-binary": data = open(arguments.pop(0)[1:], "rb").read()
    elif flag != "-s": url = flag
request = urllib.request.Request(url, data, headers, method=method)
sys.stdout.buffer.write(urllib.request.urlopen(request).read())
"#;

/// A running simulator; it ends with the test, also with one that fails.
struct Running {
    process: Child,
    http: String,
}

impl Running {
    fn start(directory: &Path, command: &str) -> Self {
        let mut words = command.split_whitespace();
        assert_eq!(words.next(), Some("latchkey-simulator"));
        let mut process = Command::new(env!("CARGO_BIN_EXE_latchkey-simulator"))
            .args(words)
            .args(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"])
            .current_dir(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.next().unwrap();
        let http = first.split("http://").nth(1).unwrap().split(' ').next().unwrap().to_owned();
        assert!(lines.any(|line| line.contains("all of it")), "it says where everything is");
        Self { process, http }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a script prints; it must succeed.
fn run(directory: &Path, script: &str) -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_latchkey-simulator")).parent().unwrap();
    let path = format!("{}:{}:{}", programs.display(), std::env::var("PATH").unwrap(), directory.join("bin").display());
    let mut shell = Command::new("timeout");
    shell
        .args(["60", "bash", "-eu", "-c", script])
        .current_dir(directory)
        .env("PATH", path)
        .env("no_proxy", "127.0.0.1");
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_commands_do_what_the_page_says() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    fs::create_dir(directory.join("bin")).unwrap();
    fs::write(directory.join("bin/curl"), CURL).unwrap();
    fs::set_permissions(directory.join("bin/curl"), fs::Permissions::from_mode(0o755)).unwrap();

    let (mut running, mut printed, mut compared): (Option<Running>, _, _) = (None, String::new(), 0);
    for block in DOCUMENT.split("```").skip(1).step_by(2) {
        let (info, text) = block.split_once('\n').unwrap();
        let text = running.as_ref().map_or(text.to_owned(), |running| text.replace(HTTP, &running.http));
        match info.split_once(' ') {
            Some(("sh", "start")) => {
                drop(running.take());
                running = Some(Running::start(directory, &text));
            }
            Some((language, name)) => {
                assert!(language != "yaml" || Plan::parse(&text).is_ok(), "{name}");
                fs::write(directory.join(name), text).unwrap();
            }
            None if info == "sh" => printed = run(directory, &text),
            None => {
                assert_eq!(printed, text, "what the block before prints");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 2);
    let second = fs::read_to_string(directory.join("second.json")).unwrap();
    assert!(second.starts_with(r#"{"token":"#), "{second}");
}
