//! Reads how a server is set up, for preflight.

use std::time::Duration;

use super::codec::{Answer, Pipeline};
use super::link::{call, field};
use super::shard::{Session, Shard};
use super::{failure::Failure, keys};
use crate::node::{Examination, FindingKind, Severity, is_this_machine};

type Stats = [(String, String)];

impl Shard {
    pub(super) async fn examine(&self, session: &Session) -> Result<Examination, Failure> {
        let mut round_trips = Vec::new();
        for _ in 0..3 {
            let mut pipeline = Pipeline::new();
            pipeline.get(keys::TOP);
            let answered = call(self, &session.connection, pipeline).await?;
            round_trips.push(answered.received.saturating_since(answered.sent));
        }
        let mut pipeline = Pipeline::new();
        pipeline.stats("");
        pipeline.stats(" settings");
        let answered = call(self, &session.connection, pipeline).await?;
        let [Answer::Stats(stats), Answer::Stats(settings)] = answered.answers.as_slice() else {
            return Err(Failure::nonsense("its answer to stats makes no sense"));
        };
        let host = &self.address.host;
        let has_tls = self.config.tls.is_some();
        let mut examination = Examination::new(judge(stats, settings, host, has_tls, &session.version));
        examination.host = Some(host.clone());
        examination.clock = self.clock().reading();
        examination.round_trips = round_trips;
        Ok(examination)
    }
}

fn other(severity: Severity, what: impl Into<String>, advice: &str) -> FindingKind {
    FindingKind::Other { severity, what: what.into(), advice: Some(advice.to_owned()) }
}

/// What the settings mean for locks.
fn judge(stats: &Stats, settings: &Stats, host: &str, has_tls: bool, version: &str) -> Vec<FindingKind> {
    let number = |stats: &Stats, name| field(stats, name).and_then(|text| text.parse::<u64>().ok());
    let is = |name, value| field(settings, name) == Some(value);
    let mut findings = vec![
        FindingKind::Version { version: version.to_owned() },
        other(
            Severity::Warning,
            "a restart loses all locks",
            "the restart guard covers it; without that, keep it away for maxExpiration after one",
        ),
    ];
    let (used, limit) = (number(stats, "bytes"), number(settings, "maxbytes"));
    match field(settings, "evictions") {
        Some("off") => {
            findings.push(FindingKind::NeverEvicts);
            if is("slab_reassign", "yes") {
                findings.push(other(
                    Severity::Note,
                    "moves memory between sizes of items (slab_reassign yes), and may drop items for that when it is full",
                    "start it with -o no_slab_reassign, or give it far more memory than it uses",
                ));
            }
        }
        Some(_) => findings.push(other(
            Severity::Warning,
            "evicts items when its memory is full, locks among them",
            "start it with -M, which refuses new items instead, and use it for locks alone",
        )),
        None => findings.push(FindingKind::Unreadable {
            what: vec!["evictions".to_owned()],
            reason: "it is not among its settings".to_owned(),
        }),
    }
    if let Some(evictions) = number(stats, "evictions").filter(|&evictions| evictions > 0) {
        findings.push(other(
            Severity::Warning,
            format!("has evicted {evictions} items since it was started"),
            "give it more memory (-m), and start it with -M",
        ));
    }
    if let (Some(used), Some(limit)) = (used, limit)
        && limit > 0
        && used >= limit / 10 * 9
    {
        findings.push(other(
            Severity::Warning,
            format!("its memory is nearly full ({used} of {limit} bytes)"),
            "give it more memory (-m), or move other data elsewhere",
        ));
    }
    if is("flush_enabled", "yes") {
        findings.push(other(
            Severity::Note,
            "takes flush_all, which forgets all locks",
            "start it with -F; with the restart guard nothing is granted for maxExpiration after one",
        ));
    }
    if let (Some(connected), Some(limit)) = (number(stats, "curr_connections"), number(settings, "maxconns"))
        && connected >= limit / 10 * 9
    {
        findings.push(FindingKind::ClientsNearlyFull { connected, limit });
    }
    if let Some(after) = number(settings, "idle_timeout").filter(|&after| after > 0) {
        findings.push(FindingKind::ClosesIdle { after: Duration::from_secs(after) });
    }
    if has_tls {
        findings.push(FindingKind::Encrypted);
    } else if !is_this_machine(host) {
        findings.push(other(
            Severity::Warning,
            "everything goes over the network in plain text",
            "use TLS (memcacheds://), or a network that nobody else can read",
        ));
    }
    if is("auth_enabled_ascii", "no") && !is_this_machine(host) {
        findings.push(other(
            Severity::Warning,
            "whoever reaches it may do everything",
            "start it with -Y and a file of users, and log in",
        ));
    }
    findings
}
