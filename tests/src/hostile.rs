//! A server that cannot be trusted: a man in the middle in front of a real one, who falsifies chosen answers.
//!
//! It speaks enough of RESP2 and RESP3 to tell requests and answers apart. All that it does not touch is as the real server has it,
//! so that a client gets as far as the answer that is under test. For tests: it panics where the machine fails.

mod wire;

use std::io::{self, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use redlock::testing::servers::RedisServer;

/// What becomes of the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deed {
    /// It is passed on.
    Pass,
    /// These bytes come instead.
    Replace(Vec<u8>),
    /// These bytes come before it: the answer to nobody.
    Precede(Vec<u8>),
    /// These bytes come behind it.
    Append(Vec<u8>),
    /// So many bytes of it, and the connection is closed.
    CutAfter(usize),
    /// So many bytes of it, and then nothing any more.
    SilentAfter(usize),
    /// These bytes instead, and the connection is closed.
    ReplaceAndClose(Vec<u8>),
    /// It is passed on late; what follows waits behind it.
    Late(Duration),
    /// The first bytes, and then the second ones over and over again with this pause, until the client has had enough.
    Endless(Vec<u8>, Vec<u8>, Duration),
}

/// A request's words; the first two, which name the command, in upper case.
pub type Request = [String];

type Behaviour = Arc<dyn Fn(&Request) -> Deed + Send + Sync>;

/// The man in the middle. Dropping it ends every connection through it.
pub struct HostileServer {
    port: u16,
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    behaviour: Mutex<Behaviour>,
    open: AtomicUsize,
    sent: AtomicUsize,
    stop: AtomicBool,
}

impl HostileServer {
    /// In front of this server, and honest at first. It lives on a port of its own.
    pub fn before(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: server.address(),
            behaviour: Mutex::new(Arc::new(|_| Deed::Pass)),
            open: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.stop.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // A connection that cannot be served is closed.
                thread::spawn(move || drop(serve(&shared, client)));
            }
        });
        let url = server.url().replace(&server.address(), &format!("127.0.0.1:{port}"));
        Self { port, url, shared }
    }

    /// As [`RedisServer::url`], through the man in the middle.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on it does this. Requests whose answers are on their way already are as they were.
    pub fn behave(&self, behaviour: impl Fn(&Request) -> Deed + Send + Sync + 'static) {
        *self.shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(behaviour);
    }

    /// From now on it does this with the answers to one command, as in `"EVALSHA"` or `"CLIENT TRACKING"`.
    pub fn on(&self, command: &'static str, deed: Deed) {
        self.behave(move |request| if is(request, command) { deed.clone() } else { Deed::Pass });
    }

    /// From now on it touches nothing.
    pub fn be_honest(&self) {
        self.behave(|_| Deed::Pass);
    }

    /// How many clients are connected.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many bytes of [`Deed::Endless`] the clients have taken.
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // The one that accepts looks only when somebody comes.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// Whether this is the command, which may be given with its subcommand.
pub fn is(request: &Request, command: &str) -> bool {
    let words = command.split(' ');
    words
        .zip(request.iter().map(Some).chain(std::iter::repeat(None)))
        .all(|(word, found)| found.is_some_and(|found| found == word))
}

/// Counts as an open connection until it is dropped.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Takes requests until one of both sides ends the connection.
fn serve(shared: &Arc<Shared>, client: TcpStream) -> io::Result<()> {
    shared.open.fetch_add(1, Ordering::SeqCst);
    let _open = Open(Arc::clone(shared));
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(&shared.server)?;
    server.set_nodelay(true)?;
    let (deeds, expected) = channel();
    let (answers, to) = (server.try_clone()?, client.try_clone()?);
    let answering = Arc::clone(shared);
    let pump = thread::spawn(move || {
        let ended = pass_answers(&answering, answers, &to, &expected);
        // Whoever reads from the client learns of it there.
        let _ = to.shutdown(Shutdown::Both);
        ended
    });
    let taken = take_requests(shared, &client, &mut server, &deeds);
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    drop(deeds);
    let _ = pump.join();
    taken
}

fn take_requests(
    shared: &Shared,
    client: &TcpStream,
    server: &mut TcpStream,
    deeds: &Sender<Deed>,
) -> io::Result<()> {
    let mut reader = BufReader::new(client);
    while !shared.stop.load(Ordering::SeqCst) {
        let (bytes, words) = wire::request(&mut reader)?;
        let behaviour = Arc::clone(&shared.behaviour.lock().unwrap_or_else(PoisonError::into_inner));
        deeds.send(behaviour(&words)).map_err(io::Error::other)?;
        server.write_all(&bytes)?;
    }
    Ok(())
}

fn pass_answers(
    shared: &Shared,
    server: TcpStream,
    mut client: &TcpStream,
    deeds: &Receiver<Deed>,
) -> io::Result<()> {
    let mut reader = BufReader::new(server);
    loop {
        let answer = wire::answer(&mut reader)?;
        if answer.first() == Some(&b'>') {
            client.write_all(&answer)?;
            continue;
        }
        match deeds.recv().map_err(io::Error::other)? {
            Deed::Pass => client.write_all(&answer)?,
            Deed::Replace(bytes) => client.write_all(&bytes)?,
            Deed::Precede(bytes) => client.write_all(&[bytes, answer].concat())?,
            Deed::Append(bytes) => client.write_all(&[answer, bytes].concat())?,
            Deed::CutAfter(count) => {
                client.write_all(&answer[..count.min(answer.len())])?;
                return Ok(());
            }
            Deed::SilentAfter(count) => {
                client.write_all(&answer[..count.min(answer.len())])?;
                // The client ends this, or the end of the man in the middle.
                while wire::answer(&mut reader).is_ok() {}
                return Ok(());
            }
            Deed::ReplaceAndClose(bytes) => {
                client.write_all(&bytes)?;
                return Ok(());
            }
            Deed::Late(by) => {
                thread::sleep(by);
                client.write_all(&answer)?;
            }
            Deed::Endless(first, again, pause) => {
                client.write_all(&first)?;
                loop {
                    if shared.stop.load(Ordering::SeqCst) {
                        return Ok(());
                    }
                    client.write_all(&again)?;
                    shared.sent.fetch_add(again.len(), Ordering::SeqCst);
                    thread::sleep(pause);
                }
            }
        }
    }
}
