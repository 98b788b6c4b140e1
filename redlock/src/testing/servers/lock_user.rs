//! The ACL user as whom a server's clients log in, with the least rights with which the library works.

use rand::TryRng;
use rand::rngs::SysRng;
use std::io;

pub(super) const NAME: &str = "locker";

/// What it may do unless something else is asked for.
#[cfg(feature = "redis")]
pub(super) fn documented_rights() -> Option<String> {
    Some(crate::backend::redis::RedisConfig::new("localhost").restart_guard(true).acl_rule())
}

/// Without the backend nobody logs in as a user.
#[cfg(not(feature = "redis"))]
pub(super) fn documented_rights() -> Option<String> {
    None
}

/// 160 random bits; no character has a meaning in a URL.
pub(super) fn new_password() -> io::Result<String> {
    let mut bytes = [0; 20];
    SysRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.map(|byte| format!("{byte:02x}")).concat())
}

/// The line of a server's configuration file.
pub(super) fn directive(rights: &str, password: &str) -> String {
    let quoted = |word: &str| format!(" \"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""));
    let rights: String = rights.split_ascii_whitespace().map(quoted).collect();
    format!("user {NAME} reset on >{password}{rights}\n")
}
