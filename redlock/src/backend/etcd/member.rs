//! One member of the ensemble, as we reach it: connected on demand, with growing pauses after failures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use futures::future::{Either, select};
use tokio::sync::watch;

use super::failure::Failure;
use crate::env::{Env, jitter};
use crate::id::Instant;
use crate::node::NodeErrorKind;

/// The first and the longest pause after failures.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How to reach one member.
pub(super) struct Member {
    pub(super) address: String,
    url: String,
    options: ConnectOptions,
    connect_timeout: Duration,
    tls: bool,
    env: Arc<dyn Env>,
    link: watch::Sender<Link>,
}

#[derive(Clone)]
struct Link {
    state: State,
    /// How often it has failed in a row, and until when it is left alone.
    failures: u32,
    rests_until: Instant,
}

#[derive(Clone)]
enum State {
    /// Nobody has asked for it, or it has failed.
    Idle(Option<Failure>),
    Connecting,
    /// The client connects again by itself where the connection breaks.
    Ready(Box<Client>),
}

impl Member {
    pub(super) fn new(
        address: String,
        options: ConnectOptions,
        connect_timeout: Duration,
        tls: bool,
        env: &Arc<dyn Env>,
    ) -> Arc<Self> {
        let url = format!("{}://{address}", if tls { "https" } else { "http" });
        let link = Link { state: State::Idle(None), failures: 0, rests_until: Instant::from_nanos(0) };
        let (link, env) = (watch::Sender::new(link), Arc::clone(env));
        Arc::new(Self { address, url, options, connect_timeout, tls, env, link })
    }

    /// Whether it has failed and is to be left alone for now.
    pub(super) fn rests(&self) -> bool {
        self.env.now() < self.link.borrow().rests_until
    }

    /// Why it is left alone.
    pub(super) fn latest_failure(&self) -> Option<Failure> {
        match &self.link.borrow().state {
            State::Idle(failure) => failure.clone(),
            _ => None,
        }
    }

    /// The client, logged in. The attempt goes on when nobody waits for it any more: logging in takes longer than some
    /// requests have time.
    pub(super) async fn client(self: &Arc<Self>) -> Result<Client, Failure> {
        let mut is_first = false;
        self.link.send_if_modified(|link| {
            is_first = matches!(link.state, State::Idle(_));
            if is_first {
                link.state = State::Connecting;
            }
            is_first
        });
        if is_first {
            let member = Arc::clone(self);
            self.env.spawn(Box::pin(async move { member.connect().await }));
        }
        let mut link = self.link.subscribe();
        // The sender lives in `self`, so that this cannot fail.
        let known = link.wait_for(|link| !matches!(link.state, State::Connecting)).await;
        match known.map(|link| link.state.clone()) {
            Ok(State::Ready(client)) => Ok(*client),
            Ok(State::Idle(Some(failure))) => Err(failure),
            _ => Err(Failure::unreachable(NodeErrorKind::Unreachable, "not connected")),
        }
    }

    async fn connect(self: Arc<Self>) {
        let late = self.env.sleep_until(self.env.now().saturating_add(self.connect_timeout));
        let attempt = std::pin::pin!(Client::connect([&self.url], Some(self.options.clone())));
        let result = match select(attempt, late).await {
            Either::Left((result, _)) => result.map_err(|error| Failure::of(&error, self.tls)),
            Either::Right(_) => {
                Err(Failure::unreachable(NodeErrorKind::Unreachable, "cannot connect: no answer in time"))
            }
        };
        match result {
            Ok(client) => self.link.send_modify(|link| link.state = State::Ready(Box::new(client))),
            Err(failure) => self.failed(&failure.harmless()),
        }
    }

    /// It has answered.
    pub(super) fn works(&self) {
        self.link.send_if_modified(|link| {
            let changed = link.failures > 0;
            (link.failures, link.rests_until) = (0, Instant::from_nanos(0));
            changed
        });
    }

    /// It could not be reached, or says that it cannot serve.
    pub(super) fn failed(&self, failure: &Failure) {
        let now = self.env.now();
        let random = jitter(&*self.env) % 1_000;
        self.link.send_modify(|link| {
            // Those that failed together count once.
            if now >= link.rests_until {
                link.failures = link.failures.saturating_add(1);
                let pause = PAUSES.0.saturating_mul(1 << (link.failures - 1).min(16)).min(PAUSES.1);
                // Between half of it and all of it: those that failed together do not come back together.
                let pause = pause / 2 + pause.mul_f64(random as f64 / 2_000.0);
                link.rests_until = now.saturating_add(pause);
            }
            let stays = matches!(link.state, State::Ready(_)) && !failure.log_in_again;
            if !stays {
                link.state = State::Idle(Some(failure.clone()));
            }
        });
    }

    pub(super) fn has_tls(&self) -> bool {
        self.tls
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("address", &self.address).finish_non_exhaustive()
    }
}
