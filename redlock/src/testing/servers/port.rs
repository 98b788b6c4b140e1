use std::io;
use std::net::TcpListener;

use rand::TryRng as _;
use rand::rngs::SysRng;

/// Below the ports that Linux and macOS give to outgoing connections: while a server is down, none of those takes its
/// port. Far enough below 55535 for a cluster bus, which is the port + 10000.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_767;
const TRIES: u32 = 100;

/// A port that nobody listens on at this moment, outside of those that the system gives to outgoing connections. Somebody
/// else may take it before it is used: try again then.
///
/// # Errors
/// If there is none, or no random bits to choose one.
pub fn free(host: &str) -> io::Result<u16> {
    let mut last_error = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let random = SysRng.try_next_u32().map_err(io::Error::other)?;
        let port = FIRST + (random % u32::from(LAST - FIRST + 1)) as u16;
        match TcpListener::bind((host, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}
