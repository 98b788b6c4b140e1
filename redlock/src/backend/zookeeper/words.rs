//! What a member says to a four-letter word: a connection of its own, a word, and the answer until it closes.

use futures::future::{Either, select};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::shared::Shared;

/// Longer answers are cut off.
const LONGEST: u64 = 64 * 1_024;

/// The version and the mode (`leader`, `follower`, `standalone`) of the first member that says them.
pub(super) async fn about(shared: &Shared) -> Result<About, String> {
    // The port takes nothing but TLS then.
    if shared.config.tls.is_some() {
        return Err("four-letter words are not asked for over TLS".to_owned());
    }
    let mut reason = String::new();
    for member in &shared.config.members {
        let late = shared.env.sleep_until(shared.env.now().saturating_add(shared.config.connect_timeout));
        let asked = std::pin::pin!(ask(member, b"srvr"));
        let answer = match select(asked, late).await {
            Either::Left((answer, _)) => answer.map_err(|error| error.to_string()),
            Either::Right(_) => Err("no answer in time".to_owned()),
        };
        match answer.and_then(|text| About::parse(&text)) {
            Ok(about) => return Ok(about),
            Err(problem) => reason = format!("{member}: {problem}"),
        }
    }
    Err(reason)
}

async fn ask(member: &str, word: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(member).await?;
    stream.write_all(word).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) version: String,
    pub(super) mode: String,
}

impl About {
    fn parse(text: &str) -> Result<Self, String> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        // "3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on ..."
        let version = field("Zookeeper version: ").and_then(|line| line.split([',', '-', ' ']).next());
        match (version.filter(|version| !version.is_empty()), field("Mode: ")) {
            (Some(version), Some(mode)) => Ok(Self { version: version.to_owned(), mode: mode.to_owned() }),
            _ => Err("it does not answer `srvr` (4lw.commands.whitelist)".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_and_mode_are_read_and_a_refusal_is_none() {
        let text = "Zookeeper version: 3.8.0-5a02a05, built on 2022-02-25 08:49 UTC\nOutstanding: 0\nMode: follower\n";
        let about = About { version: "3.8.0".into(), mode: "follower".into() };
        assert_eq!(About::parse(text).unwrap(), about);
        assert!(About::parse("srvr is not executed because it is not in the whitelist.\n").is_err());
        assert!(About::parse("This ZooKeeper instance is not currently serving requests\n").is_err());
    }
}
