//! The process that was called.

use std::env;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use redlock::Instant;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_current_process_group, wait};
use tokio::net::UnixStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::signals::{self, Signals};
use super::wire::{self, Lines, Report, Request};
use super::{adopt_orphans, descendants, this_program};
use crate::exit;

/// How soon what is too late is looked at once more.
const AGAIN: Duration = Duration::from_millis(10);
/// How long the keeper has to send what it could not send while this process was stopped.
const NEWS: Duration = Duration::from_secs(1);
/// How soon the clock is looked at while nothing is due: timers do not count the time that the machine sleeps.
const LOOK: Duration = Duration::from_secs(1);

/// Has the hidden subcommand `keeper` do the work, with the same arguments, and ends as it does.
pub(crate) fn front(keeper: &str) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(keeper)).unwrap_or_else(exit::failed),
        Err(error) => exit::failed(error),
    }
}

async fn run(keeper: &str) -> io::Result<ExitCode> {
    adopt_orphans();
    let mut signals = Signals::catch()?;
    let mut children = signal(SignalKind::child())?;
    let mut front = Front::start(keeper)?;
    loop {
        front.reap();
        if let (Some(ended), true) = (front.ended, front.has_hung_up) {
            return Ok(front.end(ended));
        }
        front.notice_a_stop();
        let pause = front.pause();
        tokio::select! {
            biased;
            () = front.hear(), if !front.has_hung_up => {}
            signal = signals.next() => front.pass_on(signal),
            _ = children.recv() => {}
            () = sleep(pause) => front.watch(),
        }
    }
}

struct Front {
    keeper: Pid,
    socket: UnixStream,
    lines: Lines,
    has_hung_up: bool,
    /// How the keeper has ended.
    ended: Option<WaitStatus>,
    /// Everything must have ended by then.
    until: Option<Instant>,
    /// How many times in a row it was too late.
    too_late: u32,
    /// When this process was last seen to run.
    ran_at: Instant,
    /// What was told may be old until then.
    news_until: Instant,
    is_lost: bool,
}

impl Front {
    fn start(keeper: &str) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let child = this_program()?
            .arg(keeper)
            .args(env::args_os().skip(2))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .process_group(0)
            .spawn()?;
        match wire::send_file(&ours, io::stdin()) {
            // It has ended already: how, is seen where it is waited for.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            sent => sent?,
        }
        ours.set_nonblocking(true)?;
        let keeper = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self {
            keeper: keeper.ok_or(ErrorKind::InvalidData)?,
            socket: UnixStream::from_std(ours)?,
            lines: Lines::default(),
            has_hung_up: false,
            ended: None,
            until: None,
            too_late: 0,
            ran_at: Instant::now(),
            news_until: Instant::from_nanos(0),
            is_lost: false,
        })
    }

    /// Waits for what the keeper tells, and heeds it. Cancel safe.
    async fn hear(&mut self) {
        if self.socket.readable().await.is_err() {
            self.has_hung_up = true;
        }
        self.listen();
    }

    /// Heeds all that the keeper has told.
    fn listen(&mut self) {
        let mut bytes = [0; 4_096];
        loop {
            match self.socket.try_read(&mut bytes) {
                Ok(0) => self.has_hung_up = true,
                Ok(count) => {
                    self.lines.push(bytes.get(..count).unwrap_or_default());
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.has_hung_up = true,
            }
            break;
        }
        while let Some(line) = self.lines.next() {
            match Report::parse(&line) {
                Some(Report::Until(until)) => self.until = Some(until),
                Some(Report::Free) => self.until = None,
                Some(Report::Say(text)) => eprintln!("redlock: {text}"),
                Some(Report::Stopped(number)) => self.stop(number),
                None => {}
            }
        }
    }

    /// The command was stopped; whoever has called this one sees that it is, too.
    fn stop(&mut self, number: i32) {
        if descendants::is_orphaned_group() {
            // Nobody could let us go on. What the terminal asks for is ignored then, as the system has it for others.
            if number == Signal::TSTP.as_raw() {
                self.tell(Request::Continue);
            }
            return;
        }
        // As the terminal would have stopped all of the group: a pipeline, a script.
        let _ = kill_current_process_group(Signal::STOP);
        // From here on it goes on. That it does is heard as a signal.
    }

    fn pass_on(&mut self, signal: Signal) {
        self.tell(match signal {
            Signal::CONT => Request::Continue,
            other => Request::Signal(other.as_raw()),
        });
    }

    fn tell(&self, request: Request) {
        // A keeper that reads nothing is stopped, or gone.
        let _ = self.socket.try_write(request.to_line().as_bytes());
    }

    fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.keeper => self.ended = Some(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// It runs at least once in [`LOOK`], unless it was stopped. For a long time the keeper cannot say all that it has to.
    fn notice_a_stop(&mut self) {
        let now = Instant::now();
        if now.saturating_since(self.ran_at) > LOOK + LOOK / 2 {
            self.news_until = now.saturating_add(NEWS);
        }
        self.ran_at = now;
    }

    fn pause(&self) -> Duration {
        match self.until.map(|until| until.saturating_since(Instant::now())) {
            None => LOOK,
            Some(left) => left.clamp(AGAIN, LOOK),
        }
    }

    /// Kills everything when the keeper has not told in time that the lock is valid for longer: it is stopped, or hangs.
    fn watch(&mut self) {
        self.listen();
        let now = Instant::now();
        let is_too_late = self.until.is_some_and(|until| now >= until) && now >= self.news_until;
        // Not at the first time: news may be on their way.
        self.too_late = if is_too_late { self.too_late + 1 } else { 0 };
        if self.too_late > 1 {
            if !self.is_lost {
                eprintln!("redlock: the process that renews the lock does not run; everything is killed");
            }
            self.is_lost = true;
            descendants::signal_all(Signal::KILL, None);
        }
    }

    /// Sees to it that nothing is left, and says how it went.
    fn end(mut self, keeper: WaitStatus) -> ExitCode {
        let code = keeper.exit_status().and_then(|code| u8::try_from(code).ok());
        if code.is_none() || self.is_lost {
            // Nobody has released the lock.
            self.is_lost |= self.until.is_some();
            if !self.is_lost {
                // What went to all of this group (Ctrl-C) while the keeper was being started; later on it catches that.
                if let Some(signal) = keeper.terminating_signal().filter(|&number| signals::is_fatal(number))
                {
                    return exit::signalled(u8::try_from(signal).unwrap_or_default());
                }
                return exit::failed("the process that was to take the lock was killed");
            }
            self.kill_orphans();
            eprintln!("redlock: the process that held the lock was killed, and the command with it");
            return exit::lost();
        }
        ExitCode::from(code.unwrap_or_default())
    }

    fn kill_orphans(&mut self) {
        loop {
            let unkillable = descendants::signal_all(Signal::KILL, None);
            match wait(WaitOptions::NOHANG) {
                Err(Errno::CHILD) => return,
                Ok(None) if !unkillable.is_empty() => return,
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                _ => {}
            }
        }
    }
}
