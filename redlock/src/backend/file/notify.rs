//! Who waits for a lock is told when its file changes, whichever process does it: inotify(7).

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use crate::env::Env;
use crate::id::LockName;
use crate::node::watchers::Watchers;

/// The files that somebody waits for. Its task ends when this is dropped.
#[derive(Debug)]
pub(super) struct Notifier {
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    inotify: OwnedFd,
    /// By the number of its watch: whose file it is, and how many wait.
    watched: Mutex<HashMap<i32, (LockName, usize)>>,
    watchers: Arc<Watchers<LockName, ()>>,
}

impl Notifier {
    pub(super) fn start(env: &Arc<dyn Env>, watchers: &Arc<Watchers<LockName, ()>>) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let ours = inotify.try_clone()?;
        let watchers = Arc::clone(watchers);
        let shared = Arc::new(Shared { inotify: ours, watched: Mutex::default(), watchers });
        let (stop, stopped) = oneshot::channel();
        let task = Arc::clone(&shared);
        env.spawn(Box::pin(async move {
            tokio::select! {
                _ = stopped => {}
                () = task.listen(inotify) => {}
            }
        }));
        Ok(Self { shared, _stop: stop })
    }

    /// Has the watchers of `name` told of changes to the file; `None` if there is no such file.
    pub(super) fn watch(&self, name: &LockName, path: &Path) -> io::Result<Option<Ticket>> {
        let changes =
            WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::DELETE_SELF | WatchFlags::DONT_FOLLOW;
        // Locked first: the file's number must be known before anything is told of it.
        let mut watched = self.shared.watched();
        let number = match inotify::add_watch(&self.shared.inotify, path, changes) {
            Err(Errno::NOENT) => return Ok(None),
            number => number?,
        };
        watched.entry(number).or_insert_with(|| (name.clone(), 0)).1 += 1;
        Ok(Some(Ticket { shared: Arc::clone(&self.shared), number }))
    }
}

impl Shared {
    fn watched(&self) -> MutexGuard<'_, HashMap<i32, (LockName, usize)>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn listen(&self, inotify: OwnedFd) {
        #[allow(
            deprecated,
            reason = "its successor is unsafe, for the sake of types that are not as well-behaved as OwnedFd"
        )]
        let registered = AsyncFd::new(inotify);
        let Ok(inotify) = registered else {
            // Those who wait ask now and then in any case.
            return;
        };
        while let Ok(mut ready) = inotify.readable().await {
            let _ = ready.try_io(|fd| self.tell(fd.get_ref()));
        }
    }

    /// Reads until there is nothing more.
    fn tell(&self, inotify: &OwnedFd) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut events = Reader::new(inotify, &mut buffer);
        loop {
            let number = events.next()?.wd();
            let name = self.watched().get(&number).map(|(name, _)| name.clone());
            match name {
                Some(name) => self.watchers.tell(&name, ()),
                // Too much has happened to be told one by one.
                None if number < 0 => {
                    let names: Vec<_> = self.watched().values().map(|(name, _)| name.clone()).collect();
                    names.iter().for_each(|name| self.watchers.tell(name, ()));
                }
                None => {}
            }
        }
    }
}

/// One who waits for a file to change.
#[derive(Debug)]
pub(super) struct Ticket {
    shared: Arc<Shared>,
    number: i32,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut watched = self.shared.watched();
        let Some((_, waiters)) = watched.get_mut(&self.number) else { return };
        *waiters -= 1;
        if *waiters == 0 {
            watched.remove(&self.number);
            // The file may be gone, and the watch with it.
            let _ = inotify::remove_watch(&self.shared.inotify, self.number);
        }
    }
}
