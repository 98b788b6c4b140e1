//! A fleet, the resource, and workers.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redlock::testing::servers::RedisFleet;
use redlock_tests::history::{ClientEvent, Event, History, Recorder, Run, RunEvent};
use redlock_tests::oracle::{Verdict, judge};
use redlock_tests::resource::Resource;
use redlock_tests::support::LIMIT;
use redlock_tests::worker::{Crew, Habit, Options};
use tempfile::TempDir;

pub(crate) const TTL: Duration = Duration::from_millis(800);

/// Three servers, and what clients need to work on them.
pub(crate) struct World {
    pub(crate) recorder: Recorder,
    pub(crate) resource: Resource,
    fleet: RedisFleet,
    directory: TempDir,
}

impl World {
    pub(crate) fn start() -> Self {
        let fleet = RedisFleet::start(3).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let resource = Resource::start(directory.path()).unwrap();
        let (nodes, ttl) = (fleet.urls(), TTL.as_millis());
        // The quarantines of the restart guard would outlast the test.
        let config = format!(
            "[lock.redlock]\nnodes = {nodes:?}\nrestartGuard = false\nexpiration = \"{ttl}ms\"\nnodeTimeout = \"300ms\"\n"
        );
        fs::write(directory.path().join("lock.toml"), config).unwrap();
        Self { recorder: Recorder::default(), resource, fleet, directory }
    }

    /// What the worker of this number is told.
    pub(crate) fn options(&self, client: usize, names: usize, habit: Habit) -> Options {
        let path = |name: String| self.directory.path().join(name);
        Options {
            client,
            config: path("lock.toml".to_owned()),
            history: path(format!("client-{client}.jsonl")),
            seed: client as u64,
            names,
            tasks: 1,
            resource: Some(self.resource.path().to_owned()),
            without: None,
            stands: false,
            habit,
        }
    }

    /// Starts the workers of these numbers.
    pub(crate) fn crew(&self, clients: impl IntoIterator<Item = usize>, names: usize, habit: Habit) -> Crew {
        let options = clients.into_iter().map(|client| self.options(client, names, habit)).collect();
        Crew::start(program(), options).unwrap()
    }

    /// What has happened up to now.
    pub(crate) fn history(&self, crews: &[&Crew]) -> History {
        let mut events = self.recorder.events();
        crews.iter().for_each(|crew| events.extend(crew.events().unwrap()));
        let clients = crews.iter().map(|crew| crew.pids().len()).sum();
        let run = Run {
            command: "workers".to_owned(),
            seed: 0,
            fleet: "process".to_owned(),
            server: String::new(),
            nodes: Vec::new(),
            restarts_forget: true,
            clients,
            faults: Vec::new(),
            ttl_millis: 800,
            max_ttl_millis: 30_000,
            without: Vec::new(),
        };
        History::new(run, events)
    }

    /// Lets all acquire every lock once more and end; what has come of it.
    pub(crate) fn end(self, crews: &[&Crew]) -> Verdict {
        self.recorder.run(RunEvent::Calm);
        crews.iter().for_each(|crew| crew.calm().unwrap());
        for crew in crews {
            assert_eq!(crew.wait(2 * LIMIT).unwrap(), Vec::<usize>::new(), "all clients end well");
        }
        for (node, keys) in self.fleet.lock_keys().unwrap().into_iter().enumerate() {
            keys.into_iter().for_each(|key| self.recorder.run(RunEvent::LeftKey { node, key }));
        }
        self.recorder.run(self.resource.sets());
        judge(&self.history(crews))
    }
}

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaos"))
}

/// How often a client has acquired a lock, in all of its processes.
pub(crate) fn acquired(history: &History, of: usize) -> usize {
    let is_one = |event: &&Event| matches!(event, Event::Client { client, what: ClientEvent::Acquired { .. }, .. } if *client == of);
    history.events.iter().filter(is_one).count()
}
