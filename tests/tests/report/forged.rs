//! Histories that never happened, and what they would come to.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use redlock_tests::fault::FaultKind;
use redlock_tests::history::{ClientEvent, Event, History, Run, RunEvent, Target, Write};
use redlock_tests::oracle::{Figures, Percentiles, Terms, Updates, Verdict};
use std::time::Duration;

/// The clock at the beginning: machines have been up for a while.
const START: u64 = 8_123_456_789_012;
const MILLI: u64 = 1_000_000;

/// A history that is being forged; all times are milliseconds since the beginning.
pub(crate) struct Forged {
    run: Run,
    events: Vec<Event>,
    next_fault: u64,
    next_token: u64,
}

/// The clock at so many milliseconds.
pub(crate) fn at(millis: u64) -> u64 {
    START + millis * MILLI
}

impl Forged {
    pub(crate) fn new(clients: usize, nodes: usize) -> Self {
        let run = Run {
            command: format!("redlock-tests chaos --seed 7 --clients {clients} --nodes {nodes}"),
            seed: 7,
            fleet: "process".to_owned(),
            server: "Redis 7.4.1".to_owned(),
            nodes: (0..nodes).map(|node| format!("127.0.0.1:{}", 40_001 + node)).collect(),
            restarts_forget: true,
            clients,
            faults: FaultKind::ALL.map(|kind| kind.name().to_owned()).to_vec(),
            ttl_millis: 1_000,
            max_ttl_millis: 2_000,
            without: Vec::new(),
        };
        let mut forged = Self { run, events: Vec::new(), next_fault: 1, next_token: 1_763_712_000_000_000 };
        for client in 0..clients {
            forged.client(0, client, ClientEvent::Started { pid: 5_000 + client as u32 });
        }
        forged
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.run.without.push(name.to_owned());
        self
    }

    pub(crate) fn client(&mut self, millis: u64, client: usize, what: ClientEvent) {
        self.events.push(Event::Client { at: at(millis), client, what });
    }

    pub(crate) fn run(&mut self, millis: u64, what: RunEvent) {
        self.events.push(Event::Run { at: at(millis), what });
    }

    /// A fault, undone after so long; for a moment if that is nothing.
    pub(crate) fn fault(
        &mut self,
        millis: u64,
        kind: FaultKind,
        target: Target,
        detail: &str,
        lasts: u64,
    ) -> u64 {
        let id = self.next_fault;
        self.next_fault += 1;
        let (kind, detail) = (kind.name().to_owned(), detail.to_owned());
        self.run(millis, RunEvent::Fault { id, kind, target, detail });
        if lasts > 0 {
            self.run(millis + lasts, RunEvent::Healed { id });
        }
        id
    }

    /// A whole acquisition: wanted, acquired, held until there, released.
    pub(crate) fn hold(&mut self, client: usize, hold: u64, name: &str, (wants, from, to): (u64, u64, u64)) {
        self.acquires(client, hold, name, (wants, from, to));
        self.client(to, client, ClientEvent::Releases { hold });
        self.client(to + 2, client, ClientEvent::Released { hold, outcome: "released by 5 of 5".to_owned() });
    }

    /// One that is not let go of.
    pub(crate) fn acquires(
        &mut self,
        client: usize,
        hold: u64,
        name: &str,
        (wants, from, to): (u64, u64, u64),
    ) {
        self.next_token += 1_013;
        let ttl = self.run.ttl_millis - 12;
        self.client(wants, client, ClientEvent::Wants { hold, name: name.to_owned() });
        let token = Some(self.next_token);
        self.client(from, client, ClientEvent::Acquired { hold, token, valid_until: at(from + ttl) });
        for seen in (from + 25..to).step_by(25) {
            let renewed = (seen - from) / 300 * 300 + from;
            self.client(seen, client, ClientEvent::Holds { hold, valid_until: at(renewed + ttl) });
        }
    }

    pub(crate) fn history(self) -> History {
        History::new(self.run, self.events)
    }
}

