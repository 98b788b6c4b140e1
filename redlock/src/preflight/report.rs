//! What preflight has found, as people read it.

use std::fmt;
use std::sync::Arc;

use super::{Finding, FindingKind, Looked, Severity};
use crate::quorum::Quorum;
use crate::telemetry::events;

/// What was found on the nodes. Its `Display` is made for a terminal: the worst first, one paragraph for what is the same on
/// several nodes, what is good last. It contains no password and no control character.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    quorum: Quorum,
    nodes: Vec<Arc<str>>,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(quorum: Quorum, looked: &[Looked], findings: Vec<Finding>) -> Self {
        let nodes = looked.iter().map(|looked| Arc::clone(&looked.address)).collect();
        Self { quorum, nodes, findings }
    }

    /// Adds what was found elsewhere, about one of these nodes or about all of them together.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// How many nodes were looked at, and how many must grant.
    pub fn quorum(&self) -> Quorum {
        self.quorum
    }

    /// All findings, the good ones too: those about the nodes together first, then node by node.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The findings of this severity.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity() == severity)
    }

    /// The severity of the worst finding.
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(Finding::severity).max().unwrap_or(Severity::Good)
    }

    /// What must not be built on, the worst first: errors, in strict mode warnings too. Whether a node answers now is no
    /// matter of its settings, and judged elsewhere.
    pub(crate) fn refused(&self, strict: bool) -> Vec<Finding> {
        let worst = if strict { &Severity::WORST_FIRST[..2] } else { &Severity::WORST_FIRST[..1] };
        let found = worst.iter().flat_map(|severity| self.of(*severity));
        found.filter(|found| is_set_up(&found.kind)).cloned().collect()
    }

    /// Logs each warning once, with the nodes that it is about.
    pub(crate) fn log_warnings(&self) {
        let warnings = self.of(Severity::Warning).filter(|found| is_set_up(&found.kind));
        for Paragraph { text, kind, nodes } in paragraphs(warnings) {
            let advice = kind.advice().unwrap_or_default();
            events::preflight_warning(&join(&nodes), &text.to_string(), &advice.to_string());
        }
    }

    /// Whom a paragraph is about; `None`: the nodes together.
    fn whom(&self, nodes: &[&Arc<str>]) -> Option<String> {
        match nodes {
            [] => None,
            [one] => Some(one.to_string()),
            all if all.len() == self.nodes.len() => Some(format!("all {} nodes", all.len())),
            some => Some(join(some)),
        }
    }
}

/// Whether it can be changed by setting up, rather than by waiting.
fn is_set_up(kind: &FindingKind) -> bool {
    !matches!(kind, FindingKind::Unreachable { .. } | FindingKind::NoQuorum { .. })
}

/// Findings on one line; what is the same on several nodes is said once.
pub(crate) struct OneLine<'a>(pub(crate) &'a [Finding]);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Paragraph { text, kind, nodes }) in paragraphs(self.0.iter()).into_iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "; " })?;
            if !nodes.is_empty() {
                write!(f, "{}: ", join(&nodes))?;
            }
            f.write_str(&text)?;
            if let Some(advice) = kind.advice() {
                write!(f, " -> {advice}")?;
            }
        }
        Ok(())
    }
}

/// One thing that was found, and on which nodes; none: it concerns them together.
struct Paragraph<'a> {
    text: String,
    kind: &'a FindingKind,
    nodes: Vec<&'a Arc<str>>,
}

fn paragraphs<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Paragraph<'a>> {
    let mut paragraphs: Vec<Paragraph<'a>> = Vec::new();
    for finding in findings {
        let text = finding.kind.to_string();
        match paragraphs.iter_mut().find(|known| known.text == text && !known.nodes.is_empty()) {
            Some(known) => known.nodes.extend(&finding.node),
            None => {
                let nodes = finding.node.iter().collect();
                paragraphs.push(Paragraph { text, kind: &finding.kind, nodes });
            }
        }
    }
    paragraphs
}

fn join(nodes: &[&Arc<str>]) -> String {
    nodes.iter().map(|node| &***node).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const COLUMN: usize = 9;
        let (nodes, size) = (self.nodes.len(), self.quorum.size());
        let s = if nodes == 1 { "" } else { "s" };
        write!(f, "preflight of {nodes} node{s}, {size} must grant: ")?;
        let counts = Severity::WORST_FIRST.map(|severity| (severity, paragraphs(self.of(severity)).len()));
        let bad = counts.iter().filter(|(severity, count)| *severity > Severity::Note && *count > 0);
        let bad: Vec<String> = bad.map(|&(severity, count)| counted(severity, count)).collect();
        writeln!(f, "{}", if bad.is_empty() { "all good".to_owned() } else { bad.join(", ") })?;

        for severity in Severity::WORST_FIRST.into_iter().filter(|severity| *severity > Severity::Good) {
            for Paragraph { text, kind, nodes } in paragraphs(self.of(severity)) {
                match self.whom(&nodes) {
                    Some(whom) => writeln!(f, "\n{severity:COLUMN$}{whom}\n{:COLUMN$}{text}", "")?,
                    None => writeln!(f, "\n{severity:COLUMN$}{text}")?,
                }
                if let Some(advice) = kind.advice() {
                    writeln!(f, "{:COLUMN$}-> {advice}", "")?;
                }
            }
        }
        let mut lead = "\n";
        for node in &self.nodes {
            let good = self.of(Severity::Good).filter(|finding| finding.node.as_ref() == Some(node));
            let good: Vec<String> = good.map(|finding| finding.kind.to_string()).collect();
            if !good.is_empty() {
                writeln!(f, "{lead}{:COLUMN$}{node}: {}", Severity::Good, good.join(", "))?;
                lead = "";
            }
        }
        Ok(())
    }
}

fn counted(severity: Severity, count: usize) -> String {
    // "2 unknown": an adjective.
    let s = if count == 1 || severity == Severity::Unknown { "" } else { "s" };
    format!("{count} {severity}{s}")
}
