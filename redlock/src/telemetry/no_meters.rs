//! Without feature `metrics`: nothing is counted, and nothing of this is left in the compiled code.

use std::sync::Arc;
use std::time::Duration;

use super::Outcome;
use crate::env::Env;
use crate::error::{ExtendError, LostReason, ReleaseError};
use crate::id::Instant;
use crate::node::{NodeError, Reply};

#[derive(Debug, Clone)]
pub(crate) struct Meters;

#[allow(clippy::unused_self, reason = "as with the feature")]
impl Meters {
    #[inline(always)]
    pub(crate) fn new(_: &[Arc<str>]) -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) fn now(&self, _: &dyn Env) -> Option<Instant> {
        None
    }

    #[inline(always)]
    pub(super) fn waiting(&self) {}

    #[inline(always)]
    pub(super) fn waited(&self) {}

    #[inline(always)]
    pub(super) fn acquisition(&self, _: Outcome, _: Duration, _: Duration, _: u32) {}

    #[inline(always)]
    pub(crate) fn voted(&self, _: usize, _: &Result<Reply, NodeError>) {}

    #[inline(always)]
    pub(crate) fn raise_round(&self) {}

    #[inline(always)]
    pub(crate) fn restored(&self, _: usize) {}

    #[inline(always)]
    pub(crate) fn held(&self) {}

    #[inline(always)]
    pub(crate) fn handed_over(&self, _: Duration) {}

    #[inline(always)]
    pub(crate) fn ended(&self, _: Option<LostReason>, _: impl FnOnce() -> Duration) {}

    #[inline(always)]
    pub(crate) fn extended(&self, _: Option<Instant>, _: &dyn Env, _: &Result<Instant, ExtendError>) {}

    #[inline(always)]
    pub(crate) fn released(&self, _: &Result<(), ReleaseError>) {}

    #[inline(always)]
    pub(crate) fn unsettled(&self) {}

    #[inline(always)]
    pub(crate) fn settled(&self) {}

    #[inline(always)]
    pub(crate) fn quarantined(&self, _: usize) {}

    #[inline(always)]
    pub(crate) fn admitted(&self, _: usize) {}

    #[inline(always)]
    pub(crate) fn clock_moved(&self, _: usize) {}

    #[inline(always)]
    pub(crate) fn own_clock_moved(&self) {}
}

#[cfg(any(feature = "redis", feature = "zookeeper", feature = "memcached", feature = "etcd"))]
pub(super) use connections::{Connected, Connections};

#[cfg(any(feature = "redis", feature = "zookeeper", feature = "memcached", feature = "etcd"))]
mod connections {
    use std::marker::PhantomData;

    #[derive(Debug)]
    pub(in super::super) struct Connections;

    #[must_use]
    pub(crate) struct Connected<'a>(PhantomData<&'a ()>);

    impl Connections {
        #[inline(always)]
        pub(in super::super) fn of(_: &str) -> Self {
            Self
        }

        #[inline(always)]
        #[allow(clippy::unused_self, reason = "as with the feature")]
        pub(in super::super) fn connected(&self) -> Connected<'_> {
            Connected(PhantomData)
        }
    }
}
