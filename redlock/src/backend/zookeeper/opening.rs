//! Opens a session: connects, leaves its marker, and fences off what earlier sessions of this node still have under way.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use tokio::net::TcpStream;
use zookeeper_client::{Client, CreateMode, Error};

use super::failure::Failure;
use super::session::{Session, found};
use super::shared::Shared;
use super::signs::Signs;
#[cfg(feature = "tls")]
use super::tls;
use crate::id::OwnerToken;
use crate::node::{Identity, NodeErrorKind};

/// In a bounded time: a member that stands still answers nothing.
pub(super) async fn open(shared: &Shared) -> Result<Session, Failure> {
    let tries = u32::try_from(shared.config.members.len()).unwrap_or(u32::MAX).saturating_add(2);
    let limit = shared
        .config
        .connect_timeout
        .saturating_mul(tries.saturating_mul(2))
        .saturating_add(Duration::from_secs(2));
    let late = shared.env.sleep_until(shared.env.now().saturating_add(limit));
    match select(std::pin::pin!(establish(shared)), late).await {
        Either::Left((opened, _)) => opened,
        Either::Right(_) => Err(Error::Timeout.into()),
    }
}

async fn establish(shared: &Shared) -> Result<Session, Failure> {
    // Before anything is sent: the session's life is counted from here.
    let opened = shared.env.now();
    let client = connect(shared).await?;
    let id = format!("{:016x}", client.session_id().0);
    let marker = shared.tree.session(&id);
    // First: should this come to nothing, the next one has to fence this one off.
    shared.former().push(marker.clone());
    let options = CreateMode::Ephemeral.with_acls(shared.acls());
    let mut sent = shared.env.now();
    let stat = match client.create(&marker, b"", &options).await {
        Err(Error::NoNode) => {
            let lasting = CreateMode::Persistent.with_acls(shared.acls());
            client.mkdir(&shared.tree.sessions(), &lasting).await?;
            sent = shared.env.now();
            client.create(&marker, b"", &options).await?.0
        }
        created => created?.0,
    };
    shared.saw_time(stat.mtime, sent);
    fence_off(shared, &client, &marker).await?;
    read_top(shared, &client).await?;
    identify(shared, &client).await?;
    let signs = Signs::new(opened, client.session_timeout(), shared.config.touch_delay);
    Ok(Session::new(client, Arc::clone(&shared.env), marker, id, shared.acls(), signs))
}

async fn connect(shared: &Shared) -> Result<Client, Failure> {
    let config = &shared.config;
    let mut connector = Client::connector()
        .with_session_timeout(config.requested())
        .with_connection_timeout(config.connect_timeout)
        .with_fail_eagerly();
    if let Some(login) = &config.login {
        connector = connector.with_auth("digest", format!("{}:{}", login.user, login.password).as_bytes());
    }
    #[cfg(feature = "tls")]
    if let Some(files) = &config.tls {
        connector = connector.with_tls(tls::options(files)?);
    }
    let scheme = if config.tls.is_some() { "tcp+tls" } else { "tcp" };
    let members: Vec<_> = config.members.iter().map(|member| format!("{scheme}://{member}")).collect();
    // Each is tried once: it may take so long to connect, and so long to answer.
    let tries = u32::try_from(config.members.len()).unwrap_or(u32::MAX).saturating_mul(2);
    let limit = config.connect_timeout.saturating_mul(tries).saturating_add(Duration::from_secs(1));
    let late = shared.env.sleep_until(shared.env.now().saturating_add(limit));
    let cluster = members.join(",");
    let connected = match select(std::pin::pin!(connector.connect(&cluster)), late).await {
        Either::Left((connected, _)) => connected,
        Either::Right(_) => Err(Error::Timeout),
    };
    match connected {
        Ok(client) => Ok(client),
        Err(error @ (Error::NoHosts | Error::Timeout | Error::ConnectionLoss | Error::Custom(_))) => {
            Err(why_not(shared, error).await)
        }
        Err(error) => Err(error.into()),
    }
}

