//! One command on one server, for whoever looks at a node from the outside.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;

use fred::error::Error;
use fred::interfaces::ClientLike as _;
use fred::types::config::{Config, ConnectionConfig};
use fred::types::{ClusterHash, CustomCommand, Value};
use tokio::runtime::{Builder, Runtime};

/// Sends a command to the server of a `redis://` URL, as the user who is named there, on a connection of its own.
///
/// # Errors
/// The server's own words, or why there was no answer within the limit. Never a password.
pub fn ask(url: &str, command: &[&str], limit: Duration) -> Result<Value, String> {
    let url = url.to_owned();
    let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    wait(async move {
        let asked = tokio::time::timeout(limit, ask_once(&url, command)).await;
        asked.map_err(|_| format!("no answer within {limit:?}"))?.map_err(|error| error.to_string())
    })?
}

async fn ask_once(url: &str, command: Vec<String>) -> Result<Value, Error> {
    let config = Config { fail_fast: true, ..Config::from_url(url)? };
    let connection = ConnectionConfig {
        max_command_attempts: 1,
        auto_client_setname: false,
        ..ConnectionConfig::default()
    };
    let client = fred::clients::Client::new(config, None, Some(connection), None);
    client.init().await?;
    let mut words = command.into_iter();
    let name = words.next().unwrap_or_default();
    let command = CustomCommand::new(name, ClusterHash::Random, false);
    let answer = client.custom(command, words.collect::<Vec<_>>()).await;
    // It was asked, whatever becomes of the connection.
    let _ = client.quit().await;
    answer
}

/// Waits for a future, on any thread, also one of another runtime. That runtime's other tasks on this thread wait too.
///
/// # Errors
/// If there are no threads for it, or it panicked.
pub(super) fn wait<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Result<T, String> {
    let (done, result) = mpsc::sync_channel(1);
    runtime()?.spawn(async move { done.send(future.await) });
    result.recv().map_err(|_| "it ended half-way".to_owned())
}

/// Lives as long as the program: connections to an engine belong to it.
fn runtime() -> Result<&'static Runtime, String> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let start = || {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("redlock-fleet").enable_all().build();
        runtime.map_err(|error| format!("cannot start threads: {error}"))
    };
    RUNTIME.get_or_init(start).as_ref().map_err(Clone::clone)
}
