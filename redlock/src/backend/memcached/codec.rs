//! memcached's text protocol, as far as a lock needs it.
//!
//! Written here, because no client has all of what a node must keep: requests in the order in which they were made while earlier ones
//! are still unanswered, answers that nobody waits for any more, answers of bounded size, `stats`, compare-and-swap, and any
//! stream under it. Locks are *read* and deleted by meta commands (`mg`, `md`), which give the remaining TTL and compare
//! the CAS value, and *stored* by the classic `add` and `cas`: a meta `ms` that finds no memory deletes what is there
//! (1.6.18, "avoid stale data"), so that a mere attempt at somebody else's lock would free it on a server that is full.

use std::collections::VecDeque;
use std::io::Write as _;

/// The longest line of an answer; memcached's own are far shorter.
const LONGEST_LINE: usize = 2_048;
/// The longest value that is kept; a longer one is skipped, whatever its length.
const LONGEST_VALUE: usize = 2_048;
/// So many lines `stats` may have; memcached 1.6 has about a hundred.
const MOST_STATS: usize = 1_000;

/// Requests that are sent at once.
#[derive(Default)]
pub(super) struct Pipeline {
    bytes: Vec<u8>,
    answers: usize,
}

impl Pipeline {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Stores an item unless there is one: [`Answer::Stored`] or [`Answer::NotStored`].
    pub(super) fn add(&mut self, key: &[u8], value: &str, ends: u64) {
        self.store(b"add ", key, value, ends, None);
    }

    /// Stores an item in place of the one with this CAS value: [`Answer::Stored`], [`Answer::Changed`] or
    /// [`Answer::Missing`].
    pub(super) fn swap(&mut self, key: &[u8], value: &str, ends: u64, cas: u64) {
        self.store(b"cas ", key, value, ends, Some(cas));
    }

    /// Reads an item: [`Answer::Item`] or [`Answer::Missing`].
    pub(super) fn get(&mut self, key: &[u8]) {
        self.bytes.extend([b"mg ", key, b" v c t\r\n"].concat());
        self.answers += 1;
    }

    /// Deletes the item with this CAS value: [`Answer::Deleted`], [`Answer::Changed`] or [`Answer::Missing`].
    pub(super) fn delete(&mut self, key: &[u8], cas: u64) {
        self.bytes.extend([b"md ", key].concat());
        self.line(format_args!(" C{cas}\r\n"));
        self.answers += 1;
    }

    /// Asks what the server says of itself (nothing), or how it is set up (` settings`): [`Answer::Stats`].
    pub(super) fn stats(&mut self, what: &str) {
        self.line(format_args!("stats{what}\r\n"));
        self.answers += 1;
    }

    /// Logs in: [`Answer::Stored`].
    pub(super) fn log_in(&mut self, user: &str, password: &str) {
        self.line(format_args!("set auth 0 0 {}\r\n{user} {password}\r\n", user.len() + 1 + password.len()));
        self.answers += 1;
    }

    fn store(&mut self, command: &[u8], key: &[u8], value: &str, ends: u64, cas: Option<u64>) {
        self.bytes.extend([command, key].concat());
        self.line(format_args!(" 0 {ends} {}", value.len()));
        if let Some(cas) = cas {
            self.line(format_args!(" {cas}"));
        }
        self.line(format_args!("\r\n{value}\r\n"));
        self.answers += 1;
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to memory cannot fail.
        let _ = self.bytes.write_fmt(text);
    }

    /// The bytes to send, and how many answers come.
    pub(super) fn into_parts(self) -> (Vec<u8>, usize) {
        (self.bytes, self.answers)
    }
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Stored,
    NotStored,
    Changed,
    Missing,
    Deleted,
    Item(Item),
    Stats(Vec<(String, String)>),
    /// It could not, and has changed nothing: its memory is full.
    Refused(String),
    /// It does not take the command at all. What follows may belong to nothing that was asked.
    Alien(String),
}

/// An item as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// `None`: too long to be ours.
    pub(super) value: Option<Vec<u8>>,
    pub(super) cas: u64,
    /// How many seconds it has left, by the server's clock; `None`: no end is set.
    pub(super) left: Option<u64>,
}

/// An answer that no memcached gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nonsense(pub(super) &'static str);

