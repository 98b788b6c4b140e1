//! How a client reaches the sets.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Reply, Request, SetKind, Step};

/// A connection to the resource. Every call blocks until it is answered.
pub struct ResourceClient {
    stream: BufReader<UnixStream>,
}

impl ResourceClient {
    /// Connects to the socket of a [`Resource`](super::Resource).
    ///
    /// # Errors
    /// If nobody listens there.
    pub fn connect(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path).map_err(|error| {
            let what = format!("cannot reach the resource at {}: {error}", path.display());
            io::Error::new(error.kind(), what)
        })?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// The version of the set that this lock protects; `None` if the token was refused.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn read(&mut self, set: SetKind, name: &str, token: Option<u64>) -> io::Result<Option<usize>> {
        match self.ask(&Request { name: name.to_owned(), set, token, step: Step::Read })? {
            Reply::Version(version) => Ok(Some(version)),
            Reply::Refused => Ok(None),
            Reply::Done => Err(unexpected(Reply::Done)),
        }
    }

    /// Replaces the set by what that version had and this element; `false` if the token was refused.
    ///
    /// # Errors
    /// If there is no answer; it may have been written nevertheless.
    pub fn write(
        &mut self,
        set: SetKind,
        name: &str,
        token: Option<u64>,
        version: usize,
        element: &str,
    ) -> io::Result<bool> {
        let step = Step::Write { version, element: element.to_owned() };
        match self.ask(&Request { name: name.to_owned(), set, token, step })? {
            Reply::Done => Ok(true),
            Reply::Refused => Ok(false),
            reply @ Reply::Version(_) => Err(unexpected(reply)),
        }
    }

    fn ask(&mut self, request: &Request) -> io::Result<Reply> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        let mut reply = String::new();
        self.stream.read_line(&mut reply)?;
        Ok(serde_json::from_str(&reply)?)
    }
}

fn unexpected(reply: Reply) -> io::Error {
    io::Error::other(format!("the resource answers {reply:?}, which is not what it was asked"))
}
