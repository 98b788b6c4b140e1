//! Waiting without a herd.

use futures::FutureExt;
use futures::executor::block_on;
use redlock::node::Watch;
use redlock_tests::support::eventually;

use super::*;

#[test]
fn a_release_wakes_one_of_those_who_wait_and_its_acquire_lets_the_next_one_wait_on() {
    let ensemble = ZooKeeperEnsemble::start(1).unwrap();
    let clients: Vec<_> = (0..5).map(|_| connected(&ensemble, "queue")).collect();
    let waiters =
        || ensemble.children("/queue/a").unwrap().iter().filter(|name| name.starts_with("wait-")).count();
    granted(acquire(&clients[0], "a", 1, 4_000));
    let mut watches: Vec<(usize, Option<Watch>)> = (0..20)
        .map(|index| {
            let client = index % clients.len();
            (client, Some(block_on(Arc::clone(&clients[client]).watch(name("a"))).unwrap()))
        })
        .collect();
    assert_eq!(waiters(), 20);

    let (mut holder, mut woken_in_all) = ((0, 1), 0);
    for round in 0..4_u8 {
        release(&clients[holder.0], "a", holder.1).unwrap();
        let mut woken = Vec::new();
        eventually("somebody is woken", || {
            for (client, watch) in &mut watches {
                if let Some(done) = watch.as_mut().and_then(FutureExt::now_or_never) {
                    done.unwrap();
                    *watch = None;
                    woken.push(*client);
                }
            }
            !woken.is_empty()
        });
        holder = (woken[0], 10 + round);
        granted(acquire(&clients[holder.0], "a", holder.1, 4_000));
        woken_in_all += woken.len();
    }
    // Whoever was told too much would be found here.
    eventually("those who were woken have left", || waiters() == 20 - woken_in_all);
    std::thread::sleep(millis(700));
    let told = watches.iter_mut().filter_map(|(_, watch)| watch.as_mut()?.now_or_never()).count();
    // A machine that is busy lets a moment pass before the one that was woken has asked: then the next one is told too.
    assert_eq!(told, 0, "nobody is told while it is held");
    assert!((4..=6).contains(&woken_in_all), "{woken_in_all} were told of 4 releases");

    // Those who do not wait any more leave the queue, also from its head.
    for (index, (_, watch)) in watches.iter_mut().enumerate() {
        if index % 6 != 5 {
            *watch = None;
        }
    }
    let left = watches.iter().filter(|(_, watch)| watch.is_some()).count();
    eventually("those have left the queue", || waiters() == left);
    release(&clients[holder.0], "a", holder.1).unwrap();
    // Nobody asks for it: one after the other is told.
    for (_, watch) in &mut watches {
        if let Some(watch) = watch {
            block_on(watch).unwrap();
        }
    }
    eventually("the queue is empty", || waiters() == 0);

    // A free name is told at once, and a client that is gone takes its places with it.
    block_on(block_on(Arc::clone(&clients[0]).watch(name("free"))).unwrap()).unwrap();
    granted(acquire(&clients[0], "a", 50, 4_000));
    let mut last = block_on(Arc::clone(&clients[1]).watch(name("a"))).unwrap();
    let gone = connected(&ensemble, "queue");
    let watch = block_on(Arc::clone(&gone).watch(name("a"))).unwrap();
    drop(gone);
    assert!(block_on(watch).is_err(), "it can no longer tell");
    eventually("its place is gone", || waiters() == 1);
    assert!((&mut last).now_or_never().is_none());
    drop(clients);
    assert!(block_on(last).is_err());
}
