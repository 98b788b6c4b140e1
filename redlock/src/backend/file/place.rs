//! The directory: how it is opened, and what is kept in it.
//!
//! ```text
//! lock                   held while the directory is set up, and while `mark` is changed
//! mark                   no fencing counter was ever above this; survives a power failure
//! clock-BOOT-NAMESPACE/  locks whose times are of this clock; others are thrown out
//!     alive              locked by every process that uses these locks
//!     floor              counters that are begun anew begin above this
//!     floor.lock
//!     locks/             one file for each lock
//!     new/               files that will be locks
//! ```
//!
//! Nothing but `mark` needs to survive a power failure, since no holder does. A boot has a folder of its own: whatever a power
//! failure has made of the records of the boot before is not read, and their holders are dead.

use std::fs::{self, DirBuilder, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, Dir, FlockOperation, Mode, OFlags, flock, fstat, open, openat, renameat, unlinkat,
};
use rustix::io::Errno;

use super::fault::{Fault, Outcome, cannot, cannot_io};
use super::machine::{FOLDER, Machine};
use super::record::{decode_number, encode_number};
use crate::id::FencingToken;
use crate::node::NodeErrorKind;

/// The mark is set so far ahead of what is needed, in the counters' microseconds: it is written and synced no more often than
/// that, and counters begin no further ahead after a power failure.
pub(super) const LEAD: u64 = 60_000_000;

/// An open directory.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    /// The folder of this clock.
    pub(super) folder: PathBuf,
    pub(super) locks: OwnedFd,
    pub(super) new: OwnedFd,
    /// Device and inode of the directory.
    pub(super) instance: String,
    /// What files are created with: the directory's own permissions.
    pub(super) mode: Mode,
    /// As far as it is known here; it may be further.
    mark: AtomicU64,
    /// Numbers the files that this process makes.
    pub(super) made: AtomicU64,
    /// Where the sweep has come to.
    pub(super) sweep: Mutex<Option<Dir>>,
    /// Locked as long as this is open.
    _alive: File,
}

impl Place {
    /// Opens a directory, creates it if need be, and sees to it that nobody uses it by another clock. May block for long.
    pub(super) fn open(root: &Path, machine: Option<&Machine>, wall: u64) -> Outcome<Self> {
        let machine = match machine {
            Some(machine) => machine.clone(),
            None => Machine::this().map_err(|error| {
                let problem =
                    format!("cannot tell one boot of this machine from another: {error}; mount /proc");
                Fault::new(NodeErrorKind::Unsupported, problem)
            })?,
        };
        if !root.is_dir() {
            let builder = DirBuilder::new().recursive(true).mode(0o700).create(root);
            builder.map_err(cannot_io("create", root))?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = open(root, flags, Mode::empty()).map_err(cannot("open", root))?;
        refuse_network(&directory, root)?;
        let stat = fstat(&directory).map_err(cannot("look at", root))?;
        // With that of the group, which new files get from the folder.
        let mode = Mode::from_raw_mode(stat.st_mode) & Mode::from_raw_mode(0o2777);
        let instance = format!("{:x}:{:x}", stat.st_dev, stat.st_ino);

        let _lock = lock_whole(root, mode)?;
        let folder = root.join(machine.folder());
        throw_out_others(root, &folder)?;
        for path in [&folder, &folder.join("locks"), &folder.join("new")] {
            make_folder(path, mode)?;
        }
        let alive = create(&folder.join("alive"), mode)?;
        flock(&alive, FlockOperation::LockShared).map_err(cannot("lock", &folder.join("alive")))?;
        let mark = read_mark(root)?;
        let floor = folder.join("floor");
        if !floor.exists() {
            // What the counters of earlier boots have come to.
            replace(&floor, &encode_number(mark), mode, false)?;
        }
        let open_folder = |name: &str| {
            let path = folder.join(name);
            open(&path, flags, Mode::empty()).map_err(cannot("open", &path))
        };
        let (locks, new) = (open_folder("locks")?, open_folder("new")?);
        let root = root.to_owned();
        let (made, sweep) = (AtomicU64::new(0), Mutex::new(None));
        let mark = AtomicU64::new(mark);
        let place = Self { root, folder, locks, new, instance, mode, mark, made, sweep, _alive: alive };
        place.clear_new();
        place.raise_mark(wall)?;
        Ok(place)
    }

    pub(super) fn mark(&self) -> u64 {
        self.mark.load(Ordering::SeqCst)
    }

    /// The mark as all processes have it.
    pub(super) fn read_mark(&self) -> Outcome<u64> {
        read_mark(&self.root)
    }

    /// Has the mark stand above `counter`, for good: this is on disk when it returns. Blocks while the disk works.
    pub(super) fn reserve(&self, counter: u64) -> Outcome<()> {
        let _lock = lock_whole(&self.root, self.mode)?;
        self.raise_mark(counter)
    }

    /// With the whole directory locked: what another process has written is on disk as well then.
    fn raise_mark(&self, counter: u64) -> Outcome<()> {
        let mut mark = read_mark(&self.root)?;
        if mark < counter.saturating_add(LEAD / 2).min(FencingToken::MAX) {
            mark = counter.saturating_add(LEAD).min(FencingToken::MAX);
            replace(&self.root.join("mark"), &encode_number(mark), self.mode, true)?;
        }
        self.mark.fetch_max(mark, Ordering::SeqCst);
        Ok(())
    }

    pub(super) fn floor(&self) -> Outcome<u64> {
        let path = self.folder.join("floor");
        read_number(&path)?.ok_or_else(|| cannot("open", &path)(Errno::NOENT))
    }

    /// Has the floor stand at `counter` at least. `false` if somebody else is changing it.
    pub(super) fn raise_floor(&self, counter: u64) -> Outcome<bool> {
        if self.floor()? >= counter {
            return Ok(true);
        }
        let path = self.folder.join("floor.lock");
        let lock = create(&path, self.mode)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(false),
            locked => locked.map_err(cannot("lock", &path))?,
        }
        if self.floor()? < counter {
            replace(&self.folder.join("floor"), &encode_number(counter), self.mode, false)?;
        }
        Ok(true)
    }

