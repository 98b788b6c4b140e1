//! A TCP proxy in front of a server: it can lead to another server, and hold requests up.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The proxy; it ends when dropped.
pub(super) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Where requests go.
    target: String,
    /// Requests wait.
    is_cut: bool,
    /// How many wait.
    waiting: usize,
    is_over: bool,
    clients: Vec<TcpStream>,
}

impl Proxy {
    /// In front of the server at this address.
    pub(super) fn start(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State {
            target: target.to_owned(),
            is_cut: false,
            waiting: 0,
            is_over: false,
            clients: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut state = serving.state();
                if state.is_over {
                    return;
                }
                state.clients.push(client.try_clone().unwrap());
                drop(state);
                let shared = Arc::clone(&serving);
                thread::spawn(move || {
                    // Either end may go at any time.
                    let _ = shared.serve(&client);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port, shared }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Leads to another server from the next request on; clients stay connected.
    pub(super) fn switch(&self, target: &str) {
        self.shared.state().target = target.to_owned();
    }

    /// Closes every client's connection.
    pub(super) fn close_clients(&self) {
        for client in self.shared.state().clients.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// From now on requests are taken, and wait.
    pub(super) fn cut(&self) {
        self.shared.state().is_cut = true;
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.shared.state().waiting
    }

    /// What has waited goes on, also if its client has gone.
    pub(super) fn mend(&self) {
        self.shared.state().is_cut = false;
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close_clients();
        let mut state = self.shared.state();
        state.is_over = true;
        state.is_cut = false;
        drop(state);
        self.shared.changed.notify_all();
        // The listener looks once more.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request at a time, so that no answer of one server is taken for another's.
    fn serve(&self, client: &TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut requests = BufReader::new(client);
        let mut server: Option<(String, BufReader<TcpStream>)> = None;
        loop {
            let request = read_value(&mut requests)?;
            let target = self.pass();
            let connected = match server.take() {
                Some((to, connection)) if to == target => connection,
                _ => {
                    let connection = TcpStream::connect(&target)?;
                    connection.set_nodelay(true)?;
                    BufReader::new(connection)
                }
            };
            let (_, connected) = server.insert((target, connected));
            connected.get_mut().write_all(&request)?;
            let mut client = client;
            loop {
                let answer = read_value(connected)?;
                client.write_all(&answer)?;
                // What comes ahead of the answer unasked.
                if !answer.starts_with(b">") {
                    break;
                }
            }
        }
    }

    /// Waits while the way is cut; says where it leads then.
    fn pass(&self) -> String {
        let mut state = self.state();
        state.waiting += 1;
        while state.is_cut {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        state.target.clone()
    }
}

/// One request or answer, with all that it consists of.
fn read_value(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut missing = 1_usize;
    while missing > 0 {
        missing -= 1;
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&bytes[start..]).into_owned();
        let count = line[1..].trim_end().parse::<usize>().unwrap_or(0);
        match line.as_bytes()[0] {
            b'*' | b'>' | b'~' => missing += count,
            b'%' => missing += 2 * count,
            b'$' | b'=' if !line.starts_with("$-") => {
                let end = bytes.len() + count + 2;
                from.take(count as u64 + 2).read_to_end(&mut bytes)?;
                if bytes.len() < end {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            _ => {}
        }
    }
    Ok(bytes)
}
