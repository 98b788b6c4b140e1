//! A table in memory, and the wrappers around it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use redlock::Protections;
use redlock::backend::memory::MemoryNode;
use redlock::env::Env;
use redlock::node::Node;
use redlock::testing::conformance::{self, Report, Subject};
use redlock::testing::faulty::FaultyNode;
use redlock::testing::real_env;
use redlock::testing::virtual_env::{ClientClock, VirtualEnv};

/// The tables of one store, one for each namespace.
pub(crate) struct Tables {
    env: Arc<dyn Env>,
    is_guarded: bool,
    protections: Protections,
    tables: Mutex<HashMap<String, Arc<MemoryNode>>>,
    links: Mutex<Vec<Arc<FaultyNode>>>,
}

impl Tables {
    pub(crate) fn new(env: &Arc<dyn Env>, is_guarded: bool, protections: Protections) -> Arc<Self> {
        let env = Arc::clone(env);
        Arc::new(Self { env, is_guarded, protections, tables: Mutex::default(), links: Mutex::default() })
    }

    /// The table itself.
    pub(crate) fn table(&self, namespace: &str) -> Arc<MemoryNode> {
        let new = || {
            let (env, protections) = (Arc::clone(&self.env), self.protections);
            match self.is_guarded {
                true => MemoryNode::guarded("memory", env, protections),
                false => MemoryNode::with_protections("memory", env, protections),
            }
        };
        Arc::clone(self.tables.lock().unwrap().entry(namespace.to_owned()).or_insert_with(new))
    }

    /// A client that reaches its table over a link, which can be stopped.
    pub(crate) fn linked(&self, namespace: &str) -> Arc<FaultyNode> {
        self.link(self.table(namespace))
    }

    /// A link to a node, which can be stopped.
    pub(crate) fn link(&self, node: Arc<dyn Node>) -> Arc<FaultyNode> {
        let link = FaultyNode::new(node, Arc::clone(&self.env));
        self.links.lock().unwrap().push(Arc::clone(&link));
        link
    }

    pub(crate) fn each_table(&self, act: impl Fn(&MemoryNode)) {
        self.tables.lock().unwrap().values().for_each(|table| act(table));
    }

    /// Every hook that there is.
    pub(crate) fn hooked(self: &Arc<Self>, subject: Subject) -> Subject {
        let [pause, resume, forget, restart] = [(); 4].map(|()| Arc::clone(self));
        subject
            .pausing(
                move || pause.links.lock().unwrap().iter().for_each(|link| link.hang()),
                move || resume.links.lock().unwrap().iter().for_each(FaultyNode::resume),
            )
            .forgetting(move || forget.each_table(MemoryNode::flush))
            .restarting(move || restart.each_table(MemoryNode::crash_losing_memory))
    }
}

fn on_real_time(is_guarded: bool) -> Report {
    let env = real_env().unwrap();
    let tables = Tables::new(&env, is_guarded, Protections::default());
    let subject = Subject::new(env, move |namespace| tables.table(namespace));
    let report = conformance::run(&subject);
    report.assert_ok();
    report
}

#[test]
fn a_table_conforms() {
    let report = on_real_time(false);
    assert!(report.entries().len() > 60, "{report}");
}

#[test]
fn a_table_with_a_marker_conforms() {
    on_real_time(true);
}

#[test]
fn a_table_behind_a_link_without_faults_conforms_on_real_time() {
    let env = real_env().unwrap();
    let tables = Tables::new(&env, true, Protections::default());
    let clients = Arc::clone(&tables);
    let subject = Subject::new(env, move |namespace| clients.linked(namespace));
    conformance::assert_conforms(&tables.hooked(subject));
}

#[test]
fn a_table_conforms_on_virtual_time_plain_and_behind_a_link() {
    for is_guarded in [false, true] {
        let simulation = Arc::new(VirtualEnv::new(1));
        let tables = Tables::new(&simulation.env(), is_guarded, Protections::default());
        let clients = Arc::clone(&tables);
        let subject = Subject::on_virtual_time(Arc::clone(&simulation), move |at| clients.table(at));
        conformance::assert_conforms(&subject);

        let tables = Tables::new(&simulation.env(), is_guarded, Protections::default());
        let clients = Arc::clone(&tables);
        let subject = Subject::on_virtual_time(simulation, move |at| clients.linked(at));
        conformance::assert_conforms(&tables.hooked(subject));
    }
}

#[test]
fn a_table_conforms_for_a_client_on_a_clock_of_its_own() {
    let simulation = Arc::new(VirtualEnv::new(1));
    let tables = Tables::new(&simulation.env(), true, Protections::default());
    // The suite's own time is the true one: this clock differs, and does not run away.
    let client = simulation.client(ClientClock::default());
    let subject = Subject::on_virtual_time(simulation, move |namespace| -> Arc<dyn Node> {
        client.reach(tables.table(namespace))
    });
    conformance::assert_conforms(&subject);
}
