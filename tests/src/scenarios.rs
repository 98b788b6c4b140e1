//! The known failures of Redlock, by name, on real servers.
//!
//! Each scenario is a course of things in which some distributed lock, or ours with a safeguard switched off, lets two
//! clients hold one lock, loses it, or keeps everybody out of it. With all safeguards on it ends well.

mod amnesia;
mod clock_jump;
mod clocks_jump;
mod delayed_request;
mod deleted;
mod deleted_in_between;
mod dropped_acquire;
mod earlier_round;
mod ensemble;
mod error;
mod even_split;
mod evicting;
mod failed_extension;
mod fast_nodes;
mod file;
mod flush;
mod forgotten_counter;
mod forgotten_floor;
mod handed_over;
mod late;
mod late_extension;
mod late_release;
mod late_replies;
mod leader_cut_off;
mod leader_kept;
mod leader_killed;
mod leader_steps_down;
mod leader_stopped;
mod lost_reply;
mod majority_down;
mod memcached;
mod minority_token;
mod moved_slot;
mod node_sets;
mod one_server;
mod overtaken;
mod paused_client;
mod phantom_win;
mod power_loss;
mod process;
mod promotion;
mod removed_nodes;
mod replaced_node;
mod restarts;
mod scene;
mod shortened;
mod silent_node;
mod stale_sentinel;
mod terms;
mod told_late;
mod twice;
mod two;
mod work;
mod wrong_hint;

pub use error::SceneError;
pub use scene::Scene;
pub(crate) use work::Work;

use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use redlock::Protections;

use crate::fleet::{self, ActionKind};

/// A failure that is known by name.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What goes wrong in a lock without the safeguard, in one sentence.
    pub about: &'static str,
    /// Who described it, or has it.
    pub source: &'static str,
    /// How many nodes it is played on.
    pub nodes: usize,
    /// The TTL of its locks, and the longest.
    pub ttl: Duration,
    /// What has to be done to the nodes.
    pub needs: &'static [ActionKind],
    /// Each of these switches, if it is off, makes it end badly: names of [`Protections::NAMES`].
    pub kills: &'static [&'static str],
    /// The course of things.
    pub play: Play,
}

/// The course of things in a scenario.
#[derive(Debug, Clone, Copy)]
pub enum Play {
    /// On any fleet of Redis servers that can do what it needs.
    OnFleet(fn(&Scene) -> Result<Finding, SceneError>),
    /// On a fleet of this kind alone, whichever is asked for.
    On(&'static str, fn(&Scene) -> Result<Finding, SceneError>),
    /// On servers of several programs, which it starts by itself.
    OnItsOwn(fn(Protections) -> Result<Finding, SceneError>),
}

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Nothing happened that must not.
    Good,
    /// What happened, for people.
    Bad(String),
}

/// How a scenario ended, and how long it took, its servers included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub finding: Finding,
    /// How long it took.
    pub took: Duration,
}

