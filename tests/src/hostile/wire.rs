//! Where a request or an answer ends. What comes from a real server and a real client is taken for well-formed.

use std::io::{self, BufRead};

/// The bytes of a request and its words; the first two in upper case.
pub(super) fn request(reader: &mut impl BufRead) -> io::Result<(Vec<u8>, Vec<String>)> {
    let mut bytes = Vec::new();
    let count = number(&line(reader, &mut bytes)?)?;
    let mut words = Vec::new();
    for index in 0..count {
        let word = item(reader, &mut bytes)?;
        let word = String::from_utf8_lossy(&word).into_owned();
        words.push(if index < 2 { word.to_uppercase() } else { word });
    }
    Ok((bytes, words))
}

/// The bytes of an answer, or of a push.
pub(super) fn answer(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    frame(reader, &mut bytes)?;
    Ok(bytes)
}

fn frame(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<()> {
    let head = line(reader, bytes)?;
    match head[0] {
        b'$' | b'!' | b'=' => drop(bulk(reader, bytes, number(&head)?)?),
        b'*' | b'~' | b'>' => (0..number(&head)?).try_for_each(|_| frame(reader, bytes))?,
        b'%' => (0..2 * number(&head)?).try_for_each(|_| frame(reader, bytes))?,
        _ => {}
    }
    Ok(())
}

fn item(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let length = number(&line(reader, bytes)?)?;
    bulk(reader, bytes, length)
}

/// The bytes of a string, without its end.
fn bulk(reader: &mut impl BufRead, bytes: &mut Vec<u8>, length: i64) -> io::Result<Vec<u8>> {
    let Ok(length) = usize::try_from(length) else { return Ok(Vec::new()) };
    let mut all = vec![0; length + 2];
    reader.read_exact(&mut all)?;
    bytes.extend_from_slice(&all);
    all.truncate(length);
    Ok(all)
}

/// A line, which is appended to `bytes`, without its end; never an empty one.
fn line(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    bytes.extend_from_slice(&line);
    match line.strip_suffix(b"\r\n") {
        Some(line) if !line.is_empty() => Ok(line.to_vec()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// What stands behind the first byte.
fn number(head: &[u8]) -> io::Result<i64> {
    let text = std::str::from_utf8(&head[1..]).map_err(io::Error::other)?;
    text.parse().map_err(io::Error::other)
}