/// Says why no member could be reached: the client does not.
async fn why_not(shared: &Shared, error: Error) -> Failure {
    let looks = shared.config.members.iter().map(|member| async move {
        let late = shared.env.sleep_until(shared.env.now().saturating_add(shared.config.connect_timeout));
        let looked = std::pin::pin!(look_at(shared, member));
        let reason = match select(looked, late).await {
            Either::Left((reason, _)) => reason,
            Either::Right(_) => (NodeErrorKind::Timeout, "no answer in time".to_owned()),
        };
        (member, reason)
    });
    let looks = join_all(looks).await;
    let kinds = [NodeErrorKind::Tls, NodeErrorKind::NotReady, NodeErrorKind::Timeout];
    let kind = kinds.into_iter().find(|&kind| looks.iter().any(|(_, (found, _))| *found == kind));
    let reasons: Vec<_> = looks.iter().map(|(member, (_, reason))| format!("{member}: {reason}")).collect();
    let Failure { kind: otherwise, detail, .. } = Failure::from(error);
    Failure::new(kind.unwrap_or(otherwise), format!("{detail} ({})", reasons.join("; ")))
}

async fn look_at(shared: &Shared, member: &str) -> (NodeErrorKind, String) {
    let stream = match TcpStream::connect(member).await {
        Ok(stream) => stream,
        Err(error) => return (NodeErrorKind::Unreachable, error.to_string()),
    };
    #[cfg(feature = "tls")]
    if let Some(files) = &shared.config.tls {
        match tls::shake_hands(files, member, stream).await {
            Err(problem) => return (NodeErrorKind::Tls, problem),
            Ok(()) => {
                let detail = "TLS works, but no session was granted; has the ensemble a leader?";
                return (NodeErrorKind::NotReady, detail.to_owned());
            }
        }
    }
    #[cfg(not(feature = "tls"))]
    let _ = shared;
    drop(stream);
    let detail = "it takes connections but grants no session; has the ensemble a leader, and is it ZooKeeper without TLS?";
    (NodeErrorKind::NotReady, detail.to_owned())
}

/// From here on no write of an earlier session can take effect that has not taken effect already: each checks the version of
/// its session's marker. The marker itself goes with its session, which may live on at the servers for a while.
async fn fence_off(shared: &Shared, client: &Client, own: &str) -> Result<(), Failure> {
    let former: Vec<_> = shared.former().iter().filter(|marker| *marker != own).cloned().collect();
    for marker in former {
        match client.set_data(&marker, b"fenced off", None).await {
            Ok(_) | Err(Error::NoNode) => shared.former().retain(|other| *other != marker),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn read_top(shared: &Shared, client: &Client) -> Result<(), Failure> {
    let lasting = CreateMode::Persistent.with_acls(shared.acls());
    for path in [shared.tree.top(), shared.tree.swept()] {
        match client.create(&path, b"0", &lasting).await {
            Ok(_) | Err(Error::NodeExists) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (data, _) = client.get_data(&shared.tree.top()).await?;
    shared.saw_top(number(&data));
    Ok(())
}

/// A number in text; 0 if it is none.
pub(super) fn number(data: &[u8]) -> u64 {
    std::str::from_utf8(data).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Reads the id of the ensemble, or gives it one.
async fn identify(shared: &Shared, client: &Client) -> Result<(), Failure> {
    let path = shared.tree.identity();
    let (data, _) = loop {
        if let Some(found) = found(client.get_data(&path).await)? {
            break found;
        }
        let mut bytes = [0; OwnerToken::BYTES];
        let failed =
            |error: crate::env::RandomError| Failure::new(NodeErrorKind::NotReady, error.to_string());
        shared.env.fill_random(&mut bytes).map_err(failed)?;
        let id = OwnerToken::from_bytes(bytes).to_hex();
        let lasting = CreateMode::Persistent.with_acls(shared.acls());
        match client.create(&path, id.as_bytes(), &lasting).await {
            Ok(_) | Err(Error::NodeExists) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let id = String::from_utf8_lossy(&data).into_owned();
    // The version is asked for when somebody wants to know it.
    shared.saw_identity(Identity { instance: Some(id), ..Identity::default() });
    Ok(())
}
