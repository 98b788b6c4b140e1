//! Servers of somebody else.

use redlock::testing::servers::{RedisFleet, RedisServer};
use redlock_tests::fleet::{Action, Fleet as _, FleetError, UrlFleet, open};

#[test]
fn nothing_can_be_done_to_servers_of_somebody_else() {
    let servers = RedisFleet::start(3).unwrap();
    let fleet = open(&servers.urls().join(","), 0).unwrap();
    assert_eq!((fleet.kind(), fleet.actions()), ("urls", vec![]));
    assert!(fleet.server().starts_with("redis ") || fleet.server().starts_with("valkey "));
    assert_eq!(fleet.addresses(), servers.iter().map(RedisServer::address).collect::<Vec<_>>());
    servers.server(0).command(&["SET", "of somebody", "1"]).unwrap();
    for action in [Action::Flush, Action::Kill] {
        assert!(matches!(fleet.act(0, action), Err(FleetError::Unsupported { .. })));
    }
    drop(fleet);
    assert_eq!(servers.server(0).keys().unwrap(), ["of somebody"]);
}

#[test]
fn every_key_of_a_lock_is_found_among_many_others() {
    let server = RedisServer::start().unwrap();
    let fleet = UrlFleet::new(vec![format!("{}/0", server.admin_url())]).unwrap();
    let mut command = vec!["MSET".to_owned()];
    for number in 0..2_500 {
        let key = if number % 1_000 == 0 { format!("redlock:{number}") } else { format!("other:{number}") };
        command.extend([key, "1".to_owned()]);
    }
    server.command(&command.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert_eq!(fleet.lock_keys(0, "redlock").unwrap(), ["redlock:0", "redlock:1000", "redlock:2000"]);
}

#[test]
fn a_user_who_may_not_look_through_the_keys_is_told_so() {
    let server = RedisServer::start().unwrap();
    let fleet = UrlFleet::new(vec![server.url()]).unwrap();
    let text = fleet.lock_keys(0, "redlock").unwrap_err().to_string();
    assert!(text.contains("SCAN") && text.contains(&server.address()), "{text}");
    assert!(text.contains("NOPERM") || text.contains("permission"), "{text}");
}
