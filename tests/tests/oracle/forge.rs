//! Histories out of nothing. All times are in milliseconds; the lock is `a`.

use redlock_tests::history::{ClientEvent, Event, History, HoldId, Run, RunEvent, Write};
use redlock_tests::oracle::{Rule, Verdict, judge};

const MILLI: u64 = 1_000_000;

#[derive(Clone)]
pub(crate) struct Forge {
    clients: usize,
    pub(crate) events: Vec<Event>,
}

impl Forge {
    /// So many clients, which have started.
    pub(crate) fn new(clients: usize) -> Self {
        let mut forge = Self { clients, events: Vec::new() };
        (0..clients).for_each(|client| forge.starts(0, client));
        forge
    }

    pub(crate) fn client(&mut self, at: u64, client: usize, what: ClientEvent) {
        self.events.push(Event::Client { at: at * MILLI, client, what });
    }

    pub(crate) fn run(&mut self, at: u64, what: RunEvent) {
        self.events.push(Event::Run { at: at * MILLI, what });
    }

    pub(crate) fn starts(&mut self, at: u64, client: usize) {
        self.client(at, client, ClientEvent::Started { pid: 1 });
    }

    pub(crate) fn wants(&mut self, at: u64, client: usize, hold: HoldId) {
        self.client(at, client, ClientEvent::Wants { hold, name: "a".to_owned() });
    }

    /// Wants it, and has it at once.
    pub(crate) fn acquires(&mut self, at: u64, client: usize, hold: HoldId, token: u64, valid_until: u64) {
        self.acquires_name("a", at, client, hold, token, valid_until);
    }

    pub(crate) fn acquires_name(
        &mut self,
        name: &str,
        at: u64,
        client: usize,
        hold: HoldId,
        token: u64,
        valid_until: u64,
    ) {
        self.client(at, client, ClientEvent::Wants { hold, name: name.to_owned() });
        let (token, valid_until) = (Some(token), valid_until * MILLI);
        self.client(at, client, ClientEvent::Acquired { hold, token, valid_until });
    }

    pub(crate) fn holds(&mut self, at: u64, client: usize, hold: HoldId, valid_until: u64) {
        self.client(at, client, ClientEvent::Holds { hold, valid_until: valid_until * MILLI });
    }

    pub(crate) fn loses(&mut self, at: u64, client: usize, hold: HoldId, why: &str, valid_until: u64) {
        let (why, valid_until) = (why.to_owned(), valid_until * MILLI);
        self.client(at, client, ClientEvent::Lost { hold, why, valid_until });
    }

    pub(crate) fn releases(&mut self, at: u64, client: usize, hold: HoldId) {
        self.client(at, client, ClientEvent::Releases { hold });
        self.client(at, client, ClientEvent::Released { hold, outcome: "released".to_owned() });
    }

    pub(crate) fn adds(
        &mut self,
        at: u64,
        client: usize,
        hold: HoldId,
        element: &str,
        fenced: Write,
        unfenced: Write,
    ) {
        let element = element.to_owned();
        self.client(at, client, ClientEvent::Added { hold, element, fenced, unfenced });
    }

    pub(crate) fn is_starved(&mut self, from: u64, to: u64, client: usize) {
        self.client(to, client, ClientEvent::Starved { from: from * MILLI });
    }

    pub(crate) fn ends(&mut self, at: u64, client: usize) {
        self.client(at, client, ClientEvent::Ended);
    }

    pub(crate) fn sets(&mut self, at: u64, fenced: &[&str], unfenced: &[&str]) {
        let owned = |elements: &[&str]| elements.iter().map(|&element| element.to_owned()).collect();
        self.run(at, RunEvent::Sets { fenced: owned(fenced), unfenced: owned(unfenced) });
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let run = Run {
            command: String::new(),
            seed: 0,
            fleet: String::new(),
            server: String::new(),
            nodes: vec!["node one".to_owned(), "node two".to_owned()],
            restarts_forget: true,
            clients: self.clients,
            faults: Vec::new(),
            ttl_millis: 100,
            max_ttl_millis: 100,
            without: Vec::new(),
        };
        judge(&History::new(run, self.events.clone()))
    }

    #[track_caller]
    pub(crate) fn assert_good(&self) {
        let verdict = self.verdict();
        assert!(verdict.is_good(), "{verdict:#?}");
    }

    /// That it breaks this rule, and no other; returns what the oracle says.
    #[track_caller]
    pub(crate) fn assert_breaks(&self, rule: Rule) -> String {
        let violations = self.verdict().violations;
        assert!(!violations.is_empty(), "{rule:?} was not missed");
        assert!(violations.iter().all(|violation| violation.rule == rule), "{violations:#?}");
        violations[0].detail.clone()
    }
}
