//! The real environment, for nodes that a test makes by itself.

use std::io;
use std::sync::Arc;

use crate::env::{Env, RealEnv};

/// Starts the threads of a real environment. They end when its last task has.
///
/// # Errors
/// If the machine has no threads or timers left.
pub fn real_env() -> io::Result<Arc<dyn Env>> {
    Ok(Arc::new(RealEnv::start()?))
}
