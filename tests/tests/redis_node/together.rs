//! Requests that come together, and go out in one call: they do what they would do one by one.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{BoxFuture, ready};
use redlock::backend::redis::RedisNode;
use redlock::node::{
    AcquireRequest, Description, Effect, ExtendRequest, Fence, Node, NodeError, NodeErrorKind, NodeFuture,
    Raise, RaiseRequest, RefusalReason, ReleaseRequest, Reply,
};
use redlock::{Instant, Protections, Ttl};

use crate::server::{Server, eventually};
use crate::{
    acquire, acquisition, connected, connected_with, extend, from_now, is_granted, millis, name, owner, pttl,
    refusal, release,
};

/// More than a batch holds.
const MANY: u32 = 300;

/// Polls all of them once, in their order, and then waits for each.
fn together<T>(futures: impl IntoIterator<Item = BoxFuture<'static, T>>) -> Vec<T> {
    let polled: Vec<_> = futures
        .into_iter()
        .map(|mut future| {
            let early = (&mut future).now_or_never();
            (future, early)
        })
        .collect();
    polled.into_iter().map(|(future, early)| early.unwrap_or_else(|| block_on(future))).collect()
}

/// A node whose requests alone are all taken by somebody who does not look after them: all further ones go in batches.
fn crowded(server: &Server, protections: Protections) -> (Arc<RedisNode>, Vec<NodeFuture<Reply>>) {
    let node = connected_with(server, protections);
    let starved = (0..8)
        .map(|number| {
            let mut reply = Arc::clone(&node).acquire(acquisition(&format!("starved-{number}"), 99, 60_000));
            // On a busy machine even the first poll may find the answer, and takes it.
            match (&mut reply).now_or_never() {
                Some(early) => ready(early).boxed(),
                None => reply,
            }
        })
        .collect();
    (node, starved)
}

/// How many scripts the server was called for.
fn calls(server: &Server) -> u32 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// What one request comes to, without what depends on the time.
fn request(node: &Arc<RedisNode>, random: u64) -> BoxFuture<'static, String> {
    let node = Arc::clone(node);
    let lock = ["a", "b", "c", "d", "e", "foreign", "odd", "foreign-counter"][(random >> 8) as usize % 8];
    let (lock, owner) = (name(lock), owner((random >> 16) as u8 % 3));
    let (ttl, deadline) = (Ttl::new(millis(60_000)).unwrap(), from_now(600_000));
    let is_fenced = !(random >> 24).is_multiple_of(3);
    let raise = Raise::new(1 << 40, Duration::from_secs(600));
    // Of lengths that are packed differently.
    let length = [0, 3, 20, 200, 1_000][(random >> 36) as usize % 5];
    let description =
        (length > 0).then(|| Description::new(format!("{random} \0\n").repeat(length / 20 + 1)));
    let vote = |reply: NodeFuture<Reply>| {
        reply.map(|reply| match reply {
            Ok(Reply::Granted(grant)) => format!("granted, {}", grant.counter.is_some()),
            Ok(Reply::Refused(refusal)) => format!("{:?}, {}", refusal.reason, refusal.remaining.is_some()),
            Err(error) => failed(&error),
        })
    };
    match random % 8 {
        0..3 => {
            let mut request = AcquireRequest::new(lock, owner, ttl, deadline);
            request.fence = is_fenced.then(|| Fence::new(1, 1, Duration::from_secs(600)));
            request.description = description;
            vote(node.acquire(request)).boxed()
        }
        3 => {
            let mut request = ExtendRequest::new(lock, owner, ttl, deadline);
            request.fence = is_fenced.then_some(raise);
            request.restore = (random >> 32).is_multiple_of(2);
            request.description = description;
            vote(node.extend(request)).boxed()
        }
        4 => vote(node.raise(RaiseRequest::new(lock, owner, ttl, deadline, raise))).boxed(),
        5 => {
            let look = node.inspect(lock);
            look.map(|seen| match seen {
                Ok(seen) => {
                    let (left, counted) = (seen.remaining.is_some(), seen.counter.is_some());
                    format!(
                        "{}, {left}, {counted}, {:?}, {:?}",
                        seen.held,
                        seen.owner.is_some(),
                        seen.description
                    )
                }
                Err(error) => failed(&error),
            })
            .boxed()
        }
        _ => {
            let released = node.release(ReleaseRequest::new(lock, owner, None));
            released
                .map(|released| match released {
                    Ok(released) => format!("{released:?}"),
                    Err(error) => failed(&error),
                })
                .boxed()
        }
    }
}

