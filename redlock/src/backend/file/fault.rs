//! What goes wrong with files, in the words of a node.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::node::{Effect, NodeError, NodeErrorKind};

/// A file could not be had, read or written.
#[derive(Debug)]
pub(super) struct Fault {
    kind: NodeErrorKind,
    effect: Effect,
    detail: String,
    /// The directory is not there any more: it must be opened anew.
    pub(super) is_removed: bool,
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub(super) fn new(kind: NodeErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, effect: Effect::None, detail: detail.into(), is_removed: false }
    }

    /// The directory was removed.
    pub(super) fn removed(path: &Path) -> Self {
        Self { is_removed: true, ..cannot("open", path)(Errno::NOENT) }
    }

    /// It may have been written all the same.
    pub(super) fn perhaps(self) -> Self {
        Self { effect: Effect::Unknown, ..self }
    }

    /// A file whose content is not what this library writes.
    pub(super) fn damaged(path: &Path, what: &str) -> Self {
        let path = path.display();
        Self::new(
            NodeErrorKind::WrongType,
            format!(
                "{path} is damaged: it is not {what}, and its lock is not granted to anybody; stop the programs that use \
                 the directory, and remove the file"
            ),
        )
    }

    pub(super) fn into_error(self, node: &Arc<str>) -> NodeError {
        match self.effect {
            Effect::None => NodeError::without_effect(node, self.kind, self.detail),
            Effect::Unknown => NodeError::with_unknown_effect(node, self.kind, self.detail),
        }
    }
}

/// A fault that the operating system reports: `cannot open /run/a/b: no space left on device`.
pub(super) fn cannot(what: &'static str, path: &Path) -> impl FnOnce(Errno) -> Fault {
    let path: PathBuf = path.to_owned();
    move |errno| {
        let (kind, advice) = judge(errno);
        let error = io::Error::from(errno);
        Fault::new(kind, format!("cannot {what} {}: {error}{advice}", path.display()))
    }
}

/// The same for an error of the standard library.
pub(super) fn cannot_io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Fault {
    let path: PathBuf = path.to_owned();
    move |error| match Errno::from_io_error(&error) {
        Some(errno) => cannot(what, &path)(errno),
        None => Fault::new(NodeErrorKind::Unreachable, format!("cannot {what} {}: {error}", path.display())),
    }
}

fn judge(errno: Errno) -> (NodeErrorKind, &'static str) {
    match errno {
        Errno::ACCESS | Errno::PERM => (
            NodeErrorKind::Denied,
            "; run all programs that share its locks as one user, or give the directory to a group of theirs with \
             chmod 2770 before its first use",
        ),
        Errno::NOSPC | Errno::DQUOT => (NodeErrorKind::ReadOnly, "; make room there"),
        Errno::ROFS => (NodeErrorKind::ReadOnly, "; it must be writable"),
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => {
            (NodeErrorKind::Overloaded, "; the process or the machine has too much open (ulimit -n)")
        }
        Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::ISDIR => {
            (NodeErrorKind::Unsupported, "; expected a directory for locks alone")
        }
        Errno::NOENT => (NodeErrorKind::Unreachable, "; it was removed while it was in use"),
        _ => (NodeErrorKind::Unreachable, ""),
    }
}
