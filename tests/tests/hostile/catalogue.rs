//! Chosen lies: whatever kind of broken or hostile answer there is, at least once.

use std::time::Duration;

use redlock_tests::hostile::Deed;

/// Answers that are no grant and no other answer that a request of ours could get.
pub(crate) fn lies() -> Vec<Vec<u8>> {
    let mut lies: Vec<Vec<u8>> = [
        // Other types.
        "+OK\r\n",
        "-ERR\r\n",
        "-\r\n",
        ":0\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        "*-1\r\n",
        "*0\r\n",
        "_\r\n",
        "#t\r\n",
        ",nan\r\n",
        ",inf\r\n",
        "(99999999999999999999999999\r\n",
        "%1\r\n:0\r\n:1700000000000000\r\n",
        "~2\r\n:0\r\n:1700000000000000\r\n",
        "=7\r\ntxt:abc\r\n",
        "!5\r\nERR x\r\n",
        // Numbers that are none of ours.
        "*2\r\n:0\r\n:-1\r\n",
        "*2\r\n:0\r\n:0\r\n",
        "*2\r\n:0\r\n:9223372036854775807\r\n",
        "*2\r\n:0\r\n:-9223372036854775808\r\n",
        "*2\r\n:0\r\n:99999999999999999999\r\n",
        "*2\r\n:0\r\n,1.7e15\r\n",
        "*2\r\n,0\r\n,nan\r\n",
        "*2\r\n$1\r\n0\r\n$16\r\n1700000000000000\r\n",
        "*3\r\n:0\r\n:1700000000000000\r\n:0\r\n",
        "*3\r\n:0\r\n:1700000000000000\r\n:-7\r\n",
        "*3\r\n:0\r\n:1700000000000000\r\n:9007199254740993\r\n",
        "*3\r\n:0\r\n:1700000000000000\r\n$-1\r\n",
        "*3\r\n:1\r\n:1700000000000000\r\n:-9\r\n",
        "*2\r\n:77\r\n:1700000000000000\r\n",
        // Too few, too many, nested.
        "*1\r\n:0\r\n",
        "*5\r\n:0\r\n:1700000000000000\r\n:1\r\n:1\r\n:1\r\n",
        "*1\r\n*2\r\n:0\r\n:1700000000000000\r\n",
        "*2\r\n*1\r\n:0\r\n*1\r\n:1700000000000000\r\n",
        // Directions to elsewhere.
        "-MOVED 0 127.0.0.1:1\r\n",
        "-MOVED\r\n",
        "-MOVED 99999999 :::::\r\n",
        "-ASK 0 127.0.0.1:1\r\n",
        "-NOSCRIPT\r\n",
        "-READONLY\r\n",
        "-NOAUTH Authentication required.\r\n",
        "-WRONGPASS\r\n",
        "-LOADING\r\n",
        // Pub/sub and pushes.
        "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
        "*3\r\n$7\r\nmessage\r\n*0\r\n*-1\r\n",
        ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n",
        ">0\r\n",
        ">1\r\n$10\r\ninvalidate\r\n",
        "|1\r\n+a\r\n+b\r\n",
        // No frames.
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "\r\n",
        "*\r\n",
        "$\r\n",
        "*-2\r\n",
        "$-2\r\n",
        "*x\r\n",
        ":\r\n",
        "*2\r\n:x\r\n:y\r\n",
        "$3\r\nabcdef\r\n",
        // Streams of RESP3 that never were.
        "*?\r\n:0\r\n.\r\n",
        "$?\r\n;0\r\n",
        ".\r\n",
        "%?\r\n+a\r\n.\r\n",
        "*?\r\n*?\r\n",
    ]
    .map(|lie| lie.as_bytes().to_vec())
    .to_vec();
    lies.push(vec![0; 64]);
    lies.push(vec![0xff; 64]);
    lies.push(nested(10));
    lies.push(nested(200));
    lies.push(format!("-ERR {}\r\n", "x".repeat(1 << 20)).into_bytes());
    lies.push(format!("+{}\r\n", "x".repeat(1 << 20)).into_bytes());
    lies.push(format!("*100000\r\n{}", ":0\r\n".repeat(100_000)).into_bytes());
    lies
}

/// Answers that never come to their end.
pub(crate) fn silences() -> Vec<Deed> {
    let unfinished = [
        "$1000000000000\r\n",
        "$9223372036854775807\r\n",
        "*1000000000\r\n",
        "*2\r\n:0\r\n",
        "+",
        "*2\r\n:0\r\n:17",
    ];
    let unfinished = unfinished.map(|head| Deed::Replace(head.as_bytes().to_vec()));
    let pause = Duration::from_millis(20);
    let endless = [("$1000000000\r\n", "x"), ("*1000000000\r\n", ":0\r\n"), ("+", "x")];
    let endless = endless.map(|(head, again)| Deed::Endless(head.into(), again.into(), pause));
    let late = [Deed::Late(Duration::from_secs(2)), Deed::SilentAfter(0), Deed::SilentAfter(7)];
    unfinished.into_iter().chain(endless).chain(late).collect()
}

/// Arrays in arrays, so many.
pub(crate) fn nested(levels: usize) -> Vec<u8> {
    format!("{}:0\r\n", "*1\r\n".repeat(levels)).into_bytes()
}
