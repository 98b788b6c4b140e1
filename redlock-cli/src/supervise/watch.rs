//! The command between its start and its end: signals, job control, loss of the lock, and what it leaves running.

use std::io;
use std::time::Duration;

use redlock::{Instant, LostReason};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::hold::Hold;
use super::job::{Job, Status};
use super::keeper::Keeper;
use super::limits::Limits;
use super::wire::{Report, Request};
use super::{descendants, signals, terminal};

/// A command that runs no more, nor anything that it has started.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How the command itself has ended.
    pub(crate) status: Status,
    pub(crate) why: Why,
    /// A signal that ends processes was passed on.
    pub(crate) was_told_to_end: bool,
}

/// Why it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// By itself, or by a signal.
    ByItself,
    /// The lock was lost, or without a reason was about to be.
    Lost(Option<LostReason>),
    /// The front has gone.
    FrontGone,
}

/// How soon what is to end is looked at again.
const AGAIN: Duration = Duration::from_millis(10);

impl Job {
    /// Runs the command under a hold, to its end and that of all that it has started.
    ///
    /// Not cancel safe: of a dropped future it is left running, until this process ends.
    pub(crate) async fn run<H: Hold>(
        &self,
        held: &H,
        limits: Limits,
        keeper: &mut Keeper,
    ) -> io::Result<Ended> {
        let mut children = signal(SignalKind::child())?;
        let group = self.start(held.token(), keeper.stdin(), keeper.front_group())?;
        let mut watch = Watch {
            held,
            limits,
            keeper,
            group,
            status: None,
            why: Why::ByItself,
            step: Step::Running,
            unkillable: Vec::new(),
            was_told_to_end: false,
        };
        let (mut is_lost, mut is_late) = (false, false);
        while watch.is_something_left() && !watch.is_hopeless() {
            watch.go_on();
            let pause = watch.pause();
            tokio::select! {
                biased;
                reason = held.lost(), if !is_lost => {
                    is_lost = true;
                    watch.kill(Why::Lost(reason));
                }
                () = held.at_risk(limits.kill), if !is_late => {
                    is_late = true;
                    watch.kill(Why::Lost(None));
                }
                () = held.at_risk(limits.term()), if watch.may_be_told_to_end() => watch.end(Why::Lost(None)),
                request = watch.keeper.next(), if watch.why != Why::FrontGone => watch.obey(request),
                _ = children.recv() => {}
                () = sleep(pause) => {}
            }
        }
        Ok(watch.ended())
    }
}

/// How far a command is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Running,
    /// It has ended by itself; what it has started may do so too until then.
    Left(Instant),
    /// It was told to end, and is killed then.
    Told(Instant),
    Killed,
}

struct Watch<'a, H> {
    held: &'a H,
    limits: Limits,
    keeper: &'a mut Keeper,
    /// The process group of the command, and the id of its first process.
    group: Pid,
    /// Once that process has ended.
    status: Option<Status>,
    why: Why,
    step: Step,
    /// Those of other users.
    unkillable: Vec<i32>,
    was_told_to_end: bool,
}

