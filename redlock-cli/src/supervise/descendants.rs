//! All processes below this one, found in `/proc`.
//!
//! Orphans among them are our children (see [`super`]), so that the tree below us is whole: it is empty exactly when we have no
//! child any more.

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

/// One line of `/proc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    is_zombie: bool,
    /// When it was started: a process id may be used again.
    started: u64,
}

/// Sends a signal to every process below this one, but for those of the group `except`. Whom it may not be sent to is
/// returned.
pub(super) fn signal_all(signal: Signal, except: Option<Pid>) -> Vec<i32> {
    let own = rustix::process::getpid().as_raw_pid();
    let mut refused = Vec::new();
    for process in below(own, &all()) {
        let excepted = except.is_some_and(|group| group.as_raw_pid() == process.group);
        if !process.is_zombie && !excepted && send(&process, signal) == Err(rustix::io::Errno::PERM) {
            refused.push(process.pid);
        }
    }
    refused
}

fn send(process: &Process, signal: Signal) -> rustix::io::Result<()> {
    let Some(pid) = Pid::from_raw(process.pid) else { return Ok(()) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(file) => {
            if read(process.pid).is_some_and(|now| now.started == process.started) {
                return pidfd_send_signal(file, signal);
            }
            Ok(())
        }
        // Before Linux 5.3, and where a sandbox forbids it.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => kill_process(pid, signal),
        Err(error) => Err(error),
    }
}

/// Whether nobody could continue the process group of this process once it is stopped: then stopping it would be for ever. A
/// shell that controls jobs is in the same session and in another group.
pub(super) fn is_orphaned_group() -> bool {
    let own = rustix::process::getpgrp().as_raw_pid();
    let all = all();
    !all.iter().filter(|process| process.group == own && !process.is_zombie).any(|member| {
        let parent = all.iter().find(|process| process.pid == member.parent);
        parent.is_some_and(|parent| parent.group != own && parent.session == member.session)
    })
}

fn below(root: i32, all: &[Process]) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|process| process.parent == parent && process.pid != root) {
            // What is read while processes come and go need not be a tree.
            if !found.iter().any(|seen| seen.pid == child.pid) {
                found.push(*child);
                parents.push(child.pid);
            }
        }
    }
    found
}

fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn read(pid: i32) -> Option<Process> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &String::from_utf8_lossy(&text))
}

/// Reads a line as proc(5) has it. The name in brackets may hold anything, brackets too.
fn parse(pid: i32, line: &str) -> Option<Process> {
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Process {
        pid,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name_is() {
        let line = "7 (a) b) (c) S 1 5 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9";
        let process = Process { pid: 7, parent: 1, group: 5, session: 3, is_zombie: false, started: 4_242 };
        assert_eq!(parse(7, line), Some(process));
        assert_eq!(parse(7, "7 (a) S 1"), None);
    }

    #[test]
    fn everything_below_is_found_and_nothing_else() {
        let process =
            |pid, parent| Process { pid, parent, group: 0, session: 0, is_zombie: false, started: 0 };
        let all = [process(5, 4), process(2, 1), process(3, 2), process(4, 3), process(6, 1), process(7, 7)];
        let mut found: Vec<_> = below(2, &all).iter().map(|process| process.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [3, 4, 5]);
        assert!(below(9, &all).is_empty());
    }
}
