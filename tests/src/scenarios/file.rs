//! What is special about files: they are still there when the process that has a lock is gone.

use std::fs;
use std::time::Duration;

use super::scene::token_of;
use super::{Finding, Play, Scenario, Scene, SceneError, paused_client};
use crate::history::{ClientEvent, Event};
use crate::resource::Resource;
use crate::support::LIMIT;
use crate::worker::{Crew, Habit, Options, name_of};

use futures::executor::block_on;

pub(super) const KILLED: Scenario = Scenario {
    name: "file-killed-holder",
    about: "a process is killed, and its lock file keeps everybody out for ever, or nobody until the time that it was promised",
    source: "lock files of every kind: whoever finds one has to guess whether its writer lives",
    nodes: 1,
    ttl: Duration::from_secs(2),
    needs: &[],
    kills: &[],
    play: Play::On("file", killed),
};

pub(super) const STOPPED: Scenario = Scenario {
    name: "file-stopped-holder",
    nodes: 1,
    play: Play::On("file", paused_client::play),
    ..paused_client::SCENARIO
};

fn killed(scene: &Scene) -> Result<Finding, SceneError> {
    let directory = tempfile::Builder::new().prefix("redlock-").tempdir().map_err(SceneError::Process)?;
    let resource = Resource::start(directory.path()).map_err(SceneError::Process)?;
    let (config, history) = (directory.path().join("client.toml"), directory.path().join("history"));
    fs::write(&config, scene.config(0)).map_err(SceneError::Process)?;
    let options = Options {
        client: 0,
        config,
        history: history.clone(),
        seed: 1,
        names: 1,
        resource: Some(resource.path().to_owned()),
        without: None,
        // It holds its lock for two TTLs.
        habit: Habit::Careless,
    };
    let other = scene.locks(1)?;
    let crew = Crew::start(scene.program(), vec![options]).map_err(SceneError::Process)?;
    scene.eventually("the client has the lock", || Ok(resource.reads() >= 2))?;
    // SIGKILL.
    drop(crew);
    let file = fs::File::open(&history).map_err(SceneError::Process)?;
    let events = Event::read_lines(std::io::BufReader::new(file)).map_err(SceneError::Process)?;
    let (token, promised) = held(&events)
        .ok_or_else(|| SceneError::Unexpected("the client has not written down that it holds".to_owned()))?;
    let next = block_on(other.lock(name_of(0)).wait_at_most(LIMIT).acquire());
    let acquired = redlock::Instant::now().as_nanos();
    Ok(match next {
        Err(error) => Finding::Bad(format!("nobody gets the lock of a process that was killed: {error}")),
        Ok(_) if acquired < promised => Finding::Bad(
            "somebody gets a lock before the end of what a process was promised that was killed".to_owned(),
        ),
        Ok(next) => Finding::bad_if(
            Some(token_of(&next)?) <= token,
            "the fencing token of the next holder is not greater than that of the one that was killed",
        ),
    })
}

/// The token, and until when it was promised the lock.
fn held(events: &[Event]) -> Option<(Option<u64>, u64)> {
    let mut held = None;
    for event in events {
        match event {
            Event::Client { what: ClientEvent::Acquired { token, valid_until, .. }, .. } => {
                held = Some((*token, *valid_until));
            }
            Event::Client { what: ClientEvent::Holds { valid_until: later, .. }, .. } => {
                if let Some((_, valid_until)) = &mut held {
                    *valid_until = (*valid_until).max(*later);
                }
            }
            _ => {}
        }
    }
    held
}
