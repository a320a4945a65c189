//! A program that runs: killed, signalled, waited for, and never left behind.
//!
//! What it says goes to files, so that it can neither block on a full pipe nor get lost; a test that fails shows the end of them.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::until;

/// How long a program may take to end once it is asked to: longer than its own patience.
const END_LIMIT: Duration = Duration::from_secs(40);

/// How long a program may take to say that it runs.
const START_LIMIT: Duration = Duration::from_mins(1);

/// How much of its last words a failing test shows, in bytes.
const LAST_WORDS: u64 = 3_000;

/// A started program. Dropping it kills it, also when a test panics.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    out: PathBuf,
    log: PathBuf,
    /// Where this run begins in the log, which earlier runs of the same name may have begun.
    log_start: u64,
}

impl Process {
    /// Starts it. Standard output goes to `<name>.out` and standard error to `<name>.log`, behind what is there.
    pub fn start(name: &str, command: &mut Command, directory: &Path) -> Result<Self> {
        let (out, log) = (directory.join(format!("{name}.out")), directory.join(format!("{name}.log")));
        let open = |path: &Path| File::options().create(true).append(true).open(path);
        let log_file = open(&log)?;
        let log_start = log_file.metadata()?.len();
        let child = command
            .stdin(Stdio::null())
            .stdout(open(&out)?)
            .stderr(log_file)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { name: name.to_owned(), child, out, log, log_start })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output.
    pub fn said(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.out)?)
    }

    /// What it wrote to standard error.
    pub fn log(&self) -> Result<String> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.log_start))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Waits for the line that says that it runs, and answers with that line's fields.
    pub async fn started(&mut self) -> Value {
        let message = format!("{} started", self.name);
        until(&message, START_LIMIT, async || {
            let log = self.log().expect("the log was created before the program");
            let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found = lines.map(|mut line| line["fields"].take()).find(|fields| fields["message"] == message);
            if found.is_none() {
                let ended = self.child.try_wait().expect("a child can be asked");
                assert!(ended.is_none(), "{} ended before it had started: {ended:?}", self.name);
            }
            found
        })
        .await
    }

    /// `kill -9`, in the middle of whatever it does.
    ///
    /// # Panics
    /// If it had ended before: then the kill would have hit nothing.
    pub fn kill(&mut self) {
        let ended = self.child.try_wait().expect("a child can be asked");
        assert!(ended.is_none(), "{} had ended before it was killed: {ended:?}", self.name);
        self.signal(Signal::KILL);
        let status = self.child.wait().expect("a child can be waited for");
        assert_eq!(status.signal(), Some(9), "{} was killed", self.name);
    }

    /// SIGTERM, and waits until it has ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended(END_LIMIT).await
    }

    /// SIGINT, and waits until it has ended.
    pub async fn interrupt(&mut self) -> ExitStatus {
        self.signal(Signal::INT);
        self.ended(END_LIMIT).await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        until(&what, limit, async || self.child.try_wait().expect("a child can be asked")).await
    }

    fn signal(&self, signal: Signal) {
        // One that has just ended by itself takes no signal.
        let _ = rustix::process::kill_process(Pid::from_child(&self.child), signal);
    }

    fn last_words(&self) -> Result<String> {
        let mut file = File::open(&self.log)?;
        let start = file.metadata()?.len().saturating_sub(LAST_WORDS);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            tell(&format!("--- last words of {}:\n{}", self.name, self.last_words().unwrap_or_default()));
        }
    }
}

#[expect(clippy::print_stderr, reason = "only what is printed by this macro is shown with the failing test")]
fn tell(words: &str) {
    eprintln!("{words}");
}
