//! What a server must allow.

use futures::executor::block_on;
use redlock::Locks;
use redlock::backend::redis::RedisConfig;
use redlock::testing::servers::RedisServer;

use crate::{COUNTER, LOCK, exists};

#[test]
fn a_user_with_the_documented_rights_gets_tokens() {
    let server = RedisServer::start().unwrap();
    let rights = ["+info", "+script|load", "+evalsha", "+time", "+set", "+get", "+del", "+pttl", "+pexpire"];
    let mut user = vec!["ACL", "SETUSER", "locker", "on", ">pw", "~redlock:*", "~#redlock:*", "-@all"];
    user.extend(rights);
    server.command(&user).unwrap();
    let config = RedisConfig::from_url(&server.url()).unwrap().username("locker").password("pw");
    let locks = block_on(Locks::builder().restart_guard(false).redis(config).build()).unwrap();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let guard = block_on(locks.lock("a").acquire()).unwrap();
        block_on(guard.extend()).unwrap();
        tokens.push(guard.fencing_token().unwrap());
        assert!(exists(&server, LOCK) && exists(&server, COUNTER));
        block_on(guard.release()).unwrap();
    }
    assert!(tokens[0] < tokens[1]);
}
