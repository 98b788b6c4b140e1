//! A directory of this machine.

use std::sync::Arc;

use redlock::Protections;
use redlock::backend::file::{FileConfig, FileNode};
use redlock::testing::conformance::Subject;
use redlock::testing::real_env;

#[test]
fn a_directory_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let (env, path) = (real_env().unwrap(), directory.path().to_owned());
    let of_nodes = Arc::clone(&env);
    let subject = Subject::new(env, move |namespace| {
        let config = FileConfig::new(&path).prefix(namespace);
        FileNode::start(config, Arc::clone(&of_nodes), Protections::default()).unwrap()
    });
    // There is no process that could be restarted: what is on disk is all that there is.
    crate::conforms(&subject.restarting(|| {}));
}
