//! One question to one server, on a connection that lives no longer.

use std::sync::Arc;

use fred::interfaces::Resp3Frame;
use fred::types::{RespVersion, Value};

use super::config::RedisConfig;
use super::connection::{Connection, Tls, client};
use super::failure::Failure;
use super::link::{Running, command, connect, in_time};
use crate::env::Env;

/// Connects, logs in, asks and closes, all within the time for a connection attempt. An error reply is a failure.
pub(super) async fn ask(
    config: &RedisConfig,
    tls: &Tls,
    env: &Arc<dyn Env>,
    name: &'static str,
    arguments: Vec<Value>,
) -> Result<Resp3Frame, Failure> {
    let connection = Connection::new(client(config, tls.clone(), RespVersion::RESP2), Arc::clone(env));
    let mut running = Running::new(&connection);
    let answer = async {
        connect(config, connection.client(), &mut running.task).await?;
        command(&connection, name, arguments).await
    };
    in_time(config, &**env, answer).await
}
