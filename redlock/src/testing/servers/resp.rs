//! A tiny blocking Redis client for assertions: one connection a command, RESP2.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What a Redis server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// No such key or element.
    Nil,
    /// A number.
    Integer(i64),
    /// A simple or bulk string; bytes that are not UTF-8 are replaced.
    Text(String),
    /// A list of replies.
    Array(Vec<Reply>),
    /// An error, in the server's own words.
    Error(String),
}

impl Reply {
    /// The string, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The strings of a list; empty if it is none.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::Array(items) => items.iter().filter_map(Self::text).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects; `limit` bounds the connecting and each wait for the peer.
    pub(super) fn open(address: &str, limit: Duration) -> io::Result<Self> {
        let address = address.parse().map_err(io::Error::other)?;
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub(super) fn call(&mut self, command: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        read_reply(&mut self.stream)
    }
}

fn read_reply(stream: &mut impl BufRead) -> io::Result<Reply> {
    let line = read_line(stream)?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| malformed(&line))?;
    let number = || rest.parse::<i64>().map_err(|_| malformed(&line));
    match kind {
        "+" => Ok(Reply::Text(rest.to_owned())),
        "-" => Ok(Reply::Error(rest.to_owned())),
        ":" => Ok(Reply::Integer(number()?)),
        "$" => match u64::try_from(number()?) {
            Ok(length) => read_bulk(stream, length),
            Err(_) => Ok(Reply::Nil),
        },
        "*" => match u64::try_from(number()?) {
            Ok(length) => {
                (0..length).map(|_| read_reply(stream)).collect::<io::Result<_>>().map(Reply::Array)
            }
            Err(_) => Ok(Reply::Nil),
        },
        _ => Err(malformed(&line)),
    }
}

fn read_bulk(stream: &mut impl BufRead, length: u64) -> io::Result<Reply> {
    let mut bytes = Vec::new();
    stream.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length || !read_line(stream)?.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a RESP reply: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &str) -> io::Result<Reply> {
        read_reply(&mut bytes.as_bytes())
    }

    #[test]
    fn every_kind_of_reply_is_read() {
        assert_eq!(read("+OK\r\n").expect("read"), Reply::Text("OK".into()));
        assert_eq!(read("-ERR no\r\n").expect("read"), Reply::Error("ERR no".into()));
        assert_eq!(read(":-2\r\n").expect("read"), Reply::Integer(-2));
        assert_eq!(read("$4\r\na\r\nb\r\n").expect("read"), Reply::Text("a\r\nb".into()));
        assert_eq!(read("$-1\r\n").expect("read"), Reply::Nil);
        assert_eq!(read("*2\r\n$1\r\na\r\n:1\r\n").expect("read").texts(), ["a"]);
    }

    #[test]
    fn a_reply_that_is_cut_short_or_malformed_is_an_error() {
        for bytes in ["", "+OK", "$4\r\nab\r\n", "*2\r\n:1\r\n", "?\r\n", ":x\r\n", "\r\n"] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