impl<H: Hold> Watch<'_, H> {
    /// Hears of every process that has ended. False once there is none any more.
    fn is_something_left(&mut self) -> bool {
        loop {
            match wait(WaitOptions::NOHANG | WaitOptions::UNTRACED) {
                Ok(Some((pid, status))) if pid == self.group => self.changed(status),
                // An orphan.
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    fn changed(&mut self, status: WaitStatus) {
        let small = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        if let Some(code) = status.exit_status() {
            self.status = Some(Status::Exited(small(code)));
        } else if let Some(number) = status.terminating_signal() {
            self.status = Some(Status::Signalled(small(number)));
        } else if let Some(number) = status.stopping_signal() {
            match self.step {
                // The front stops as well, so that whoever has called it knows. The lock is renewed meanwhile.
                Step::Running => self.keeper.tell(&Report::Stopped(number)),
                // What was told to end must run for it.
                _ => self.signal_group(Signal::CONT),
            }
        }
    }

    /// Whether what is left belongs to other users, and there is no lock to hold on to until it ends.
    fn is_hopeless(&self) -> bool {
        self.status.is_some() && !self.unkillable.is_empty() && !self.held.is_valid()
    }

    /// The steps that are due.
    fn go_on(&mut self) {
        if self.held.is_valid() {
            // Our own limits come first.
            self.keeper.tell_until(self.held.valid_until().saturating_sub(self.limits.front()));
        }
        let now = Instant::now();
        match self.step {
            Step::Running if self.status.is_some() => {
                self.step = Step::Left(now.saturating_add(self.limits.grace));
            }
            Step::Left(at) if now >= at => {
                self.end(Why::ByItself);
                self.keeper.say("the command has ended; what it has left running is ended too");
            }
            Step::Told(at) if now >= at => self.kill(Why::ByItself),
            Step::Killed => self.kill(Why::ByItself),
            Step::Running | Step::Left(_) | Step::Told(_) => {}
        }
    }

    fn pause(&self) -> Duration {
        match self.step {
            Step::Running => self.limits.look(),
            _ => AGAIN,
        }
    }

    fn may_be_told_to_end(&self) -> bool {
        matches!(self.step, Step::Running | Step::Left(_))
    }

    /// Tells everything to end, the stopped too.
    fn end(&mut self, why: Why) {
        self.note(why);
        self.step = Step::Told(Instant::now().saturating_add(self.limits.grace));
        for signal in [Signal::TERM, Signal::CONT] {
            self.signal_group(signal);
            descendants::signal_all(signal, Some(self.group));
        }
        if let Why::Lost(_) = why {
            self.keeper.say("the lock could not be renewed; the command is ended before it is lost");
        }
    }

    /// Kills everything there is; said again until nothing is left.
    fn kill(&mut self, why: Why) {
        self.note(why);
        self.signal_group(Signal::KILL);
        self.unkillable = descendants::signal_all(Signal::KILL, None);
        if self.step != Step::Killed {
            self.step = Step::Killed;
            if let Why::Lost(Some(reason)) = why {
                self.keeper.say(format!("the lock was lost: {reason}; the command was killed"));
            }
        }
    }

    /// The first reason is the one.
    fn note(&mut self, why: Why) {
        match (self.why, why) {
            (Why::ByItself | Why::Lost(None), _) if why != Why::ByItself => self.why = why,
            _ => {}
        }
    }

    fn obey(&mut self, request: Option<Request>) {
        match request {
            None => self.kill(Why::FrontGone),
            Some(Request::Signal(number)) => {
                self.was_told_to_end |= signals::is_fatal(number);
                if let Some(signal) = Signal::from_named_raw(number) {
                    self.signal_group(signal);
                }
            }
            Some(Request::Continue) => {
                terminal::pass(self.keeper.stdin(), self.keeper.front_group(), self.group);
                self.signal_group(Signal::CONT);
            }
        }
    }

    fn signal_group(&self, signal: Signal) {
        // The number of a group is nobody else's as long as its first process has not been waited for. Where descendants cannot be
        // found, the group is all there is.
        if self.status.is_none() || !cfg!(target_os = "linux") {
            let _ = kill_process_group(self.group, signal);
        }
    }

    fn ended(mut self) -> Ended {
        terminal::pass(self.keeper.stdin(), self.group, self.keeper.front_group());
        if let (Some(reason), Why::ByItself) = (self.held.loss(), self.why) {
            self.why = Why::Lost(Some(reason));
        }
        if !self.unkillable.is_empty() && self.is_hopeless() {
            self.keeper.say(format!("may not be killed, and runs on: {:?}", self.unkillable));
        }
        self.keeper.tell_free();
        let status = self.status.unwrap_or(Status::Signalled(9));
        Ended { status, why: self.why, was_told_to_end: self.was_told_to_end }
    }
}
