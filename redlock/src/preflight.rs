//! Looks at the nodes before locks rely on them: what is found, how bad it is, what to do about it.
//!
//! [`LocksBuilder::build`](crate::LocksBuilder::build) looks once, and refuses nodes on which locks can get lost;
//! [`Locks::preflight`](crate::Locks::preflight) looks at any time. What could not be read is *unknown*, never good.
//! The page `docs/safety.md` lists what is judged.

mod fleet;
mod report;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select};

use crate::env::Env;
use crate::id::Ttl;
use crate::node::{Examination, Identity, Node, NodeError, NodeErrorKind};
use crate::quorum::{DriftFactor, Quorum};
use crate::settings::Settings;

pub use crate::node::{Finding, FindingKind, Persistence, Severity};
pub(crate) use report::OneLine;
pub use report::Report;

/// How long a node may take to say how it is set up. Those that hang are noticed by their backends before.
const LIMIT: Duration = Duration::from_secs(3);

/// What the nodes are measured against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) quorum: Quorum,
    ttl: Ttl,
    node_timeout: Duration,
    drift: DriftFactor,
}

impl Measure {
    pub(crate) fn new(quorum: Quorum, settings: &Settings) -> Self {
        let (ttl, drift) = (settings.ttl, settings.drift_factor);
        Self { quorum, ttl, node_timeout: settings.node_timeout(ttl), drift }
    }
}

/// What is known of one node.
#[derive(Debug)]
struct Looked {
    address: Arc<str>,
    /// Who it is and how it is set up, or why it does not say.
    answer: Result<(Identity, Examination), NodeError>,
}

/// Asks all nodes who they are and how they are set up.
pub(crate) async fn run(env: &Arc<dyn Env>, nodes: &[Arc<dyn Node>], measure: Measure) -> Report {
    let probes = nodes.iter().map(|node| in_time(env, node, Arc::clone(node).probe()));
    let identities = join_all(probes).await;
    run_on_probed(env, nodes, identities, measure).await
}

/// As [`run`], with what the nodes have said of who they are.
pub(crate) async fn run_on_probed(
    env: &Arc<dyn Env>,
    nodes: &[Arc<dyn Node>],
    identities: Vec<Result<Identity, NodeError>>,
    measure: Measure,
) -> Report {
    let looks = nodes.iter().zip(identities).map(|(node, identity)| async move {
        let answer = match identity {
            Ok(identity) => {
                let examination = in_time(env, node, Arc::clone(node).examine()).await;
                examination.map(|examination| (identity, examination))
            }
            Err(error) => Err(error),
        };
        Looked { address: node.address().into(), answer }
    });
    let looked = join_all(looks).await;
    Report::new(measure.quorum, &looked, fleet::judge(&looked, measure))
}

async fn in_time<T>(
    env: &Arc<dyn Env>,
    node: &Arc<dyn Node>,
    answer: impl Future<Output = Result<T, NodeError>> + Unpin,
) -> Result<T, NodeError> {
    let timer = env.sleep_until(env.now().saturating_add(LIMIT));
    match select(answer, timer).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            let detail = format!("no answer within {LIMIT:?}");
            Err(NodeError::without_effect(&node.address().into(), NodeErrorKind::Timeout, detail))
        }
    }
}
