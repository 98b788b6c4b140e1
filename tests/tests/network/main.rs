//! The ways between clients and nodes, against real servers: that they change nothing by themselves, and what each fault does.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod cuts;
mod latency;
mod lateness;
mod locks;
mod passing;
mod replies;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use redlock::testing::servers::RedisServer;
use redlock_tests::network::{Network, Way};
use redlock_tests::support::LIMIT;

/// A server and a way to it.
fn server_and_way() -> (RedisServer, Network) {
    let server = RedisServer::start().unwrap();
    let network = Network::start(&[server.address()], 1).unwrap();
    (server, network)
}

fn exists(server: &RedisServer, key: &str) -> bool {
    server.command(&["EXISTS", key]).unwrap().integer() == Some(1)
}

/// A connection that sends and reads what it is told.
struct Raw {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Raw {
    fn connect(way: &Way) -> Self {
        Self::to(&way.reached_at())
    }

    fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self { replies: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a command.
    fn send(&mut self, words: &[&str]) {
        self.write(&encoded(words));
    }

    /// The next line that comes.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, words: &[&str]) -> String {
        self.send(words);
        self.line()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.replies.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Waits until the other end closes or resets the connection; nothing comes before.
    fn assert_ends_without_a_word(&mut self) {
        let mut left = Vec::new();
        match self.replies.read_to_end(&mut left) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
        assert_eq!(String::from_utf8_lossy(&left), "");
    }

    /// Nothing has come so far.
    fn has_nothing(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

fn encoded(words: &[&str]) -> Vec<u8> {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let (count, words) = (words.len(), words.collect::<String>());
    format!("*{count}\r\n{words}").into_bytes()
}
