//! The keeper's side of the front: who it is, what it asks for, and what it is told.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::process::ExitCode;

use redlock::Instant;
use rustix::process::{Pid, getpgid, getppid};
use tokio::net::UnixStream;

use super::signals::{self, Signals};
use super::wire::{self, Lines, Report, Request};
use super::{adopt_orphans, terminal};
use crate::exit;

/// What the keeper knows of the front.
pub(crate) struct Keeper {
    socket: UnixStream,
    stdin: OwnedFd,
    front_group: Pid,
    lines: Lines,
    /// What the front has not read yet, because it is stopped.
    unsent: Vec<u8>,
    until: Option<Instant>,
    /// Signals that are sent to all processes of this name come to the front as well: here they do nothing.
    _signals: Signals,
}

/// The wait for a lock is over without it.
pub(crate) enum Interrupted {
    Signal(u8),
    /// The front is no more; nobody is left to be told anything.
    FrontGone,
}

impl From<Interrupted> for ExitCode {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Signal(number) => exit::signalled(number),
            Interrupted::FrontGone => Self::FAILURE,
        }
    }
}

impl Keeper {
    /// Takes up the connection to the front that has started this process. In a runtime, before any other thread is started.
    pub(crate) fn attach() -> io::Result<Self> {
        adopt_orphans();
        terminal::allow_from_background()?;
        let socket = std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        let stdin = wire::receive_file(&socket)?;
        socket.set_nonblocking(true)?;
        let front_group = getpgid(getppid())?;
        Ok(Self {
            socket: UnixStream::from_std(socket)?,
            stdin,
            front_group,
            lines: Lines::default(),
            unsent: Vec::new(),
            until: None,
            _signals: Signals::catch()?,
        })
    }

    /// What `work` returns, unless the front is told to end first, or ends. While the front is stopped, the work is dropped; it
    /// begins anew when the front goes on.
    pub(crate) async fn unless_interrupted<T, W>(
        &mut self,
        mut work: impl FnMut() -> W,
    ) -> Result<T, Interrupted>
    where
        W: Future<Output = T>,
    {
        loop {
            tokio::select! {
                biased;
                request = self.next() => match request {
                    Some(request) => self.interrupt(request).await?,
                    None => return Err(Interrupted::FrontGone),
                },
                value = work() => return Ok(value),
            }
        }
    }

    async fn interrupt(&mut self, request: Request) -> Result<(), Interrupted> {
        match request {
            Request::Signal(number) if signals::is_fatal(number) => {
                Err(Interrupted::Signal(u8::try_from(number).unwrap_or_default()))
            }
            Request::Signal(number) if number == rustix::process::Signal::TSTP.as_raw() => {
                self.tell(&Report::Stopped(number));
                loop {
                    match self.next().await {
                        Some(Request::Continue) => return Ok(()),
                        Some(Request::Signal(number)) if signals::is_fatal(number) => {
                            return Err(Interrupted::Signal(u8::try_from(number).unwrap_or_default()));
                        }
                        Some(Request::Signal(_)) => {}
                        None => return Err(Interrupted::FrontGone),
                    }
                }
            }
            _ => Ok(()),
        }
    }

    /// What the front asks for next; `None` once it is gone. Sends what it has not read before. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Request> {
        loop {
            if let Some(line) = self.lines.next() {
                match Request::parse(&line) {
                    Some(request) => return Some(request),
                    None => continue,
                }
            }
            tokio::select! {
                ready = self.socket.readable() => ready.ok()?,
                ready = self.socket.writable(), if !self.unsent.is_empty() => {
                    ready.ok()?;
                    self.send();
                    continue;
                }
            }
            let mut bytes = [0; 512];
            match self.socket.try_read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.lines.push(bytes.get(..count)?),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
    }

    /// Until when everything must have ended, as things stand.
    pub(super) fn tell_until(&mut self, until: Instant) {
        if self.until != Some(until) {
            self.until = Some(until);
            // The front is stopped, and will be told the latest.
            if self.unsent.is_empty() {
                self.tell(&Report::Until(until));
            }
        }
    }

    /// Nothing runs under a lock any more.
    pub(super) fn tell_free(&mut self) {
        self.until = None;
        self.tell(&Report::Free);
    }

    /// Has the front print this.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.tell(&Report::Say(text.into()));
    }

    pub(super) fn tell(&mut self, report: &Report) {
        self.unsent.extend_from_slice(report.to_line().as_bytes());
        self.send();
    }

    fn send(&mut self) {
        let mut late = false;
        while !self.unsent.is_empty() {
            match self.socket.try_write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // It is gone, which is heard where its requests are read.
                Err(_) => return self.unsent.clear(),
            }
            if self.unsent.is_empty()
                && !late
                && let Some(until) = self.until
            {
                late = true;
                self.unsent.extend_from_slice(Report::Until(until).to_line().as_bytes());
            }
        }
    }

    /// The stdin that the front was called with.
    pub(super) fn stdin(&self) -> BorrowedFd<'_> {
        self.stdin.as_fd()
    }

    pub(super) fn front_group(&self) -> Pid {
        self.front_group
    }
}
