//! A candidate wins, and what it wants to say of it to the nodes is held up.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::Instant;
use redlock::testing::faulty::{Fault, FaultyNode, Op};

use super::scene::{NAME, PATIENCE, arrivals};
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::support::LIMIT;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "phantom-win",
    about: "a campaign returns a leadership that has ended already",
    source: "callbacks of elections that do not look at the time again",
    nodes: 3,
    // Shorter than a client waits for a node.
    ttl: Duration::from_millis(300),
    needs: &[],
    kills: &["campaign_recheck"],
    play: Play::OnFleet(play),
};

fn play(scene: &Scene) -> Result<Finding, SceneError> {
    let (locks, links) = scene.locks_over_links(0)?;
    let hold_up = Fault::delay(Duration::ZERO, PATIENCE * 10);
    links.iter().for_each(|link| link.set_for(Op::Extend, hold_up.clone()));
    thread::scope(|scope| {
        let campaign = scope.spawn(|| {
            let leadership = block_on(locks.election(NAME).wait_at_most(LIMIT).campaign())?;
            Ok(leadership.remaining().is_zero())
        });
        let long_ago = |link: &Arc<FaultyNode>| {
            let announced = arrivals(link, Op::Extend).first().copied();
            announced.is_some_and(|at| Instant::now().saturating_since(at) > scene.ttl() * 2)
        };
        let is_held_up = scene.eventually("what a candidate has won is over", || {
            Ok(campaign.is_finished() || links.iter().any(long_ago))
        });
        // What it says next gets through.
        links.iter().for_each(|link| link.set_for(Op::Extend, Fault::none()));
        let is_past: Result<bool, SceneError> = campaign
            .join()
            .unwrap_or_else(|_| Err(SceneError::Unexpected("a candidate has panicked".to_owned())));
        is_held_up?;
        Ok(Finding::bad_if(is_past?, "a candidate is told that it leads when that is over"))
    })
}
