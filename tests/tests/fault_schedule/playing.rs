//! Playing schedules on a stage that is none: everything is healed in the end, whatever fails.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use redlock_tests::fault::{
    Crew, FaultKind, Figures, Plan, Stage, Store, Strike, check, play, possible, schedule,
};
use redlock_tests::fleet::{Action, ActionKind, Fleet, FleetError};
use redlock_tests::history::{RunEvent, Target};
use redlock_tests::network::{Direction, Network};

const NODES: usize = 3;
const CLIENTS: usize = 2;

/// What is the matter with a node or a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ailment {
    dead: bool,
    stopped: bool,
    rate: i32,
}

/// Nodes and clients on which every so-manieth action fails, if any does.
#[derive(Debug, Default)]
struct Mock {
    nodes: Mutex<[Ailment; NODES]>,
    clients: Mutex<[Ailment; CLIENTS]>,
    done: AtomicUsize,
    fails_every: Option<usize>,
    /// Fails from then on for good.
    breaks_after: Option<usize>,
    lacks: Vec<ActionKind>,
}

impl Mock {
    fn fails(&self) -> bool {
        let done = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        self.fails_every.is_some_and(|every| done.is_multiple_of(every))
            || self.breaks_after.is_some_and(|after| done > after)
    }

    #[track_caller]
    fn assert_healed(&self) {
        assert_eq!(*self.nodes.lock().unwrap(), [Ailment::default(); NODES]);
        assert_eq!(*self.clients.lock().unwrap(), [Ailment::default(); CLIENTS]);
    }
}

impl Fleet for Mock {
    fn kind(&self) -> &'static str {
        "mock"
    }

    fn server(&self) -> String {
        String::new()
    }

    fn addresses(&self) -> Vec<String> {
        vec!["127.0.0.1:1".to_owned(); NODES]
    }

    fn config(&self, _: &[String]) -> String {
        String::new()
    }

    fn actions(&self) -> Vec<ActionKind> {
        use ActionKind::{
            ClockRate, ClockStep, Flush, Kill, LosePower, Pause, Promote, Resume, Start, StartEmpty,
        };
        let all = [Kill, Start, StartEmpty, LosePower, Pause, Resume, Flush, Promote, ClockStep, ClockRate];
        all.into_iter().filter(|action| !self.lacks.contains(action)).collect()
    }

    fn act(&self, node: usize, action: Action) -> Result<(), FleetError> {
        let ailment = &mut self.nodes.lock().unwrap()[node];
        let fails = self.fails();
        match action {
            Action::Kill => {
                assert!(!ailment.dead, "it is dead already");
                ailment.dead = true;
            }
            // What fails half-way leaves it down.
            Action::LosePower | Action::Promote => ailment.dead = fails,
            Action::Pause => {
                assert!(!ailment.stopped && !ailment.dead, "there is nothing to stop");
                ailment.stopped = true;
            }
            _ if fails => {}
            Action::Start | Action::StartEmpty => ailment.dead = false,
            Action::Resume => ailment.stopped = false,
            Action::ClockRate(rate) => ailment.rate = rate,
            Action::Flush | Action::ClockForward(_) | Action::ClockBack(_) => assert!(!ailment.dead),
        }
        match fails {
            true => Err(FleetError::Failed { node: node.to_string(), detail: "it failed".to_owned() }),
            false => Ok(()),
        }
    }

    fn lock_keys(&self, _: usize, _: &str) -> Result<Vec<String>, FleetError> {
        Ok(Vec::new())
    }
}

impl Crew for Mock {
    fn pause(&self, client: usize) -> io::Result<()> {
        self.clients.lock().unwrap()[client].stopped = true;
        if self.fails() { Err(io::Error::other("it failed")) } else { Ok(()) }
    }

    fn resume(&self, client: usize) -> io::Result<()> {
        if self.fails() {
            return Err(io::Error::other("it failed"));
        }
        self.clients.lock().unwrap()[client].stopped = false;
        Ok(())
    }

    fn kill_and_replace(&self, _: usize) -> io::Result<()> {
        if self.fails() { Err(io::Error::other("it failed")) } else { Ok(()) }
    }
}

/// Plays, and returns what it came to and what was recorded.
fn played(mock: &Mock, strikes: &[Strike], stop: &AtomicBool) -> (Result<(), String>, Vec<RunEvent>) {
    let network = Network::start(&mock.addresses(), CLIENTS).unwrap();
    let stage = Stage { fleet: mock, network: &network, crew: mock };
    let events = RefCell::new(Vec::new());
    let record = |event| events.borrow_mut().push(event);
    let outcome = play(&stage, strikes, &record, stop, &|_| {});
    assert!(!network.ways().any(|way| way.is_losing_a_reply()));
    (outcome, events.into_inner())
}

/// Every kind, several times, within a moment.
fn strikes(seed: u64) -> Vec<Strike> {
    schedule(&Plan {
        seed,
        kinds: FaultKind::ALL.to_vec(),
        nodes: NODES,
        store: Store::REDIS,
        clients: CLIENTS,
        length: Duration::from_secs(60),
        ttl: Duration::from_millis(500),
        max_ttl: Duration::from_millis(500),
    })
    .into_iter()
    // The same in less time.
    .map(|strike| Strike { after: strike.after / 60, lasts: strike.lasts.map(|lasts| lasts / 60), ..strike })
    .collect()
}

