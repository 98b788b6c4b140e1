//! The safeguards, each with a switch.
//!
//! A safeguard that no test misses proves nothing. With feature `testing` each one can be switched off at run time, so
//! that a mutant needs no second build; without the feature the switches are constants and cost nothing.

macro_rules! protections {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Which safeguards are on: all of them, unless a test says otherwise.
        #[cfg(feature = "testing")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Protections {
            $($(#[doc = $doc])+ pub $name: bool,)+
        }

        #[cfg(feature = "testing")]
        impl Default for Protections {
            fn default() -> Self {
                Self { $($name: true,)+ }
            }
        }

        #[cfg(feature = "testing")]
        impl Protections {
            /// The name of every switch.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// All safeguards but the one with this name; `None` if there is no such switch.
            pub fn without(name: &str) -> Option<Self> {
                let mut all = Self::default();
                match name {
                    $(stringify!($name) => all.$name = false,)+
                    _ => return None,
                }
                Some(all)
            }

            $(
                #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "some are of Redis alone"))]
                pub(crate) const fn $name(&self) -> bool { self.$name }
            )+
        }

        #[cfg(not(feature = "testing"))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[allow(unreachable_pub)]
        pub struct Protections {}

        #[cfg(not(feature = "testing"))]
        #[allow(dead_code, clippy::unused_self)]
        impl Protections {
            $(#[inline] pub(crate) const fn $name(&self) -> bool { true })+
        }
    };
}

protections! {
    /// A round that took longer than the TTL allows does not hold the lock: the clock is read again at quorum.
    validity_check,
    /// Validity ends earlier than the TTL by the allowance for drift.
    drift_allowance,
    /// Every round has an owner token of its own, not only every acquisition.
    fresh_owner,
    /// A node runs no acquire or extend after its deadline.
    stale_deadline,
    /// A node releases only what this owner has.
    release_owner_check,
    /// A node extends only what this owner has.
    extend_owner_check,
    /// A node never shortens a TTL when it extends.
    never_shorten,
    /// Nodes that did not answer an acquire are released too, until they are certain to hold nothing.
    release_unknown,
    /// A request still in flight when the caller has gone is seen to its end.
    adopt_stragglers,
    /// An extension counts only if the clock, read again, has not passed the old validity.
    extend_in_time,
    /// A majority that says the lock is somebody else's ends it at once.
    lost_on_majority,
    /// A loss by expiry is reported a moment before the validity ends, not at its end.
    lost_ahead,
    /// A lock is held only when a quorum of nodes stores its fencing token, or a greater one.
    fence_quorum,
    /// A node follows a client's hint no further than a second from its own time.
    fence_clamp,
    /// An extension carries the fencing token, so that a node which lost its counter stores it again.
    fence_extend,
    /// A node that finds the request's own token does not count up again.
    fence_once,
    /// What was sent to one master of a Cluster is not settled by another's word alone.
    settle_everywhere,
    /// The master is what most sentinels name, and not what one of them names first.
    sentinel_majority,
    /// A node whose marker is not the one that the client has judged grants nothing.
    marker_check,
    /// A node with a new memory grants nothing new until every lock that it may have forgotten has ended.
    quarantine,
    /// The quarantine counts from the making of the marker, not from the start of the process.
    quarantine_from_marker,
    /// A node that comes out of quarantine has its fencing counters begin above those of the others.
    fence_floor,
    /// An extension gives the lock back to a node that has lost its memory, or never voted.
    restore,
    /// A node that lost the key without losing its memory is not given it back.
    restore_new_only,
    /// A vote counts only while the node's clock is trusted.
    clock_guard,
    /// A quorum of clocks that jump together means that our own is wrong: what was held is lost.
    own_clock,
    /// A `Locks` is not built on nodes that can lose locks.
    preflight,
    /// A hold that was handed over has ended, whatever becomes of the lease under it.
    handoff_hold,
    /// A lease is handed over only while enough of its validity is left for the waiter, or extended first.
    handoff_validity,
    /// Each holder of one lease has a fencing token of its own.
    handoff_token,
    /// A lease is handed over a bounded number of times, and for a bounded time, before others may ask for the lock.
    handoff_bound,
    /// What extends a lease carries the last token of its span, not its holder's.
    fence_top,
    /// A campaign looks again, when it returns, whether what it has won is still valid.
    campaign_recheck,
    /// A leader that steps down keeps its leadership until its work has returned.
    await_work,
    /// The work of a leader is ended before its validity is.
    stop_in_time,
    /// Nodes keep others out for the takeover delay when a holder's validity has ended without a release.
    takeover_delay,
    /// A vote counts only if the node's marker is of the client's node set, or of the next one while that is open to it.
    node_set_epoch,
    /// A changed node set is settled only when everything that was granted to clients of the one before has ended.
    node_set_wait,
    /// A changed node set is settled with its counters above those of the one before.
    node_set_floor,
}
