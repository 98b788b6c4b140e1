//! Looks at a Cluster's slots: at the beginning, and whenever something says that they may have changed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, pending, select, select_all};
use tokio::sync::{Notify, oneshot, watch};

use super::super::RedisNode;
use super::super::ask::ask;
use super::super::config::RedisConfig;
use super::super::connection::Tls;
use super::super::failure::Failure;
use super::super::link::Link;
use super::super::place::Address;
use super::map::{Map, Range, View, read};
use crate::env::{Env, jitter};
use crate::id::Instant;
use crate::node::NodeErrorKind;
use crate::node::clock::NodeClock;
use crate::protections::Protections;

/// The pause between two looks; it doubles while looking does not help.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the node and its task share.
pub(super) struct Shared {
    pub(super) config: RedisConfig,
    pub(super) tls: Tls,
    pub(super) protections: Protections,
    pub(super) env: Arc<dyn Env>,
    pub(super) seeds: Vec<Address>,
    pub(super) view: watch::Sender<View>,
    /// Somebody has a reason to look again.
    pub(super) look: Notify,
    /// Who knows about the last change.
    pub(super) informant: Mutex<Option<Address>>,
    /// How much longer than by our clock, in microseconds, a deadline may take to pass on a master that is none any more.
    pub(super) retired: Mutex<u64>,
}

impl Shared {
    /// Has the slots looked at soon, by way of this member.
    pub(super) fn look_at_slots(&self, informant: Address) {
        *self.informant.lock().unwrap_or_else(PoisonError::into_inner) = Some(informant);
        self.look.notify_one();
    }

    fn masters(&self) -> Vec<Arc<RedisNode>> {
        match &*self.view.borrow() {
            View::Known(map) => map.masters().to_vec(),
            _ => Vec::new(),
        }
    }
}

/// Runs until `stopped` says that the node is gone.
pub(super) async fn keep(shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let mut failures: u32 = 0;
    loop {
        let turn = std::pin::pin!(async {
            let helped = look(&shared).await;
            failures = if helped { 0 } else { failures.saturating_add(1) };
            let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
            let random = u32::try_from(jitter(&*shared.env) % 1_000).unwrap_or(0);
            let pause = longest / 2 + longest / 2 * random / 1_000;
            shared.env.sleep_until(shared.env.now().saturating_add(pause)).await;
            if failures == 0 || !shared.masters().is_empty() {
                reason(&shared).await;
            }
        });
        if let Either::Left(_) = select(&mut stopped, turn).await {
            return;
        }
    }
}

/// Completes when there is a reason to look again.
async fn reason(shared: &Shared) {
    let down = |master: Arc<RedisNode>| {
        async move {
            // It fails when the node is gone, which it is not as long as we have it.
            drop(master.shared.link.subscribe().wait_for(|link| matches!(link, Link::Down(_))).await);
        }
        .boxed()
    };
    let masters = shared.masters();
    let any_down = async {
        match masters.is_empty() {
            true => pending().await,
            false => drop(select_all(masters.into_iter().map(down)).await),
        }
    };
    select(std::pin::pin!(shared.look.notified()), std::pin::pin!(any_down)).await;
}

/// Asks who keeps which slots, and publishes it. Whether that has left nothing to be wished for.
async fn look(shared: &Shared) -> bool {
    match ask_members(shared).await {
        Ok(ranges) => {
            let old = shared.masters();
            let map = Map::new(ranges, |address| {
                let known = old.iter().find(|master| master.server() == *address);
                known.map_or_else(|| begin(shared, address), Arc::clone)
            });
            let gone = old.iter().filter(|old| !map.masters().iter().any(|new| Arc::ptr_eq(old, new)));
            gone.for_each(|master| retire(shared, master));
            let is_down = |master: &Arc<RedisNode>| matches!(*master.shared.link.borrow(), Link::Down(_));
            let all_up = !map.masters().iter().any(is_down);
            shared.view.send_replace(View::Known(Arc::new(map)));
            all_up
        }
        Err(failure) => {
            tracing::debug!(
                node = shared.config.address(),
                reason = failure.detail,
                "the slots are not known"
            );
            // What was known stays: the masters themselves say what is wrong with it.
            shared.view.send_if_modified(|view| {
                let knows_nothing = !matches!(view, View::Known(_));
                if knows_nothing {
                    *view = View::Unknown(failure);
                }
                knows_nothing
            });
            false
        }
    }
}

fn begin(shared: &Shared, master: &Address) -> Arc<RedisNode> {
    let config = shared.config.at(master);
    RedisNode::launch(config, shared.tls.clone(), Arc::clone(&shared.env), shared.protections)
}

