//! A client of a scenario in a process of its own, with the resource that it updates.

use std::fs;
use std::io::BufReader;
use std::path::PathBuf;

use tempfile::TempDir;

use super::{Scene, SceneError};
use crate::history::{ClientEvent, Event};
use crate::resource::Resource;
use crate::worker::{Crew, Habit, Options};
use redlock::Protections;

/// Client 0 of a scene, alone in its crew. Dropped, it is killed.
pub(super) struct Process {
    pub(super) resource: Resource,
    pub(super) crew: Crew,
    history: PathBuf,
    // It goes last.
    _directory: TempDir,
}

impl Process {
    /// Starts one that lacks the safeguards which the scene's clients lack; returns once it has the lock, or leads, and has read what it
    /// is about to change.
    pub(super) fn start(scene: &Scene, habit: Habit) -> Result<Self, SceneError> {
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
            tasks: 1,
            resource: Some(resource.path().to_owned()),
            without: without(scene.protections()),
            stands: false,
            habit,
        };
        let crew = Crew::start(scene.program(), vec![options]).map_err(SceneError::Process)?;
        // Both sets.
        scene.eventually("the client has read what it is about to change", || Ok(resource.reads() >= 2))?;
        Ok(Self { resource, crew, history, _directory: directory })
    }

    /// Kills it (SIGKILL). The token that it had last, and until when it was promised what it had.
    pub(super) fn kill(self) -> Result<(Option<u64>, u64), SceneError> {
        let Self { crew, history, .. } = self;
        drop(crew);
        let file = fs::File::open(&history).map_err(SceneError::Process)?;
        let events = Event::read_lines(BufReader::new(file)).map_err(SceneError::Process)?;
        held(&events).ok_or_else(|| {
            SceneError::Unexpected("the client has not written down that it holds anything".to_owned())
        })
    }
}

/// The switch that is off, if one is.
fn without(protections: Protections) -> Option<String> {
    let is_it = |name: &&&str| Protections::without(name) == Some(protections);
    Protections::NAMES.iter().find(is_it).map(|&name| name.to_owned())
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
