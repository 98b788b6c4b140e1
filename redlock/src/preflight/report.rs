//! What preflight has found, as people read it.

use std::fmt;
use std::sync::Arc;

use super::{Finding, FindingKind, Looked, Severity};
use crate::quorum::Quorum;

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

    /// What must not be built on: errors, in strict mode warnings too. Whether a node answers now is no matter of its
    /// settings, and judged elsewhere.
    pub(crate) fn refused(&self, strict: bool) -> Vec<Finding> {
        let least = if strict { Severity::Warning } else { Severity::Error };
        self.findings
            .iter()
            .filter(|found| found.severity() >= least && is_set_up(&found.kind))
            .cloned()
            .collect()
    }

    /// Logs each warning once, with the nodes that it is about.
    pub(crate) fn log_warnings(&self) {
        for paragraph in self.paragraphs(Severity::Warning) {
            if is_set_up(paragraph.kind) {
                let nodes = paragraph.nodes.iter().map(|node| &***node).collect::<Vec<_>>().join(", ");
                let advice = paragraph.kind.advice().unwrap_or_default();
                tracing::warn!(nodes, "preflight: {}; {advice}", paragraph.kind);
            }
        }
    }

    /// What was found with this severity; what is the same on several nodes is one paragraph.
    fn paragraphs(&self, severity: Severity) -> Vec<Paragraph<'_>> {
        let mut paragraphs: Vec<Paragraph<'_>> = Vec::new();
        for finding in self.of(severity) {
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

    /// Whom a paragraph is about; `None`: the nodes together.
    fn whom(&self, nodes: &[&Arc<str>]) -> Option<String> {
        match nodes {
            [] => None,
            [one] => Some(one.to_string()),
            all if all.len() == self.nodes.len() => Some(format!("all {} nodes", all.len())),
            some => Some(some.iter().map(|node| &***node).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// Whether it can be changed by setting up, rather than by waiting.
fn is_set_up(kind: &FindingKind) -> bool {
    !matches!(kind, FindingKind::Unreachable { .. } | FindingKind::NoQuorum { .. })
}

struct Paragraph<'a> {
    text: String,
    kind: &'a FindingKind,
    nodes: Vec<&'a Arc<str>>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const COLUMN: usize = 9;
        let (nodes, size) = (self.nodes.len(), self.quorum.size());
        let s = if nodes == 1 { "" } else { "s" };
        write!(f, "preflight of {nodes} node{s}, {size} must grant: ")?;
        let counts = Severity::WORST_FIRST.map(|severity| (severity, self.paragraphs(severity).len()));
        let bad = counts.iter().filter(|(severity, count)| *severity > Severity::Note && *count > 0);
        let bad: Vec<String> = bad.map(|&(severity, count)| counted(severity, count)).collect();
        writeln!(f, "{}", if bad.is_empty() { "all good".to_owned() } else { bad.join(", ") })?;

        for severity in Severity::WORST_FIRST.into_iter().filter(|severity| *severity > Severity::Good) {
            for Paragraph { text, kind, nodes } in self.paragraphs(severity) {
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
