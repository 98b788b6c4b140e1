//! One node whose answers are falsified: every operation ends, nothing but a grant is one, and an honest server is found again.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redlock::Instant;
use redlock::backend::redis::RedisNode;
use redlock::env::Env;
use redlock::node::{
    AcquireRequest, Charter, ExtendRequest, Fence, Incarnation, Mark, MarkRequest, Node, Raise, RaiseRequest,
    ReleaseRequest, Reply,
};
use redlock::testing::servers::RedisServer;
use redlock_tests::hostile::{Deed, HostileServer};
use redlock_tests::support::eventually;

use crate::catalogue::{lies, silences};
use crate::{
    acquire, assert_heals, assert_no_panic, cases, ends, environment, in_time, name, owner, start, ttl,
};

/// What a node can be asked to do.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Acquire,
    AcquireFenced,
    Extend,
    Raise,
    Release,
    Inspect,
    Mark,
    Probe,
    Examine,
}

const OPERATIONS: [Operation; 9] = [
    Operation::Acquire,
    Operation::AcquireFenced,
    Operation::Extend,
    Operation::Raise,
    Operation::Release,
    Operation::Inspect,
    Operation::Mark,
    Operation::Probe,
    Operation::Examine,
];

/// What came of it, as far as it is the holder's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Granted,
    Answered,
    Failed,
}

impl Operation {
    fn run(self, node: &Arc<RedisNode>) -> BoxFuture<'static, Came> {
        let node = Arc::clone(node);
        let (retention, lock) = (Duration::from_secs(60), name("a"));
        let (fence, raise) = (Fence::new(1, 1, retention), Raise::new(9, retention));
        let vote = |reply: Result<Reply, _>| match reply {
            Ok(Reply::Granted(_)) => Came::Granted,
            Ok(_) => Came::Answered,
            Err(_) => Came::Failed,
        };
        match self {
            Self::Acquire => acquire(node, "a").map(vote).boxed(),
            Self::AcquireFenced => {
                let mut request = AcquireRequest::new(lock, owner(1), ttl(), in_time());
                request.fence = Some(fence);
                node.acquire(request).map(vote).boxed()
            }
            Self::Extend => {
                node.extend(ExtendRequest::new(lock, owner(1), ttl(), in_time())).map(vote).boxed()
            }
            Self::Raise => {
                node.raise(RaiseRequest::new(lock, owner(1), ttl(), in_time(), raise)).map(vote).boxed()
            }
            Self::Release => {
                node.release(ReleaseRequest::new(lock, owner(1), Some(Instant::now()))).map(answered).boxed()
            }
            Self::Inspect => node.inspect(lock).map(answered).boxed(),
            Self::Mark => {
                let charter = Charter::new(1, 1, 1, 1, Duration::from_secs(30));
                let mark = Mark::Init { incarnation: Incarnation::new(7), floor: 1 };
                node.mark(MarkRequest::new(charter, mark)).map(answered).boxed()
            }
            Self::Probe => node.probe().map(answered).boxed(),
            Self::Examine => node.examine().map(answered).boxed(),
        }
    }
}

fn answered<T, E>(result: Result<T, E>) -> Came {
    result.map_or(Came::Failed, |_| Came::Answered)
}

/// A connected node behind a server that lies from now on about what scripts say.
fn connected(server: &HostileServer, env: &Arc<dyn Env>) -> Arc<RedisNode> {
    server.be_honest();
    let node = start(server, env);
    ends(env, "connecting", Arc::clone(&node).probe()).unwrap();
    node
}

#[test]
fn no_chosen_lie_is_a_grant_or_hangs_or_stays() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let server = HostileServer::before(&real);
    // Each lie for a third of the operations, in turn.
    for (index, lie) in lies().into_iter().enumerate() {
        for operation in OPERATIONS.into_iter().skip(index % 3).step_by(3) {
            let node = connected(&server, &env);
            server.on("EVALSHA", Deed::Replace(lie.clone()));
            let came = ends(&env, "an operation", operation.run(&node));
            let start = String::from_utf8_lossy(&lie[..lie.len().min(60)]).into_owned();
            assert_ne!(came, Came::Granted, "{operation:?}: {start:?}");
        }
        assert_no_panic();
    }
    eventually("no connection is left", || server.connections() == 0);
    let node = connected(&server, &env);
    server.on("EVALSHA", Deed::Replace(b"*2\r\n:9\r\n:9\r\n".to_vec()));
    assert_eq!(ends(&env, "acquiring", Operation::Acquire.run(&node)), Came::Failed);
    server.be_honest();
    assert_heals(&env, &node);
}

#[test]
fn an_answer_that_never_ends_fails_and_the_server_is_found_again() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    // All at once, since each takes as long as the node's patience with silence.
    let nodes: Vec<_> = silences()
        .into_iter()
        .flat_map(|deed| {
            [Operation::Acquire, Operation::Extend, Operation::Release].map(|each| (deed.clone(), each))
        })
        .map(|(deed, operation)| {
            let server = HostileServer::before(&real);
            (connected(&server, &env), server, deed, operation)
        })
        .collect();
    let running = nodes.iter().map(|(node, server, deed, operation)| {
        server.on("EVALSHA", deed.clone());
        operation.run(node)
    });
    let came = ends(&env, "operations without answers", join_all(running));
    for ((_, _, deed, operation), came) in nodes.iter().zip(came) {
        assert_eq!(came, Came::Failed, "{operation:?} {deed:?}");
    }
    for (node, server, ..) in nodes {
        server.be_honest();
        eventually("the server is found again", || {
            ends(&env, "inspecting", Arc::clone(&node).inspect(name("a"))).is_ok()
        });
        drop(node);
        eventually("no connection is left", || server.connections() == 0);
    }
    assert_no_panic();
}

