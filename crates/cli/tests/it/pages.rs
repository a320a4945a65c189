//! Runs the commands that the documents show, with the files that they show, and compares what comes out.
//!
//! A block `console` has lines that begin with `$ `, each with what it prints behind it; `…` stands for anything, alone for any
//! number of lines. Files are the blocks with `file NAME` behind their language, or in the page of tables all with a name; there a
//! `list` is the file list.json. Each section has a directory of its own.

use std::{fs, path::Path, process::Command};

/// The commands of a page, and how many there are.
fn check(page: &'static str, file: impl Fn(&'static str) -> Option<&'static str>) -> usize {
    let mut run = 0;
    for section in page.split("\n## ") {
        let directory = tempfile::tempdir().unwrap();
        for block in section.split("```").skip(1).step_by(2) {
            let (info, text) = block.split_once('\n').unwrap();
            if info == "console" {
                run += check_block(directory.path(), text);
            } else if let Some(name) = info.split_once(' ').and_then(|(_, role)| file(role)) {
                let path = directory.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
    }
    run
}

fn check_block(directory: &Path, block: &str) -> usize {
    let runs = block.strip_prefix("$ ").unwrap_or_else(|| panic!("a command comes first:\n{block}"));
    let mut count = 0;
    for run in runs.split("\n$ ") {
        let (command, expect) = run.split_once('\n').unwrap_or((run, ""));
        let got = shell(directory, command);
        assert!(is_like(expect.trim_end(), got.trim_end()), "$ {command}\n{got}\ninstead of\n{expect}");
        count += 1;
    }
    count
}

/// What a command prints, errors included.
fn shell(directory: &Path, command: &str) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_latchkey"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.env_clear().env("PATH", path).current_dir(directory).args(["-c", &format!("{{ {command}\n}} 2>&1")]);
    String::from_utf8(shell.output().unwrap().stdout).unwrap()
}

/// Whether a text is as expected, where `…` stands for anything.
fn is_like(expect: &str, got: &str) -> bool {
    match expect.split_once('…') {
        None => expect == got,
        Some((start, rest)) => got.strip_prefix(start).is_some_and(|got| {
            (0..=got.len()).filter(|at| got.is_char_boundary(*at)).any(|at| is_like(rest, &got[at..]))
        }),
    }
}

#[test]
fn the_commands_of_the_page_on_lookup_tables_do_what_it_says() {
    let file = |role: &'static str| match role.rsplit_once('.') {
        Some((stem, _)) if !stem.contains(' ') => Some(role),
        _ => Some("list.json").filter(|_| role == "list"),
    };
    assert_eq!(check(include_str!("../../../../docs/lookup-tables.md"), file), 5);
}

#[test]
fn the_commands_of_the_page_on_schemas_do_what_it_says() {
    let file = |role: &'static str| role.strip_prefix("file ");
    assert_eq!(check(include_str!("../../../../docs/schemas.md"), file), 10);
}
