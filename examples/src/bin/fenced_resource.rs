//! A resource that refuses holders whose time has passed: what no lock can prevent, the resource does.
//!
//! A holder may stand still (a virtual machine that is moved, swapping, `SIGSTOP`) right between looking at its lock and
//! its write. While it does, no thread of its process runs that could tell it. When it wakes, somebody else has the lock, and
//! its write is on the way. Every holder therefore sends its fencing token with the write, and the resource refuses a token
//! below one that it has seen.
//!
//! ```sh
//! cargo run -p redlock-examples --bin fenced_resource
//! ```

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use redlock::{FencingToken, Locks};
use redlock_examples::Nodes;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let nodes = Nodes::find(5)?;
    let account = Account::default();

    // Two of them, as if in two processes: they know each other through the nodes alone.
    let first = Locks::builder().nodes(nodes.urls()).build().await?;
    let second = Locks::builder().nodes(nodes.urls()).build().await?;

    // The lock of a process that stands still is not renewed.
    let lock = first.lock("account:7").ttl(Duration::from_secs(1)).renew_at_most(Duration::from_millis(1));
    let sleeper = lock.acquire().await?;
    let token = sleeper.fencing_token().context("fencing is switched off")?;
    anyhow::ensure!(sleeper.is_valid(), "the lock was lost at once");
    println!("first: holds the lock with token {token}, looks at it, and stands still");

    // Waits until the nodes have forgotten the first holder.
    let guard = second.lock("account:7").wait_at_most(Duration::from_secs(30)).acquire().await?;
    let greater = guard.fencing_token().context("fencing is switched off")?;
    println!("second: holds the lock with token {greater}");
    account.write(greater, "paid by the second")?;
    println!("second: has written");

    // The look at the lock was long ago: the first one goes on where it stood.
    println!("first: wakes, and writes with token {token}");
    match account.write(token, "paid by the first") {
        Ok(()) => anyhow::bail!("the late write got through"),
        Err(refused) => println!("account: {refused}"),
    }
    println!("account: {}", account.text());

    // Nothing could tell it while it stood still; the first look after it does.
    anyhow::ensure!(!sleeper.is_valid(), "two holders at once");
    println!("first: looks again: its lock is lost");

    guard.release().await?;
    drop(sleeper);
    first.shutdown(Duration::from_secs(1)).await;
    second.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// What the lock protects. In a database it is one statement:
/// `UPDATE account SET text = $1, token = $2 WHERE id = 7 AND token <= $2`, and a look at the number of rows.
#[derive(Default)]
struct Account(Mutex<Row>);

#[derive(Default)]
struct Row {
    /// The greatest token seen.
    token: Option<FencingToken>,
    text: String,
}

impl Account {
    /// The check and the write are one step. One holder may write several times.
    fn write(&self, token: FencingToken, text: &str) -> Result<(), Refused> {
        let mut row = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = row.token.filter(|seen| *seen > token) {
            return Err(Refused { token, seen });
        }
        *row = Row { token: Some(token), text: text.to_owned() };
        Ok(())
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).text.clone()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("refused token {token}: {seen} was here before")]
struct Refused {
    token: FencingToken,
    seen: FencingToken,
}
