//! A running private nats-server.
//!
//! Two things must hold whatever happens to this process: no server outlives it, and no two servers write to one store. The
//! first is the guard's duty (`guard.sh`), which waits on a pipe that dies with us. The second rests on a file lock that guard
//! and server inherit: it is free only when the last of them is gone, so whoever gets it may start.

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use secrecy::SecretString;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Instant, sleep, timeout_at},
};

use super::{Binary, Error, command, files::Layout};
use crate::ConnectOptions;

/// How long a new start waits for the store's former server to end.
const LOCK_LIMIT: Duration = Duration::from_secs(15);
/// How long a server may take until it answers. A store of many gigabytes is read before that.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long a server may take to stop; the guard kills it after five seconds.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How often a restart tries to get its old port back.
const RESTART_LIMIT: Duration = Duration::from_secs(10);
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(10);
/// How much of the server's last words an error carries, in bytes.
const LAST_WORDS: u64 = 2048;

/// How to run a private server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The server to run.
    pub binary: Binary,
    /// Where streams, configuration, token and lock live. One server at a time; data survives restarts.
    pub store_dir: PathBuf,
    /// Where the server logs. Default: `nats-server.log` in the store directory. Rotated at 16 MiB.
    pub log_file: Option<PathBuf>,
    /// The largest message, in bytes.
    pub max_payload: usize,
    /// Write each message to the disk before it is acknowledged: survives power loss, at a tenth of the speed.
    pub sync_always: bool,
    /// The port on the loopback interface. Default: any free one.
    pub port: Option<u16>,
    /// Serve the server's HTTP monitoring on this loopback port; it is open to every user of the machine. Default: no.
    pub monitoring_port: Option<u16>,
}

impl ServerOptions {
    /// The largest message of a private server: a page of 1,000 events compresses to about 120 KB, so this leaves wide room.
    pub const MAX_PAYLOAD: usize = 8 << 20;

    /// A server with defaults for everything but binary and place.
    #[must_use]
    pub fn new(binary: Binary, store_dir: PathBuf) -> Self {
        Self {
            binary,
            store_dir,
            log_file: None,
            max_payload: Self::MAX_PAYLOAD,
            sync_always: false,
            port: None,
            monitoring_port: None,
        }
    }
}

/// A running private server. Dropping it kills it; [`Server::stop`] lets it finish its writes.
#[derive(Debug)]
pub struct Server {
    options: ServerOptions,
    layout: Layout,
    token: SecretString,
    address: String,
    pid: Pid,
    guard: Guard,
}

impl Server {
    /// Starts a server and waits until it answers: at most 15 s for a former server on the same store to end, then 60 s for this one.
    pub async fn start(options: ServerOptions) -> Result<Self, Error> {
        let io = |what: &'static str| move |source| Error::Io { what, source };
        let layout = Layout::create(&options).map_err(io("the store directory cannot be made"))?;
        let lock = lock(&layout).await?;
        let token = layout.token().map_err(io("the server's token cannot be kept"))?;
        layout.clear_ports().map_err(io("an old ports file cannot be removed"))?;
        layout.write_configuration(&options, &token).map_err(io("the server's configuration cannot be written"))?;
        let mut guard =
            Guard::start(&options.binary, &layout, lock).map_err(io("the server's guard cannot be started"))?;
        let (pid, address) = guard.answer(&layout).await?;
        Ok(Self { options, layout, token, address, pid, guard })
    }

    /// Where clients connect: `nats://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// What clients must show. Only this process and the owner of the store directory know it.
    #[must_use]
    pub const fn token(&self) -> &SecretString {
        &self.token
    }

    /// The file in the store directory that holds the token, readable by its owner alone.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.layout.token_file()
    }

    /// How to connect to this server.
    #[must_use]
    pub fn connect_options(&self, client_name: &str) -> ConnectOptions {
        ConnectOptions {
            servers: vec![self.url()],
            client_name: client_name.into(),
            token: Some(self.token.clone()),
            credentials_file: None,
            ca_file: None,
        }
    }

    /// The process id of nats-server itself.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The server's version.
    #[must_use]
    pub const fn version(&self) -> super::Version {
        self.options.binary.version
    }

    /// Completes when the server has ended without being asked to; the error says how. Cancel-safe.
    pub async fn ended(&mut self) -> Error {
        loop {
            match self.guard.child.try_wait() {
                Ok(None) => sleep(POLL * 10).await,
                Ok(Some(status)) => {
                    return Error::Ended { status: status.to_string(), last_words: last_words(&self.layout) };
                }
                Err(source) => return Error::Io { what: "the server's guard cannot be watched", source },
            }
        }
    }

    /// Lets the server finish its writes and end; kills it after ten seconds.
    pub async fn stop(mut self) -> Result<(), Error> {
        // The end of the pipe is what the guard waits for.
        self.guard.pipe = None;
        self.guard.gone(STOP_LIMIT).await?;
        Ok(())
    }

    /// Kills nats-server as `kill -9` does and waits until it is gone, for tests of faults.
    pub async fn kill(&mut self) -> Result<(), Error> {
        if self.guard.running() {
            // A failure means that it has just died by itself.
            let _ = rustix::process::kill_process(self.pid, Signal::KILL);
        }
        self.guard.gone(STOP_LIMIT).await
    }

    /// [Kills](Self::kill) the server if it still runs and starts it again on the same store and port.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.kill().await?;
        let port = self.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let options = ServerOptions { port, ..self.options.clone() };
        let deadline = Instant::now() + RESTART_LIMIT;
        loop {
            match Self::start(options.clone()).await {
                // Somebody may hold the port for a moment: a client that tries to reconnect can be given its number.
                Err(Error::Ended { .. }) if Instant::now() < deadline => sleep(POLL * 10).await,
                result => {
                    *self = result?;
                    return Ok(());
                }
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.guard.kill() {
            return;
        }
        // The killed server is not our child: that it is gone shows in its lock. Bounded, because nothing may hang here.
        if let Ok(lock) = self.layout.open_lock() {
            for _ in 0..200 {
                if lock.try_lock().is_ok() {
                    break;
                }
                thread::sleep(POLL);
            }
        }
    }
}

