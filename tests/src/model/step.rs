//! What can happen next, and what becomes of it.

use redlock::Protections;

use super::Bound;
use super::node::Answer;
use super::sets;
use super::state::{
    Asking, Broken, Client, Extending, Holding, Memory, NODES, Owner, Phase, Request, State, Voted, What,
};

/// One step. Clients and nodes are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Time passes.
    Tick,
    /// A client begins a round of acquire.
    Ask(usize),
    /// A node carries a request out; the client hears of it, or never does.
    Deliver { request: Request, heard: bool },
    /// A client counts the votes of its round.
    Count(usize),
    /// A client gives its round up.
    GiveUp(usize),
    /// A holder begins an extension.
    Extend { client: usize, short: bool },
    /// A holder counts the votes of its extension.
    CountExtension(usize),
    /// A holder gives the lock to the next one in its process, with the next token of the span.
    HandOff(usize),
    /// A holder releases.
    Release(usize),
    /// A node is told to forget everything.
    Flush(usize),
    /// Somebody sees that a node has forgotten, and makes a marker.
    Mark(usize),
    /// Somebody asks the others how far their counters have come, for a node in quarantine.
    AskCeilings(usize),
    /// Somebody ends a node's quarantine.
    Admit(usize),
    /// The operator brings a node to the stage of the set that the change is at.
    Bring(usize),
    /// The operator goes on to the next stage.
    Proceed,
    /// A client is restarted with the list of the new set.
    Restart(usize),
}

impl State {
    /// What can happen.
    pub(super) fn steps(&self, bound: &Bound, on: &Protections, steps: &mut Vec<Step>) {
        if self.broken.is_some() {
            return;
        }
        if self.now < bound.horizon {
            steps.push(Step::Tick);
        }
        for (index, client) in self.clients.iter().enumerate() {
            match &client.phase {
                Phase::Idle if client.rounds < bound.rounds => steps.push(Step::Ask(index)),
                Phase::Idle => {}
                Phase::Asking(asking) => {
                    if can_count(asking, client.quorum(), on) {
                        steps.push(Step::Count(index));
                    }
                    steps.push(Step::GiveUp(index));
                }
                Phase::Holding(hold) => self.steps_of_holder(index, hold, bound, steps),
            }
        }
        for &request in &self.flying {
            let mut node = self.nodes[request.node];
            if node.run(&request, self.now, bound, on).is_some() {
                if self.is_awaited(&request) {
                    steps.push(Step::Deliver { request, heard: true });
                }
                steps.push(Step::Deliver { request, heard: false });
            }
        }
        self.steps_of_memories(bound, on, steps);
        self.steps_of_operator(bound, on, steps);
    }

    fn steps_of_holder(&self, index: usize, hold: &Holding, bound: &Bound, steps: &mut Vec<Step>) {
        if hold.extending.is_some_and(|extending| count(extending.votes) >= self.clients[index].quorum()) {
            steps.push(Step::CountExtension(index));
        }
        if self.now < hold.valid_until {
            if hold.extensions < bound.extensions {
                steps.push(Step::Extend { client: index, short: false });
                if bound.short {
                    steps.push(Step::Extend { client: index, short: true });
                }
            }
            if hold.token < hold.top {
                steps.push(Step::HandOff(index));
            }
            steps.push(Step::Release(index));
        }
    }

    fn steps_of_memories(&self, bound: &Bound, on: &Protections, steps: &mut Vec<Step>) {
        for (index, node) in self.nodes.iter().enumerate() {
            if self.may_forget(index, bound) {
                steps.push(Step::Flush(index));
            }
            match node.memory {
                Memory::Admitted => {}
                Memory::Unmarked => steps.push(Step::Mark(index)),
                Memory::Quarantined { floor, until, .. } => {
                    // Not before its quarantine is over: a round that counts a vote of the lost memory stores its token until then.
                    if bound.span > 0
                        && self.now >= until
                        && self.floor(index, on).is_some_and(|now| Some(now) != floor)
                    {
                        steps.push(Step::AskCeilings(index));
                    }
                    if self.now >= until && (bound.span == 0 || floor.is_some()) {
                        steps.push(Step::Admit(index));
                    }
                }
            }
        }
    }

    /// Whether a node may be told to forget now. Without tokens any may at any time. With tokens a majority must not forget at
    /// once, without a renewal between: that is what the order of tokens assumes (or it rests on clocks, which are not
    /// modelled).
    fn may_forget(&self, index: usize, bound: &Bound) -> bool {
        let others = || self.nodes.iter().enumerate().filter(|(other, _)| *other != index);
        let is_stored =
            |memory| matches!(memory, Memory::Admitted | Memory::Quarantined { renewed: true, .. });
        let has_something = self.nodes[index].memory != Memory::Unmarked;
        self.flushes > 0
            && has_something
            && (bound.span == 0 || others().all(|(_, node)| is_stored(node.memory)))
    }

