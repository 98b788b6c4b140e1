//! How an ensemble is set up, and what of that can hurt locks.

use std::sync::Arc;

use etcd_client::{AlarmAction, AlarmType, Client, GetOptions, StatusResponse};

use super::core::Core;
use super::failure::Failure;
use super::keys::TOP;
use super::member::Member;
use super::txn;
use crate::id::Instant;
use crate::node::{Effect, Examination, FindingKind, Identity, NodeErrorKind, Severity};

/// The oldest version that is accepted, and the newest one that is known to us.
const OLDEST: (u32, u32) = (3, 4);
const NEWEST_MAJOR: u32 = 3;
/// The quota where none is set; etcd 3.4 and 3.5 do not tell theirs.
const DEFAULT_QUOTA: u64 = 2 << 30;
/// How many round trips are measured.
const ROUND_TRIPS: usize = 3;

impl Core {
    /// Who the ensemble is. A majority answers, and the user may read.
    pub(super) async fn probe(self: Arc<Self>, until: Instant) -> Result<Identity, Failure> {
        let status = self.status(until).await.map_err(Failure::harmless)?;
        let version = supported(status.version())?;
        let request = |client: Client| async move { client.kv_client().get(TOP, None).await };
        let top = self.ensemble.call(until, request).await.map_err(Failure::harmless)?;
        let ceiling = top.kvs().first().map(|key| txn::number(key.value())).transpose()?.unwrap_or(0);
        let instance = top.header().map(|header| format!("{:016x}", header.cluster_id()));
        Ok(Identity { instance, version: Some(version), ceiling: Some(ceiling) })
    }

    async fn status(&self, until: Instant) -> Result<StatusResponse, Failure> {
        self.ensemble.call(until, |client| async move { client.maintenance_client().status().await }).await
    }

    pub(super) async fn examine(self: Arc<Self>, until: Instant) -> Result<Examination, Failure> {
        let status = self.status(until).await.map_err(Failure::harmless)?;
        let mut findings = vec![self.version(&status)];
        findings.push(other(
            Severity::Good,
            "a majority of the members has a lock on disk before it is granted".to_owned(),
            None,
        ));
        self.members_found(until, &mut findings).await;
        self.rights_found(until, &mut findings).await;
        findings.push(size(&status));
        self.alarms_found(until, &mut findings).await;
        if self.ensemble.members().iter().all(|member| member.has_tls()) {
            findings.push(FindingKind::Encrypted);
        }
        let mut examination = Examination::new(findings);
        for _ in 0..ROUND_TRIPS {
            let sent = self.env.now();
            if self.status(until).await.is_ok() {
                examination.round_trips.push(self.env.now().saturating_since(sent));
            }
        }
        Ok(examination)
    }

    fn version(&self, status: &StatusResponse) -> FindingKind {
        let version = status.version().to_owned();
        match numbers(&version) {
            Some((major, _)) if major > NEWEST_MAJOR => other(
                Severity::Note,
                format!("it is version {version}, which is newer than this library knows"),
                Some("look for a newer release of this library".to_owned()),
            ),
            _ => FindingKind::Version { version },
        }
    }

    /// How many members there are, and which of those that we were given answer.
    async fn members_found(&self, until: Instant, findings: &mut Vec<FindingKind>) {
        let request = |client: Client| async move { client.cluster_client().member_list().await };
        match self.ensemble.call(until, request).await {
            Ok(list) => findings.push(count(list.members().len(), self.ensemble.members().len())),
            Err(failure) => findings.push(unreadable("its members", &failure)),
        }
        for member in self.ensemble.members() {
            match self.ask_member(member, until).await {
                Ok(status) if status.leader() != 0 => {}
                Ok(_) => findings.push(other(
                    Severity::Warning,
                    format!(
                        "its member {} has no leader: it is cut off, or no majority is there",
                        member.address
                    ),
                    Some("see why it does not reach the others".to_owned()),
                )),
                Err(failure) => findings.push(other(
                    Severity::Warning,
                    format!("its member {} does not answer: {}", member.address, failure.detail),
                    Some("start it, or see why it cannot be reached".to_owned()),
                )),
            }
        }
    }

    async fn ask_member(&self, member: &Arc<Member>, until: Instant) -> Result<StatusResponse, Failure> {
        let share = until.saturating_since(self.env.now()) / 4;
        let late = self.env.sleep_until(self.env.now().saturating_add(share));
        let asked = std::pin::pin!(async {
            let client = member.client().await?;
            let status = client.maintenance_client().status().await;
            status.map_err(|error| Failure::of(&error, member.has_tls()))
        });
        match futures::future::select(asked, late).await {
            futures::future::Either::Left((result, _)) => result,
            futures::future::Either::Right(_) => {
                Err(Failure::unreachable(NodeErrorKind::Timeout, format!("no answer within {share:?}")))
            }
        }
    }