/// Takes answers out of what comes in; keeps no more than one of them.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    bytes: VecDeque<u8>,
    /// So many of them are known to hold no end of a line.
    searched: usize,
    /// An item whose value is still to come, and how much of that.
    body: Option<(Item, usize)>,
    stats: Vec<(String, String)>,
}

impl Decoder {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The next answer; `None`: it is not complete yet.
    pub(super) fn next(&mut self) -> Result<Option<Answer>, Nonsense> {
        loop {
            if let Some((item, rest)) = self.body.take() {
                return self.body(item, rest);
            }
            let Some(line) = self.line()? else { return Ok(None) };
            if let Some(answer) = self.meaning(&line)? {
                return Ok(Some(answer));
            }
        }
    }

    /// A value and the end of its line, `rest` bytes of which are still to come.
    fn body(&mut self, mut item: Item, rest: usize) -> Result<Option<Answer>, Nonsense> {
        match &mut item.value {
            Some(value) => {
                if self.bytes.len() < rest {
                    self.body = Some((item, rest));
                    return Ok(None);
                }
                value.extend(self.bytes.drain(..rest));
                if !value.ends_with(b"\r\n") {
                    return Err(Nonsense("a value is longer than it says"));
                }
                value.truncate(rest - 2);
            }
            // It is thrown away as it comes.
            None => {
                let there = self.bytes.len().min(rest);
                self.bytes.drain(..there);
                if there < rest {
                    self.body = Some((item, rest - there));
                    return Ok(None);
                }
            }
        }
        self.searched = 0;
        Ok(Some(Answer::Item(item)))
    }

    fn line(&mut self) -> Result<Option<String>, Nonsense> {
        let end = self.bytes.iter().skip(self.searched).position(|&byte| byte == b'\n');
        let Some(end) = end.map(|end| end + self.searched) else {
            self.searched = self.bytes.len();
            return if self.searched > LONGEST_LINE { Err(Nonsense("a line is too long")) } else { Ok(None) };
        };
        self.searched = 0;
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        if line.len() > LONGEST_LINE {
            return Err(Nonsense("a line is too long"));
        }
        line.pop();
        if line.pop_if(|byte| *byte == b'\r').is_none() {
            return Err(Nonsense("a line has no proper end"));
        }
        String::from_utf8(line).map(Some).map_err(|_| Nonsense("a line is no text"))
    }

    /// What a line means; `None`: more belongs to it.
    fn meaning(&mut self, line: &str) -> Result<Option<Answer>, Nonsense> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word != "STAT" && word != "END" && !self.stats.is_empty() {
            return Err(Nonsense("something else comes between its statistics"));
        }
        Ok(Some(match word {
            "STORED" => Answer::Stored,
            "NOT_STORED" => Answer::NotStored,
            "EXISTS" | "EX" => Answer::Changed,
            "NOT_FOUND" | "NF" | "EN" => Answer::Missing,
            "HD" => Answer::Deleted,
            "VA" => {
                let (item, size) = item(rest).ok_or(Nonsense("an item without its CAS value or TTL"))?;
                let rest = size.checked_add(2).ok_or(Nonsense("a value has no sensible length"))?;
                return self.body(item, rest);
            }
            "STAT" => {
                if self.stats.len() >= MOST_STATS {
                    return Err(Nonsense("its statistics have no end"));
                }
                let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
                self.stats.push((name.to_owned(), value.to_owned()));
                return Ok(None);
            }
            "END" => Answer::Stats(std::mem::take(&mut self.stats)),
            "SERVER_ERROR" => Answer::Refused(rest.to_owned()),
            "ERROR" | "CLIENT_ERROR" => Answer::Alien(line.to_owned()),
            _ => return Err(Nonsense("a line begins with a word that memcached does not have")),
        }))
    }
}

