//! etcd ensembles, started for a test.

mod member;
mod operator;
mod options;

use std::fmt;
use std::thread;

pub use member::EtcdMember;
pub use options::EtcdOptions;

use super::{ServerError, error::eventually, lock_user, port};

/// How often other ports are tried when somebody else takes one first.
const TRIES: u32 = 20;

/// An etcd ensemble of one's own: its members are killed, and their directories removed, when it is dropped.
///
/// It elects quickly (heartbeats of 50 ms, elections after 500 ms), so that leases last a whole second at least.
pub struct EtcdEnsemble {
    members: Vec<EtcdMember>,
    options: EtcdOptions,
    /// Of the user `locker`, and of `root`; unused without [`EtcdOptions::auth`].
    password: String,
}

impl EtcdEnsemble {
    /// The user of [`url`](Self::url), with [`EtcdOptions::auth`].
    pub const USER: &'static str = "locker";

    /// Starts an ensemble of so many members on free ports of 127.0.0.1, and waits until it takes requests.
    ///
    /// # Errors
    /// As [`EtcdOptions::start`].
    pub fn start(members: usize) -> Result<Self, ServerError> {
        Self::options().start(members)
    }

    /// How to start one otherwise.
    pub fn options() -> EtcdOptions {
        EtcdOptions::default()
    }

    fn start_with(count: usize, options: &EtcdOptions) -> Result<Self, ServerError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::start_once(count, options) {
                Err(ServerError::NotStarted { log, .. })
                    if tries < TRIES && log.contains("already in use") => {}
                result => return result,
            }
        }
    }

    fn start_once(count: usize, options: &EtcdOptions) -> Result<Self, ServerError> {
        let failed = |action: &str, source| ServerError::Io {
            server: "etcd".to_owned(),
            action: action.to_owned(),
            source,
        };
        let free = || port::free("127.0.0.1").map_err(|error| failed("find a free port", error));
        let peers = (0..count).map(|_| free()).collect::<Result<Vec<_>, _>>()?;
        let cluster: Vec<_> = peers
            .iter()
            .enumerate()
            .map(|(index, port)| format!("m{index}=http://127.0.0.1:{port}"))
            .collect();
        let cluster = cluster.join(",");
        let password = lock_user::new_password().map_err(|error| failed("draw a password", error))?;
        let members = peers
            .iter()
            .enumerate()
            .map(|(index, &peer)| EtcdMember::new(index, [free()?, free()?, peer], &cluster, options))
            .collect::<Result<Vec<_>, _>>()?;
        // All at once: none is ready without a majority.
        thread::scope(|scope| {
            let starting: Vec<_> = members.iter().map(|member| scope.spawn(|| member.restart())).collect();
            starting
                .into_iter()
                .try_for_each(|member| member.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        let ensemble = Self { members, options: options.clone(), password };
        if options.auth {
            ensemble.enable_auth()?;
        }
        Ok(ensemble)
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The member at `index`, from 0.
    ///
    /// # Panics
    /// If there are not that many.
    pub fn member(&self, index: usize) -> &EtcdMember {
        &self.members[index]
    }

    /// All members, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, EtcdMember> {
        self.members.iter()
    }

    /// Every member's `127.0.0.1:PORT` for clients, in order.
    pub fn addresses(&self) -> Vec<String> {
        self.iter().map(EtcdMember::address).collect()
    }

    /// Every member's `http://127.0.0.1:PORT`, or `https://`, for clients, in order.
    pub fn endpoints(&self) -> Vec<String> {
        let scheme = if self.options.tls.is_some() { "https" } else { "http" };
        self.iter().map(|member| format!("{scheme}://{}", member.address())).collect()
    }

    /// `etcd://[locker:PASSWORD@]127.0.0.1:PORT,...`, or `etcds://`: with [`EtcdOptions::auth`] a user with the rights that the library documents.
    pub fn url(&self) -> String {
        let scheme = if self.options.tls.is_some() { "etcds" } else { "etcd" };
        let user =
            if self.options.auth { format!("{}:{}@", Self::USER, self.password) } else { String::new() };
        format!("{scheme}://{user}{}", self.addresses().join(","))
    }

    /// The password of [`USER`](Self::USER), with [`EtcdOptions::auth`].
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The index of the leader, as the members that run see it; waits up to 30 s for one.
    ///
    /// # Errors
    /// [`ServerError::Io`] if there is none in time.
    pub fn leader(&self) -> Result<usize, ServerError> {
        let mut leader = None;
        eventually("there is a leader", "etcd", || {
            let answering = || self.iter().enumerate().filter(|(_, member)| member.answers());
            leader = answering().find(|(_, member)| member.leads()).map(|(index, _)| index);
            Ok(leader.is_some())
        })?;
        Ok(leader.unwrap_or_default())
    }

    /// Whether users must log in.
    pub(super) fn is_locked(&self) -> bool {
        self.options.auth
    }

    /// What the keys begin with to which the user has rights.
    pub(super) fn prefixes(&self) -> &[String] {
        &self.options.prefixes
    }
}

impl fmt::Debug for EtcdEnsemble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdEnsemble").field("members", &self.members).finish_non_exhaustive()
    }
}
