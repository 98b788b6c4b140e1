//! A client's whole process stands still beyond its lock's validity, and goes on with what it was about to do.

use std::io;
use std::time::Duration;

use futures::executor::block_on;
use redlock::Locks;

use super::process::Process;
use super::scene::token_of;
use super::{Finding, Play, Scenario, Scene, SceneError};
use crate::history::{ClientEvent, Event, RunEvent, Write};
use crate::resource::{Resource, ResourceClient, SetKind};
use crate::support::LIMIT;
use crate::worker::{Habit, name_of};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "paused-client",
    about: "a process that stood still beyond its lock's time writes as if it still had the lock, and the next holder's update is lost",
    source: "Kleppmann 2016 (the pause of a garbage collector; fencing tokens)",
    nodes: 3,
    ttl: Duration::from_secs(1),
    needs: &[],
    kills: &[],
    play: Play::OnFleet(play),
};

/// What the next holder adds.
const OURS: &str = "ours";

pub(super) fn play(scene: &Scene) -> Result<Finding, SceneError> {
    course(scene, Habit::Careless, acquire)
}

/// The next holder.
pub(super) struct Rival {
    pub(super) token: u64,
    pub(super) is_valid: Box<dyn Fn() -> bool>,
}

fn acquire(locks: &Locks) -> Result<Rival, SceneError> {
    let guard = block_on(locks.lock(name_of(0)).wait_at_most(LIMIT).acquire())?;
    Ok(Rival { token: token_of(&guard)?, is_valid: Box::new(move || guard.is_valid()) })
}

/// Lets a process of this habit stand still while it has what `rival` waits for.
pub(super) fn course(
    scene: &Scene,
    habit: Habit,
    rival: fn(&Locks) -> Result<Rival, SceneError>,
) -> Result<Finding, SceneError> {
    let process = Process::start(scene, habit)?;
    let Process { resource, crew, .. } = &process;
    // It writes both sets two TTLs later, without a look at its lock.
    crew.pause(0).map_err(SceneError::Process)?;

    let other = scene.locks(1)?;
    let rival = rival(&other)?;
    add_ours(resource, rival.token).map_err(SceneError::Process)?;

    crew.resume(0).map_err(SceneError::Process)?;
    let mut writes = None;
    scene.eventually("the client has written", || {
        writes = write_of(&crew.events().map_err(SceneError::Process)?);
        Ok(writes.is_some())
    })?;
    scene.eventually("the client has heard of its loss", || {
        let events = crew.events().map_err(SceneError::Process)?;
        Ok(events
            .iter()
            .any(|event| matches!(event, Event::Client { what: ClientEvent::Lost { hold: 0, .. }, .. })))
    })?;
    if !(rival.is_valid)() {
        return Err(SceneError::TooSlow("the client that stood still had gone on"));
    }
    let RunEvent::Sets { fenced, unfenced } = resource.sets() else {
        return Err(SceneError::Unexpected("the resource tells no sets".to_owned()));
    };
    if writes.map(|(_, unfenced)| unfenced) != Some(Write::Done) || has_ours(&unfenced) {
        return Err(SceneError::Unexpected("the write that comes too late was not done".to_owned()));
    }
    let refused = writes.map(|(fenced, _)| fenced) == Some(Write::Refused);
    if !refused || !has_ours(&fenced) {
        return Ok(Finding::Bad(
            "a write with an old fencing token was taken, and an update is lost".to_owned(),
        ));
    }
    Ok(Finding::bad_if(
        believes_after_waking(&crew.events().map_err(SceneError::Process)?),
        "a process that stood still beyond its lock's time still believes in it",
    ))
}

fn add_ours(resource: &Resource, token: u64) -> io::Result<()> {
    let mut client = ResourceClient::connect(resource.path())?;
    for set in [SetKind::Fenced, SetKind::Unfenced] {
        let version = client.read(set, &name_of(0), Some(token))?;
        let version = version.ok_or_else(|| io::Error::other("the token of a holder is refused"))?;
        client.write(set, &name_of(0), Some(token), version, OURS)?;
    }
    Ok(())
}

fn has_ours(set: &[String]) -> bool {
    set.iter().any(|element| element == OURS)
}

/// How the first update of the client ended.
fn write_of(events: &[Event]) -> Option<(Write, Write)> {
    events.iter().find_map(|event| match event {
        Event::Client { what: ClientEvent::Added { hold: 0, fenced, unfenced, .. }, .. } => {
            Some((*fenced, *unfenced))
        }
        _ => None,
    })
}

/// Whether it said of its first lock that it has it when its time was over.
fn believes_after_waking(events: &[Event]) -> bool {
    let holds = |event: &Event| match event {
        Event::Client {
            at,
            what:
                ClientEvent::Acquired { hold: 0, valid_until, .. } | ClientEvent::Holds { hold: 0, valid_until },
            ..
        } => Some((*at, *valid_until)),
        _ => None,
    };
    events.iter().filter_map(holds).any(|(at, valid_until)| at > valid_until)
}
