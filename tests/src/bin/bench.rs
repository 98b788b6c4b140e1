//! Measures the lock and what it stands on, on real servers: `cargo run --release -p redlock-tests --bin bench`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use redlock_tests::bench::document::Document;
use redlock_tests::bench::peers::Peers;
use redlock_tests::bench::section::Section;
use redlock_tests::bench::yardstick::Effort;
use redlock_tests::bench::{
    Result, contention, failover, groups, hung, io_thread, latency, machine, nodes, one_key, renewal, stores,
    throughput,
};

/// Measures on servers that it starts itself on loopback; tables go to stdout, progress to stderr
#[derive(Parser)]
#[command(name = "bench")]
struct Command {
    #[command(subcommand)]
    what: What,
    /// Put the chapter into this document, between its marks, and draw its pictures beside it
    #[arg(long, global = true, value_name = "DOCUMENT")]
    write: Option<PathBuf>,
    /// Leave out the libraries of other languages, for which Node.js, Python and, once, the network are needed
    #[arg(long, global = true)]
    without_peers: bool,
}

#[derive(Subcommand)]
enum What {
    /// All of the others, one after the other
    All {
        /// As little as possible: shows that everything works, and nothing else
        #[arg(long)]
        quick: bool,
    },
    /// Acquire and release of free locks, one task
    Latency(Effort),
    /// Acquire and release of free locks by many tasks
    Throughput(throughput::Effort),
    /// Acquire and release of free locks on more and fewer nodes
    Nodes(nodes::Effort),
    /// Bare fred on the caller's runtime against fred on a thread of its own
    IoThread(io_thread::Effort),
    /// Many tasks of one process that want one lock, with hand-over and without
    OneKey(one_key::Effort),
    /// Processes that want one lock at the same moment, or all the time
    Contention(contention::Effort),
    /// One of those processes
    #[command(hide = true)]
    ContentionClient(contention::client::Options),
    /// Acquire and release of free locks on every store
    Stores(stores::StoresEffort),
    /// What it costs to hold many locks
    Renewal(renewal::Effort),
    /// Acquiring while nodes hang or are dead, and memory meanwhile
    Hung(hung::Effort),
    /// From one leader to the next: resigned, killed, cut off
    Failover(failover::Effort),
    /// One of the candidates
    #[command(hide = true)]
    FailoverCandidate(failover::candidate::Options),
    /// Groups of nodes, and what a lock costs
    Groups(groups::Effort),
}

impl What {
    /// Whether libraries of other languages are measured, too.
    fn has_peers(&self) -> bool {
        matches!(self, Self::Latency(_) | Self::Throughput(_) | Self::Nodes(_))
    }
}

/// Every benchmark in the order of the document, and how little of it is enough to see that it works.
const ALL: [(&str, &str); 11] = [
    ("latency", "--blocks 5 --cycles 10"),
    ("throughput", "--blocks 5 --cycles 5 --tasks 1,2"),
    ("nodes", "--blocks 5 --cycles 5 --nodes 1,3 --tasks 1,2"),
    ("contention", "--blocks 5 --handovers 1 --processes 2 --crowd 2 --contend-millis 20"),
    ("one-key", "--blocks 5 --tasks 5 --waiters 10 --handoffs 4,0"),
    ("hung", "--blocks 5 --cycles 10 --tasks 1 --for 1s"),
    ("failover", "--resignations 2 --faults 1 --ttl 1s"),
    ("renewal", "--locks 20:1s --for 1s --bare 10"),
    ("stores", "--blocks 5 --cycles 2 --tasks 1"),
    ("io-thread", "--blocks 5 --cycles 1 --repeats 1 --busy 400ms"),
    ("groups", "--blocks 5 --cycles 1000 --tasks 4 --nodes 3 --groups 1,2 --locks 1000"),
];

fn main() -> Result<()> {
    let Command { what, write, without_peers } = Command::parse();
    match &what {
        What::ContentionClient(options) => return contention::client::run(options),
        What::FailoverCandidate(options) => return failover::candidate::run(options),
        _ => {}
    }
    let name = std::env::args().find(|word| ALL.iter().any(|(name, _)| name == word)).unwrap_or_default();
    let chosen = match what {
        What::All { quick } => {
            ALL.map(|(name, least)| (name.to_owned(), parse(name, if quick { least } else { "" }))).into()
        }
        one => vec![(name, one)],
    };
    let names: Vec<&str> = chosen.iter().map(|(name, _)| name.as_str()).collect();
    let document = write.map(|path| Document::open(&path, &names)).transpose()?;
    let peers = match chosen.iter().any(|(_, what)| what.has_peers()) {
        true => Peers::install(without_peers),
        false => Peers::default(),
    };
    let mut machine = None;
    let count = chosen.len();
    for (index, (name, what)) in chosen.iter().enumerate() {
        if count > 1 {
            eprintln!("{} of {count}: {name}", index + 1);
        }
        let section = run(what, &peers)?;
        if section.title.is_empty() {
            // A process that measures for another one has said what it has to say.
            return Ok(());
        }
        if machine.is_none() {
            println!("{}\n", machine.insert(machine::description(&peers.versions())?));
        }
        println!("{section}");
        if let Some(document) = &document {
            document.write(name, &section)?;
        }
    }
    match (document, machine) {
        (Some(document), Some(machine)) if count > 1 => document.write_machine(&machine),
        _ => Ok(()),
    }
}

fn parse(name: &str, arguments: &str) -> What {
    Command::parse_from(["bench", name].into_iter().chain(arguments.split_whitespace())).what
}

fn run(what: &What, peers: &Peers) -> Result<Section> {
    match what {
        What::All { .. } | What::ContentionClient(_) | What::FailoverCandidate(_) => {
            Err("not one benchmark".into())
        }
        What::Latency(effort) => latency::run(effort, peers),
        What::Throughput(effort) => throughput::run(effort, peers),
        What::Nodes(effort) => nodes::run(effort, peers),
        What::IoThread(effort) => io_thread::run(effort),
        What::Contention(effort) => contention::run(effort),
        What::OneKey(effort) => one_key::run(effort),
        What::Renewal(effort) => renewal::run(effort),
        What::Hung(effort) => hung::run(effort),
        What::Failover(effort) => failover::run(effort),
        What::Groups(effort) => groups::run(effort),
        What::Stores(effort) => stores::run(effort),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn all_are_all_and_the_least_of_each_can_be_asked_for() {
        let subcommands = Command::command();
        let shown = subcommands.get_subcommands().filter(|one| !one.is_hide_set());
        let mut named: Vec<_> = shown.map(|one| one.get_name()).collect();
        let mut all: Vec<_> = ALL.iter().map(|(name, _)| *name).chain(["all"]).collect();
        named.sort_unstable();
        all.sort_unstable();
        assert_eq!(named, all);
        for (name, least) in ALL {
            let arguments = ["bench", name].into_iter().chain(least.split_whitespace());
            assert!(Command::try_parse_from(arguments).is_ok(), "{name} {least}");
        }
    }
}
