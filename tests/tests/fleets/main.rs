//! What is done to a fleet's nodes does what it says, as a client of them sees it: the same checks on native servers and on
//! containers.
//!
//! Without a Docker engine the checks on containers are skipped; with `REQUIRE_DOCKER=1` they fail.

mod abandoned;
mod checks;
mod client;
mod process_only;
mod refused;
mod stores;
mod urls;

use redlock_tests::fleet::{DockerFleet, FleetError, ProcessFleet};

macro_rules! on_every_fleet {
    ($($check:ident on $nodes:literal,)*) => {
        mod process {
            $(#[test]
            fn $check() {
                super::checks::$check(super::process_fleet($nodes));
            })*
        }
        mod docker {
            $(#[test]
            fn $check() {
                if let Some(fleet) = super::docker_fleet($nodes) {
                    super::checks::$check(fleet);
                }
            })*
        }
    };
}

on_every_fleet! {
    a_killed_node_refuses_and_comes_back_with_its_keys on 1,
    a_node_that_is_started_empty_has_forgotten_all on 1,
    a_node_that_runs_is_not_started_empty on 1,
    a_paused_node_takes_connections_and_does_not_answer on 1,
    a_paused_node_can_be_killed on 1,
    a_flush_takes_every_key_and_leaves_the_process on 1,
    lock_keys_are_those_under_the_prefix on 1,
    an_action_hits_its_node_alone on 2,
    clients_lock_by_the_configuration on 3,
    a_dropped_fleet_leaves_nobody_at_its_addresses on 2,
    what_a_fleet_does_not_list_it_refuses on 1,
}

fn process_fleet(nodes: usize) -> ProcessFleet {
    ProcessFleet::start(nodes).unwrap()
}

/// None, and a word about it, without an engine.
fn docker_fleet(nodes: usize) -> Option<DockerFleet> {
    match DockerFleet::start(nodes) {
        Ok(fleet) => Some(fleet),
        Err(error @ FleetError::NoDocker { .. }) if std::env::var("REQUIRE_DOCKER").as_deref() != Ok("1") => {
            eprintln!("skipped, since {error}. REQUIRE_DOCKER=1 makes this a failure.");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