fn failed(error: &NodeError) -> String {
    format!("{:?}, {:?}", error.kind, error.effect)
}

#[test]
fn many_requests_at_once_do_what_the_same_requests_do_one_by_one() {
    let servers = [Server::start(), Server::start()];
    for server in &servers {
        server.cli(&["HSET", "redlock:foreign", "holder", "1"]);
        server.cli(&["SET", "#redlock:aux:{redlock:odd}", "1.5"]);
        server.cli(&["HSET", "#redlock:aux:{redlock:foreign-counter}", "holder", "1"]);
    }
    let nodes = [connected(&servers[0]), connected(&servers[1])];
    let mut random = 7_u64;
    let drawn: Vec<u64> = (0..20 * MANY)
        .map(|_| {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            random >> 20
        })
        .collect();
    for some in drawn.chunks(MANY as usize) {
        let at_once = together(some.iter().map(|&random| request(&nodes[0], random)));
        let one_by_one: Vec<_> = some.iter().map(|&random| block_on(request(&nodes[1], random))).collect();
        assert_eq!(at_once, one_by_one);
        let keys = ["a", "b", "c", "d", "e"].map(|lock| format!("redlock:{lock}"));
        let keys: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(|key| &key[..])).collect();
        assert_eq!(servers[0].cli(&keys), servers[1].cli(&keys));
    }
    assert_eq!(calls(&servers[1]), 20 * MANY);
    assert!(calls(&servers[0]) < 10 * MANY, "they went together: {}", calls(&servers[0]));
}

#[test]
fn requests_take_effect_in_the_order_in_which_they_were_polled_first() {
    let server = Server::start();
    let node = connected(&server);
    let pairs = (0..MANY).flat_map(|number| {
        let number = number as u8;
        let acquired = Arc::clone(&node).acquire(acquisition("a", number, 60_000));
        let released = Arc::clone(&node).release(ReleaseRequest::new(name("a"), owner(number), None));
        [
            acquired.map(|reply| is_granted(&reply)).boxed(),
            released.map(|released| released.unwrap().was_held).boxed(),
        ]
    });
    assert_eq!(together(pairs), vec![true; 2 * MANY as usize]);
}

#[test]
fn a_foreign_key_among_many_fails_alone() {
    let server = Server::start();
    let (node, _starved) = crowded(&server, Protections::default());
    server.cli(&["HSET", "redlock:a-150", "holder", "1"]);
    let many = (0..MANY).map(|number| {
        let request = acquisition(&format!("a-{number}"), 1, 60_000);
        Arc::clone(&node)
            .acquire(request)
            .map(|reply| reply.map_err(|error| (error.kind, error.effect)))
            .boxed()
    });
    for (number, reply) in together(many).into_iter().enumerate() {
        match number {
            150 => assert_eq!(reply.unwrap_err(), (NodeErrorKind::WrongType, Effect::None)),
            _ => assert!(matches!(reply, Ok(Reply::Granted(_))), "{number}: {reply:?}"),
        }
    }
}

#[test]
fn when_a_server_dies_what_was_only_collected_is_known_to_have_no_effect() {
    let mut server = Server::start();
    let node = connected(&server);
    server.stop();
    let mut replies: Vec<_> = (0..MANY)
        .map(|number| Arc::clone(&node).acquire(acquisition(&format!("a-{number}"), 1, 60_000)))
        .collect();
    assert!(replies.iter_mut().all(|reply| reply.now_or_never().is_none()));
    server.kill();
    let effects: Vec<_> = replies.into_iter().map(|reply| block_on(reply).unwrap_err().effect).collect();
    let sent = effects.iter().take_while(|&&effect| effect == Effect::Unknown).count();
    assert!((1..=140).contains(&sent), "one batch is in flight, and a few alone: {sent}");
    assert!(effects.iter().skip(sent).all(|&effect| effect == Effect::None), "{effects:?}");
}

