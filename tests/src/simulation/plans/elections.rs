//! Candidates campaign, lead and step down, over a network that fails; nodes lose their memory, leaders stop and die.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Either, join, join_all, select};
use redlock::Election;

use super::{Dice, Plan, quiet};
use crate::simulation::event::Event;
use crate::simulation::setting::{Network, Profile, Setting};
use crate::simulation::troubles::Trouble;
use crate::simulation::world::World;

pub(super) const PLAN: Plan = Plan { name: "elections", setting, course };

const LONGEST_TTL: u64 = 800;
const LONGEST_DELAY: u64 = 700;

fn setting(dice: &Dice<'_>) -> Setting {
    let base = Profile { rounds: 0, ..Profile::new(100..LONGEST_TTL) };
    let mut clients = dice.differing(4, &base);
    clients.iter_mut().for_each(|client| client.renew_limit = None);
    let longest = Duration::from_millis(LONGEST_TTL + LONGEST_DELAY);
    let mut setting = quiet(dice, dice.one_of(&[1, 3, 3, 5]), longest, clients);
    setting.names = 1;
    setting.late = 0;
    setting.network = dice.one_of(&[Network::Slow, Network::Forgetful, Network::Bad]);
    setting.may_crash = true;
    setting.recovery = Duration::from_secs(20);
    setting.troubles = vec![
        (3, Trouble::Pause),
        (4, Trouble::PauseRenewing),
        (1, Trouble::Hang),
        (1, Trouble::Break),
        (2, Trouble::Partition),
        (1, Trouble::Outage),
        (1, Trouble::Forget),
        (5, Trouble::Mend),
    ];
    setting
}

fn course(world: Arc<World>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let locks = world.locks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut elections, mut lives) = (Vec::new(), Vec::new());
        for (client, locks) in locks.iter().enumerate() {
            let ttl = 100 + world.below(LONGEST_TTL - 100);
            let delay = Duration::from_millis(LONGEST_DELAY * world.below(2));
            let mut election = locks
                .election(world.names[0].as_bytes())
                .ttl(Duration::from_millis(ttl))
                .takeover_delay(delay)
                .poll_interval(Duration::from_millis(100))
                .stop_margin(Duration::from_millis(ttl / [2, 4, 8][world.below(3) as usize]));
            if world.below(2) == 0 {
                election = election.grace(world.millis(500));
            }
            let life = Arc::clone(&world).stand(client, election.clone(), delay);
            lives.push(world.clients[client].env.run(life));
            elections.push(election);
        }
        let (over, is_over) = oneshot::channel();
        let observer = elections[0].observe().expect("a good name");
        // Of one that does not crash.
        let last = locks.len() - 1;
        let watching = Arc::clone(&world).watch_leaders(last, observer, is_over.shared());
        let watching = world.clients[last].env.run(watching);
        drop(locks);
        let (stop, stopped) = oneshot::channel::<()>();
        join(
            async {
                join(world.trouble(), world.kill_a_leader()).await;
                drop(stop);
            },
            world.change_minds(&elections, stopped),
        )
        .await;
        world.calm();
        world.somebody_leads().await;
        elections.iter().for_each(Election::retire);
        drop(elections);
        let patience = world.sim.sleep(world.setting.recovery);
        if let Either::Right(_) = select(join_all(lives), patience).await {
            world
                .ledger
                .violate("retire", "a candidate has retired, and does not come to its end".to_owned());
        }
        drop(over);
        watching.await;
    })
}

impl World {
    /// Candidates may lead no more, and may again; in the end all of them may.
    async fn change_minds(&self, elections: &[Election], mut stopped: oneshot::Receiver<()>) {
        loop {
            let pause = self.sim.sleep(self.millis(800));
            if let Either::Left(_) = select(&mut stopped, pause).await {
                break;
            }
            let election = &elections[self.below(elections.len() as u64) as usize];
            election.set_eligible(!election.is_eligible());
        }
        elections.iter().for_each(|election| election.set_eligible(true));
    }

    /// Waits for a while, and mostly kills whoever leads then.
    async fn kill_a_leader(&self) {
        self.sim.sleep(self.millis(3_000)).await;
        if self.below(4) == 0 {
            return;
        }
        for _ in 0..300 {
            self.sim.sleep(Duration::from_millis(10)).await;
            let leader = {
                let state = self.ledger.now();
                let last = state.scene.offices.last();
                last.filter(|last| last.works && last.is_valid()).map(|last| last.client)
            };
            if let Some(client) = leader {
                self.ledger.count("client crash");
                self.ledger.tell(&Event::Crashed { client });
                return self.clients[client].env.crash();
            }
        }
    }

    /// Waits until somebody leads, now that all is well.
    async fn somebody_leads(&self) {
        let end = self.sim.now().saturating_add(self.setting.recovery);
        while self.sim.now() < end {
            self.sim.sleep(Duration::from_millis(50)).await;
            let state = self.ledger.now();
            let scene = &state.scene;
            let alive = |client: usize| !scene.crashed[client];
            if scene.offices.iter().any(|office| alive(office.client) && office.is_valid()) {
                return;
            }
        }
        self.ledger.violate("recovery", "all is well, and nobody leads".to_owned());
    }
}
