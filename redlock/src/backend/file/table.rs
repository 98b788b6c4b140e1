//! The files of locks, each locked while it is looked at.
//!
//! A file is locked with flock(2) for some microseconds, and written in place by one call of less than a page, which a signal
//! does not cut in two. Nobody waits for such a lock: whoever does not get it comes again, so that a process that stands still
//! in the middle holds up nobody's thread. A file that has lost its name while one waited for it is nobody's lock any more.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, flock, fstat, linkat, openat, statat, unlinkat,
};
use rustix::io::Errno;

use super::fault::{Fault, Outcome, cannot, cannot_io};
use super::name::Key;
use super::place::{Place, allow};
use super::record::Record;
use crate::id::Instant;
use crate::node::NodeErrorKind;

/// So many files are looked at for each new one, to remove what is not needed any more.
const SWEEP: usize = 3;
/// Longer than any record.
const LONGEST: usize = 8_192;

/// What is found where a lock's file should be.
#[derive(Debug)]
pub(super) enum Found {
    /// Somebody else is looking at it.
    Busy,
    /// There is none: it was never used, or forgotten since.
    Nothing,
    Locked(Locked),
}

/// The record of a lock that nobody else can look at as long as this is there.
#[derive(Debug)]
pub(super) struct Locked {
    file: File,
    path: PathBuf,
    pub(super) record: Record,
}

impl Locked {
    pub(super) fn write(&self, key: &Key, record: &Record) -> Outcome<()> {
        let written = self.file.write_all_at(&record.encode(key), 0);
        written.map_err(|error| cannot_io("write", &self.path)(error).perhaps())
    }
}

impl Place {
    /// Locks and reads the record of `key`. `now` is the time, read behind the lock.
    pub(super) fn take(&self, key: &Key, now: impl Fn() -> Instant) -> Outcome<Found> {
        let path = self.path(key);
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = match openat(&self.locks, &key.file, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                // Nothing can be in a directory that was removed; it must not look as if everything were free.
                let is_removed = fstat(&self.locks).map_err(cannot("look at", &path))?.st_nlink == 0;
                return if is_removed { Err(Fault::removed(&path)) } else { Ok(Found::Nothing) };
            }
            file => File::from(file.map_err(cannot("open", &path))?),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) => return Ok(Found::Busy),
            locked => locked.map_err(cannot("lock", &path))?,
        }
        if !self.is_at(&file, &key.file, &path)? {
            return Ok(Found::Busy);
        }
        let record = Record::decode(&read(&file, &path)?, key)
            .ok_or_else(|| Fault::damaged(&path, "the record of this lock"))?;
        if record.written > now() {
            let problem = format!(
                "{} was written at a time that is still to come by this process's clock (CLOCK_BOOTTIME): it is not the \
                 clock of those who hold locks here",
                path.display()
            );
            return Err(Fault::new(NodeErrorKind::Clock, problem));
        }
        Ok(Found::Locked(Locked { file, path, record }))
    }

    /// Writes the first record of `key`, which stays locked. `None` if there is one by now. Nobody sees less than all of it.
    pub(super) fn create(&self, key: &Key, record: Record) -> Outcome<Option<Locked>> {
        let name = format!("{}-{}", process::id(), self.made.fetch_add(1, Ordering::Relaxed));
        let path = self.folder.join("new").join(&name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = match openat(&self.new, &name, flags, Mode::from_raw_mode(0o600)) {
            // Of a process of another PID namespace, or of an earlier one with this number.
            Err(Errno::EXIST) => return Ok(None),
            file => File::from(file.map_err(cannot("create", &path))?),
        };
        let is_there = (|| {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // By who takes it for a dead process's, and removes it.
                Err(Errno::WOULDBLOCK) => return Ok(false),
                locked => locked.map_err(cannot("lock", &path))?,
            }
            allow(&file, self.mode);
            file.write_all_at(&record.encode(key), 0).map_err(cannot_io("write", &path))?;
            match linkat(&self.new, &name, &self.locks, &key.file, AtFlags::empty()) {
                // Another lock of this name, or no more file of ours: it was taken for a dead process's.
                Err(Errno::EXIST) => Ok(false),
                Err(Errno::NOENT) if fstat(&self.new).is_ok_and(|stat| stat.st_nlink > 0) => Ok(false),
                linked => linked.map(|()| true).map_err(cannot("create", &self.path(key))),
            }
        })();
        // A name that stays is removed by whoever opens the directory next.
        let _ = unlinkat(&self.new, &name, AtFlags::empty());
        Ok(is_there?.then(|| Locked { file, path: self.path(key), record }))
    }

    /// Removes some files that are not needed any more: nobody has the lock, and its counter was kept for long enough.
    /// Constant work; whoever makes files calls it.
    pub(super) fn sweep(&self, now: Instant) {
        let mut sweep = self.sweep.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..SWEEP {
            let entry = match sweep.as_mut().and_then(Dir::read) {
                Some(Ok(entry)) => entry,
                // Its end: from the beginning the next time.
                None | Some(Err(_)) => {
                    *sweep = Dir::read_from(&self.locks).ok();
                    return;
                }
            };
            if let Ok(name) = entry.file_name().to_str()
                && !name.starts_with('.')
            {
                // What cannot be removed now stays; who needs it will hear why.
                let _ = self.forget(name, now);
            }
        }
    }

    fn forget(&self, file_name: &str, now: Instant) -> Outcome<()> {
        let path = self.folder.join("locks").join(file_name);
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file =
            File::from(openat(&self.locks, file_name, flags, Mode::empty()).map_err(cannot("open", &path))?);
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(cannot("lock", &path))?;
        if !self.is_at(&file, file_name, &path)? {
            return Ok(());
        }
        let Some(record) = Record::decode_any(&read(&file, &path)?, file_name) else {
            return Ok(());
        };
        let is_needed = record.holder(now).is_some() || record.kept > now || record.written > now;
        // Before it is gone: a counter that begins anew is above all that were forgotten.
        if !is_needed && self.raise_floor(record.counter)? {
            unlinkat(&self.locks, file_name, AtFlags::empty()).map_err(cannot("remove", &path))?;
        }
        Ok(())
    }

    /// Whether this is the file that has this name now. That it has some name is not enough: a maker that was killed may have
    /// left it another.
    fn is_at(&self, file: &File, name: &str, path: &Path) -> Outcome<bool> {
        let ours = fstat(file).map_err(cannot("look at", path))?;
        match statat(&self.locks, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(false),
            there => {
                let there = there.map_err(cannot("look at", path))?;
                Ok((ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino))
            }
        }
    }

    pub(super) fn path(&self, key: &Key) -> PathBuf {
        self.folder.join("locks").join(&key.file)
    }
}

fn read(file: &File, path: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; LONGEST];
    let length = file.read_at(&mut bytes, 0).map_err(cannot_io("read", path))?;
    bytes.truncate(length);
    Ok(bytes)
}
