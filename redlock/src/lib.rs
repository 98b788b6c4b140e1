//! A distributed lock for critical services: a quorum over independent Redis masters (Redlock).
//!
//! One client asks N independent nodes at once. It holds the lock as soon as a majority has granted it, until the TTL
//! less an allowance for drift has passed since it asked; a renewal moves that end on. It releases on every node. A single
//! Redis, or a table in this process, is a quorum of one.
//!
//! # Limits
//! What the lock does **not** guarantee. Read these before relying on it:
//!
//! * **A paused holder may act late.** A process that stands still (a virtual machine that is moved, swapping, `SIGSTOP`) may
//!   wake after its lock has passed to somebody else, and go on with the write that it was about to make.
//!   [`Held::is_valid`] right before a side effect makes the gap small; nothing on this side can close it. Only the
//!   protected resource can, by refusing a holder older than one that it has seen: hand it the
//!   [fencing token](Held::fencing_token), which is greater for every later holder.
//! * **A node that has lost its memory grants nothing new for [`LocksBuilder::max_ttl`]**, since it would grant what is still
//!   held; so do the nodes of a new fleet, once, unless the operator says that nobody holds a lock ([`LocksBuilder::init`]).
//!   That is the [restart guard](LocksBuilder::restart_guard). With it switched off, run nodes with `appendonly yes` and
//!   `appendfsync always`, or keep a crashed node out for longer than the longest TTL in use.
//! * **Nodes must be independent.** Replication in Redis is asynchronous: a replica that is promoted may not know a lock that
//!   its master has granted. Give addresses of masters that do not fail over, and forbid eviction (`maxmemory-policy
//!   noeviction`). A Cluster or a master behind Sentinel can be a node too (`RedisConfig::cluster`,
//!   `RedisConfig::sentinel`), and one of them alone is enough for locks that save work; but a failover there can give a
//!   lock to two holders. [`preflight`] looks for what it can see of this.
//! * **Nodes' clocks must not jump together.** Redis expires keys by its wall clock. A node whose clock is set loses its vote until
//!   it has been watched again; a whole quorum that is set forward together can let in a client that has just started. Rates that differ are covered up to [`LocksBuilder::drift_factor`].
//! * **Clients of other libraries** can lock the same keys (a key is `prefix:name` with the owner as its value), but the
//!   safeguards described here are this client's alone. All clients of a lock must agree on nodes and prefix.
//! * **A lock is no queue.** Waiters of one [`Locks`] are served in the order in which they came, those of several in no
//!   order.
//! * A holder that dies keeps others out until its TTL has passed, and a majority of nodes that cannot be reached keeps
//!   everybody out.
//!
//! # Example
//! ```no_run
//! # #[cfg(feature = "redis")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! // Once per program. Five nodes tolerate two failures, three tolerate one.
//! let locks = redlock::Locks::builder()
//!     .nodes(["redis://10.0.0.1", "redis://10.0.0.2", "redis://10.0.0.3", "redis://10.0.0.4", "redis://10.0.0.5"])
//!     .build()
//!     .await?;
//!
//! let guard = locks.lock("invoice:42").wait_at_most(Duration::from_secs(30)).acquire().await?;
//! // ... work; the guard renews the lock meanwhile ...
//! if guard.is_valid() {
//!     // ... the step that must not happen twice, with guard.fencing_token() for a resource that can refuse ...
//! }
//! guard.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The same calls in this process alone, without a server; a library that takes `&Locks` is tested like this:
//!
//! ```
//! # #[cfg(feature = "memory")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use redlock::Locks;
//!
//! let locks = Locks::builder().memory().build().await?;
//!
//! let guard = locks.lock("report").try_acquire().await?.expect("nobody has it");
//! assert!(guard.is_valid());
//! assert!(locks.lock("report").try_acquire().await?.is_none(), "somebody else has it");
//! guard.release().await?;
//!
//! // Acquires, works, releases; the work is cancelled if the lock is lost.
//! let sum = locks.lock("report").run(|held| async move { 1 + held.name().as_bytes().len() }).await?;
//! assert_eq!(sum, 7);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "memory"))]
//! # fn main() {}
//! ```
//!
//! # Main types
//! | type | what it is |
//! |---|---|
//! | [`Locks`] | A set of nodes and the locks on them. One per program; clones share everything. From [`Locks::builder`], or from a file (feature `config`). |
//! | [`LockGroups`] | Several `Locks`, each with nodes of its own, that share the names out among themselves: for more locks than one set of nodes carries. |
//! | [`Lock`] | A lock by name, not acquired yet: [`acquire`](Lock::acquire), [`try_acquire`](Lock::try_acquire), [`run`](Lock::run). |
//! | [`LockGuard`] | A lock that is held. Renews itself; dropping it releases. |
//! | [`Held`] | A view of a hold, to share: how long it is valid, and when it is lost. |
//! | [`Election`] | A candidate for the leadership of a name: [`run`](Election::run), [`campaign`](Election::campaign), [`observe`](Election::observe). |
//! | [`LockView`] | Who holds a lock, as the nodes show it: [`Locks::look`]; [`Holder`] is what that one says of itself. |
//! | [`preflight`] | What is found on the nodes before locks rely on them: [`Locks::preflight`], and once when it is built. |
//! | [`lock`], [`set_default`] | One `Locks` for the whole process, for code that is not handed one. |
//! | [`blocking`] | All of it for code without an async runtime. |
//! | [`node::Node`] | One independent lock store; implement it for a store of your own. |
//!
//! # Runtime
//! The library keeps two threads of its own for each `Locks`, one for I/O and one for timers. A lock is renewed,
//! watched and released also while the caller's runtime is busy or gone, and any executor can poll its futures.
//!
//! # Cancellation and drop
//! Every future can be dropped at any await point:
//!
//! | dropped | what it leaves |
//! |---|---|
//! | [`acquire`](Lock::acquire), [`try_acquire`](Lock::try_acquire) | Nothing. What a node may have granted is released in the background. |
//! | [`run`](Lock::run) | The work is dropped first; then the lock is released in the background. |
//! | [`extend`](Held::extend) | Nodes may have prolonged this holder's keys; the validity is what it was. |
//! | [`describe`](Held::describe) | As [`extend`](Held::extend); some nodes may show the new text, and all will with the next renewal. |
//! | [`release`](LockGuard::release) | The hold has ended; the release goes on in the background. |
//! | [`lost`](Held::lost), [`at_risk`](Held::at_risk), [`state_changed_from`](Held::state_changed_from) | Nothing. |
//! | [`build`](LocksBuilder::build) | No connection and no thread. |
//! | [`preflight`](Locks::preflight), [`look`](Locks::look) | Nothing. |
//! | [`LockGuard`] | The hold has ended; the lock is released in the background, without blocking. |
//! | what belongs to an [`Election`] | Its own page has a table. |
//! | the last [`Locks`] and guard | Threads and connections end when what is to be released has been released or has expired. |
//!
//! A process that ends takes the background with it: what was not released by then expires with its TTL. Call
//! [`Locks::shutdown`] to wait for it.
//!
//! # Errors
//! | error | when | what is held |
//! |---|---|---|
//! | [`BuildError`] | A setting or a node is not as it should be ([`preflight`]), or no quorum answers. | nothing |
//! | [`AcquireError`] | Somebody else has it, too few nodes answer, or the request was wrong. | nothing |
//! | [`GroupsError`] | Groups cannot be used together. | nothing |
//! | [`ExtendError`] | The validity was not prolonged. | as before, unless it says lost or released |
//! | [`ReleaseError`] | It was not held to the end, or no quorum has confirmed yet. | nothing |
//! | [`CampaignError`], [`ProclaimError`], [`LeaderError`] | Not elected, not published, or not known who leads. | nothing; as before; nothing |
//! | [`RunError`] | Not acquired, or lost before the work had ended. | nothing |
//!
//! They say which nodes said what, print everything in their `Display`, and never contain a password or an owner token.
//! [`LostReason`] says why a lock that was held is held no longer.
//!
//! # Features
//! | feature | default | what it adds |
//! |---|---|---|
//! | `redis` | yes | Redis 6.2 or later, and Valkey, as nodes: [`LocksBuilder`]`::nodes`, `backend::redis` |
//! | `tls` | | TLS and mutual TLS towards Redis (`rediss://`) |
//! | `memory` | | a node in this process: [`LocksBuilder`]`::memory`, `backend::memory` |
//! | `file` | | a directory as a node, for the processes of one machine: [`LocksBuilder`]`::file`, `backend::file` |
//! | `config` | | configuration from a TOML file or the environment: the module `config`, [`Locks`]`::from_toml` |
//! | `metrics` | | counters, gauges and histograms through the `metrics` facade, see [Observability](#observability) |
//! | `testing` | | real servers, faults and a virtual clock for tests; never for production |
//!
//! # Observability
//! The library reports what happens by events and spans of [`tracing`](https://docs.rs/tracing), under targets that begin with
//! `redlock::`: events at INFO and above when a state changes (a node is down, a lock is lost), once and not for every
//! attempt; a DEBUG span for every acquisition. With feature `metrics` it counts and measures through the
//! [`metrics`](https://docs.rs/metrics) facade. A recorder must be installed **before** [`LocksBuilder::build`], which
//! registers all metrics; one that is installed later is not told anything. Owner tokens, passwords and URLs never appear, and
//! names of locks only in events and spans. `docs/operations.md` has the tables.
//!
//! # Platforms
//! Linux; macOS with best effort. Elsewhere it does not compile: it needs a clock that counts the time a machine sleeps.
//! Rust 1.88 or later; raising that is not a breaking change.
#![deny(missing_docs)]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "redlock needs a clock that counts the time a machine sleeps; it knows those of Linux and macOS only"
);

