//! The fixture that starts real servers: everything else stands on it.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use redlock::testing::servers::{RedisFleet, RedisServer, Reply, ServerError, TlsFiles, redis_is_installed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const LIMIT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a server leaves behind if nobody ends it: a listening port, also when it is paused, and files.
struct Traces {
    address: String,
    directory: PathBuf,
}

impl Traces {
    fn of(server: &RedisServer) -> Self {
        Self { address: server.address(), directory: server.directory().to_owned() }
    }

    fn is_alive(&self) -> bool {
        TcpStream::connect(&self.address).is_ok()
    }

    #[track_caller]
    fn assert_present(&self) {
        assert!(self.is_alive() && self.directory.exists(), "{} is not there", self.address);
    }

    #[track_caller]
    fn assert_gone(&self) {
        assert!(!self.is_alive(), "{} still listens", self.address);
        assert!(!self.directory.exists(), "{} is still there", self.directory.display());
    }
}

#[test]
fn a_server_takes_commands_as_soon_as_it_has_started() {
    assert!(redis_is_installed());
    let server = RedisServer::start().unwrap();
    assert_eq!(server.command(&["PING"]).unwrap(), Reply::Text("PONG".into()));
    assert_eq!(server.admin_url(), format!("redis://127.0.0.1:{}", server.port()));
    server.command(&["SET", "b", "x y\r\n", "PX", "60000"]).unwrap();
    server.command(&["SET", "a", "1"]).unwrap();
    assert_eq!(server.command(&["GET", "b"]).unwrap().text(), Some("x y\r\n"));
    assert_eq!(server.command(&["GET", "c"]).unwrap(), Reply::Nil);
    assert!(server.command(&["PTTL", "b"]).unwrap().integer().unwrap() > 0);
    assert_eq!(server.keys().unwrap(), ["a", "b"]);
    let pid = server.pid().unwrap().to_string();
    assert!(
        server
            .command(&["INFO", "server"])
            .unwrap()
            .text()
            .unwrap()
            .contains(&format!("process_id:{pid}\r\n"))
    );
}

#[test]
fn an_error_reply_names_the_command_but_not_its_arguments() {
    let server = RedisServer::start().unwrap();
    let error = server.command(&["HGETT", "secret"]).unwrap_err();
    assert!(matches!(&error, ServerError::Refused { command, .. } if command == "HGETT"), "{error}");
}

#[test]
fn nothing_is_left_after_drop() {
    let server = RedisServer::start().unwrap();
    let traces = Traces::of(&server);
    traces.assert_present();
    drop(server);
    traces.assert_gone();
}

#[test]
fn nothing_is_left_of_a_paused_server_after_drop() {
    let server = RedisServer::start().unwrap();
    let traces = Traces::of(&server);
    server.pause().unwrap();
    traces.assert_present();
    drop(server);
    traces.assert_gone();
}

#[test]
fn nothing_is_left_after_a_panic() {
    let fleet = RedisFleet::start(2).unwrap();
    let traces: Vec<_> = fleet.iter().map(Traces::of).collect();
    let result = panic::catch_unwind(panic::AssertUnwindSafe(move || {
        fleet.server(0).pause().unwrap();
        panic::resume_unwind(Box::new("a failing test"));
    }));
    assert!(result.is_err());
    traces.iter().for_each(Traces::assert_gone);
}

/// Runs itself once more as the program that is killed.
#[test]
fn nothing_is_left_after_the_program_was_killed() {
    const CHILD: &str = "REDLOCK_TEST_PROGRAM_TO_KILL";
    if std::env::var_os(CHILD).is_some() {
        let fleet = RedisFleet::start(3).unwrap();
        fleet.server(1).pause().unwrap();
        fleet.server(2).restart().unwrap();
        for server in &fleet {
            println!("\nserver {} {}", server.address(), server.directory().display());
        }
        println!("\nend");
        loop {
            thread::park();
        }
    }

    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_is_left_after_the_program_was_killed", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(program.stdout.take().unwrap()).lines().map(Result::unwrap);
    let servers: Vec<Traces> = lines
        .take_while(|line| line != "end")
        .filter_map(|line| {
            let (address, directory) = line.strip_prefix("server ")?.split_once(' ')?;
            Some(Traces { address: address.to_owned(), directory: directory.into() })
        })
        .collect();
    assert_eq!(servers.len(), 3);
    servers.iter().for_each(Traces::assert_present);

    program.kill().unwrap();
    program.wait().unwrap();
    for server in &servers {
        wait_until("the server and its files are gone", || !server.is_alive() && !server.directory.exists());
    }
}

#[test]
fn a_killed_server_is_gone_until_it_is_restarted_on_the_same_port() {
    let server = RedisServer::start().unwrap();
    let (first, port) = (server.pid().unwrap(), server.port());
    server.command(&["SET", "a", "1"]).unwrap();

    server.kill();
    assert!(!server.is_running() && server.pid().is_none() && !Traces::of(&server).is_alive());
    assert!(matches!(server.command(&["PING"]), Err(ServerError::Io { .. })));
    assert!(matches!(server.pause(), Err(ServerError::NotRunning { .. })));
    server.kill();

    server.restart().unwrap();
    assert!(server.is_running());
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), Some(first));
    assert!(server.keys().unwrap().is_empty(), "without persistence it remembers nothing");
}

