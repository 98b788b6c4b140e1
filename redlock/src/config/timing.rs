//! The keys that every table has: how locks are acquired, renewed and given up.

use std::time::Duration;

use super::document::{Entry, Table};
use super::error::ConfigError;
use super::store::Backend;
use crate::DriftFactor;
use crate::id::Ttl;
use crate::settings::{MOST_HANDOFF, Settings};

/// The keys that are read here, and `prefix`.
pub(super) const KEYS: [&str; 13] = [
    "prefix",
    "expiration",
    "maxExpiration",
    "nodeTimeout",
    "driftFactor",
    "acquireInterval",
    "acquireMaxRetries",
    "acquireTimeout",
    "renewLimit",
    "handoff",
    "fencing",
    "fencingRetention",
    "restartGuard",
];

/// The settings of a table that says nothing.
pub(super) fn defaults(backend: Backend) -> Settings {
    const REDLOCK: Ttl = Ttl::from_const(Duration::from_secs(10));
    const DUE: Ttl = Ttl::from_const(Duration::from_secs(3));
    let ttl = match backend {
        Backend::Redlock => REDLOCK,
        _ => DUE,
    };
    // A due service and ours share a lock on one Redis: it knows no quarantine.
    Settings { restart_guard: backend == Backend::Redlock, ..Settings::new(ttl) }
}

pub(super) fn read(table: &Table<'_>, backend: Backend) -> Result<Settings, ConfigError> {
    let mut settings = match table.get("expiration") {
        Some(entry) => {
            Settings { restart_guard: defaults(backend).restart_guard, ..Settings::new(ttl(&entry)?) }
        }
        None => defaults(backend),
    };
    if let Some(entry) = table.get("maxExpiration") {
        settings.max_ttl = ttl(&entry)?;
        if settings.max_ttl < settings.ttl {
            let ttl = settings.ttl.get();
            return Err(entry.invalid(format!("it is shorter than expiration, which is {ttl:?}")));
        }
    }
    if let Some(entry) = table.get("nodeTimeout") {
        settings.node_timeout = Some(at_least_1ms(&entry, "")?);
    }
    if let Some(entry) = table.get("driftFactor") {
        settings.drift_factor =
            DriftFactor::new(entry.number()?).map_err(|problem| entry.invalid(problem.to_string()))?;
    }
    if let Some(entry) = table.get("acquireInterval") {
        settings.acquire_interval = at_least_1ms(&entry, "")?;
    }
    if let Some(entry) = table.get("acquireMaxRetries") {
        settings.max_retries =
            match entry.integer()? {
                ..=0 => None,
                retries => Some(u32::try_from(retries).map_err(|_| {
                    entry.invalid(format!("expected at most {}, or 0 for no limit", u32::MAX))
                })?),
            };
    }
    if let Some(entry) = table.get("acquireTimeout") {
        settings.wait_limit = Some(at_least_1ms(&entry, "; without the key there is no limit")?);
    }
    if let Some(entry) = table.get("renewLimit") {
        settings.renew_limit = Some(at_least_1ms(&entry, "; without the key there is no limit")?);
    }
    if let Some(entry) = table.get("handoff") {
        let handoff = u32::try_from(entry.integer()?).ok().filter(|handoff| *handoff <= MOST_HANDOFF);
        settings.handoff =
            handoff.ok_or_else(|| entry.invalid(format!("expected 0 to {MOST_HANDOFF}, 0 for none")))?;
    }
    if let Some(entry) = table.get("fencingRetention") {
        settings.fencing = Some(at_least_1ms(&entry, "")?);
    }
    let fencing = table.get("fencing").map(|entry| entry.boolean()).transpose()?;
    if fencing == Some(false) {
        settings.fencing = None;
    }
    if let Some(entry) = table.get("restartGuard") {
        settings.restart_guard = entry.boolean()?;
    }
    if let Some(entry) = table.get("trustAof") {
        settings.trust_aof = entry.boolean()?;
        if settings.trust_aof && !settings.restart_guard {
            return Err(entry.invalid("it needs restartGuard = true".to_owned()));
        }
    }
    if let Some(entry) = table.get("nodeSet") {
        let number = u64::try_from(entry.integer()?);
        settings.node_set = number.map_err(|_| entry.invalid("expected 0 or more".to_owned()))?;
    }
    Ok(settings)
}

fn ttl(entry: &Entry<'_>) -> Result<Ttl, ConfigError> {
    Ttl::new(entry.duration()?).map_err(|problem| entry.invalid(problem.to_string()))
}

fn at_least_1ms(entry: &Entry<'_>, hint: &str) -> Result<Duration, ConfigError> {
    const SHORTEST: Duration = Duration::from_millis(1);
    match entry.duration()? {
        duration if duration < SHORTEST => Err(entry.invalid(format!("it must be at least 1ms{hint}"))),
        duration => Ok(duration),
    }
}