/// Remembers how far behind ours its clock may be: it may be given requests no more, but may still run old ones.
fn retire(shared: &Shared, master: &RedisNode) {
    let behind = behind(&master.times(), shared.env.now());
    let mut retired = shared.retired.lock().unwrap_or_else(PoisonError::into_inner);
    *retired = behind.max(*retired);
}

/// By how many microseconds the deadlines stated in a node's time may pass later than by our clock.
fn behind(clock: &NodeClock, now: Instant) -> u64 {
    clock.settled_after(now).map_or(0, |settled| settled.saturating_sub(clock.at(now).unwrap_or(0)))
}

/// The first answer counts, of whoever knows most about a change, of masters that answer, and of the seeds.
async fn ask_members(shared: &Shared) -> Result<Vec<Range<Address>>, Failure> {
    let mut members: Vec<Address> = Vec::new();
    members.extend(shared.informant.lock().unwrap_or_else(PoisonError::into_inner).take());
    let masters = shared.masters();
    let is_up = |master: &&Arc<RedisNode>| matches!(*master.shared.link.borrow(), Link::Up(_));
    members.extend(masters.iter().filter(is_up).map(|master| master.server()));
    members.extend(shared.seeds.iter().cloned());
    // One that cannot be reached is not tried twice.
    let mut failed: Vec<(Address, Failure)> = Vec::new();
    for member in members {
        if failed.iter().any(|(asked, _)| *asked == member) {
            continue;
        }
        let config = shared.config.at(&member);
        let answer = ask(&config, &shared.tls, &shared.env, "CLUSTER", vec!["SLOTS".into()]).await;
        match answer.and_then(|frame| read(&frame, &member)) {
            Ok(ranges) => return Ok(ranges),
            Err(failure) => failed.push((member, failure)),
        }
    }
    Err(no_map(&failed))
}

fn no_map(failed: &[(Address, Failure)]) -> Failure {
    let alone = failed.iter().find(|(_, failure)| failure.detail.contains("cluster support disabled"));
    if let Some((member, _)) = alone {
        let detail = format!(
            "{member} is not a member of a Redis Cluster (cluster_enabled:0), which several addresses in [lock.redis] \
             mean; independent masters belong into [lock.redlock]: nodes = [...], or LocksBuilder::nodes"
        );
        return Failure::new(NodeErrorKind::Unsupported, detail);
    }
    let kind = failed.iter().map(|(_, failure)| failure.kind).find(|kind| !kind.is_transient());
    let details: Vec<_> =
        failed.iter().map(|(member, failure)| format!("{member}: {}", failure.detail)).collect();
    let detail = format!("no member of the Cluster says who keeps which slots: {}", details.join("; "));
    Failure::new(kind.unwrap_or(NodeErrorKind::Unreachable), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: NodeErrorKind, detail: &str) -> (Address, Failure) {
        (Address { host: "h".to_owned(), port: 1 }, Failure::new(kind, detail))
    }

    #[test]
    fn a_clock_that_was_set_back_has_its_deadlines_pass_later() {
        let at = |micros: u64| Instant::from_nanos(micros * 1_000);
        let mut clock = NodeClock::default();
        clock.sample(60_000_000, at(0), at(0));
        assert_eq!(behind(&clock, at(5)), 0, "no deadline was ever stated");
        assert!(clock.deadline(at(0)).is_some());
        assert_eq!(behind(&clock, at(5)), 0);
        clock.sample(1_000_000, at(0), at(0));
        assert_eq!(behind(&clock, at(5)), 59_000_000);
        clock.begin_anew();
        assert!(behind(&clock, at(5)) > 59_000_000, "for ever, as far as we know");
    }

    #[test]
    fn a_server_without_cluster_support_is_told_where_it_belongs() {
        let refused = "the server refused CLUSTER: ERR This instance has cluster support disabled";
        let unreachable = failed(NodeErrorKind::Unreachable, "connection refused");
        let failure = no_map(&[unreachable, failed(NodeErrorKind::Protocol, refused)]);
        assert_eq!(failure.kind, NodeErrorKind::Unsupported);
        assert!(failure.detail.contains("[lock.redlock]"), "{}", failure.detail);
    }

    #[test]
    fn what_somebody_must_change_goes_before_what_may_heal() {
        let unreachable = failed(NodeErrorKind::Unreachable, "connection refused");
        let denied = failed(NodeErrorKind::Denied, "NOAUTH");
        assert_eq!(no_map(&[unreachable.clone(), denied]).kind, NodeErrorKind::Denied);
        let failure = no_map(&[unreachable]);
        assert_eq!(failure.kind, NodeErrorKind::Unreachable);
        assert_eq!(
            failure.detail,
            "no member of the Cluster says who keeps which slots: h:1: connection refused"
        );
    }
}