/// The shell that runs the server, in a process group of its own: Ctrl-C at a terminal goes to its foreground group, so only
/// latchkey hears it and can drain first.
#[derive(Debug)]
struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    fn start(binary: &Binary, layout: &Layout, lock: File) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", include_str!("guard.sh"), "latchkey-nats-guard"])
            .arg(&binary.path)
            .arg(layout.configuration())
            .stdin(Stdio::piped())
            .stdout(lock)
            .stderr(File::create(layout.complaints())?)
            .process_group(0)
            .spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Waits until the server speaks its protocol; kills everything if it does not.
    async fn answer(&mut self, layout: &Layout) -> Result<(Pid, String), Error> {
        let deadline = Instant::now() + START_LIMIT;
        let result = loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                break Err(Error::Ended { status: status.to_string(), last_words: last_words(layout) });
            }
            if let Ok(Some((pid, address))) = layout.ports()
                && let Some(pid) = Pid::from_raw(pid)
                && speaks(&address, deadline).await
            {
                return Ok((pid, address));
            }
            if Instant::now() >= deadline {
                break Err(Error::Silent { waited: START_LIMIT, last_words: last_words(layout) });
            }
            sleep(POLL).await;
        };
        self.kill();
        result
    }

    fn running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until guard and server are gone, and ends them itself after `limit`.
    async fn gone(&mut self, limit: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + limit;
        while self.running() {
            if Instant::now() >= deadline {
                self.kill();
                return Err(Error::Stubborn { waited: limit });
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    /// Ends guard and server at once; `false` if they had ended.
    fn kill(&mut self) -> bool {
        // A guard that ended by itself took the server with it, and its group's number may belong to others. One that was
        // killed from outside left the server behind in its group.
        let ended = matches!(self.child.try_wait(), Ok(Some(status)) if status.signal().is_none());
        if !ended {
            command::kill_group(&self.child, Signal::KILL);
            let _ = self.child.wait();
        }
        self.pipe = None;
        !ended
    }
}

impl Drop for Guard {
    /// A start that is given up half-way (its future dropped) leaves no server either.
    fn drop(&mut self) {
        self.kill();
    }
}

async fn lock(layout: &Layout) -> Result<File, Error> {
    let io = |source| Error::Io { what: "the store's lock cannot be taken", source };
    let file = layout.open_lock().map_err(io)?;
    let deadline = Instant::now() + LOCK_LIMIT;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(io(error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(Error::Locked { directory: layout.directory.clone(), waited: LOCK_LIMIT });
            }
            Err(TryLockError::WouldBlock) => {
                if !told {
                    tracing::info!(directory = %layout.directory.display(), "waiting for another nats-server on this store to end");
                    told = true;
                }
                sleep(POLL).await;
            }
        }
    }
}

/// Whether a NATS server greets at `address`.
async fn speaks(address: &str, deadline: Instant) -> bool {
    let greeting = async {
        let mut greeting = [0_u8; 5];
        let mut stream = TcpStream::connect(address).await?;
        stream.read_exact(&mut greeting).await?;
        io::Result::Ok(greeting == *b"INFO ")
    };
    matches!(timeout_at(deadline, greeting).await, Ok(Ok(true)))
}

/// The end of what the server wrote: its complaints if there are any, else its log.
fn last_words(layout: &Layout) -> String {
    let tail = |path: &Path| -> io::Result<String> {
        let mut file = File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(LAST_WORDS);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(LAST_WORDS).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let complaints = tail(&layout.complaints()).unwrap_or_default();
    if complaints.is_empty() { tail(&layout.log).unwrap_or_default() } else { complaints }
}