pub mod backend;
pub mod blocking;
#[cfg(feature = "config")]
pub mod config;
pub mod env;
pub mod node;
pub mod preflight;
#[cfg(feature = "testing")]
pub mod testing;

mod builder;
mod driver;
mod election;
mod error;
mod fleet;
mod groups;
mod guard;
mod holder;
mod id;
mod lease;
mod lock;
mod locks;
mod look;
mod node_set;
mod process_default;
mod protections;
mod queue;
mod quorum;
mod renewal;
mod settings;
mod telemetry;
mod tenure;

pub use builder::{BuildError, LocksBuilder};
pub use election::{
    CampaignError, Candidate, Disconnected, Election, Health, Leader, LeaderError, Leadership,
    LeadershipState, Observation, Observer, Overrun, ProclaimError, StopReason, Term,
};
pub use error::{AcquireError, ExtendError, LostReason, NodeReport, NodeVote, ReleaseError, RunError};
pub use groups::{GroupsError, LockGroups};
pub use guard::{Held, LockGuard};
pub use holder::Holder;
pub use id::{FencingToken, Instant, InvalidName, InvalidTtl, LockName, OwnerToken, Ttl};
pub use lease::LockState;
pub use lock::Lock;
pub use locks::{Locks, ShutdownReport};
pub use look::{FleetView, Holding, LockView, NodeState, NodeView};
pub use node_set::{NodeChange, NodeSetChange, NodeSetError, Progress};
pub use process_default::{close_default, default_locks, lock, set_default};
#[cfg(feature = "testing")]
pub use protections::Protections;
pub use quorum::{DriftFactor, InvalidDriftFactor, InvalidQuorum, Quorum};