fn one(id: u64, kind: FaultKind, target: Target, figures: Figures) -> Strike {
    let lasts = Some(Duration::from_secs(3600));
    Strike { id, after: Duration::ZERO, lasts, kind, target, figures }
}

#[test]
fn every_fault_that_lasts_is_undone() {
    let mock = Mock::default();
    let strikes = strikes(1);
    let (outcome, events) = played(&mock, &strikes, &AtomicBool::new(false));
    outcome.unwrap();
    mock.assert_healed();
    let begun = |event: &&RunEvent| matches!(event, RunEvent::Fault { .. });
    assert!(events.iter().filter(begun).count() > 0);
    for strike in &strikes {
        let begins =
            events.iter().position(|event| matches!(event, RunEvent::Fault { id, .. } if *id == strike.id));
        let heals = events.iter().position(|event| *event == RunEvent::Healed { id: strike.id });
        match begins {
            // Left out: the machine was too slow.
            None => assert_eq!(heals, None),
            Some(_) => assert_eq!(heals.is_some(), strike.lasts.is_some(), "{strike:?}"),
        }
        assert!(heals.is_none() || begins < heals);
    }
}

#[test]
fn everything_is_healed_though_actions_fail() {
    for every in 2..6 {
        let mock = Mock { fails_every: Some(every), ..Mock::default() };
        let (outcome, events) = played(&mock, &strikes(every as u64), &AtomicBool::new(false));
        outcome.unwrap();
        mock.assert_healed();
        assert!(events.iter().any(|event| matches!(event, RunEvent::Failed { .. })));
    }
}

#[test]
fn what_cannot_be_healed_is_an_error_that_names_it() {
    let mock = Mock { breaks_after: Some(1), ..Mock::default() };
    let strike = one(0, FaultKind::Kill, Target::Node(1), Figures::None);
    let strike = Strike { lasts: Some(Duration::from_millis(1)), ..strike };
    let (outcome, events) = played(&mock, &[strike], &AtomicBool::new(false));
    let error = outcome.unwrap_err();
    assert!(error.contains("kill") && error.contains("Node(1)") && error.contains("it failed"), "{error}");
    assert!(events.iter().any(|event| matches!(event, RunEvent::Failed { id: 0, .. })));
}

/// One of each that lasts, for ever.
fn lasting() -> Vec<Strike> {
    let way = Target::Way { client: 0, node: 0 };
    vec![
        one(0, FaultKind::Kill, Target::Node(0), Figures::None),
        one(1, FaultKind::Pause, Target::Node(1), Figures::None),
        one(2, FaultKind::Slew, Target::Node(2), Figures::Rate(80_000)),
        one(3, FaultKind::ClientPause, Target::Client(1), Figures::None),
        one(4, FaultKind::Partition, Target::Client(1), Figures::Cut(Direction::Both)),
        one(5, FaultKind::ReplyLost, way, Figures::ReplyTo(None)),
    ]
}

#[test]
fn a_run_that_is_stopped_in_the_middle_is_healed() {
    let mock = Mock::default();
    let network = Network::start(&mock.addresses(), CLIENTS).unwrap();
    let stage = Stage { fleet: &mock, network: &network, crew: &mock };
    let (stop, events) = (AtomicBool::new(false), RefCell::new(Vec::new()));
    play(&stage, &lasting(), &|event| events.borrow_mut().push(event), &stop, &|progress| {
        if progress.struck == lasting().len() {
            assert!(mock.nodes.lock().unwrap()[0].dead && mock.clients.lock().unwrap()[1].stopped);
            assert!(network.way(0, 0).is_losing_a_reply());
            stop.store(true, Ordering::SeqCst);
        }
    })
    .unwrap();
    mock.assert_healed();
    assert!(!network.way(0, 0).is_losing_a_reply());
    for id in 0..6 {
        assert!(events.borrow().contains(&RunEvent::Healed { id }), "{id}");
    }
}

#[test]
fn a_panic_of_the_recorder_leaves_everything_healed() {
    let mock = Mock::default();
    let network = Network::start(&mock.addresses(), CLIENTS).unwrap();
    let stage = Stage { fleet: &mock, network: &network, crew: &mock };
    let recorded = AtomicUsize::new(0);
    let panics = catch_unwind(AssertUnwindSafe(|| {
        let record = |_| assert!(recorded.fetch_add(1, Ordering::SeqCst) < 4, "no room is left");
        play(&stage, &lasting(), &record, &AtomicBool::new(false), &|_| {})
    }));
    assert!(panics.is_err());
    mock.assert_healed();
}

#[test]
fn a_fault_that_a_fleet_cannot_have_is_an_error_that_names_those_it_can() {
    let mock = Mock { lacks: vec![ActionKind::LosePower, ActionKind::ClockRate], ..Mock::default() };
    let possible = possible(&mock);
    assert_eq!(possible.len(), FaultKind::ALL.len() - 2);
    assert_eq!(check(&mock, &possible), Ok(()));
    let error = check(&mock, &[FaultKind::Kill, FaultKind::Power, FaultKind::Slew]).unwrap_err();
    assert!(
        error.contains("cannot have these faults: power, slew; it can have: kill, amnesia, pause"),
        "{error}"
    );
}
