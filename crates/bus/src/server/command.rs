//! Running a tool to its end, in bounded time and with bounded output.
//!
//! The tools (pip, a container engine, an unknown nats-server) may hang on a network or a prompt, and may start processes of
//! their own; each runs in a process group that is ended as a whole.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};

/// The most bytes kept of a tool's output; the rest is read and dropped.
const MAX_OUTPUT: u64 = 16 * 1024;
/// How often a running tool is looked at.
const POLL: Duration = Duration::from_millis(10);
/// How long the output may keep flowing after the tool itself has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs `command` and returns what it printed on standard output. The error is a sentence that starts with the tool's name.
pub(super) fn run(command: &mut Command, limit: Duration) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{name} cannot be run: {error}"))?;
    let output = child.stdout.take().map(collect);
    let complaints = child.stderr.take().map(collect);
    let status = wait(&mut child, limit).map_err(|error| format!("{name}: {error}"))?;
    let read = |pipe: Option<mpsc::Receiver<String>>| pipe.and_then(|pipe| pipe.recv_timeout(DRAIN).ok());
    let (output, complaints) = (read(output).unwrap_or_default(), read(complaints).unwrap_or_default());
    if status.success() { Ok(output) } else { Err(format!("{name} failed ({status}): {}", last_line(&complaints))) }
}

/// Ends every process of the group that `child` leads. The group keeps its number for as long as the child is not waited for.
pub(super) fn kill_group(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // The only possible failure is that nobody is left in the group.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus, String> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
            Ok(None) => {
                kill_group(child, Signal::KILL);
                let _ = child.wait();
                return Err(format!("not done after {} s", limit.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Reads a pipe to its end on a thread of its own, so that a full pipe never stops the tool. A process that survives its group
/// could hold the pipe open for ever: then the thread is left behind rather than waited for.
fn collect(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut head = pipe.take(MAX_OUTPUT);
        let _ = head.read_to_end(&mut kept);
        let _ = io::copy(&mut head.into_inner(), &mut io::sink());
        let _ = sender.send(String::from_utf8_lossy(&kept).into_owned());
    });
    receiver
}

/// Tools put their verdict on the last line.
fn last_line(text: &str) -> &str {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_failure_come_back() {
        let limit = Duration::from_secs(10);
        assert_eq!(run(&mut shell("echo yes"), limit).unwrap(), "yes\n");
        let failure = run(&mut shell("echo first >&2; echo 'no such thing' >&2; exit 3"), limit).unwrap_err();
        assert!(failure.contains("no such thing") && failure.contains('3') && !failure.contains("first"), "{failure}");
        let missing = run(&mut Command::new("latchkey-test-no-such-tool"), limit).unwrap_err();
        assert!(missing.starts_with("latchkey-test-no-such-tool cannot be run"), "{missing}");
    }

    #[test]
    fn more_output_than_a_pipe_holds_does_not_stop_the_tool() {
        let output = run(
            &mut shell(
                "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done",
            ),
            Duration::from_secs(20),
        )
        .unwrap();
        assert_eq!(output.len() as u64, MAX_OUTPUT);
    }

    #[test]
    fn a_tool_that_hangs_is_ended_with_its_children() {
        let begun = Instant::now();
        let failure = run(&mut shell("sleep 60 & sleep 60"), Duration::from_millis(200)).unwrap_err();
        assert!(failure.contains("not done"), "{failure}");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
