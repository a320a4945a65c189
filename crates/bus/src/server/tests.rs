//! A private server from birth to death, however it or its parent dies.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use async_nats::jetstream::{self, stream};
use rustix::process::{Pid, getpgid, getpgrp, test_kill_process};
use secrecy::ExposeSecret;

use super::{Error, ObtainOptions, Server, ServerOptions, obtain, scratch};

/// Names the store directory for [`a_parent_that_will_be_killed`], which does nothing without it.
const PARENT: &str = "LATCHKEY_TEST_PARENT_OF_SERVER";

async fn options(store_dir: PathBuf) -> ServerOptions {
    ServerOptions::new(obtain(ObtainOptions::default(), |_| {}).await.unwrap(), store_dir)
}

fn lives(pid: u32) -> bool {
    test_kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap()).is_ok()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within 20 s");
}

async fn jetstream(server: &Server) -> jetstream::Context {
    let options = async_nats::ConnectOptions::with_token(server.token().expose_secret().into());
    jetstream::new(options.connect(server.url()).await.unwrap())
}

async fn store_one_message(server: &Server) {
    let jetstream = jetstream(server).await;
    let config = stream::Config { name: "KEPT".into(), subjects: vec!["kept".into()], ..stream::Config::default() };
    jetstream.create_stream(config).await.unwrap();
    jetstream.publish("kept", "words".into()).await.unwrap().await.unwrap();
}

async fn stored_message(server: &Server) -> Vec<u8> {
    let stream = jetstream(server).await.get_stream("KEPT").await.unwrap();
    stream.get_raw_message(1).await.unwrap().payload.to_vec()
}

#[tokio::test]
async fn a_server_answers_its_owner_and_nobody_else() {
    let server = scratch().await.unwrap();
    jetstream(&server).await.query_account().await.unwrap();
    assert!(async_nats::connect(server.url()).await.is_err(), "a client without the token was let in");
    assert!(!format!("{server:?}").contains(server.token().expose_secret()));
    let group = getpgid(Pid::from_raw(server.pid().try_into().unwrap())).unwrap();
    assert_ne!(group, getpgrp(), "Ctrl-C would reach the server before its clients have drained");
}

#[tokio::test]
async fn a_stopped_server_is_gone_and_its_store_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path().to_owned()).await;
    let server = Server::start(options.clone()).await.unwrap();
    let pid = server.pid();
    store_one_message(&server).await;
    let token = server.token().expose_secret().to_owned();
    server.stop().await.unwrap();
    assert!(!lives(pid));
    let server = Server::start(options).await.unwrap();
    assert_eq!(server.token().expose_secret(), token);
    assert_eq!(stored_message(&server).await, b"words");
}

#[tokio::test]
async fn a_killed_server_comes_back_where_it_was() {
    let mut server = scratch().await.unwrap();
    store_one_message(&server).await;
    let (pid, url) = (server.pid(), server.url());
    server.kill().await.unwrap();
    assert!(!lives(pid));
    assert!(matches!(server.ended().await, Error::Ended { .. }));
    server.restart().await.unwrap();
    assert_eq!(server.url(), url);
    assert_eq!(stored_message(&server).await, b"words");
}

#[tokio::test]
async fn a_second_server_waits_for_the_first_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path().to_owned()).await;
    let first = Server::start(options.clone()).await.unwrap();
    let pid = first.pid();
    let second = async {
        let second = Server::start(options).await.unwrap();
        assert!(!lives(pid), "two servers on one store");
        second
    };
    let (stopped, second) = tokio::join!(first.stop(), second);
    stopped.unwrap();
    assert_ne!(second.pid(), pid);
}

#[tokio::test]
async fn a_store_in_use_is_refused_in_the_end() {
    let server = scratch().await.unwrap();
    let options = options(server.directory().join("nats")).await;
    tokio::time::pause();
    let error = Server::start(options).await.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert!(lives(server.pid()));
}

#[tokio::test]
async fn a_server_that_cannot_start_tells_why() {
    let directory = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Some(other.local_addr().unwrap().port());
    let options = ServerOptions { port, ..options(directory.path().to_owned()).await };
    let error = Server::start(options).await.unwrap_err();
    assert!(error.to_string().contains("address already in use"), "{error}");
}

#[tokio::test]
async fn a_panicking_test_leaves_neither_process_nor_file() {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let test = tokio::spawn(async move {
        let server = scratch().await.unwrap();
        sender.send((server.pid(), server.directory().to_owned())).unwrap();
        panic!("on purpose");
    });
    let (pid, directory) = receiver.await.unwrap();
    assert!(test.await.unwrap_err().is_panic());
    until("the server is gone", || !lives(pid)).await;
    assert!(!directory.exists());
}

#[tokio::test]
async fn a_killed_parent_leaves_no_orphan() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("nats");
    let mut parent = Command::new(env::current_exe().unwrap())
        .args(["--exact", "server::tests::a_parent_that_will_be_killed"])
        .env(PARENT, &store)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the parent's server is up", || pid_of_parents_server(&store).is_some()).await;
    let pid = pid_of_parents_server(&store).unwrap();
    assert!(lives(pid));
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("the orphan is gone", || !lives(pid)).await;
    Server::start(options(store).await).await.unwrap().stop().await.unwrap();
}

fn pid_of_parents_server(store: &Path) -> Option<u32> {
    fs::read_to_string(store.join("pid-for-test")).ok()?.parse().ok()
}

/// Not a test of its own: the process that [`a_killed_parent_leaves_no_orphan`] starts and kills.
#[tokio::test]
async fn a_parent_that_will_be_killed() {
    let Some(store) = env::var_os(PARENT).map(PathBuf::from) else { return };
    let server = Server::start(options(store.clone()).await).await.unwrap();
    fs::write(store.join("pid.new"), server.pid().to_string()).unwrap();
    fs::rename(store.join("pid.new"), store.join("pid-for-test")).unwrap();
    // Bounded, so that a test run that is itself killed leaves nothing.
    tokio::time::sleep(Duration::from_mins(1)).await;
}
