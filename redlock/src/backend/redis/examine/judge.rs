//! Judges what a server said of itself. Pure.

use std::time::Duration;

use super::super::identity::field;
use super::{Readings, SETTINGS};
use crate::node::{FindingKind, Persistence, is_this_machine};

/// Why something could not be read, in the server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread(String);

impl Unread {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Without the arguments that a server repeats, so that what has one reason is told as one.
pub(super) fn unread(failure: &str) -> Unread {
    let reason = failure.split_once(", with args").map_or(failure, |(reason, _)| reason);
    Unread::new(reason)
}

/// Who we are there.
pub(super) struct Client<'a> {
    pub(super) user: &'a str,
    pub(super) host: &'a str,
    pub(super) has_tls: bool,
    pub(super) has_password: bool,
}

pub(super) fn eviction_policy(info: &str) -> Option<&str> {
    field(info, "maxmemory_policy")
}

/// Whether the default user must be asked for: where nobody but this machine gets in it does not matter, and who logs in
/// as that user knows.
pub(super) fn asks_for_default_user(host: &str, username: Option<&str>) -> bool {
    !is_this_machine(host) && username.is_some_and(|user| user != "default")
}

/// The value in an answer to CONFIG GET.
pub(super) fn setting(answer: Option<&[&str]>, name: &str) -> Result<String, Unread> {
    match answer {
        Some([found, value]) if *found == name => Ok((*value).to_owned()),
        _ => Err(Unread::new("the server does not tell it")),
    }
}

/// What an answer to ACL DRYRUN says is missing. The words are those of Redis 7 and Valkey; in others the whole answer stands.
pub(super) fn missing_right(answer: &str, command: &str, pattern: &str) -> Option<String> {
    match answer {
        "OK" => None,
        _ if answer.contains("permissions to run") => Some(command.to_owned()),
        _ => Some(format!("{command} on keys {pattern}")),
    }
}

pub(super) fn judge(readings: &Readings, client: &Client<'_>) -> Vec<FindingKind> {
    let mut judgement = Judgement { info: &readings.info, found: Vec::new(), unread: Vec::new() };
    judgement.place();
    judgement.memory();
    judgement.disk(readings);
    judgement.connections(readings);
    judgement.access(readings, client);
    judgement.unreadable();
    judgement.found
}

struct Judgement<'a> {
    info: &'a str,
    found: Vec<FindingKind>,
    /// What is not known, and why.
    unread: Vec<(String, Unread)>,
}