/// A run of some seconds, in which clients share some names under faults of every kind, and which ends in a calm.
pub(crate) fn busy(clients: usize, names: usize, millis: u64, longest_hold: u64) -> Forged {
    let mut forged = Forged::new(clients, 5);
    let mut random = StdRng::seed_from_u64(11);
    let calm = millis / 6 * 5;
    faults(&mut forged, &mut random, calm);
    forged.run(calm, RunEvent::Calm);
    let mut free = vec![0; names];
    let mut wants: Vec<u64> = (0..clients).map(|_| random.random_range(1..40)).collect();
    for hold in 0.. {
        // Whoever wants first is served first.
        let client = (0..clients).min_by_key(|&client| wants[client]).expect("there are clients");
        let (wanted, name) = (wants[client], random.random_range(0..names));
        let from = wanted.max(free[name]) + random.random_range(2..6);
        let to = from + random.random_range(1..longest_hold);
        if to + 1_200 > millis {
            break;
        }
        let chosen = format!("chaos-{name}");
        match random.random_range(0..40) {
            0 => {
                forged.client(wanted, client, ClientEvent::Wants { hold, name: chosen });
                forged.client(
                    to,
                    client,
                    ClientEvent::GaveUp { hold, why: "no quorum: 2 of 5 granted".to_owned() },
                );
            }
            1 => {
                forged.acquires(client, hold, &chosen, (wanted, from, to));
                let (why, valid_until) = ("expired".to_owned(), at(to + 20));
                forged.client(to + 10, client, ClientEvent::Lost { hold, why, valid_until });
                free[name] = to + 30;
            }
            _ => {
                forged.hold(client, hold, &chosen, (wanted, from, to));
                let element = format!("{client}-{hold}");
                let (fenced, unfenced) = (Write::Done, Write::Done);
                forged.client(to, client, ClientEvent::Added { hold, element, fenced, unfenced });
                free[name] = to;
            }
        }
        wants[client] = to + random.random_range(3..longest_hold.max(4));
    }
    for client in 0..clients {
        forged.client(millis, client, ClientEvent::Ended);
    }
    forged
}

fn faults(forged: &mut Forged, random: &mut StdRng, calm: u64) {
    let clients = forged.run.clients;
    let mut time = 400;
    for turn in 0.. {
        let kind = FaultKind::ALL[turn % FaultKind::ALL.len()];
        let lasts = random.random_range(200..1_500);
        let (node, client) = (random.random_range(0..5), random.random_range(0..clients));
        if time + lasts > calm {
            break;
        }
        use FaultKind as Kind;
        match kind {
            Kind::ClientKill => {
                forged.fault(time, kind, Target::Client(client), "SIGKILL", lasts);
                forged.client(time + lasts, client, ClientEvent::Started { pid: 6_000 + turn as u32 });
            }
            Kind::ClientPause => {
                forged.fault(time, kind, Target::Client(client), "SIGSTOP", lasts);
                forged.client(time + lasts, client, ClientEvent::Starved { from: at(time) });
            }
            Kind::Partition => {
                for client in 0..clients.min(3) {
                    forged.fault(time, kind, Target::Way { client, node }, "partition", lasts);
                }
            }
            Kind::Delay => {
                forged.fault(time, kind, Target::Way { client, node }, "delay 80 ms", lasts);
            }
            Kind::ReplyLost | Kind::Reset => {
                forged.fault(time, kind, Target::Way { client, node }, kind.name(), 0);
            }
            Kind::Clock => {
                forged.fault(time, kind, Target::Node(node), "clock 3 s forward", 0);
            }
            Kind::Flush | Kind::Promote => {
                forged.fault(time, kind, Target::Node(node), kind.name(), 0);
            }
            Kind::Slew => {
                forged.fault(time, kind, Target::Node(node), "clock 8 % fast", lasts);
            }
            Kind::Kill | Kind::Amnesia | Kind::Power | Kind::Pause => {
                forged.fault(time, kind, Target::Node(node), kind.name(), lasts);
            }
        }
        time += random.random_range(100..500);
    }
}

/// Figures as a run would have them.
pub(crate) fn figures() -> Figures {
    let millis = Duration::from_millis;
    Figures {
        acquired: 1_842,
        given_up: 37,
        lost: vec![("expired".to_owned(), 21), ("held by somebody else".to_owned(), 4)],
        faults: FaultKind::ALL
            .iter()
            .enumerate()
            .map(|(at, kind)| (kind.name().to_owned(), at + 2))
            .collect(),
        faults_failed: 1,
        waits: Percentiles { p50: millis(4), p90: millis(212), p99: millis(1_210), max: millis(4_011) },
        holds: Percentiles { p50: millis(51), p90: millis(180), p99: millis(1_950), max: millis(2_100) },
        fenced: Updates { done: 1_700, refused: 9, lost: 0 },
        unfenced: Updates { done: 1_709, refused: 0, lost: 9 },
        recovery: Some(millis(731)),
        terms: Some(Terms {
            count: 61,
            clients: 7,
            lost: 3,
            lasted: Percentiles {
                p50: millis(400),
                p90: millis(950),
                p99: millis(2_400),
                max: millis(2_900),
            },
            between: Percentiles { p50: millis(9), p90: millis(61), p99: millis(1_400), max: millis(2_200) },
        }),
    }
}

/// A verdict without violations.
pub(crate) fn good() -> Verdict {
    Verdict { violations: Vec::new(), figures: figures() }
}
