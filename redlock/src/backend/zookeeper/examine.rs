//! Reads how an ensemble is set up, for preflight. What it does not say is not known.

use std::time::Duration;

use super::session::Session;
use super::shared::Shared;
use super::words;
use crate::node::{Examination, FindingKind, NodeError, Severity, is_this_machine};

const ROUND_TRIPS: usize = 3;

pub(super) async fn examine(shared: &Shared, session: &Session) -> Result<Examination, NodeError> {
    let mut round_trips = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let sent = shared.env.now();
        let answer = session.client.check_stat(shared.tree.shown_root()).await;
        answer.map_err(|error| shared.failed(error))?;
        round_trips.push(shared.env.now().saturating_since(sent));
    }
    let mut findings = Vec::new();
    match words::about(shared).await {
        Ok(about) => findings.push(FindingKind::Version { version: about.version }),
        Err(reason) => {
            findings.push(FindingKind::Unreadable { what: vec!["its version (srvr)".into()], reason });
        }
    }
    findings.extend(sessions(shared, session));
    let hosts: Vec<_> = shared.config.members.iter().map(|member| host(member)).collect();
    let is_local = hosts.iter().all(|host| is_this_machine(host));
    match (&shared.config.tls, is_local) {
        (Some(_), _) => findings.push(FindingKind::Encrypted),
        (None, false) => findings.push(FindingKind::PlainText),
        (None, true) => {}
    }
    if shared.config.login.is_none() && !is_local {
        findings.push(FindingKind::Other {
            severity: Severity::Warning,
            what: "anybody who reaches it may change the locks".into(),
            advice: Some("give a user and a password: the znodes then belong to that user alone".into()),
        });
    }
    let mut examination = Examination::new(findings);
    examination.host = (hosts.len() == 1).then(|| hosts[0].to_owned());
    examination.clock = shared.clock();
    examination.round_trips = round_trips;
    Ok(examination)
}

/// Whether sessions are long enough for the longest locks.
fn sessions(shared: &Shared, session: &Session) -> Option<FindingKind> {
    let granted = session.timeout;
    let carries = granted.saturating_sub(shared.config.overhead());
    (carries < shared.config.longest_ttl).then(|| FindingKind::Other {
        severity: if carries < Duration::from_secs(1) { Severity::Error } else { Severity::Warning },
        what: format!("sessions last {granted:?} there, which carries locks of at most {carries:?}"),
        advice: Some("raise maxSessionTimeout on the servers, or lower maxExpiration".into()),
    })
}

fn host(member: &str) -> &str {
    let host = member.rsplit_once(':').map_or(member, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