#[test]
fn a_connection_that_ends_at_any_byte_of_an_answer_fails_the_request() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let server = HostileServer::before(&real);
    for operation in OPERATIONS.into_iter().take(6) {
        for count in 0.. {
            let node = connected(&server, &env);
            server.on("EVALSHA", Deed::CutAfter(count));
            if ends(&env, "an operation", operation.run(&node)) != Came::Failed {
                // All of it had come.
                assert!(count >= 16, "{operation:?} took {count} bytes for an answer");
                break;
            }
            assert!(count < 100, "no answer is that long");
        }
    }
    assert_no_panic();
}

#[test]
fn answers_to_nobody_make_no_grant_of_a_refusal() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let server = HostileServer::before(&real);
    for lie in lies() {
        // Behind an answer it comes to nobody, or to the next request.
        for deed in [Deed::Append(lie.clone()), Deed::Precede(lie.clone())] {
            let node = connected(&server, &env);
            real.command(&["SET", "redlock:a", "theirs", "PX", "60000"]).unwrap();
            server.on("EVALSHA", deed);
            for _ in 0..3 {
                assert_ne!(ends(&env, "acquiring", Operation::Acquire.run(&node)), Came::Granted);
            }
        }
        assert_no_panic();
    }
}

/// A frame of RESP2 or RESP3, well-formed as such.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        Just(0_i64),
        1..6_i64,
        Just(1_700_000_000_000_000),
        Just(-1),
        Just(i64::MIN),
        Just(i64::MAX),
        any::<i64>()
    ];
    let leaf = prop_oneof![
        6 => number.prop_map(|number| format!(":{number}\r\n").into_bytes()),
        1 => any::<f64>().prop_map(|number| format!(",{number}\r\n").into_bytes()),
        1 => any::<u128>().prop_map(|number| format!("({number}\r\n").into_bytes()),
        1 => vec(any::<u8>(), 0..40).prop_map(|bytes| [format!("${}\r\n", bytes.len()).into_bytes(), bytes, b"\r\n".to_vec()].concat()),
        1 => "[ -~]{0,30}".prop_map(|text| format!("+{text}\r\n").into_bytes()),
        1 => "[ -~]{0,30}".prop_map(|text| format!("-{text}\r\n").into_bytes()),
        1 => prop_oneof![Just("$-1\r\n"), Just("*-1\r\n"), Just("_\r\n"), Just("#t\r\n"), Just(",nan\r\n")].prop_map(|text| text.as_bytes().to_vec()),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        (
            prop_oneof![6 => Just('*'), 1 => Just('~'), 1 => Just('>'), 1 => Just('%'), 1 => Just('|')],
            vec(inner, 0..5),
        )
            .prop_map(|(kind, items)| {
                let count = if "%|".contains(kind) { items.len() / 2 } else { items.len() };
                [format!("{kind}{count}\r\n").into_bytes(), items.concat()].concat()
            })
    })
}

/// A frame of which bytes have been changed, taken away or added.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let grant = Just(b"*3\r\n:0\r\n:1700000000000000\r\n:12345\r\n".to_vec());
    (
        prop_oneof![grant, frame()],
        vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..4),
        any::<bool>(),
    )
        .prop_map(|(mut bytes, changes, ends)| {
            for (at, byte, how) in changes {
                let at = at.index(bytes.len() + 1);
                match how {
                    0 if at < bytes.len() => bytes[at] = byte,
                    1 if at < bytes.len() => drop(bytes.remove(at)),
                    _ => bytes.insert(at, byte),
                }
            }
            if ends {
                bytes.extend_from_slice(b"\r\n");
            }
            bytes
        })
}

/// Whether these bytes begin with an answer that grants, read by the book: an array of two or three integers, the first of
/// them 0, a clock and perhaps a counter within their ranges.
fn is_grant(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r"));
    let mut number = |lead: u8| -> Option<i64> {
        let line = lines.next()??;
        let (first, rest) = line.split_first()?;
        if *first == lead { std::str::from_utf8(rest).ok()?.parse().ok() } else { None }
    };
    let mut read = || {
        let count = number(b'*')?;
        let (code, clock) = (number(b':')?, number(b':')?);
        let counter = if count == 3 { number(b':')? } else { 1 };
        let valid = |number: i64| (1..1 << 53).contains(&number);
        Some((2..=3).contains(&count) && code == 0 && valid(clock) && valid(counter))
    };
    read().unwrap_or(false)
}

#[test]
fn random_answers_are_no_grants_unless_they_are() {
    let (real, env) = (RedisServer::start().unwrap(), environment());
    let server = HostileServer::before(&real);
    let answer = prop_oneof![frame(), damaged(), vec(any::<u8>(), 1..80)];
    let operation = prop::sample::select(OPERATIONS.to_vec());
    let run = TestRunner::new(cases(150)).run(&(operation, answer), |(operation, answer)| {
        let node = connected(&server, &env);
        // What is no whole frame ends with the connection, so that nobody waits for the rest.
        server.on("EVALSHA", Deed::ReplaceAndClose(answer.clone()));
        let came = ends(&env, "an operation", operation.run(&node));
        prop_assert!(came != Came::Granted || is_grant(&answer), "{:?} was granted", operation);
        assert_no_panic();
        Ok(())
    });
    run.unwrap();
}
