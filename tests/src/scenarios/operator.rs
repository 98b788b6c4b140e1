//! What somebody with `redis-cli` can do to a node: one command on a connection of its own.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a node may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Sends a command as the default user. The reply is a text, a number as text, or the lines of a list; `None` is no value.
pub(super) fn command(address: &str, words: &[&str]) -> io::Result<Option<String>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut request = format!("*{}\r\n", words.len());
    for word in words {
        request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(request.as_bytes())?;
    read_reply(&mut stream)
}

fn read_reply(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let strange = || io::Error::new(ErrorKind::InvalidData, format!("a strange reply: {line:?}"));
    let (kind, rest) = line.trim_end().split_at_checked(1).ok_or_else(strange)?;
    let count = || rest.parse::<i64>().map_err(|_| strange());
    match kind {
        "+" | ":" => Ok(Some(rest.to_owned())),
        "-" => Err(io::Error::other(rest.to_owned())),
        "$" | "*" if count()? < 0 => Ok(None),
        "$" => {
            let mut text = vec![0; usize::try_from(count()?).map_err(|_| strange())? + 2];
            stream.read_exact(&mut text)?;
            text.truncate(text.len() - 2);
            Ok(Some(String::from_utf8_lossy(&text).into_owned()))
        }
        "*" => {
            let lines: Vec<_> = (0..count()?).map(|_| read_reply(stream)).collect::<io::Result<_>>()?;
            Ok(Some(lines.into_iter().flatten().collect::<Vec<_>>().join("\n")))
        }
        _ => Err(strange()),
    }
}