    /// Whether the user may read where our keys are. Whether it may write shows with the first lock.
    async fn rights_found(&self, until: Instant, findings: &mut Vec<FindingKind>) {
        let lead = match self.prefix.as_str() {
            "" => "redlock".to_owned(),
            prefix => format!("{prefix}:"),
        };
        for prefix in [lead, "#redlock:".to_owned()] {
            let request = |client: Client| {
                let prefix = prefix.clone();
                let options = GetOptions::new().with_prefix().with_count_only();
                async move { client.kv_client().get(prefix, Some(options)).await }
            };
            match self.ensemble.call(until, request).await {
                Ok(_) => {}
                Err(failure) if failure.kind == NodeErrorKind::Denied => {
                    findings.push(other(
                        Severity::Error,
                        format!("this user may not read keys that begin with {prefix}"),
                        Some(format!(
                            "etcdctl role grant-permission ROLE --prefix=true readwrite '{prefix}'"
                        )),
                    ));
                    return;
                }
                Err(failure) => {
                    findings.push(unreadable("what this user may do", &failure));
                    return;
                }
            }
        }
        findings.push(other(Severity::Good, "this user may read all that is needed".to_owned(), None));
    }

    async fn alarms_found(&self, until: Instant, findings: &mut Vec<FindingKind>) {
        let request = |client: Client| async move {
            client.maintenance_client().alarm(AlarmAction::Get, AlarmType::None, None).await
        };
        let alarms = match self.ensemble.call(until, request).await {
            Ok(alarms) => alarms,
            Err(failure) => return findings.push(unreadable("its alarms", &failure)),
        };
        for alarm in alarms.alarms() {
            let (what, advice) = match alarm.alarm() {
                AlarmType::Nospace => (
                    "its quota is used up: it takes no writes",
                    "compact and defragment it, raise quota-backend-bytes, then `etcdctl alarm disarm`",
                ),
                AlarmType::Corrupt => ("a member's data is corrupt", "restore that member"),
                AlarmType::None => continue,
            };
            findings.push(other(Severity::Error, what.to_owned(), Some(advice.to_owned())));
        }
    }
}

/// Whether a server of this version can be a node.
fn supported(version: &str) -> Result<String, Failure> {
    match numbers(version) {
        Some(numbers) if numbers >= OLDEST => Ok(version.to_owned()),
        _ => {
            let detail = format!("the server is etcd {version}; 3.4 or later is needed");
            Err(Failure { effect: Effect::None, ..Failure::new(NodeErrorKind::Unsupported, detail) })
        }
    }
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    }
}

fn count(members: usize, given: usize) -> FindingKind {
    let tolerates = members.saturating_sub(1) / 2;
    let advice = match (members, given) {
        (1, _) => Some("locks stand still while it is away; give three members or five"),
        _ if members.is_multiple_of(2) => {
            Some("an odd number survives as many failures with one member less")
        }
        _ if given < members => Some("name all members, so that those that are left are asked"),
        _ => None,
    };
    let severity = if advice.is_some() { Severity::Note } else { Severity::Good };
    let what = format!("it has {members} members, of which {tolerates} may fail, and {given} are named here");
    other(severity, what, advice.map(str::to_owned))
}

fn size(status: &StatusResponse) -> FindingKind {
    let used = u64::try_from(status.db_size()).unwrap_or(0);
    let told = u64::try_from(status.db_size_quota()).ok().filter(|&quota| quota > 0);
    let quota = told.unwrap_or(DEFAULT_QUOTA);
    let mib = |bytes: u64| bytes >> 20;
    if used > quota / 5 * 4 {
        let whose =
            if told.is_some() { "its quota" } else { "etcd's default quota; it does not tell its own" };
        return other(
            Severity::Warning,
            format!("its data takes {} MiB of {} MiB ({whose})", mib(used), mib(quota)),
            Some("compact and defragment it, and set auto-compaction-retention".to_owned()),
        );
    }
    other(Severity::Good, format!("its data takes {} MiB", mib(used)), None)
}

fn unreadable(what: &str, failure: &Failure) -> FindingKind {
    FindingKind::Unreadable { what: vec![what.to_owned()], reason: failure.detail.clone() }
}

fn other(severity: Severity, what: String, advice: Option<String>) -> FindingKind {
    FindingKind::Other { severity, what, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_from_3_4_on_can_be_a_node() {
        for version in ["3.4.23", "3.5.0", "3.6.1", "4.0.0-rc.1"] {
            assert_eq!(supported(version).unwrap(), version);
        }
        for version in ["3.3.27", "2.3.8", "", "x"] {
            assert_eq!(supported(version).unwrap_err().kind, NodeErrorKind::Unsupported);
        }
    }

    #[test]
    fn a_member_alone_or_an_even_number_is_noted() {
        let severity = |members, given| match count(members, given) {
            FindingKind::Other { severity, .. } => severity,
            other => panic!("{other:?}"),
        };
        assert_eq!(severity(3, 3), Severity::Good);
        assert_eq!([severity(1, 1), severity(4, 4), severity(3, 1)], [Severity::Note; 3]);
    }
}