#[test]
fn a_server_that_ended_by_itself_is_seen_and_can_be_restarted() {
    let server = RedisServer::start().unwrap();
    assert!(server.is_running());
    assert!(server.command(&["SHUTDOWN", "NOSAVE"]).is_err(), "it closes the connection without a reply");
    wait_until("the process has ended", || !server.is_running());
    server.restart().unwrap();
    server.command(&["PING"]).unwrap();
}

#[test]
fn a_persistent_server_remembers_every_answered_write_over_a_crash() {
    let server = RedisServer::options().persistent().start().unwrap();
    for key in 0..20 {
        server.command(&["SET", &key.to_string(), "1"]).unwrap();
    }
    server.restart().unwrap();
    assert_eq!(server.keys().unwrap().len(), 20);
}

#[test]
fn a_paused_server_answers_again_after_resume() {
    let server = RedisServer::start().unwrap();
    server.pause().unwrap();
    server.pause().unwrap();
    assert!(server.is_running());
    // The kernel still takes the connection and the command; the answer does not come.
    assert!(matches!(server.command_within(SHORT, &["SET", "a", "1"]), Err(ServerError::Io { .. })));
    server.resume().unwrap();
    server.command(&["PING"]).unwrap();
    wait_until("what had queued up was run", || server.keys().unwrap() == ["a"]);
}

#[test]
fn a_server_with_a_password_is_asked_with_it() {
    let server = RedisServer::options().arg("--requirepass", "hush hush").start().unwrap();
    server.command(&["PING"]).unwrap();
    let mut stranger = TcpStream::connect(server.address()).unwrap();
    stranger.write_all(b"PING\r\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stranger).read_line(&mut answer).unwrap();
    assert!(answer.starts_with("-NOAUTH"), "{answer}");
    assert!(
        !format!("{server:?} {:?}", RedisServer::options().arg("--requirepass", "hush")).contains("hush")
    );
}

#[test]
fn directives_with_several_values_reach_the_server() {
    let master = RedisServer::start().unwrap();
    let replica = RedisServer::options()
        .args(["--replicaof", "127.0.0.1", &master.port().to_string()])
        .start()
        .unwrap();
    assert!(replica.command(&["INFO", "replication"]).unwrap().text().unwrap().contains("role:slave"));
}

#[test]
fn a_rejected_directive_is_an_error_with_the_end_of_the_log() {
    let error = RedisServer::options().arg("--no-such-directive", "1").start().unwrap_err();
    assert!(
        matches!(&error, ServerError::NotStarted { log, .. } if log.contains("no-such-directive")),
        "{error}"
    );
}

#[test]
fn a_fixed_port_that_is_taken_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = RedisServer::options().port(port).start().unwrap_err();
    assert!(error.to_string().contains("already in use"), "{error}");
    drop(taken);

    let server = RedisServer::options().port(port).start().unwrap();
    assert_eq!(server.port(), port);
}

#[test]
fn a_server_listens_on_the_address_that_was_asked_for() {
    let server = RedisServer::options().bind("127.0.0.1").start().unwrap();
    assert!(server.address().starts_with("127.0.0.1:"));
    // Other loopback addresses exist without further ado on Linux alone.
    #[cfg(target_os = "linux")]
    {
        let other = RedisServer::options().bind("127.0.0.9").start().unwrap();
        other.command(&["PING"]).unwrap();
        assert!(other.admin_url().starts_with("redis://127.0.0.9:"));
        assert!(TcpStream::connect(("127.0.0.1", other.port())).is_err());
    }
}

#[test]
fn a_fleet_is_made_of_independent_servers() {
    let fleet = RedisFleet::start(5).unwrap();
    let mut urls = fleet.urls();
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), 5);
    fleet.server(1).command(&["SET", "a", "1"]).unwrap();
    fleet.server(3).command(&["SET", "b", "1"]).unwrap();
    assert_eq!(
        fleet.all_keys().unwrap(),
        [vec![], vec!["a".to_owned()], vec![], vec!["b".to_owned()], vec![]]
    );
}

#[test]
fn many_fleets_start_at_the_same_time() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(RedisFleet::start(3).unwrap().all_keys().unwrap().len(), 3));
        }
    });
}

#[test]
fn a_server_with_tls_answers_on_both_ports() {
    let directory = tempfile::tempdir().unwrap();
    let (files, certificate) = certificates(directory.path());
    let server = RedisServer::options().tls(files).start().unwrap();
    server.command(&["PING"]).unwrap();

    let port: u16 = server.tls_url().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    let mut stream = StreamOwned::new(client, socket);
    stream.write_all(b"PING\r\n").unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

fn certificates(directory: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: String| {
        let file = directory.join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let certificate = write("certificate.pem", made.cert.pem());
    let files = TlsFiles {
        key: write("key.pem", made.signing_key.serialize_pem()),
        authority: certificate.clone(),
        certificate,
        verify_clients: false,
    };
    (files, made.cert.der().clone())
}
