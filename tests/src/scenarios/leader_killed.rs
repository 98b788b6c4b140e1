//! A leader's process is killed while two others campaign.

use std::thread;
use std::time::Duration;

use super::process::Process;
use super::terms::{Short, lead_once};
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::support::LIMIT;
use crate::worker::{DELAY, Habit, name_of};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "leader-killed",
    about: "a leader dies that has asked for some time to let what it has begun come to its end, and the next one leads without it",
    source: "Chubby's and Consul's lock-delay",
    nodes: 3,
    ttl: Duration::from_secs(2),
    needs: &[],
    kills: &["takeover_delay"],
    play: Play::OnFleet(play),
};

/// There a session ends, and with it what the leader had, when the server has heard nothing of it for its timeout.
pub(super) const ZOOKEEPER: Scenario = Scenario {
    name: "zookeeper-candidate-killed",
    // Nothing ends there before the session does.
    kills: &[],
    play: Play::On("zookeeper", play),
    ..SCENARIO
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let others = [scene.locks(1)?, scene.locks(2)?];
    let leader = Process::start(scene, Habit::Leads)?;
    let terms = thread::scope(|scope| {
        let campaigns = others
            .each_ref()
            .map(|locks| scope.spawn(move || lead_once(&locks.election(name_of(0)).wait_at_most(LIMIT))));
        let killed = leader.kill();
        let terms = campaigns.map(|campaign| {
            campaign
                .join()
                .unwrap_or_else(|_| Err(SceneError::Unexpected("a candidate has panicked".to_owned())))
        });
        (killed, terms)
    });
    let (killed, [one, other]) = terms;
    let (epoch, promised) = killed?;
    let (one, other) = (one?, other?);
    let (first, second) = if one.from < other.from { (one, other) } else { (other, one) };
    Ok(judge(epoch, promised, first, second))
}

fn judge(epoch: Option<u64>, promised: u64, first: Short, second: Short) -> Finding {
    let waited = Duration::from_nanos(first.from.as_nanos().saturating_sub(promised));
    if waited < DELAY {
        return Finding::Bad(format!(
            "somebody leads {waited:.1?} after the end of a leader that asked for {DELAY:?}"
        ));
    }
    if second.from < first.until {
        return Finding::Bad("two candidates lead at once".to_owned());
    }
    let rise = epoch < Some(first.epoch) && first.epoch < second.epoch;
    Finding::bad_if(!rise, "epochs do not rise from one leader to the next")
}
