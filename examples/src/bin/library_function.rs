//! How a library takes locks: as `&Locks` from its caller, who alone decides where they are kept.
//!
//! The caller's tests can then pass a lock in memory, as the test at the end of this file does.
//!
//! ```sh
//! cargo run -p redlock-examples --bin library_function
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redlock::{AcquireError, LockState, Locks, LostReason};
use redlock_examples::Nodes;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let nodes = Nodes::find(3)?;
    let locks = Locks::builder().nodes(nodes.urls()).build().await?;
    let account = Account { id: 7, balance: AtomicU64::new(100) };

    println!("balance: {}", withdraw(&locks, &account, 30).await?);

    // While somebody else has the lock, the library's own error says so.
    let guard = locks.lock("account:7").acquire().await?;
    match withdraw(&locks, &account, 30).await {
        Err(error @ WithdrawError::Busy { .. }) => println!("refused: {error}"),
        other => anyhow::bail!("expected a busy account, not {other:?}"),
    }
    guard.release().await?;

    println!("balance: {}", withdraw(&locks, &account, 30).await?);
    locks.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// What the lock protects: a record in some store, read and written in two steps.
struct Account {
    id: u32,
    balance: AtomicU64,
}

/// The library's own error: its callers need not know how it locks.
#[derive(Debug, thiserror::Error)]
enum WithdrawError {
    /// Worth another try, soon.
    #[error("account {id} is in use")]
    Busy { id: u32 },
    /// Worth another try when the operator has seen to the nodes; the source names each of them.
    #[error("no lock can be had at the moment")]
    Locking(#[source] AcquireError),
    /// Nothing was written.
    #[error("the lock was lost before the withdrawal: {0}")]
    Lost(LostReason),
    #[error("the balance is {balance}")]
    TooLow { balance: u64 },
}

/// Withdraws from an account, and returns the new balance.
async fn withdraw(locks: &Locks, account: &Account, amount: u64) -> Result<u64, WithdrawError> {
    let id = account.id;
    // The library states the name and how long its caller may wait; all else is as the caller has set it.
    let lock = locks.lock(format!("account:{id}")).wait_at_most(Duration::from_secs(1));
    let guard = match lock.acquire().await {
        Ok(guard) => guard,
        Err(AcquireError::Busy { .. }) => return Err(WithdrawError::Busy { id }),
        Err(error) => return Err(WithdrawError::Locking(error)),
    };

    let balance = account.balance.load(Ordering::Relaxed);
    let Some(rest) = balance.checked_sub(amount) else {
        // Every way out drops the guard, and so releases.
        return Err(WithdrawError::TooLow { balance });
    };
    // Right before the side effect: is it still ours?
    if let LockState::Lost(reason) = guard.state() {
        return Err(WithdrawError::Lost(reason));
    }
    account.balance.store(rest, Ordering::Relaxed);

    // The money is withdrawn, whatever the nodes say about the release; it goes on in the background. An operator should
    // see it all the same.
    if let Err(error) = guard.release().await {
        eprintln!("{error}");
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_withdrawal_needs_no_server_in_tests() {
        let locks = Locks::builder().memory().build().await.unwrap();
        let account = Account { id: 1, balance: AtomicU64::new(10) };
        assert_eq!(withdraw(&locks, &account, 4).await.unwrap(), 6);
        let error = withdraw(&locks, &account, 7).await.unwrap_err();
        assert!(matches!(error, WithdrawError::TooLow { balance: 6 }), "{error}");
    }
}
