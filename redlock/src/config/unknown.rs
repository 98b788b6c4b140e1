//! Keys and tables that do not exist, and what may have been meant.

use super::document::{Entry, Table};
use super::error::{ConfigError, ConfigErrorKind};
use super::store::Backend;
use super::timing;

/// An error if the table of `backend` has a key that it should not have.
pub(super) fn refuse_keys(table: &Table<'_>, backend: Backend) -> Result<(), ConfigError> {
    let known: Vec<_> = backend.own_keys().iter().copied().chain(timing::KEYS).collect();
    match table.entries().find(|entry| !known.contains(&entry.key)) {
        Some(entry) => Err(key(&entry, &known)),
        None => Ok(()),
    }
}

pub(super) fn key(entry: &Entry<'_>, known: &[&str]) -> ConfigError {
    let problem = match closest(entry.key, known) {
        Some(close) => format!("there is no such key; did you mean {close}?"),
        None => format!("there is no such key; expected one of {}", known.join(", ")),
    };
    entry.error(ConfigErrorKind::UnknownKey, problem)
}

pub(super) fn table(entry: &Entry<'_>) -> ConfigError {
    let problem = match closest(entry.key, &Backend::ALL.map(Backend::name)) {
        Some(close) => format!("there is no such table; did you mean [lock.{close}]? Known are {}", tables()),
        None => format!("there is no such table; known are {}", tables()),
    };
    entry.error(ConfigErrorKind::UnknownBackend, problem)
}

/// All tables, for error messages.
pub(super) fn tables() -> String {
    Backend::ALL.map(|backend| format!("[lock.{}]", backend.name())).join(", ")
}

/// The known name that differs least, if it is a slip of the pen: another case or style, or two letters.
fn closest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    const SLIP: usize = 2;
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let name = plain(name);
    known
        .iter()
        .map(|&known| (strsim::damerau_levenshtein(&plain(known), &name), known))
        .min()
        .filter(|&(distance, known)| distance <= SLIP.min(known.len() / 2))
        .map(|(_, known)| known)
}
