//! Keeps a session open as long as the node lives.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::watch;
use zookeeper_client::{SessionState, StateWatcher};

use super::failure::Failure;
use super::opening::open;
use super::session::Session;
use super::shared::{Phase, Shared};
use crate::env::jitter;
use crate::node::NodeErrorKind;
use crate::telemetry::Link;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long the closing of a session is waited for.
const CLOSING: Duration = Duration::from_secs(3);

/// Runs until the node is dropped (`closed` ends), and then until its session is closed.
pub(super) async fn keep(shared: Arc<Shared>, closed: watch::Receiver<()>) {
    keep_open(&shared, closed).await;
    shared.phase.send_replace(dropped());
}

fn dropped() -> Phase {
    Phase::Down(Failure::new(NodeErrorKind::Disconnected, "the node was dropped"))
}

async fn keep_open(shared: &Shared, mut closed: watch::Receiver<()>) {
    let link = Link::new(&shared.address);
    let mut pause = Duration::from_millis(50);
    loop {
        let opened = match select(std::pin::pin!(open(shared)), std::pin::pin!(closed.changed())).await {
            Either::Left((opened, _)) => opened,
            Either::Right(_) => return,
        };
        match opened {
            Ok(session) => {
                pause = Duration::from_millis(50);
                if serve(shared, &link, session, &mut closed).await {
                    return;
                }
            }
            Err(failure) => {
                link.failed(&failure.detail);
                shared.phase.send_replace(Phase::Down(failure));
                let nanos = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX).max(2);
                let wait = pause / 2 + Duration::from_nanos(jitter(&*shared.env) % (nanos / 2));
                let again = shared.env.sleep_until(shared.env.now().saturating_add(wait));
                if let Either::Right(_) = select(again, std::pin::pin!(closed.changed())).await {
                    return;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Serves one session until it has ended: true if the node was dropped.
async fn serve(shared: &Shared, link: &Link, session: Session, closed: &mut watch::Receiver<()>) -> bool {
    let session = Arc::new(session);
    let mut states = session.client.state_watcher();
    shared.phase.send_replace(Phase::Up(Arc::clone(&session)));
    let ended = {
        let states = std::pin::pin!(follow(link, &mut states, session.client.state()));
        let signs = std::pin::pin!(sign(shared, &session));
        let life = select(states, signs);
        match select(life, std::pin::pin!(closed.changed())).await {
            Either::Left((Either::Left((reason, _)), _)) => Some(reason),
            Either::Left((Either::Right(_), _)) | Either::Right(_) => None,
        }
    };
    let Some(reason) = ended else {
        // The last handle closes the session, which ends all that belongs to it.
        drop(session);
        shared.phase.send_replace(dropped());
        let late = shared.env.sleep_until(shared.env.now().saturating_add(CLOSING));
        let gone = std::pin::pin!(async {
            while !states.state().is_terminated() {
                states.changed().await;
            }
        });
        select(gone, late).await;
        return true;
    };
    let failure = Failure::new(NodeErrorKind::Disconnected, reason);
    shared.phase.send_replace(Phase::Down(failure));
    false
}

/// Tells of the connection until the session has ended; says how.
async fn follow(link: &Link, states: &mut StateWatcher, mut state: SessionState) -> String {
    let mut up = (state == SessionState::SyncConnected).then(|| link.up());
    loop {
        let reason = match state {
            SessionState::Expired => "the session has ended: it was without a connection for too long",
            SessionState::AuthFailed => "the server refuses the credentials",
            SessionState::Closed => "the session was closed",
            _ => "",
        };
        if !reason.is_empty() {
            // It is not connected any more, before that is said.
            let _ = up.take();
            link.failed(reason);
            return reason.to_owned();
        }
        match state {
            SessionState::SyncConnected if up.is_none() => up = Some(link.up()),
            SessionState::SyncConnected => {}
            _ if up.take().is_some() => link.failed("the connection broke; another member is tried"),
            _ => {}
        }
        state = states.changed().await;
    }
}

/// Gives signs of life, so that a proof that it lives is never far.
async fn sign(shared: &Shared, session: &Session) {
    loop {
        if session.is_connected() {
            session.sign().await;
        }
        let next = shared.env.now().saturating_add(shared.config.touch_delay / 4);
        shared.env.sleep_until(next).await;
    }
}
