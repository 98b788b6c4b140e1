//! What cuts a stream into messages: those of RESP, or whatever comes at a time.
//!
//! Of a message of RESP it is known where it ends and what it is; nothing of it is kept.

/// As much of a line as says what it announces.
const LINE: usize = 32;

/// As much of a command's word as is kept.
const WORD: usize = 32;

/// What clients and nodes speak, as far as a way understands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RESP, 2 or 3. What is not RESP after all passes as [`Bytes`](Self::Bytes) do.
    Resp,
    /// Any: whatever is read at a time is a message, and nothing is known of it.
    Bytes,
}

/// Reads one direction of a connection; a message may come in any number of pieces, and be of any size.
pub(super) struct Scanner {
    protocol: Protocol,
    /// How many values the message still consists of, the one that is being read included; 0 between messages.
    missing: u64,
    inside: Inside,
    line: Vec<u8>,
    /// The type of the message: its first byte.
    kind: u8,
    word: Vec<u8>,
    /// The first text of the message has been seen.
    has_word: bool,
    is_opaque: bool,
}

/// Where the next byte is.
#[derive(Clone, Copy)]
enum Inside {
    Line,
    /// So many bytes of a text and its line end are missing.
    Text {
        missing: u64,
        ends_with: u64,
    },
}

/// What was read.
pub(super) struct Scanned {
    /// So many bytes belong to one message.
    pub(super) used: usize,
    /// They are its last.
    pub(super) ends: bool,
}

impl Scanner {
    pub(super) const fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            missing: 0,
            inside: Inside::Line,
            line: Vec::new(),
            kind: 0,
            word: Vec::new(),
            has_word: false,
            is_opaque: matches!(protocol, Protocol::Bytes),
        }
    }

    /// Reads up to the end of the message, or of the bytes.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Scanned {
        if self.protocol == Protocol::Bytes {
            return Scanned { used: bytes.len(), ends: true };
        }
        let mut used = 0;
        while used < bytes.len() && !self.is_opaque {
            if self.missing == 0 {
                self.begin(bytes[used]);
            }
            used += match self.inside {
                Inside::Line => self.read_line(&bytes[used..]),
                Inside::Text { missing, ends_with } => self.read_text(&bytes[used..], missing, ends_with),
            };
            if self.missing == 0 && !self.is_opaque {
                return Scanned { used, ends: true };
            }
        }
        if self.is_opaque {
            // Nobody knows where it ends: here.
            self.missing = 0;
        }
        Scanned { used: bytes.len(), ends: self.is_opaque }
    }

    /// The message is no RESP, nor is anything behind it.
    pub(super) const fn is_opaque(&self) -> bool {
        self.is_opaque
    }

    /// Nothing of the next message has been read.
    pub(super) const fn is_between_messages(&self) -> bool {
        self.missing == 0
    }

    /// The latest message is (or is becoming) what a server sends unasked.
    pub(super) const fn is_push(&self) -> bool {
        self.kind == b'>'
    }

    /// The latest message is (or is becoming) a command, as clients send it.
    pub(super) const fn is_command(&self) -> bool {
        self.kind == b'*'
    }

    /// The first text of the latest message in capitals, once it has been read: a command's word.
    pub(super) fn word(&self) -> Option<String> {
        self.has_word.then(|| String::from_utf8_lossy(&self.word).to_ascii_uppercase())
    }

    fn begin(&mut self, first: u8) {
        (self.missing, self.inside, self.kind, self.has_word) = (1, Inside::Line, first, false);
        self.word.clear();
        self.is_opaque = !b"+-:$*_#,(!=%~>|".contains(&first);
    }

    fn read_line(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(bytes.len(), |end| end + 1);
        let kept = used.min(LINE.saturating_sub(self.line.len()));
        self.line.extend_from_slice(&bytes[..kept]);
        if end.is_some() {
            self.announce();
            self.line.clear();
        }
        used
    }

    /// What a whole line says about what comes next.
    fn announce(&mut self) {
        let number = str::from_utf8(&self.line[1..]).unwrap_or_default().trim_end();
        let count = number.parse::<u64>().ok();
        self.missing = self.missing.saturating_sub(1);
        match (self.line[0], count) {
            (b'*' | b'~' | b'>', Some(count)) => self.missing = self.missing.saturating_add(count),
            (b'%', Some(count)) => self.missing = self.missing.saturating_add(count.saturating_mul(2)),
            // Attributes, ahead of the value itself.
            (b'|', Some(count)) => {
                self.missing = self.missing.saturating_add(count.saturating_mul(2)).saturating_add(1);
            }
            (b'$' | b'=' | b'!', Some(count)) => {
                self.missing = self.missing.saturating_add(1);
                self.inside = Inside::Text { missing: count.saturating_add(2), ends_with: 2 };
            }
            // Nothing, as RESP2 has it.
            (b'*' | b'$', None) if number == "-1" => {}
            (b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(', _) => {}
            // Of unknown length: where it ends cannot be told.
            _ => self.is_opaque = true,
        }
    }

    fn read_text(&mut self, bytes: &[u8], missing: u64, ends_with: u64) -> usize {
        let used = usize::try_from(missing).unwrap_or(usize::MAX).min(bytes.len());
        let left = missing - used as u64;
        if !self.has_word {
            let text = usize::try_from(missing.saturating_sub(ends_with)).unwrap_or(usize::MAX);
            let kept = used.min(text).min(WORD.saturating_sub(self.word.len()));
            self.word.extend_from_slice(&bytes[..kept]);
        }
        if left == 0 {
            self.has_word = true;
            self.missing = self.missing.saturating_sub(1);
            self.inside = Inside::Line;
        } else {
            self.inside = Inside::Text { missing: left, ends_with };
        }
        used
    }
}
