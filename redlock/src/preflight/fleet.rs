//! Judges the nodes one by one, and together. Pure.

use std::sync::Arc;
use std::time::Duration;

use super::{Finding, FindingKind, Looked, Measure};
use crate::node::{ClockReading, Examination, Identity, NodeError, NodeErrorKind, is_this_machine};

/// A round trip that takes more than this part of the node timeout leaves too little for a slow moment.
const SHARE_OF_TIMEOUT: u32 = 4;

pub(super) fn judge(looked: &[Looked], measure: Measure) -> Vec<Finding> {
    let mut findings: Vec<Finding> = together(looked, measure).map(|kind| Finding::new(None, kind)).collect();
    let clocks = Clocks::of(looked);
    for Looked { address, answer } in looked {
        let kinds = match answer {
            Ok((_, examination)) => {
                let mut kinds = examination.findings.clone();
                if kinds.is_empty() {
                    kinds.push(FindingKind::NotExamined);
                }
                kinds.extend(clocks.as_ref().and_then(|clocks| clocks.judge(examination, measure)));
                kinds.extend(speed(examination, measure));
                kinds
            }
            Err(error) => vec![failed(error)],
        };
        findings.extend(kinds.into_iter().map(|kind| Finding::new(Some(Arc::clone(address)), kind)));
    }
    findings
}

fn failed(error: &NodeError) -> FindingKind {
    let error = error.clone();
    match error.kind {
        // Of a probe: a replica. It does not become a master by waiting.
        NodeErrorKind::ReadOnly => FindingKind::Unusable { error },
        kind if kind.is_transient() => FindingKind::Unreachable { error },
        _ => FindingKind::Unusable { error },
    }
}

fn together(looked: &[Looked], measure: Measure) -> impl Iterator<Item = FindingKind> {
    let nodes = looked.len();
    let answers = || looked.iter().filter_map(|looked| Some((&looked.address, looked.answer.as_ref().ok()?)));
    let mut kinds = Vec::new();

    let usable = answers().count();
    if usable < measure.quorum.size() {
        kinds.push(FindingKind::NoQuorum { usable, needed: measure.quorum.size() });
    }
    let instances =
        answers().filter_map(|(address, (identity, _))| Some((address, identity.instance.as_ref()?)));
    let instances: Vec<_> = instances.collect();
    for (index, (second, instance)) in instances.iter().enumerate() {
        let earlier = instances.iter().take(index).find(|(_, earlier)| earlier == instance);
        kinds.extend(earlier.map(|(first, _)| FindingKind::SameServer {
            first: Arc::clone(first),
            second: Arc::clone(second),
        }));
    }
    if nodes == 1 && answers().any(|(_, (_, examination))| examination.host.is_some()) {
        kinds.push(FindingKind::SingleNode);
    }
    if nodes.is_multiple_of(2) {
        kinds.push(FindingKind::EvenNodes { nodes });
    }
    kinds.extend(same_hosts(answers()));

    let differ = |values: Vec<(Arc<str>, String)>| {
        let differ = values.iter().any(|(_, value)| values.first().is_some_and(|(_, first)| first != value));
        differ.then_some(values)
    };
    let versions = answers().filter_map(|(address, (identity, _))| pair(address, identity.version.as_ref()));
    kinds.extend(differ(versions.collect()).map(|versions| FindingKind::VersionsDiffer { versions }));
    let policies = answers().filter_map(|(address, (_, seen))| pair(address, seen.eviction_policy.as_ref()));
    kinds.extend(differ(policies.collect()).map(|policies| FindingKind::PoliciesDiffer { policies }));
    kinds.into_iter()
}

fn pair(address: &Arc<str>, value: Option<&String>) -> Option<(Arc<str>, String)> {
    Some((Arc::clone(address), value?.clone()))
}

/// The nodes that share a host with another one, by host.
fn same_hosts<'a>(
    answers: impl Iterator<Item = (&'a Arc<str>, &'a (Identity, Examination))>,
) -> Vec<FindingKind> {
    let mut hosts: Vec<(Option<&str>, Vec<Arc<str>>)> = Vec::new();
    for (address, (_, examination)) in answers {
        let Some(host) = examination.host.as_deref() else { continue };
        // All names of this machine are one host: `None`.
        let host = Some(host).filter(|host| !is_this_machine(host));
        match hosts.iter_mut().find(|(known, _)| *known == host) {
            Some((_, nodes)) => nodes.push(Arc::clone(address)),
            None => hosts.push((host, vec![Arc::clone(address)])),
        }
    }
    let shared = hosts.into_iter().filter(|(_, nodes)| nodes.len() > 1);
    let kind = |(host, nodes): (Option<&str>, _)| match host {
        Some(host) => FindingKind::SameHost { host: host.to_owned(), nodes },
        None => FindingKind::SameHostLocal { nodes },
    };
    shared.map(kind).collect()
}

/// The nodes' clocks: what they say together is taken for the time.
struct Clocks {
    median: ClockReading,
}

impl Clocks {
    /// `None`: fewer than two clocks tell nothing of each other.
    fn of(looked: &[Looked]) -> Option<Self> {
        let clocks = looked.iter().filter_map(|looked| looked.answer.as_ref().ok()?.1.clock);
        let mut clocks: Vec<ClockReading> = clocks.collect();
        clocks.sort_by_key(ClockReading::middle);
        let median = clocks.get(clocks.len() / 2).filter(|_| clocks.len() > 1).copied()?;
        Some(Self { median })
    }

    fn judge(&self, examination: &Examination, measure: Measure) -> Option<FindingKind> {
        let clock = examination.clock?;
        let difference = clock.middle().saturating_sub(self.median.middle());
        let off = Duration::from_micros(difference.unsigned_abs());
        let allowance = measure.drift.allowance(measure.ttl);
        // What the readings may be wrong by is no fault of the clock.
        let certain = off.saturating_sub(clock.error().saturating_add(self.median.error()));
        Some(if certain > allowance {
            FindingKind::ClockOff { off, ahead: difference > 0, allowance }
        } else {
            FindingKind::ClockAgrees { off }
        })
    }
}

fn speed(examination: &Examination, measure: Measure) -> Option<FindingKind> {
    let mut round_trips = examination.round_trips.clone();
    round_trips.sort_unstable();
    let median = *round_trips.get(round_trips.len() / 2)?;
    let timeout = measure.node_timeout;
    Some(if median > timeout / SHARE_OF_TIMEOUT {
        FindingKind::Slow { median, timeout }
    } else {
        FindingKind::Prompt { median }
    })
}

#[cfg(test)]
mod tests;
