//! Servers that are not what they should be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use futures::executor::block_on;
use redlock::backend::redis::RedisConfig;
use redlock::node::{Effect, Node, NodeErrorKind};

use crate::server::eventually;
use crate::{acquire, is_granted, name, probe, release, start};

/// Listens on a free port; each connection is served by `serve` on a thread of its own.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> RedisConfig {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    RedisConfig::new("127.0.0.1").port(port)
}

/// Speaks RESP: `answer` gets each command's words in lower case.
fn speak(answer: impl Fn(&[String]) -> String + Send + Sync + 'static) -> RedisConfig {
    listen(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(command) = read_command(&mut reader) {
            if stream.write_all(answer(&command).as_bytes()).is_err() {
                return;
            }
        }
    })
}

fn read_command(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut count = |lead: char| {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let count: usize = line.trim().strip_prefix(lead)?.parse().ok()?;
        if lead == '*' {
            return Some((count, String::new()));
        }
        let mut bytes = vec![0; count + 2];
        reader.read_exact(&mut bytes).ok()?;
        Some((count, String::from_utf8_lossy(&bytes[..count]).to_lowercase()))
    };
    let (words, _) = count('*')?;
    (0..words).map(|_| Some(count('$')?.1)).collect()
}

/// What a server of this version says while a node sets it up, with `evalsha` as the answer to every request.
fn imitate(version: &'static str, evalsha: &'static str) -> RedisConfig {
    speak(move |command| {
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        match command[0].as_str() {
            "ping" => "+PONG\r\n".to_owned(),
            "client" => ":1\r\n".to_owned(),
            "info" => {
                let id = "0a".repeat(20);
                bulk(&format!(
                    "redis_version:{version}\r\nrun_id:{id}\r\nrole:master\r\nmaster_replid:{id}\r\n"
                ))
            }
            "time" => "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n".to_owned(),
            "script" => bulk(&"ab".repeat(20)),
            "evalsha" => evalsha.to_owned(),
            other => panic!("{other} was not expected"),
        }
    })
}

#[test]
fn a_server_before_6_2_is_refused_by_its_version() {
    let error = probe(imitate("6.0.16", "")).unwrap_err();
    assert_eq!((error.kind, error.effect), (NodeErrorKind::Unsupported, Effect::None));
    assert!(error.to_string().contains("6.0.16") && error.to_string().contains("6.2"), "{error}");
}

#[test]
fn an_imitation_that_answers_as_it_should_is_taken_for_a_server() {
    let node = start(imitate("7.2.4", "*2\r\n:0\r\n:1700000000000000\r\n"));
    assert_eq!(block_on(Arc::clone(&node).probe()).unwrap().version.as_deref(), Some("7.2.4"));
    assert!(is_granted(&acquire(&node, "a", 1, 1_000)));
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error_with_an_unknown_effect() {
    for odd in [
        "+OK\r\n",
        ":0\r\n",
        "$-1\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*1\r\n:0\r\n",
        "*2\r\n:0\r\n:-1\r\n",
        "*2\r\n:0\r\n:0\r\n",
        "*2\r\n:0\r\n:9223372036854775807\r\n",
        "*2\r\n:9\r\n:1700000000000000\r\n",
        "*2\r\n:-1\r\n:1700000000000000\r\n",
        "*2\r\n$1\r\n0\r\n:1700000000000000\r\n",
        "*2\r\n*1\r\n:0\r\n:1700000000000000\r\n",
        "*3\r\n:0\r\n:1700000000000000\r\n:1\r\n",
        "*3\r\n:1\r\n:1700000000000000\r\n:-2\r\n",
        "*4\r\n:0\r\n:1700000000000000\r\n:1\r\n:1\r\n",
        "-ERR something else\r\n",
    ] {
        let node = start(imitate("7.0.0", odd));
        block_on(Arc::clone(&node).probe()).unwrap();
        let error = acquire(&node, "a", 1, 1_000).unwrap_err();
        assert_eq!(
            (error.kind, error.effect),
            (NodeErrorKind::Protocol, Effect::Unknown),
            "{odd:?}: {error}"
        );
    }
}

#[test]
fn an_answer_that_is_no_frame_ends_the_connection() {
    for odd in ["garbage\r\n", "*2\r\n:x\r\n:y\r\n", ":99999999999999999999\r\n"] {
        let node = start(imitate("7.0.0", odd));
        block_on(Arc::clone(&node).probe()).unwrap();
        let error = acquire(&node, "a", 1, 1_000).unwrap_err();
        assert_eq!(error.effect, Effect::Unknown, "{odd:?}: {error}");
        assert!(
            matches!(error.kind, NodeErrorKind::Disconnected | NodeErrorKind::Protocol),
            "{odd:?}: {error}"
        );
    }
}

#[test]
fn each_operation_takes_only_the_answers_that_belong_to_it() {
    let stale = start(imitate("7.0.0", "*2\r\n:3\r\n:1700000000000000\r\n"));
    block_on(Arc::clone(&stale).probe()).unwrap();
    assert_eq!(
        release(&stale, "a", 1).unwrap_err().kind,
        NodeErrorKind::Protocol,
        "a release is never stale"
    );
    let done = start(imitate("7.0.0", "*2\r\n:0\r\n:1700000000000000\r\n"));
    block_on(Arc::clone(&done).probe()).unwrap();
    let error = block_on(Arc::clone(&done).inspect(name("a"))).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Protocol);
    eventually("such a connection is replaced", || release(&done, "a", 1).is_ok());
}

#[test]
fn a_server_that_is_not_redis_is_told_in_time() {
    let http = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let endless: &'static [u8] = &[0xff; 4096];
    for (config, what) in [
        (listen(|_| ()), "closes at once"),
        (listen(|mut stream| drop(stream.read(&mut [0]))), "closes at the first byte"),
        (speak(move |_| http.to_owned()), "HTTP"),
        (listen(|mut stream| while stream.write_all(endless).is_ok() {}), "noise without end"),
        (speak(|_| "+PONG\r\n".to_owned()), "always PONG"),
        (speak(|_| ":7\r\n".to_owned()), "always a number"),
        (speak(|_| "-ERR no\r\n".to_owned()), "always an error"),
        (imitate("", ""), "no version"),
    ] {
        let error = probe(config).unwrap_err();
        assert_eq!(error.effect, Effect::None);
        assert!(
            matches!(error.kind, NodeErrorKind::Protocol | NodeErrorKind::Unreachable),
            "{what}: {error}"
        );
        assert!(error.to_string().len() > "127.0.0.1:65535: ".len() + 10, "{what}: {error}");
    }
}

#[test]
fn a_server_that_never_answers_is_given_up_after_the_connect_timeout() {
    let config = listen(|stream| {
        std::thread::park();
        drop(stream);
    });
    let error = probe(config.connect_timeout(std::time::Duration::from_millis(100))).unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::Unreachable);
    assert!(error.to_string().contains("no answer within 100ms"), "{error}");
}
