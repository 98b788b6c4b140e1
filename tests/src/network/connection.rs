//! The connections of a way: each is one task, and one more that reads from the server.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::held::{Inlet, Mark, Part, queue};
use super::leg::{Leg, read};
use super::scanner::Scanner;
use super::way::{Conditions, Way};

/// For how long a connection whose reply was lost is silent before it is reset.
const SILENCE: Duration = Duration::from_secs(1);

/// Takes connections for as long as the network runs.
pub(super) async fn accept(listener: TcpListener, way: Arc<Way>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                connections.spawn(serve(Arc::new(client), Arc::clone(&way)));
            }
            // Too many files are open: some may be closed soon.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// How a connection ends.
enum End {
    Closed,
    Reset,
}

async fn serve(client: Arc<TcpStream>, way: Arc<Way>) {
    let mut conditions = way.watch();
    let resets = conditions.borrow().resets;
    let server = Mutex::new(Weak::new());
    let end = tokio::select! {
        biased;
        _ = conditions.wait_for(|now| now.resets != resets) => End::Reset,
        end = carry(&client, &way, &server) => end,
    };
    if let End::Reset = end {
        let server = server.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        for stream in server.iter().chain([&client]) {
            // The other side may have gone before.
            let _ = stream.set_zero_linger();
        }
    }
}

/// Passes on whatever comes, until the connection ends. The current server is kept where a reset finds it.
async fn carry(client: &TcpStream, way: &Arc<Way>, server: &Mutex<Weak<TcpStream>>) -> End {
    if is_stillborn(client, way).await || client.set_nodelay(true).is_err() {
        return End::Closed;
    }
    let is_opaque = Arc::new(AtomicBool::new(false));
    let (requests, requests_out) = queue();
    let (replies, replies_out) = queue();
    tokio::select! {
        end = pass_replies(replies_out, client, way) => end,
        end = pass_requests(requests_out, way, server, &replies, &is_opaque) => end,
        () = read_requests(client, way, &requests, &is_opaque) => End::Closed,
    }
}

/// Whether this is a connection that was begun while the way was cut, and given up before it was mended.
async fn is_stillborn(client: &TcpStream, way: &Way) -> bool {
    let mut conditions = way.watch();
    if !conditions.borrow_and_update().is_cut() {
        return false;
    }
    // The way itself is there for as long as this is.
    let _ = conditions.wait_for(|now| !now.is_cut()).await;
    let ready = client.ready(Interest::READABLE).now_or_never();
    matches!(ready, Some(Ok(ready)) if ready.is_read_closed())
}

/// Never returns: what was read may have to wait.
async fn read_requests(client: &TcpStream, way: &Way, inlet: &Inlet, is_opaque: &AtomicBool) {
    let mut scanner = Scanner::new(way.protocol());
    let mut buffer = vec![0; super::leg::BUFFER];
    while let Ok(count @ 1..) = read(client, &mut buffer).await {
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            let begins = scanner.is_between_messages().then(|| way.count());
            let scanned = scanner.scan(bytes);
            let (part, rest) = bytes.split_at(scanned.used);
            bytes = rest;
            if scanner.is_opaque() {
                is_opaque.store(true, Ordering::SeqCst);
            }
            let mark = match scanner.word() {
                Some(word) if scanned.ends && scanner.is_command() => Mark::EndsCommand(word),
                _ => Mark::Nothing,
            };
            inlet.put(part.to_vec(), begins, mark).await;
        }
    }
    inlet.end();
    pending().await
}

/// Returns if there is no server.
async fn pass_requests(
    mut requests: UnboundedReceiver<Part>,
    way: &Arc<Way>,
    server: &Mutex<Weak<TcpStream>>,
    replies: &Inlet,
    is_opaque: &Arc<AtomicBool>,
) -> End {
    let mut conditions = way.watch();
    let mut leg: Option<Leg> = None;
    while let Some(part) = requests.recv().await {
        match part {
            Part::Bytes { bytes, begins, mark, arrived, _room } => {
                let late = begins.as_ref().map(|_| arrived);
                let leads_to = gate(way, &mut conditions, late, |now| now.requests_are_cut).await;
                let leg = match &mut leg {
                    // A message is not divided between two servers.
                    Some(leg) if begins.is_none() || leg.address == leads_to => leg,
                    _ => {
                        if let Some(leg) = leg.take() {
                            leg.answered().await;
                        }
                        let begun = Leg::begin(leads_to, way, replies.clone(), Arc::clone(is_opaque)).await;
                        let Ok(begun) = begun else { return End::Reset };
                        *server.lock().unwrap_or_else(PoisonError::into_inner) = begun.server();
                        leg.insert(begun)
                    }
                };
                if let Mark::EndsCommand(word) = mark {
                    leg.expect_reply_to(word).await;
                }
                leg.write(&bytes).await;
            }
            Part::End => {
                gate(way, &mut conditions, None, |now| now.requests_are_cut).await;
                match &leg {
                    Some(leg) => leg.end(),
                    None => return End::Closed,
                }
            }
        }
    }
    // The server may still have something to say.
    pending().await
}

async fn pass_replies(mut replies: UnboundedReceiver<Part>, client: &TcpStream, way: &Way) -> End {
    let mut conditions = way.watch();
    let mut is_there = true;
    while let Some(part) = replies.recv().await {
        match part {
            Part::Bytes { bytes, begins, mark, arrived, _room } => {
                let late = begins.as_ref().map(|_| arrived);
                gate(way, &mut conditions, late, |now| now.replies_are_cut).await;
                if let Mark::BeginsReply(word) = mark
                    && way.takes_reply_to(word.as_deref())
                {
                    // The server is not to notice anything.
                    let _ = timeout(SILENCE, async { while replies.recv().await.is_some() {} }).await;
                    return End::Reset;
                }
                // For a client that has gone the server goes on.
                is_there = is_there && super::leg::write(client, &bytes).await.is_ok();
            }
            Part::End => break,
        }
    }
    gate(way, &mut conditions, None, |now| now.replies_are_cut).await;
    End::Closed
}

/// Waits until a part may pass, and says where the way leads then. Only messages that `arrived` are late.
async fn gate(
    way: &Way,
    conditions: &mut watch::Receiver<Conditions>,
    arrived: Option<Instant>,
    is_cut: impl Fn(&Conditions) -> bool,
) -> Arc<str> {
    let mut drawn = None;
    loop {
        let now = conditions.borrow_and_update().clone();
        let due = match (&now.delay, arrived) {
            (Some(range), Some(arrived)) => Some(arrived + *drawn.get_or_insert_with(|| way.draw(range))),
            _ => None,
        };
        let due = due.filter(|&due| due > Instant::now());
        // The way itself is there for as long as this is, and so the senders of its conditions.
        if is_cut(&now) {
            let _ = conditions.changed().await;
        } else if let Some(due) = due {
            tokio::select! {
                () = sleep_until(due) => {}
                _ = conditions.changed() => {}
            }
        } else {
            return now.leads_to;
        }
    }
}