    /// Removes what killed processes have left. A file in the making is locked by its maker.
    fn clear_new(&self) {
        let Ok(entries) = fs::read_dir(self.folder.join("new")) else { return };
        for entry in entries.flatten() {
            let Ok(file) = File::open(entry.path()) else { continue };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                // Whose maker had not come to lock it finds it gone, and makes another.
                let _ = unlinkat(&self.new, entry.file_name(), AtFlags::empty());
            }
        }
    }
}

/// Locks the whole directory against others who set it up. Waits for them.
fn lock_whole(root: &Path, mode: Mode) -> Outcome<File> {
    let path = root.join("lock");
    let file = create(&path, mode)?;
    flock(&file, FlockOperation::LockExclusive).map_err(cannot("lock", &path))?;
    Ok(file)
}

/// Removes the locks of other clocks, whose holders have gone with them. Refused if one of them is there still.
fn throw_out_others(root: &Path, own: &Path) -> Outcome<()> {
    for entry in fs::read_dir(root).map_err(cannot_io("read", root))? {
        let path = entry.map_err(cannot_io("read", root))?.path();
        let is_clock =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(FOLDER));
        if !is_clock || path == own {
            continue;
        }
        let alive = path.join("alive");
        // Without that file it was never used.
        let alive = match open(&alive, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => None,
            file => Some(file.map_err(cannot("open", &alive))?),
        };
        let is_in_use = |file: &OwnedFd| flock(file, FlockOperation::NonBlockingLockExclusive).is_err();
        if alive.as_ref().is_some_and(is_in_use) {
            let problem = format!(
                "{} is in use by processes with another clock ({} is locked): a time namespace, or another machine; a \
                 lock is not kept between them",
                root.display(),
                path.join("alive").display()
            );
            return Err(Fault::new(NodeErrorKind::Foreign, problem));
        }
        fs::remove_dir_all(&path).map_err(cannot_io("remove", &path))?;
    }
    Ok(())
}

fn make_folder(path: &Path, mode: Mode) -> Outcome<()> {
    match rustix::fs::mkdir(path, mode) {
        Ok(()) => rustix::fs::chmod(path, mode).map_err(cannot("set the permissions of", path)),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(cannot("create", path)(errno)),
    }
}

