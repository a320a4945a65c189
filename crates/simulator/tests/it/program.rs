//! The program as a process of its own: files, start line, signals.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_latchkey-simulator"))
}

/// Ends the program also when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_writes_its_files_says_where_it_is_and_stops_on_sigterm() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let child = program()
        .args(["--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--accounts", "2", "--profile", "empty"])
        .arg("--write-tokens")
        .arg(path("tokens"))
        .arg("--write-ca")
        .arg(path("ca.pem"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);

    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(first.contains("serves 2 account(s)") && first.contains("http://127.0.0.1:"), "{first}");
    assert!(lines.next().unwrap().contains("tokens"));

    let token = path("tokens").join("account-2.token");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let token = fs::read_to_string(token).unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert!(fs::read_to_string(path("ca.pem")).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));

    let killed = Command::new("kill").arg(running.0.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(running.0.wait().unwrap().success(), "a stop on request is a success");
    assert!(!lines.any(|line| line.contains(&token)), "the token stays out of the output");
}

#[test]
fn lookup_tables_can_be_written_alone() {
    let directory = tempfile::tempdir().unwrap();
    let output = program().arg("--lookups-only").arg("--write-lookups").arg(directory.path()).output().unwrap();
    assert!(output.status.success());
    let rows = |name: &str| -> usize { fs::read_to_string(directory.path().join(name)).unwrap().lines().count() };
    assert!(rows("items.jsonl") > 100);
    assert_eq!((rows("vaults.jsonl"), rows("users.jsonl")), (8, 40));
    assert!(fs::read_dir(directory.path()).unwrap().all(|entry| !unfinished(&entry.unwrap().path())));
}

#[test]
fn an_impossible_argument_ends_with_the_usage_code() {
    let output = program().args(["--weeks", "99", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().contains("weeks must be 1 to 17"));
}

#[test]
fn the_list_of_faults_is_a_plan_that_it_takes() {
    let directory = tempfile::tempdir().unwrap();
    let list = program().arg("faults").output().unwrap();
    assert!(list.status.success());
    let file = directory.path().join("plan.yml");
    let check = |text: &[u8], part: &str| {
        fs::write(&file, text).unwrap();
        // It reads the plan, and then finds that it cannot serve there.
        let output =
            program().args(["--listen", "192.0.2.1:1", "--profile", "empty", "--faults"]).arg(&file).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(part), "{error}");
        assert_eq!(output.status.code(), Some(64));
    };
    check(&list.stdout, "cannot listen");
    check(b"rules: [{fault: html}, {fault: {status: {code: 1}}}]", "plan.yml: rule 2: a status must be 400 to 599");
}

#[test]
fn comparing_without_a_simulator_ends_with_the_usage_code() {
    let output = program().args(["compare", "--ledger", "http://127.0.0.1:1"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot ask http://127.0.0.1:1"));
}

fn unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "unfinished")
}