/// Reads `<size> c<cas> t<ttl>`, in whatever order.
fn item(line: &str) -> Option<(Item, usize)> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let size: usize = words.next()?.parse().ok()?;
    let (mut cas, mut left) = (None, None);
    for word in words {
        match word.split_at_checked(1)? {
            ("c", number) => cas = number.parse().ok(),
            ("t", "-1") => left = Some(None),
            ("t", number) => left = Some(Some(number.parse().ok()?)),
            // Recached, won, stale: hints that are of no use here.
            _ => {}
        }
    }
    let value = (size <= LONGEST_VALUE).then(Vec::new);
    Some((Item { value, cas: cas?, left: left? }, size))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8], step: usize) -> Result<Vec<Answer>, Nonsense> {
        let (mut decoder, mut answers) = (Decoder::default(), Vec::new());
        for part in bytes.chunks(step.max(1)) {
            decoder.feed(part);
            while let Some(answer) = decoder.next()? {
                answers.push(answer);
            }
        }
        Ok(answers)
    }

    const TALK: &str = "STORED\r\nNOT_STORED\r\nEXISTS\r\nEX\r\nNOT_FOUND\r\nHD\r\nEN\r\nVA 3 c7 t-1\r\na\r\n\r\n\
        VA 0 t5 c18446744073709551615 W\r\n\r\nSTAT pid 1\r\nSTAT time 2 3\r\nEND\r\nEND\r\nSERVER_ERROR out of memory\r\n\
        ERROR\r\nCLIENT_ERROR unauthenticated\r\n";

    #[test]
    fn answers_are_understood_however_they_are_cut() {
        let item = |value: &[u8], cas, left| Answer::Item(Item { value: Some(value.to_vec()), cas, left });
        let stat = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [
            Answer::Stored,
            Answer::NotStored,
            Answer::Changed,
            Answer::Changed,
            Answer::Missing,
            Answer::Deleted,
            Answer::Missing,
            item(b"a\r\n", 7, None),
            item(b"", u64::MAX, Some(5)),
            Answer::Stats(vec![stat("pid", "1"), stat("time", "2 3")]),
            Answer::Stats(vec![]),
            Answer::Refused("out of memory".to_owned()),
            Answer::Alien("ERROR".to_owned()),
            Answer::Alien("CLIENT_ERROR unauthenticated".to_owned()),
        ];
        for step in [1, 2, 3, 7, 1_000] {
            assert_eq!(all(TALK.as_bytes(), step).unwrap(), expected, "{step}");
        }
    }

    #[test]
    fn a_value_that_is_too_long_is_skipped_and_takes_no_room() {
        let mut decoder = Decoder::default();
        decoder.feed(b"VA 1000000 c1 t5\r\n");
        for _ in 0..1_000 {
            assert_eq!(decoder.next(), Ok(None));
            decoder.feed(&[b'x'; 1_000]);
        }
        assert_eq!(decoder.next(), Ok(None));
        assert!(decoder.bytes.is_empty());
        decoder.feed(b"\r\nEN\r\n");
        let long = Item { value: None, cas: 1, left: Some(5) };
        assert_eq!(decoder.next(), Ok(Some(Answer::Item(long))));
        assert_eq!(decoder.next(), Ok(Some(Answer::Missing)));
    }

    #[test]
    fn what_is_no_answer_of_memcached_is_nonsense() {
        for bad in [
            "\r\n",
            "STORED\n",
            "HTTP/1.1 400 Bad Request\r\n",
            "VA\r\n",
            "VA 3\r\n",
            "VA 3 c1\r\n",
            "VA 3 c1 tx\r\n",
            "VA 99999999999999999999 c1 t1\r\n",
            "VA 18446744073709551615 c1 t1\r\n",
            "VA 1 c1 t1\r\nabc",
            "VA 1 \u{e9} c1 t1\r\n",
            "STAT a b\r\nSTORED\r\n",
        ] {
            assert!(all(bad.as_bytes(), 1).is_err(), "{bad:?}");
        }
        assert!(all(&[b'a'; LONGEST_LINE + 1], 100).is_err());
        assert!(all("STAT a b\r\n".repeat(MOST_STATS + 1).as_bytes(), 100).is_err());
        assert!(all(b"\xff\r\n", 1).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn hostile_bytes_neither_panic_nor_fill_the_memory(bytes in vec(any::<u8>(), 0..300), step in 1..50_usize) {
            let _ = all(&bytes, step);
        }

        #[test]
        fn bytes_that_look_like_answers_neither_panic_nor_depend_on_how_they_are_cut(
            pieces in vec(prop_oneof![
                Just("VA "), Just("STAT "), Just("END"), Just("\r\n"), Just("\n"), Just(" "), Just("c1"), Just("t5"), Just("t-1"),
                Just("4"), Just("18446744073709551614"), Just("HD"), Just("STORED"), Just("SERVER_ERROR"), Just("é"),
            ], 0..40),
            step in 1..9_usize,
        ) {
            let text = pieces.concat();
            prop_assert_eq!(all(text.as_bytes(), step), all(text.as_bytes(), 100_000));
        }
    }
}
