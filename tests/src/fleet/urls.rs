//! Nodes that somebody else runs: nothing is done to them, and only keys of locks are written.

use std::time::Duration;

use fred::types::Value;
use redlock::backend::redis::RedisConfig;

use super::{Action, ActionKind, Fleet, FleetError, ask, text};

/// How long a server may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Servers of somebody else, by their URLs. What goes wrong there can only be the ways to them, and clients.
pub struct UrlFleet {
    /// With passwords.
    urls: Vec<String>,
    addresses: Vec<String>,
    prefix: String,
    program: String,
}

impl UrlFleet {
    /// What the keys of a run begin with on servers that others may lock on.
    pub const PREFIX: &str = "redlock-chaos";

    /// Takes `redis://` URLs, and asks each server what it is. Clients lock under the library's default prefix.
    ///
    /// # Errors
    /// [`FleetError::Failed`] if a URL is none or asks for TLS, or a server does not answer. No URL is repeated.
    pub fn new(urls: Vec<String>) -> Result<Self, FleetError> {
        Self::with_prefix(urls, RedisConfig::DEFAULT_PREFIX)
    }

    /// The same for another prefix.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_prefix(urls: Vec<String>, prefix: &str) -> Result<Self, FleetError> {
        let addresses =
            (1..).zip(&urls).map(|(number, url)| address(number, url)).collect::<Result<_, _>>()?;
        let mut fleet = Self { urls, addresses, prefix: prefix.to_owned(), program: String::new() };
        let mut programs = Vec::new();
        for node in 0..fleet.urls.len() {
            let info = fleet.ask(node, &["INFO", "server"])?.into_string().unwrap_or_default();
            programs.push(text::program(&info));
        }
        programs.sort_unstable();
        programs.dedup();
        fleet.program = programs.join(", ");
        Ok(fleet)
    }

    fn ask(&self, node: usize, command: &[&str]) -> Result<Value, FleetError> {
        let url = text::pick(self, &self.urls, node)?;
        ask(url, command, LIMIT).map_err(|detail| {
            let name = command.first().copied().unwrap_or_default();
            FleetError::Failed { node: self.addresses[node].clone(), detail: format!("{name}: {detail}") }
        })
    }
}

impl Fleet for UrlFleet {
    fn kind(&self) -> &'static str {
        "urls"
    }

    fn server(&self) -> String {
        self.program.clone()
    }

    fn addresses(&self) -> Vec<String> {
        self.addresses.clone()
    }

    fn config(&self, reached_at: &[String]) -> String {
        let urls: Vec<_> =
            self.urls.iter().zip(reached_at).map(|(url, address)| text::redirected(url, address)).collect();
        text::config(&urls, &self.prefix)
    }

    fn actions(&self) -> Vec<ActionKind> {
        Vec::new()
    }

    fn act(&self, _node: usize, action: Action) -> Result<(), FleetError> {
        Err(FleetError::Unsupported { fleet: self.kind(), action })
    }

    /// Looks through all keys of the server, which its user must be allowed to: `+scan`.
    fn lock_keys(&self, node: usize, prefix: &str) -> Result<Vec<String>, FleetError> {
        let mut found = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let page = self.ask(node, &["SCAN", &cursor, "COUNT", "1000"])?;
            let (next, keys): (String, Vec<String>) = page.convert().map_err(|error| FleetError::Failed {
                node: self.addresses[node].clone(),
                detail: format!("SCAN: {error}"),
            })?;
            found.extend(keys.into_iter().filter(|key| text::is_lock_key(key, prefix)));
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
        // A server may name a key twice.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

impl std::fmt::Debug for UrlFleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UrlFleet").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// `HOST:PORT`; says what is wrong with the URL without repeating it.
fn address(number: usize, url: &str) -> Result<String, FleetError> {
    let refused = |detail: String| FleetError::Failed { node: format!("URL {number}"), detail };
    if url.starts_with("rediss://") {
        return Err(refused(
            "it asks for TLS, but clients reach the server through a proxy at another address, which its certificate \
             does not name; expected redis://, to a port without TLS"
                .to_owned(),
        ));
    }
    let config = RedisConfig::from_url(url).map_err(|error| refused(error.to_string()))?;
    let address = config.address();
    Ok(address.split_once('/').map_or(address.as_str(), |(server, _)| server).to_owned())
}