impl Judgement<'_> {
    /// Where it stands among servers.
    fn place(&mut self) {
        if let Some(version) = field(self.info, "redis_version") {
            self.found.push(FindingKind::Version { version: version.to_owned() });
        }
        match field(self.info, "cluster_enabled") {
            Some("0") => self.found.push(FindingKind::IndependentMaster),
            Some(_) => self.found.push(FindingKind::ClusterMember),
            None => self.not_in_info("cluster_enabled"),
        }
        match self.number("connected_slaves") {
            Some(0) => {}
            Some(count) => self.found.push(FindingKind::HasReplicas { count }),
            None => self.not_in_info("connected_slaves"),
        }
        if field(self.info, "loading") == Some("1") {
            self.found.push(FindingKind::Loading);
        }
    }

    fn memory(&mut self) {
        let Some(policy) = eviction_policy(self.info) else { return self.not_in_info("maxmemory_policy") };
        let maxmemory = self.number("maxmemory");
        match (policy, maxmemory) {
            ("noeviction", _) => self.found.push(FindingKind::NeverEvicts),
            // Every policy but that one may evict keys with a TTL, which all locks have.
            (_, Some(maxmemory)) => {
                self.found.push(FindingKind::Evicts { policy: policy.to_owned(), maxmemory });
            }
            (_, None) => self.not_in_info("maxmemory"),
        }
        if let (Some(used), Some(maxmemory @ 1..)) = (self.number("used_memory"), maxmemory)
            && is_nearly(used, maxmemory)
        {
            self.found.push(FindingKind::MemoryNearlyFull { used, maxmemory });
        }
    }

    fn disk(&mut self, readings: &Readings) {
        let [fsync, save, _, _, stops] = &readings.settings;
        match (field(self.info, "aof_enabled"), fsync, save) {
            (Some("1"), Ok(fsync), _) if fsync == "always" => self.found.push(FindingKind::Durable),
            (Some("1"), Ok(fsync), _) => self.forgets(Persistence::AppendOnly { fsync: fsync.clone() }),
            (Some("1"), Err(why), _) => self.unread.push((SETTINGS[0].to_owned(), why.clone())),
            (Some(_), _, Ok(save)) if save.is_empty() => self.forgets(Persistence::Nothing),
            (Some(_), _, Ok(_)) => self.forgets(Persistence::Snapshots),
            (Some(_), _, Err(_)) => self.forgets(Persistence::NoAppendOnlyFile),
            (None, ..) => self.not_in_info("aof_enabled"),
        }
        if field(self.info, "aof_last_write_status").is_some_and(|status| status != "ok") {
            self.found.push(FindingKind::DiskFails { file: "append only file" });
        }
        if field(self.info, "rdb_last_bgsave_status").is_some_and(|status| status != "ok") {
            match (stops, save) {
                // It goes on without snapshots.
                (Ok(stops), _) if stops == "no" => {}
                (_, Ok(save)) if save.is_empty() => {}
                (Ok(_), Ok(_)) => self.found.push(FindingKind::DiskFails { file: "snapshot" }),
                (Err(why), _) | (_, Err(why)) => {
                    let what = "whether it takes locks although its last snapshot failed";
                    self.unread.push((what.to_owned(), why.clone()));
                }
            }
        }
    }

    fn forgets(&mut self, persistence: Persistence) {
        self.found.push(FindingKind::ForgetsOnRestart { persistence });
    }

    fn connections(&mut self, readings: &Readings) {
        let [_, _, timeout, maxclients, _] = &readings.settings;
        match timeout.as_ref().map(|seconds| seconds.parse()) {
            Ok(Ok(0)) => {}
            Ok(Ok(seconds)) => {
                self.found.push(FindingKind::ClosesIdle { after: Duration::from_secs(seconds) });
            }
            Ok(Err(_)) => self.unread.push(("timeout".to_owned(), Unread::new("it is no number"))),
            Err(why) => self.unread.push(("timeout".to_owned(), why.clone())),
        }
        // INFO has it in newer versions only.
        let limit =
            self.number("maxclients").map_or_else(|| maxclients.clone(), |limit| Ok(limit.to_string()));
        match (self.number("connected_clients"), limit.map(|limit| limit.parse())) {
            (Some(connected), Ok(Ok(limit))) if is_nearly(connected, limit) => {
                self.found.push(FindingKind::ClientsNearlyFull { connected, limit });
            }
            (Some(_), Ok(Ok(_))) => {}
            (_, Err(why)) => self.unread.push(("maxclients".to_owned(), why)),
            _ => self.not_in_info("connected_clients"),
        }
    }

    fn access(&mut self, readings: &Readings, client: &Client<'_>) {
        match &readings.missing {
            Ok(missing) if missing.is_empty() => self.found.push(FindingKind::Permitted),
            Ok(missing) => {
                let (user, missing) = (client.user.to_owned(), missing.clone());
                self.found.push(FindingKind::NotPermitted { user, missing });
            }
            Err(why) => {
                let what = format!("what user {} may do (ACL DRYRUN, Redis 7)", client.user);
                self.unread.push((what, why.clone()));
            }
        }
        match client.has_tls {
            true => self.found.push(FindingKind::Encrypted),
            false if is_this_machine(client.host) => {}
            false => self.found.push(FindingKind::PlainText),
        }
        match &readings.open {
            Some(Ok(true)) => self.found.push(FindingKind::NoPassword),
            Some(Ok(false)) => {}
            Some(Err(why)) => {
                self.unread.push(("whether its default user has a password".to_owned(), why.clone()));
            }
            // We are that user ourselves, and were let in.
            None if !client.has_password && !is_this_machine(client.host) => {
                self.found.push(FindingKind::NoPassword);
            }
            None => {}
        }
    }

    /// What could not be read, by reason.
    fn unreadable(&mut self) {
        for (what, Unread(reason)) in std::mem::take(&mut self.unread) {
            let known = self.found.iter_mut().find_map(|kind| match kind {
                FindingKind::Unreadable { what, reason: known } if *known == reason => Some(what),
                _ => None,
            });
            match known {
                Some(list) => list.push(what),
                None => self.found.push(FindingKind::Unreadable { what: vec![what], reason }),
            }
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        field(self.info, name)?.parse().ok()
    }

    fn not_in_info(&mut self, name: &str) {
        self.unread.push((name.to_owned(), Unread::new("it is not in the server's INFO")));
    }
}

/// Nine tenths or more.
fn is_nearly(used: u64, limit: u64) -> bool {
    u128::from(used) * 10 >= u128::from(limit) * 9
}

#[cfg(test)]
mod tests;
