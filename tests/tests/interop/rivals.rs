//! The other libraries, one as the other.

use std::time::Duration;

use redlock::testing::servers::RedisFleet;
use redlock_tests::support::HolderProcess;
use tokio::runtime::{self, Runtime};

use crate::python;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    Rslock,
    RedlockPy,
    Pottery,
}

impl Library {
    /// What it calls a lock whose key on the servers is this.
    pub(crate) fn name_of(self, key: &str) -> &str {
        match self {
            Self::Rslock | Self::RedlockPy => key,
            // It puts this in front of every name.
            Self::Pottery => key.strip_prefix("redlock:").unwrap(),
        }
    }

    /// What the Python client calls it.
    pub(crate) fn in_python(self) -> &'static str {
        match self {
            Self::Rslock => panic!("rslock is no library for Python"),
            Self::RedlockPy => "redlock-py",
            Self::Pottery => "pottery",
        }
    }

    /// A lock of this library, not acquired yet.
    pub(crate) fn lock(self, fleet: &RedisFleet, name: &str, ttl: Duration) -> Box<dyn Rival> {
        if self == Self::Rslock {
            return Box::new(Rslock::new(fleet, name, ttl));
        }
        let what = ["obey", self.in_python(), name, &ttl.as_millis().to_string()];
        Box::new(InPython(python::start(&what, fleet)))
    }
}

/// A lock of another library.
pub(crate) trait Rival {
    /// Tries once.
    fn try_acquire(&mut self) -> bool;
    /// Whether it could; some libraries cannot at all.
    fn extend(&mut self) -> bool;
    fn release(&mut self);
}

struct InPython(HolderProcess);

impl InPython {
    fn order(&mut self, order: &str) -> bool {
        self.0.say(order);
        match self.0.line().as_str() {
            "yes" => true,
            "no" => false,
            other => panic!("{order}: {other:?}"),
        }
    }
}

impl Rival for InPython {
    fn try_acquire(&mut self) -> bool {
        self.order("acquire")
    }

    fn extend(&mut self) -> bool {
        self.order("extend")
    }

    fn release(&mut self) {
        assert!(self.order("release"));
    }
}

struct Rslock {
    runtime: Runtime,
    manager: rslock::LockManager,
    name: String,
    ttl: Duration,
    held: Option<rslock::Lock>,
}

impl Rslock {
    fn new(fleet: &RedisFleet, name: &str, ttl: Duration) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, manager: rslock_manager(fleet), name: name.to_owned(), ttl, held: None }
    }
}

/// One that tries once.
pub(crate) fn rslock_manager(fleet: &RedisFleet) -> rslock::LockManager {
    let mut manager = rslock::LockManager::new(fleet.admin_urls());
    manager.set_retry(1, Duration::from_millis(1));
    manager
}

impl Rival for Rslock {
    fn try_acquire(&mut self) -> bool {
        match self.runtime.block_on(self.manager.lock(self.name.as_str(), self.ttl)) {
            Ok(lock) => {
                self.held = Some(lock);
                true
            }
            Err(rslock::LockError::Unavailable) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn extend(&mut self) -> bool {
        let held = self.held.as_ref().unwrap();
        self.runtime.block_on(self.manager.extend(held, self.ttl)).is_ok()
    }

    fn release(&mut self) {
        let held = self.held.take().unwrap();
        self.runtime.block_on(self.manager.unlock(&held));
    }
}