#[test]
fn a_collected_request_whose_caller_has_gone_is_sent_all_the_same() {
    let server = Server::start();
    let (node, _starved) = crowded(&server, Protections::default());
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    let mut released = Arc::clone(&node).release(ReleaseRequest::new(name("a"), owner(1), None));
    let _ = (&mut released).now_or_never();
    drop(released);
    eventually("it is released", || server.cli(&["EXISTS", "redlock:a"]) == "0");
}

#[test]
fn callers_that_look_after_nothing_hold_up_nobody() {
    let server = Server::start();
    let (node, starved) = crowded(&server, Protections::default());
    for number in 0..20 {
        assert!(is_granted(&acquire(&node, "a", number, 60_000)));
        assert!(release(&node, "a", number).unwrap().was_held);
    }
    for reply in starved {
        assert!(is_granted(&block_on(reply)));
    }
}

/// A batch to a stopped server, which goes on when the deadline has passed.
fn too_late(protections: Protections) -> Result<Reply, NodeError> {
    let server = Server::start();
    let (node, _starved) = crowded(&server, protections);
    assert!(is_granted(&acquire(&node, "other", 1, 60_000)));
    server.stop();
    let deadline = from_now(50);
    let request = AcquireRequest::new(name("a"), owner(1), Ttl::new(millis(60_000)).unwrap(), deadline);
    let mut reply = Arc::clone(&node).acquire(request);
    assert!((&mut reply).now_or_never().is_none());
    eventually("the deadline has passed", || Instant::now() > deadline);
    server.go_on();
    block_on(reply)
}

#[test]
fn every_request_of_a_batch_has_its_deadline() {
    assert_eq!(refusal(too_late(Protections::default()), RefusalReason::Stale), None);
    assert!(is_granted(&too_late(Protections::without("stale_deadline").unwrap())));
}

#[test]
fn a_batch_releases_extends_and_prolongs_for_the_owner_alone() {
    let with = |switch: &str| Protections::without(switch).unwrap();
    let server = Server::start();
    let (node, _starved) = crowded(&server, Protections::default());
    assert!(is_granted(&acquire(&node, "a", 1, 60_000)));
    assert!(!release(&node, "a", 2).unwrap().was_held);
    assert!(refusal(extend(&node, "a", 2, 120_000), RefusalReason::Held).is_some());
    assert!(is_granted(&extend(&node, "a", 1, 1_000)));
    assert!(pttl(&server, "redlock:a") > 10_000);

    let (careless, _starved) = crowded(&server, with("never_shorten"));
    assert!(is_granted(&extend(&careless, "a", 1, 20_000)));
    assert!(pttl(&server, "redlock:a") <= 20_000);
    let (careless, _starved) = crowded(&server, with("extend_owner_check"));
    assert!(is_granted(&extend(&careless, "a", 2, 60_000)));
    let (careless, _starved) = crowded(&server, with("release_owner_check"));
    assert!(release(&careless, "a", 2).unwrap().was_held);
}

#[test]
fn a_span_beyond_all_tokens_is_refused_in_a_batch_too() {
    let server = Server::start();
    let (node, _starved) = crowded(&server, Protections::default());
    let counted = |span| {
        let mut request = acquisition("a", 1, 60_000);
        request.fence = Some(Fence::new(1, span, Duration::from_secs(600)));
        block_on(Arc::clone(&node).acquire(request)).unwrap()
    };
    assert!(matches!(counted(5), Reply::Granted(_)));
    release(&node, "a", 1).unwrap();
    // Taken for a negative number it would count down.
    for span in [u64::MAX, 1 << 63, i64::MAX as u64] {
        assert!(
            matches!(counted(span), Reply::Refused(refusal) if refusal.reason == RefusalReason::Exhausted)
        );
    }
}
