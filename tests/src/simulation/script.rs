//! What plans with a script of their own let clients do.

use std::sync::Arc;
use std::time::Duration;

use redlock::LockGuard;

use super::world::World;

/// Longer than nodes take to be admitted, one retry after the other.
const PATIENCE: usize = 200;

impl World {
    /// Lets a client acquire a name, as it does by habit; `None` if it does not get it.
    pub(crate) async fn take(self: &Arc<Self>, client: usize, name: usize) -> Option<LockGuard> {
        let locks = self.locks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(client)?.clone();
        let profile = &self.setting.clients[client];
        let lock = locks.lock(self.names[name].as_bytes()).ttl(Duration::from_millis(profile.ttl.start));
        let lock = lock.wait_at_most(Duration::from_millis(profile.wait.end));
        let world = Arc::clone(self);
        let acquiring = self.clients[client].env.run(async move {
            let asked = world.sim.now();
            let guard = lock.acquire().await.ok()?;
            world.acquired(client, name, None, asked, guard.held());
            Some(guard)
        });
        acquiring.await.flatten()
    }

    /// Lets a client release what it has.
    pub(crate) async fn give_back(&self, client: usize, guard: LockGuard) {
        let released = self.clients[client].env.run(async move { drop(guard.release().await) });
        released.await;
    }

    /// Waits until all nodes may grant.
    pub(crate) async fn all_admitted(&self) {
        for _ in 0..PATIENCE {
            self.sim.sleep(Duration::from_millis(100)).await;
            if self.nodes.iter().all(|node| node.is_admitted()) {
                return;
            }
        }
        self.ledger.violate("recovery", "a node that has lost its memory is not admitted again".to_owned());
    }
}