/// Opens a file, which is created if it is not there.
fn create(path: &Path, mode: Mode) -> Outcome<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(CWD, path, flags, Mode::from_raw_mode(0o600)).map_err(cannot("open", path))?;
    let file = File::from(file);
    allow(&file, mode);
    Ok(file)
}

/// Lets those use a file who may use the directory.
pub(super) fn allow(file: &File, mode: Mode) {
    let wanted = mode & Mode::from_raw_mode(0o666);
    let has = |mode: u32| mode & 0o777 == u32::from(wanted.bits());
    if !file.metadata().is_ok_and(|metadata| has(metadata.mode())) {
        // It is somebody else's file then, and was allowed by its owner.
        let _ = rustix::fs::fchmod(file, wanted);
    }
}

fn read_mark(root: &Path) -> Outcome<u64> {
    Ok(read_number(&root.join("mark"))?.unwrap_or(0))
}

fn read_number(path: &Path) -> Outcome<Option<u64>> {
    let mut bytes = Vec::new();
    match File::open(path).map_err(|error| (error.kind(), error)) {
        Err((std::io::ErrorKind::NotFound, _)) => return Ok(None),
        Err((_, error)) => return Err(cannot_io("open", path)(error)),
        Ok(file) => file.take(4_096).read_to_end(&mut bytes).map_err(cannot_io("read", path))?,
    };
    decode_number(&bytes).map(Some).ok_or_else(|| Fault::damaged(path, "a number as it was written"))
}

/// Replaces a file by another one: whenever the process is killed, the old or the new one is there; with `sync` also when
/// the power fails.
fn replace(path: &Path, content: &[u8], mode: Mode, sync: bool) -> Outcome<()> {
    let new = path.with_extension("new");
    let mut file = create(&new, mode)?;
    file.set_len(0).map_err(cannot_io("write", &new))?;
    file.write_all(content).map_err(cannot_io("write", &new))?;
    if sync {
        file.sync_all().map_err(cannot_io("sync", &new))?;
    }
    renameat(CWD, &new, CWD, path).map_err(cannot("replace", path))?;
    if sync && let Some(folder) = path.parent() {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot_io("sync", folder))?;
    }
    Ok(())
}

/// File systems that other machines may share, where flock(2) and the clock are not everybody's.
#[cfg(target_os = "linux")]
const NETWORK: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE or virtiofs"),
    (0x00c3_6400, "Ceph"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x0bd0_0bd0, "Lustre"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0xaad7_aaea, "PanFS"),
    (0x786f_4256, "a folder shared by VirtualBox"),
    (0xbacb_acbc, "a folder shared by VMware"),
    (0x564c, "NCP"),
];

#[cfg(target_os = "linux")]
fn refuse_network(directory: &OwnedFd, root: &Path) -> Outcome<()> {
    let kind = rustix::fs::fstatfs(directory).map_err(cannot("look at", root))?.f_type;
    // Magic numbers have 32 bits; some machines read them with a sign.
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "the type differs between machines")]
    let kind = kind as u64 & 0xffff_ffff;
    match network_name(kind) {
        None => Ok(()),
        Some(name) => {
            let problem = format!(
                "{} is on {name}, which other machines may share: their locks and clocks are not ours; choose a directory on \
                 a disk of this machine, or under /run",
                root.display()
            );
            Err(Fault::new(NodeErrorKind::Unsupported, problem))
        }
    }
}

#[cfg(target_os = "linux")]
fn network_name(kind: u64) -> Option<&'static str> {
    NETWORK.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

#[cfg(not(target_os = "linux"))]
fn refuse_network(_directory: &OwnedFd, _root: &Path) -> Outcome<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_magic_numbers() {
        assert_eq!(network_name(0x6969), Some("NFS"));
        for (local, name) in
            [(0xef53, "ext4"), (0x0102_1994, "tmpfs"), (0x9123_683e, "btrfs"), (0x5846_5342, "xfs")]
        {
            assert_eq!(network_name(local), None, "{name}");
        }
    }
}
