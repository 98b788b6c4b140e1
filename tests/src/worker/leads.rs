//! A worker that stands for an election, and updates the resource in every term of its own without a look at its leadership.

use std::io;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use redlock::{Instant, Locks, Term};

use super::control::Control;
use super::options::{Options, name_of};
use crate::history::{ClientEvent, HoldId, Journal, Write};
use crate::resource::{ResourceClient, SetKind};

/// How long its leaderships last unless they are renewed.
pub(crate) const TTL: Duration = Duration::from_secs(1);

/// How much longer others are kept out when it has not resigned.
pub(crate) const DELAY: Duration = Duration::from_secs(1);

const LOOKS: Duration = Duration::from_millis(20);

/// Campaigns, leads and resigns until there are no faults any more.
pub(super) fn lead(
    options: &Options,
    locks: &Locks,
    journal: &Journal,
    mut resource: Option<ResourceClient>,
    control: &Control,
) -> io::Result<()> {
    let name = name_of(0);
    let election = locks.election(&name).ttl(TTL).takeover_delay(DELAY);
    for hold in 0.. {
        if control.is_calm() {
            break;
        }
        journal.note(ClientEvent::Wants { hold, name: name.clone() })?;
        let mut leadership = match block_on(election.campaign()) {
            Ok(leadership) => leadership,
            Err(error) => {
                journal.note(ClientEvent::GaveUp { hold, why: error.to_string() })?;
                continue;
            }
        };
        let (token, valid_until) = (Some(leadership.epoch().get()), leadership.valid_until().as_nanos());
        journal.note_at(leadership.since(), ClientEvent::Acquired { hold, token, valid_until })?;
        let (term, notes) = (leadership.term(), journal.clone());
        let watch =
            thread::Builder::new().name("term".to_owned()).spawn(move || watch(hold, &term, &notes))?;
        if let Some(resource) = &mut resource {
            let element = format!("{}-{}-{hold}", options.client, std::process::id());
            let (fenced, unfenced) = update(resource, &name, token, &element);
            journal.note(ClientEvent::Added { hold, element, fenced, unfenced })?;
        }
        looks(hold, &leadership, journal)?;
        journal.note(ClientEvent::Releases { hold })?;
        let outcome = block_on(leadership.resign());
        let outcome = outcome.map_or_else(|error| error.to_string(), |()| "released".to_owned());
        journal.note(ClientEvent::Released { hold, outcome })?;
        drop(leadership);
        watch.join().map_err(|_| io::Error::other("a thread that watches a term has panicked"))??;
    }
    Ok(())
}

/// Looks whether it leads, notes it if so, and says whether it does.
fn looks(hold: HoldId, term: &Term, journal: &Journal) -> io::Result<bool> {
    let now = Instant::now();
    let leads = !term.remaining().is_zero();
    if leads {
        journal.note_at(now, ClientEvent::Holds { hold, valid_until: term.valid_until().as_nanos() })?;
    }
    Ok(leads)
}

/// Looks again and again until the term has ended, and notes it if it was lost.
fn watch(hold: HoldId, term: &Term, journal: &Journal) -> io::Result<()> {
    while looks(hold, term, journal)? {
        thread::sleep(LOOKS);
    }
    let Some(reason) = block_on(term.lost()) else { return Ok(()) };
    let valid_until = term.valid_until().as_nanos();
    journal.note(ClientEvent::Lost { hold, why: format!("{reason:?}"), valid_until })
}

/// Reads both sets, lets two TTLs pass on its thread, and writes them.
fn update(resource: &mut ResourceClient, name: &str, token: Option<u64>, element: &str) -> (Write, Write) {
    let read = [SetKind::Fenced, SetKind::Unfenced].map(|set| resource.read(set, name, token));
    thread::sleep(TTL * 2);
    let [fenced, unfenced] = read;
    let mut write = |set, version: io::Result<Option<usize>>| match version {
        Ok(Some(version)) => match resource.write(set, name, token, version, element) {
            Ok(true) => Write::Done,
            Ok(false) => Write::Refused,
            Err(_) => Write::NotTried,
        },
        Ok(None) => Write::Refused,
        Err(_) => Write::NotTried,
    };
    (write(SetKind::Fenced, fenced), write(SetKind::Unfenced, unfenced))
}
