//! What a request may do that the ensemble runs late: the very transactions, run when nobody waits for them any more.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Job};
use super::keys::Keys;
use super::txn::{self, Change, Changed, Created};
use super::{EtcdConfig, EtcdNode};
use crate::env::{Env, RealEnv};
use crate::id::{Instant, LockName, OwnerToken, Ttl};
use crate::node::{ExtendRequest, NodeErrorKind, ReleaseRequest, Reply};
use crate::testing::servers::EtcdEnsemble;

const MINUTE: Duration = Duration::from_secs(60);

fn soon() -> Instant {
    Instant::now().saturating_add(MINUTE)
}

fn job(lock: &str) -> Job {
    let name = LockName::new(lock).unwrap();
    let keys = Keys::of("redlock", &name);
    Job { name, owner: OwnerToken::from_bytes([1; 20]), keys, until: soon() }
}

/// Runs what needs the library's own executor around it.
fn run<T: Send + 'static>(core: &Arc<Core>, work: impl Future<Output = T> + Send + 'static) -> T {
    let (answer, answered) = tokio::sync::oneshot::channel();
    core.env.spawn(Box::pin(async move {
        assert!(answer.send(work.await).is_ok());
    }));
    crate::env::block_on(answered).unwrap()
}

#[test]
fn a_transaction_that_runs_late_takes_no_lock_that_nobody_knows_of() {
    let ensemble = EtcdEnsemble::start(1).unwrap();
    let env: Arc<dyn Env> = Arc::new(RealEnv::start().unwrap());
    let config = EtcdConfig::from_url(&ensemble.url()).unwrap();
    let node = EtcdNode::start(config, env, Default::default()).unwrap();
    let core = Arc::clone(&node.core);
    let work = Arc::clone(&core);
    run(&core, async move {
        // The lease has ended between its grant and the transaction: no win.
        let phantom = job("phantom");
        let fresh = work.grant(&phantom, MINUTE).await.unwrap();
        work.revoke(&phantom.name, &phantom.owner, fresh.lease.id, soon()).await.unwrap();
        let late = txn::create(&phantom.keys, &phantom.owner, fresh.lease.id, None, None);
        let failure = work.txn(late, soon()).await.unwrap_err();
        assert_eq!(failure.kind, NodeErrorKind::NotReady, "{failure:?}");
        assert_eq!(work.look(&phantom.keys, soon()).await.unwrap().lock, None);

        // An acquisition that was never answered: once its release says so, it can no longer take effect.
        let given_up = job("given-up");
        let fresh = work.grant(&given_up, MINUTE).await.unwrap();
        let late = txn::create(&given_up.keys, &given_up.owner, fresh.lease.id, None, None);
        let request = ReleaseRequest::new(given_up.name.clone(), given_up.owner, Some(soon()));
        let released = Arc::clone(&work).release(request, soon()).await.unwrap();
        assert!(released.settled && !released.was_held, "{released:?}");
        work.txn(late, soon()).await.unwrap_err();
        assert_eq!(work.look(&given_up.keys, soon()).await.unwrap().lock, None);

        // The second copy of a transaction that was carried out finds its own lock.
        let twice = job("twice");
        let mut fresh = work.grant(&twice, MINUTE).await.unwrap();
        let copy = || txn::create(&twice.keys, &twice.owner, fresh.lease.id, None, None);
        assert_eq!(txn::created(&work.txn(copy(), soon()).await.unwrap()).unwrap(), Created::Done);
        match txn::created(&work.txn(copy(), soon()).await.unwrap()).unwrap() {
            Created::Taken(seen) => {
                let lock = seen.lock.unwrap();
                assert!(lock.is_of(&twice.owner) && lock.lease == fresh.lease.id);
            }
            other => panic!("{other:?}"),
        }
        fresh.keep = true;

        // An extension that was given up does not take the lock from the lease of a later one, whose end counts.
        let first = fresh.lease;
        work.leases.attached(&twice.name, &twice.owner, first);
        let mut stray = work.grant(&twice, MINUTE).await.unwrap();
        stray.keep = true;
        let from_first = Change::Attach { from: first.id, to: stray.lease.id };
        let late = txn::change(&twice.keys, &twice.owner, from_first, None, None, true);
        let mut request =
            ExtendRequest::new(twice.name.clone(), twice.owner, Ttl::from_const(MINUTE), soon());
        request.restore = false;
        let extended = Arc::clone(&work).extend(request, soon()).await.unwrap();
        assert!(matches!(extended, Reply::Granted(_)), "{extended:?}");
        let current = work.leases.current(&twice.name, &twice.owner).unwrap();
        match work.txn(late, soon()).await {
            Ok(answer) => assert!(matches!(txn::changed(&answer, None), Ok(Changed::Not(Some(_))))),
            // Its lease was revoked already.
            Err(failure) => assert_eq!(failure.kind, NodeErrorKind::NotReady),
        }
        assert_eq!(work.look(&twice.keys, soon()).await.unwrap().lock.unwrap().lease, current.id);

        // And one that was given up and took effect first is found: the next one goes on from there.
        let mut stray = work.grant(&twice, MINUTE).await.unwrap();
        stray.keep = true;
        let change = Change::Attach { from: current.id, to: stray.lease.id };
        work.txn(txn::change(&twice.keys, &twice.owner, change, None, None, true), soon()).await.unwrap();
        let request = ExtendRequest::new(twice.name.clone(), twice.owner, Ttl::from_const(MINUTE), soon());
        let extended = Arc::clone(&work).extend(request, soon()).await.unwrap();
        assert!(matches!(extended, Reply::Granted(_)), "{extended:?}");
        let request = ReleaseRequest::new(twice.name.clone(), twice.owner, Some(soon()));
        let released = Arc::clone(&work).release(request, soon()).await.unwrap();
        assert!(released.was_held && released.settled, "{released:?}");
    });
    assert_eq!(ensemble.lock_leases().unwrap(), [0; 0]);
    assert_eq!(ensemble.lock_keys().unwrap(), [""; 0]);
}
