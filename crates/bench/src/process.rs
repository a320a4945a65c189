//! A child process that ends with this one's handle to it.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to stop when it is asked to.
const STOP_LIMIT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(10);

/// The end of a log that an error shows, in bytes.
const LAST_WORDS: usize = 2_000;

/// A running program; its log is a file. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it writes to standard error goes to `<logs>/<name>.log`, and so does its output unless it is piped.
    pub(crate) fn start(name: &'static str, mut command: Command, logs: &Path) -> Result<Self> {
        let log = logs.join(name).with_extension("log");
        let file = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { name, child, log })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs; an error if it has failed.
    pub(crate) fn check(&mut self) -> Result<bool> {
        match self.child.try_wait().with_context(|| format!("{} cannot be watched", self.name))? {
            None => Ok(true),
            Some(status) if status.success() => Ok(false),
            Some(status) => {
                let log = self.log();
                let tail = &log[log.floor_char_boundary(log.len().saturating_sub(LAST_WORDS))..];
                bail!("{} ended ({status}); its last words:\n{tail}", self.name)
            }
        }
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
            && self.check()?
        {
            // A failure means that it has just ended by itself.
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + STOP_LIMIT;
        while self.check()? {
            if Instant::now() > deadline {
                bail!("{} has not stopped within {} s", self.name, STOP_LIMIT.as_secs());
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