/// Every scenario.
pub const SCENARIOS: &[Scenario] = &[
    paused_client::SCENARIO,
    amnesia::SCENARIO,
    flush::SCENARIO,
    power_loss::SCENARIO,
    promotion::SCENARIO,
    restarts::SCENARIO,
    replaced_node::SCENARIO,
    removed_nodes::HELD,
    removed_nodes::TOKENS,
    clock_jump::SCENARIO,
    clocks_jump::SCENARIO,
    fast_nodes::SCENARIO,
    late_replies::SCENARIO,
    late_extension::SCENARIO,
    delayed_request::SCENARIO,
    late_release::SCENARIO,
    earlier_round::SCENARIO,
    lost_reply::SCENARIO,
    overtaken::SCENARIO,
    dropped_acquire::SCENARIO,
    deleted::SCENARIO,
    deleted_in_between::SCENARIO,
    minority_token::SCENARIO,
    forgotten_counter::SCENARIO,
    forgotten_floor::SCENARIO,
    handed_over::VIEWS,
    handed_over::LATE,
    handed_over::TURNS,
    handed_over::FORGOTTEN,
    wrong_hint::SCENARIO,
    twice::SCENARIO,
    shortened::SCENARIO,
    told_late::SCENARIO,
    silent_node::SLOW,
    silent_node::BLACK_HOLE,
    even_split::SCENARIO,
    majority_down::SCENARIO,
    failed_extension::SCENARIO,
    evicting::SCENARIO,
    one_server::SCENARIO,
    stale_sentinel::SCENARIO,
    moved_slot::SCENARIO,
    memcached::STOPPED,
    memcached::RESTARTED,
    memcached::FLUSHED,
    memcached::CLOCK_JUMP,
    replaced_node::ON_MEMCACHED,
    ensemble::ETCD_LEADER_KILLED,
    ensemble::ETCD_LEADER_STOPPED,
    ensemble::ETCD_LEADER_RETURNS,
    ensemble::ETCD_CUT_OFF,
    ensemble::ETCD_REVOKED,
    ensemble::ZOOKEEPER_LEADER_KILLED,
    ensemble::ZOOKEEPER_STOPPED,
    ensemble::ZOOKEEPER_CUT_OFF,
    file::KILLED,
    file::STOPPED,
    leader_killed::SCENARIO,
    leader_killed::ZOOKEEPER,
    leader_cut_off::SCENARIO,
    leader_steps_down::SCENARIO,
    leader_stopped::SCENARIO,
    leader_kept::SCENARIO,
    phantom_win::SCENARIO,
];

/// The kinds of fleets that scenarios of no store in particular can be played on: Redis servers of our own.
pub const KINDS: [&str; 2] = ["process", "docker"];

/// The scenario with this name.
pub fn named(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// The scenarios that end badly when this switch is off.
pub fn killed_by(switch: &str) -> Vec<&'static Scenario> {
    SCENARIOS.iter().filter(|scenario| scenario.kills.contains(&switch)).collect()
}

impl Finding {
    /// Whether nothing happened that must not.
    pub const fn is_good(&self) -> bool {
        matches!(self, Self::Good)
    }

    fn bad_if(is_bad: bool, what: impl Into<String>) -> Self {
        if is_bad { Self::Bad(what.into()) } else { Self::Good }
    }
}

impl Scenario {
    /// Plays it on a fleet of this kind, one of [`KINDS`], that is started for it; a scenario of another store, or of several
    /// programs, starts its own servers. `program` is the `chaos` command, whose workers are clients in processes of their own.
    ///
    /// # Errors
    /// [`SceneError`] if it cannot be played to its end, or not on such a fleet.
    pub fn play(&self, fleet: &str, program: &Path, protections: Protections) -> Result<Outcome, SceneError> {
        if !KINDS.contains(&fleet) {
            return Err(SceneError::Strangers);
        }
        let started = Instant::now();
        let scene = |kind: &str| Scene::start(fleet::open(kind, self.nodes)?, self, protections, program);
        let finding = match self.play {
            Play::OnFleet(play) => play(&scene(fleet)?)?,
            Play::On(kind, play) => play(&scene(kind)?)?,
            Play::OnItsOwn(play) => play(protections)?,
        };
        Ok(Outcome { finding, took: started.elapsed() })
    }
}

/// What a client on a thread of its own came to.
fn joined<T>(client: JoinHandle<T>) -> Result<T, SceneError> {
    client.join().map_err(|_| SceneError::Unexpected("a client has panicked".to_owned()))
}

/// What a client on a thread of its own comes to; `None` if it does not come to an end.
fn by_itself<T: Send + 'static>(
    scene: &Scene,
    client: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, SceneError> {
    let client = thread::spawn(client);
    match scene.eventually("a client comes to an end", || Ok(client.is_finished())) {
        Err(SceneError::NotWithin { .. }) => Ok(None),
        result => result.and_then(|()| joined(client).map(Some)),
    }
}
