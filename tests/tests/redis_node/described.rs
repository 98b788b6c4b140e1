//! What an owner says of itself, beside the counter of its name.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use redlock::backend::redis::RedisNode;
use redlock::node::{
    AcquireRequest, Description, ExtendRequest, Fence, Inspection, Node as _, Raise, RaiseRequest, Reply,
};
use redlock::{FencingToken, Ttl};

use crate::server::Server;
use crate::{connected, from_now, millis, name, owner, release};

const COUNTER: &str = "#redlock:aux:{redlock:a}";
const RETENTION: Duration = Duration::from_secs(600);

fn ttl() -> Ttl {
    Ttl::new(millis(60_000)).unwrap()
}

fn said(text: &str) -> Option<Description> {
    Some(Description::new(text))
}

fn granted(reply: Result<Reply, redlock::node::NodeError>) -> u64 {
    let Ok(Reply::Granted(grant)) = reply else { panic!("{reply:?}") };
    grant.counter.unwrap()
}

fn acquire(node: &Arc<RedisNode>, number: u8, hint: u64, description: Option<Description>) -> u64 {
    let mut request = AcquireRequest::new(name("a"), owner(number), ttl(), from_now(10_000));
    request.fence = Some(Fence::new(hint, 1, RETENTION));
    request.description = description;
    granted(block_on(Arc::clone(node).acquire(request)))
}

fn extend(node: &Arc<RedisNode>, number: u8, to: u64, description: Option<Description>) -> u64 {
    let mut request = ExtendRequest::new(name("a"), owner(number), ttl(), from_now(10_000));
    request.fence = Some(Raise::new(to, RETENTION));
    request.description = description;
    granted(block_on(Arc::clone(node).extend(request)))
}

fn look(node: &Arc<RedisNode>) -> Inspection {
    block_on(Arc::clone(node).inspect(name("a"))).unwrap()
}

fn shown(node: &Arc<RedisNode>) -> Option<String> {
    look(node).description.map(|description| description.as_str().to_owned())
}

#[test]
fn it_lies_behind_the_counter_in_the_one_key_beside_the_lock() {
    let server = Server::start();
    let node = connected(&server);
    let counter = acquire(&node, 1, u64::MAX, said("web-3 812 5 nightly run"));
    assert_eq!(server.cli(&["GET", COUNTER]), format!("{counter} 01010101 web-3 812 5 nightly run"));
    assert_eq!(server.cli(&["GET", "redlock:a"]), "01".repeat(20), "for other clients nothing is new");
    let raised = extend(&node, 1, counter + 7, said("web-3 812 5 nearly done"));
    assert_eq!(server.cli(&["GET", COUNTER]), format!("{raised} 01010101 web-3 812 5 nearly done"));
    assert_eq!((look(&node).counter, raised), (Some(raised), counter + 7));
    let mut keys: Vec<_> = server.cli(&["KEYS", "*"]).lines().map(str::to_owned).collect();
    keys.sort();
    assert_eq!(keys, [COUNTER, "redlock:a"]);
}