    /// Where a node's counters are to begin, if it can be said (`quorum::restart::floor`).
    fn floor(&self, index: usize, on: &Protections) -> Option<u8> {
        if !on.fence_floor {
            return Some(self.nodes[index].counter);
        }
        // Of a node without a marker nobody asks for its counters.
        let known = || self.nodes.iter().filter(|node| node.memory != Memory::Unmarked);
        known().map(|node| node.counter).max()
    }

    /// Whether the client still waits for the answer.
    fn is_awaited(&self, request: &Request) -> bool {
        match (&self.clients[usize::from(request.owner.client)].phase, request.what) {
            (Phase::Asking(asking), What::Acquire { .. } | What::Raise { .. }) => {
                asking.owner == request.owner
            }
            (Phase::Holding(hold), What::Acquire { .. }) => hold.owner == request.owner,
            (Phase::Holding(hold), What::Extend { nth, .. }) => {
                hold.owner == request.owner && hold.extensions == nth && hold.extending.is_some()
            }
            _ => false,
        }
    }

    /// What becomes of it.
    pub(super) fn after(&self, step: Step, bound: &Bound, on: &Protections) -> Self {
        let mut next = self.clone();
        match step {
            Step::Tick => next.now += 1,
            Step::Ask(client) => next.ask(client, bound, on),
            Step::Deliver { request, heard } => next.deliver(request, heard, bound, on),
            Step::Count(client) => next.count(client, bound, on),
            Step::GiveUp(client) | Step::Release(client) => next.close(client, bound),
            Step::Extend { client, short } => next.extend(client, short, on),
            Step::CountExtension(client) => next.count_extension(client, bound, on),
            Step::HandOff(client) => next.hand_off(client, on),
            Step::Flush(node) => next.flush(node),
            Step::Mark(node) => next.nodes[node].mark(self.now, bound, on),
            Step::AskCeilings(node) => {
                let said = self.floor(node, on);
                if let Memory::Quarantined { floor, .. } = &mut next.nodes[node].memory {
                    *floor = said;
                }
            }
            Step::Admit(index) => {
                let node = &mut next.nodes[index];
                if let Memory::Quarantined { floor, .. } = node.memory {
                    node.counter = node.counter.max(floor.unwrap_or(0));
                }
                node.memory = Memory::Admitted;
            }
            Step::Bring(node) => next.bring(node),
            Step::Proceed => next.proceed(on),
            Step::Restart(client) => next.clients[client].set = self.operator.to.number,
        }
        next.settle(bound, on);
        next
    }

    fn ask(&mut self, index: usize, bound: &Bound, on: &Protections) {
        let client = &mut self.clients[index];
        client.rounds += 1;
        if on.fresh_owner || client.draws == 0 {
            client.draws += 1;
        }
        let owner = Owner { client: to_u8(index), draw: client.draws - 1 };
        client.phase = Phase::Asking(Asking { owner, started: self.now, votes: [None; NODES], top: None });
        self.settled.retain(|(settled, _)| *settled != owner);
        let what = What::Acquire { deadline: self.now + bound.node_timeout };
        let nodes = (0..NODES).filter(|&node| sets::is_in(node, client.set));
        self.flying.extend(nodes.map(|node| Request { node, owner, what }));
    }

    fn deliver(&mut self, request: Request, heard: bool, bound: &Bound, on: &Protections) {
        let Request { node, owner, what } = request;
        let had_key = self.nodes[node].key.is_some_and(|key| key.owner == owner);
        let answer = self.nodes[node].run(&request, self.now, bound, on);
        self.flying.retain(|other| *other != request);
        let is_open = match &self.clients[usize::from(owner.client)].phase {
            Phase::Idle => false,
            Phase::Asking(asking) => asking.owner == owner,
            Phase::Holding(hold) => hold.owner == owner,
        };
        match (what, answer) {
            (What::Release { over }, Some(Answer::Released)) if self.now > over && !is_open => {
                self.settled.push((owner, node));
            }
            (_, Some(Answer::Granted(_))) if !had_key && self.settled.contains(&(owner, node)) => {
                self.broken = Some(Broken::Ghost);
            }
            _ => {}
        }
        // By the marker under which it was given.
        let counts = self.nodes[node].serves(self.clients[usize::from(owner.client)].set, on);
        let Some(Answer::Granted(counter)) = answer.filter(|_| heard && counts) else { return };
        match (&mut self.clients[usize::from(owner.client)].phase, what) {
            (Phase::Asking(asking), _) => asking.votes[node] = asking.votes[node].max(Some(counter)),
            (Phase::Holding(hold), What::Extend { .. }) => {
                hold.voted[node] = Voted::InThisMemory;
                if let Some(extending) = &mut hold.extending {
                    extending.votes[node] = true;
                }
            }
            (Phase::Holding(hold), _) => hold.voted[node] = Voted::InThisMemory,
            (Phase::Idle, _) => {}
        }
    }

