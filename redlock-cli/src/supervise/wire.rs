//! What front and keeper tell each other: lines of text over a socket, and with the first byte the front's stdin.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use redlock::Instant;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// What the front tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// A signal has come.
    Signal(i32),
    /// The front was stopped, and goes on.
    Continue,
}

/// What the keeper tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Report {
    /// Everything must have ended by then, unless later news come.
    Until(Instant),
    /// Nothing runs under a lock.
    Free,
    /// The command was stopped, by this signal.
    Stopped(i32),
    /// Something for people to read. The keeper does not write it itself, since a pipe that nobody reads would hold it up.
    Say(String),
}

impl Request {
    pub(super) fn to_line(self) -> String {
        match self {
            Self::Signal(number) => format!("signal {number}\n"),
            Self::Continue => "continue\n".to_owned(),
        }
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            Some(("signal", number)) => number.parse().ok().map(Self::Signal),
            None if line == "continue" => Some(Self::Continue),
            _ => None,
        }
    }
}

impl Report {
    pub(super) fn to_line(&self) -> String {
        match self {
            Self::Until(at) => format!("until {}\n", at.as_nanos()),
            Self::Free => "free\n".to_owned(),
            Self::Stopped(number) => format!("stopped {number}\n"),
            Self::Say(text) => format!("say {}\n", text.replace('\n', " ")),
        }
    }

    pub(super) fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            Some(("until", nanos)) => nanos.parse().ok().map(|nanos| Self::Until(Instant::from_nanos(nanos))),
            Some(("stopped", number)) => number.parse().ok().map(Self::Stopped),
            Some(("say", text)) => Some(Self::Say(text.to_owned())),
            None if line == "free" => Some(Self::Free),
            _ => None,
        }
    }
}

/// Bytes that become lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
}

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn next(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|&byte| byte == b'\n')?;
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        Some(String::from_utf8_lossy(line.get(..end)?).into_owned())
    }
}

/// Hands a file over.
pub(super) fn send_file(socket: &UnixStream, file: impl AsFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(b"\n")], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

/// The file that [`send_file`] has handed over.
pub(super) fn receive_file(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::empty();
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(mut files) = message
            && let Some(file) = files.next()
        {
            #[cfg(not(target_os = "linux"))]
            rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::CLOEXEC)?;
            return Ok(file);
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the process that was called has gone"))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        for request in [Request::Signal(15), Request::Continue] {
            assert_eq!(Request::parse(request.to_line().trim_end()), Some(request));
        }
        for report in [
            Report::Until(Instant::from_nanos(u64::MAX)),
            Report::Free,
            Report::Stopped(20),
            Report::Say("two words".to_owned()),
        ] {
            assert_eq!(Report::parse(report.to_line().trim_end()), Some(report));
        }
        assert_eq!(Report::Say("a\nb".to_owned()).to_line(), "say a b\n");
        assert_eq!((Request::parse("signal x"), Report::parse("")), (None, None));
    }

    #[test]
    fn lines_come_whole() {
        let mut lines = Lines::default();
        lines.push(b"fre");
        assert_eq!(lines.next(), None);
        lines.push(b"e\nstopped\nun");
        assert_eq!([lines.next(), lines.next()], [Some("free".to_owned()), Some("stopped".to_owned())]);
        assert_eq!(lines.next(), None);
    }

    #[test]
    fn a_file_goes_over_a_socket() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut end, other) = UnixStream::pair().unwrap();
        send_file(&ours, &other).unwrap();
        drop(other);
        let mut received = UnixStream::from(receive_file(&theirs).unwrap());
        received.write_all(b"x").unwrap();
        drop(received);
        let mut text = String::new();
        end.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        drop(ours);
        assert!(receive_file(&theirs).is_err());
    }
}