#[test]
fn a_counter_counts_on_exactly_whether_anything_is_said_or_not() {
    let server = Server::start();
    let node = connected(&server);
    // As an earlier version has left it, and a second ahead of every hint.
    let ahead = acquire(&node, 9, u64::MAX, None) + 3_600_000_000;
    release(&node, "a", 9).unwrap();
    for stored in [ahead.to_string(), format!("{ahead} 01010101 somebody who was there"), format!("{ahead} ")]
    {
        server.cli(&["SET", COUNTER, &stored]);
        assert_eq!(acquire(&node, 1, 0, said("one")), ahead + 1, "{stored:?}");
        assert_eq!(server.cli(&["GET", COUNTER]), format!("{} 01010101 one", ahead + 1));
        // Asked again, it stays where it is.
        assert_eq!(acquire(&node, 1, u64::MAX, said("again")), ahead + 1);
        assert_eq!(shown(&node).as_deref(), Some("again"));
        assert_eq!(extend(&node, 1, ahead + 1, None), ahead + 1);
        let raise =
            RaiseRequest::new(name("a"), owner(1), ttl(), from_now(10_000), Raise::new(ahead + 5, RETENTION));
        assert_eq!(granted(block_on(Arc::clone(&node).raise(raise))), ahead + 5);
        assert_eq!(shown(&node).as_deref(), Some("again"));
        assert_eq!(server.cli(&["GET", COUNTER]), format!("{} 01010101 again", ahead + 5));
        release(&node, "a", 1).unwrap();
        assert_eq!(acquire(&node, 2, 0, None), ahead + 6, "nothing is said, and a number is stored");
        assert_eq!(server.cli(&["GET", COUNTER]), (ahead + 6).to_string());
        release(&node, "a", 2).unwrap();
    }
    // Of fewer digits than any that a clock gives, and with more than a space behind them.
    for stored in ["7 01010101 short", "12345678901234 5 x", "9007199254740 "] {
        server.cli(&["SET", COUNTER, stored]);
        assert!(acquire(&node, 1, 0, said("one")) > ahead - 4_000_000_000, "{stored:?}");
        release(&node, "a", 1).unwrap();
    }
    server.cli(&["SET", COUNTER, &format!("{} x", FencingToken::MAX - 1)]);
    assert_eq!(acquire(&node, 1, 0, said("the last")), FencingToken::MAX);
    assert_eq!(server.cli(&["GET", COUNTER]), format!("{} 01010101 the last", FencingToken::MAX));
}

#[test]
fn who_says_nothing_is_not_shown_as_who_was_there_before() {
    let server = Server::start();
    let node = connected(&server);
    acquire(&node, 1, u64::MAX, said("the first"));
    release(&node, "a", 1).unwrap();
    assert_eq!(shown(&node), None);
    // A foreign client, and one without counters: they write the main key alone.
    server.cli(&["SET", "redlock:a", "0b7dc2ff", "PX", "60000"]);
    assert!(look(&node).held && shown(&node).is_none());
    server.cli(&["DEL", "redlock:a"]);
    crate::acquire(&node, "a", 2, 60_000).unwrap();
    assert!(look(&node).held && shown(&node).is_none());
    // What is longer than a token, or nothing at all.
    for odd in ["", "x", &"y".repeat(100_000)] {
        server.cli(&["SET", "redlock:a", odd]);
        assert!(look(&node).held && shown(&node).is_none());
    }
}

#[test]
fn what_others_have_written_there_is_shown_escaped_and_in_part() {
    let server = Server::start();
    let node = connected(&server);
    let counter = acquire(&node, 1, u64::MAX, None);
    server.cli(&["SET", COUNTER, &format!("{counter} 01010101 \u{1b}[2J\u{202e}{}", "z".repeat(100_000))]);
    let description = look(&node).description.unwrap();
    assert!(description.as_bytes().len() <= Description::MAX_BYTES);
    assert!(description.to_string().starts_with("\\u{1b}[2J\\u{202e}zzz"), "{description}");
    assert!(extend(&node, 1, counter + 1, said("mine")) > counter);
    assert_eq!(shown(&node).as_deref(), Some("mine"));
}

#[test]
fn it_costs_the_server_no_command_more() {
    let server = Server::start();
    let node = connected(&server);
    let commands = |description: Option<&str>| {
        server.cli(&["CONFIG", "RESETSTAT"]);
        for number in 1..=3 {
            acquire(&node, number, 1, description.map(Description::new));
            extend(&node, number, 1, description.map(Description::new));
            release(&node, "a", number).unwrap();
        }
        let stats = server.cli(&["INFO", "commandstats"]);
        let of = |command: &str| {
            let calls =
                stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
            calls.and_then(|calls| calls.split(',').next()?.parse::<u32>().ok()).unwrap_or(0)
        };
        ["evalsha", "time", "get", "set", "del", "pttl"].map(of)
    };
    // The keeper of the connection asks for the time now and then, too.
    let least = |description| (0..5).map(|_| commands(description)).min();
    assert_eq!(least(Some("web-3 812 1700000000000 nightly run")), least(None));
}
