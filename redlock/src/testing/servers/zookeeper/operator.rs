//! What an operator sees of a server: four-letter words, and reads in its protocol, each on a connection of its own.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(3);
const GET_DATA: i32 = 4;
const GET_CHILDREN: i32 = 8;
const CLOSE: i32 = -11;
const NO_NODE: i32 = -101;
const NO_AUTH: i32 = -102;

fn open(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The answer to a four-letter word.
pub(super) fn word(port: u16, word: &str) -> io::Result<String> {
    let mut stream = open(port)?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

pub(super) fn children(port: u16, path: &str) -> io::Result<Option<Vec<String>>> {
    let Some(body) = read(port, GET_CHILDREN, path)? else { return Ok(None) };
    let mut rest = body.as_slice();
    let count = usize::try_from(number(&mut rest)?).map_err(io::Error::other)?;
    let names = (0..count).map(|_| String::from_utf8(buffer(&mut rest)?).map_err(io::Error::other));
    names.collect::<io::Result<_>>().map(Some)
}

pub(super) fn data(port: u16, path: &str) -> io::Result<Option<Vec<u8>>> {
    read(port, GET_DATA, path)?.map(|body| buffer(&mut body.as_slice())).transpose()
}

/// Opens a session, reads what is at `path`, and closes it.
fn read(port: u16, operation: i32, path: &str) -> io::Result<Option<Vec<u8>>> {
    let mut stream = open(port)?;
    let mut hello = Vec::new();
    hello.extend(0_i32.to_be_bytes());
    hello.extend(0_i64.to_be_bytes());
    hello.extend(10_000_i32.to_be_bytes());
    hello.extend(0_i64.to_be_bytes());
    hello.extend(16_i32.to_be_bytes());
    hello.extend([0; 17]);
    send(&mut stream, &hello)?;
    receive(&mut stream)?;

    // The newest state, also from a server that lags behind.
    let mut sync = request(1, 9);
    put(&mut sync, "/");
    send(&mut stream, &sync)?;
    receive(&mut stream)?;

    let mut question = request(2, operation);
    put(&mut question, path);
    question.push(0);
    send(&mut stream, &question)?;
    let answer = receive(&mut stream)?;
    send(&mut stream, &request(3, CLOSE))?;
    let _ = receive(&mut stream);

    let mut rest = answer.get(12..).ok_or(io::ErrorKind::UnexpectedEof)?;
    match number(&mut rest)? {
        0 => Ok(Some(rest.to_vec())),
        NO_NODE => Ok(None),
        NO_AUTH => Err(io::ErrorKind::PermissionDenied.into()),
        code => Err(io::Error::other(format!("the server answered with code {code}"))),
    }
}

fn request(id: i32, operation: i32) -> Vec<u8> {
    [id.to_be_bytes(), operation.to_be_bytes()].concat()
}

fn put(request: &mut Vec<u8>, text: &str) {
    request.extend((text.len() as u32).to_be_bytes());
    request.extend(text.as_bytes());
}

fn send(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let mut frame = (body.len() as u32).to_be_bytes().to_vec();
    frame.extend(body);
    stream.write_all(&frame)
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn number(rest: &mut &[u8]) -> io::Result<i32> {
    let (bytes, after) = rest.split_first_chunk::<4>().ok_or(io::ErrorKind::UnexpectedEof)?;
    *rest = after;
    Ok(i32::from_be_bytes(*bytes))
}

fn buffer(rest: &mut &[u8]) -> io::Result<Vec<u8>> {
    let length = usize::try_from(number(rest)?).unwrap_or(0);
    let (bytes, after) = rest.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
    *rest = after;
    Ok(bytes.to_vec())
}