    /// The votes of a round: the lock is held, or its token must be stored first (`quorum::Round`, `quorum::Fencing`).
    fn count(&mut self, index: usize, bound: &Bound, on: &Protections) {
        let quorum = self.clients[index].quorum();
        let Phase::Asking(asking) = &mut self.clients[index].phase else { return };
        let top =
            *asking.top.get_or_insert_with(|| asking.votes.iter().flatten().max().copied().unwrap_or(0));
        let valid_until = asking.started + bound.validity(on);
        if !is_stored(asking, top, quorum) && on.fence_quorum {
            let owner = asking.owner;
            let behind = |node: &usize| asking.votes[*node].is_some_and(|stored| stored < top);
            let what = What::Raise { deadline: valid_until, to: top };
            let raises = (0..NODES).filter(behind).map(|node| Request { node, owner, what });
            self.flying.extend(raises.collect::<Vec<_>>());
            return;
        }
        let voted = asking.votes.map(|vote| if vote.is_some() { Voted::InThisMemory } else { Voted::Never });
        let token = (top + 1).saturating_sub(bound.span.max(1));
        let owner = asking.owner;
        let hold = Holding { owner, token, top, valid_until, voted, extending: None, extensions: 0 };
        self.clients[index].phase = Phase::Holding(hold);
        if bound.span > 0 {
            self.hand_out(token);
        } else {
            self.forget_token(index);
        }
    }

    /// A holder gets this token.
    fn hand_out(&mut self, token: u8) {
        if token <= self.highest {
            self.broken = Some(Broken::TokenOrder);
        }
        self.highest = self.highest.max(token);
    }

    /// Where there is no fencing, holds do not differ in it.
    fn forget_token(&mut self, index: usize) {
        if let Phase::Holding(hold) = &mut self.clients[index].phase {
            (hold.token, hold.top) = (0, 0);
        }
    }

    fn hand_off(&mut self, index: usize, on: &Protections) {
        if let Phase::Holding(hold) = &mut self.clients[index].phase {
            hold.token += u8::from(on.handoff_token);
            let token = hold.token;
            self.hand_out(token);
        }
    }

    fn extend(&mut self, index: usize, short: bool, on: &Protections) {
        let (now, nodes, set) = (self.now, self.nodes, self.clients[index].set);
        let Phase::Holding(hold) = &mut self.clients[index].phase else { return };
        hold.extensions += 1;
        hold.extending = Some(Extending { started: now, short, votes: [false; NODES] });
        let (owner, nth) = (hold.owner, hold.extensions);
        let carried = if on.fence_top { hold.top } else { hold.token };
        let to = (on.fence_extend && carried > 0).then_some(carried);
        for (node, voted) in hold.voted.into_iter().enumerate().filter(|(node, _)| sets::is_in(*node, set)) {
            let awaited = self.flying.iter().any(|request| {
                (request.owner, request.node) == (owner, node) && matches!(request.what, What::Acquire { .. })
            });
            // `quorum::Claim::may_restore`.
            let is_new = match voted {
                Voted::Never => !awaited,
                Voted::InThisMemory => false,
                Voted::InOneThatIsLost => nodes[node].memory != Memory::Unmarked,
            };
            let restore = on.restore && (is_new || !on.restore_new_only);
            let what = What::Extend { deadline: hold.valid_until, nth, short, restore, to };
            self.flying.push(Request { node, owner, what });
        }
    }

    fn count_extension(&mut self, index: usize, bound: &Bound, on: &Protections) {
        let now = self.now;
        let Phase::Holding(hold) = &mut self.clients[index].phase else { return };
        let Some(extending) = hold.extending.take() else { return };
        let prolonged = extending.started + bound.prolonged(extending.short, on);
        if now < prolonged {
            if now >= hold.valid_until {
                self.broken = Some(Broken::Revived);
            }
            hold.valid_until = hold.valid_until.max(prolonged);
        }
    }

    fn flush(&mut self, node: usize) {
        self.flushes -= 1;
        self.nodes[node].flush();
        for client in &mut self.clients {
            if let Phase::Holding(hold) = &mut client.phase
                && hold.voted[node] == Voted::InThisMemory
            {
                hold.voted[node] = Voted::InOneThatIsLost;
            }
        }
    }
}

/// Whether counting the votes can bring anything new.
fn can_count(asking: &Asking, quorum: usize, on: &Protections) -> bool {
    let granted = asking.votes.iter().flatten().count();
    granted >= quorum && asking.top.is_none_or(|top| is_stored(asking, top, quorum) || !on.fence_quorum)
}

fn is_stored(asking: &Asking, top: u8, quorum: usize) -> bool {
    asking.votes.iter().flatten().filter(|&&stored| stored >= top).count() >= quorum
}

impl Client {
    /// The least number of nodes that must grant.
    pub(super) fn quorum(&self) -> usize {
        sets::quorum(self.set)
    }
}

fn count(votes: [bool; NODES]) -> usize {
    votes.into_iter().filter(|vote| *vote).count()
}

pub(super) fn to_u8(index: usize) -> u8 {
    u8::try_from(index).expect("there are few of them")
}
