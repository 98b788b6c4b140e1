//! Redis servers to measure against. The only place that knows how they are started.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::Result;

const START_LIMIT: Duration = Duration::from_secs(20);

/// Independent servers without persistence on free ports of the loopback; killed when dropped.
pub struct Fleet {
    servers: Vec<Server>,
}

struct Server {
    process: Child,
    port: u16,
}

impl Fleet {
    /// Starts `n` servers and waits until each answers.
    ///
    /// # Errors
    /// `redis-server` is not installed, or a server does not answer within 20 s.
    pub fn start(n: usize) -> Result<Self> {
        let fleet = Self { servers: (0..n).map(|_| Server::start()).collect::<Result<_>>()? };
        for server in &fleet.servers {
            server.wait_until_ready()?;
        }
        Ok(fleet)
    }

    /// `redis://127.0.0.1:port`, one per server.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| format!("redis://127.0.0.1:{}", server.port)).collect()
    }
}

impl Server {
    fn start() -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start redis-server (is it installed?): {error}"))?;
        Ok(Self { process, port })
    }

    fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !self.answers() {
            if Instant::now() > deadline {
                return Err(format!("redis-server on port {} does not answer", self.port).into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        let ping = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\n")?;
            let mut reply = String::new();
            BufReader::new(stream).read_line(&mut reply)?;
            Ok(reply)
        };
        ping().is_ok_and(|reply| reply == "+PONG\r\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
