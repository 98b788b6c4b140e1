//! Groups of nodes: what each more carries; what a lock costs a node and the client, and from that what a million a second take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use redlock::testing::servers::RedisFleet;
use redlock::{LockGroups, Locks};
use tokio::runtime::Runtime;

use super::{
    Result,
    progress::Progress,
    section::Section,
    stats,
    table::Table,
    usage::{Served, process_cpu, resident},
};

/// How much to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Effort {
    /// Interleaved blocks
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(stats::FEWEST_BLOCKS as i64..))]
    pub blocks: u32,
    /// Cycles a block, of all tasks together
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub cycles: u32,
    /// Numbers of concurrent tasks
    #[arg(long, value_delimiter = ',', default_value = "64,256", value_parser = clap::value_parser!(u16).range(1..))]
    pub tasks: Vec<u16>,
    /// Numbers of nodes in a group
    #[arg(long, value_delimiter = ',', default_value = "3,5", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub nodes: Vec<u8>,
    /// Numbers of groups
    #[arg(long, value_delimiter = ',', default_value = "1,2,4", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub groups: Vec<u8>,
    /// Locks that the cost model is measured with
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub locks: u32,
}

/// What one block came to: of a cycle, or of an operation.
#[derive(Default)]
struct Costs {
    /// A second.
    rate: Vec<f64>,
    /// Microseconds of CPU in the client.
    client: Vec<f64>,
    /// Microseconds of CPU in all servers together.
    servers: Vec<f64>,
    /// Script calls in all servers together.
    scripts: Vec<f64>,
}

/// Measures.
///
/// # Errors
/// A server that does not start or answer, or a lock that cannot be acquired.
pub fn run(effort: &Effort) -> Result<Section> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut section = Section::new("Groups, and what a lock costs").text(
        "Locks over several groups of nodes (`LockGroups`): every name belongs to one group, by rendezvous hashing. All servers \
         and the client share this machine, so that cycles a second say what the machine does; what a group more brings is \
         to be read from the CPU that a cycle takes in the client and in the servers, which does not depend on how many groups \
         there are, while each group's servers are others.",
    );
    for &nodes in &effort.nodes {
        section = throughput(&runtime, nodes.into(), effort, section)?;
    }
    let model = Model::measure(&runtime, effort.locks as usize)?;
    Ok(model.describe(section))
}

fn connect(runtime: &Runtime, fleet: &RedisFleet) -> Result<Locks> {
    Ok(runtime.block_on(Locks::builder().nodes(fleet.urls()).ttl(Duration::from_secs(30)).init())?)
}

fn throughput(runtime: &Runtime, nodes: usize, effort: &Effort, section: Section) -> Result<Section> {
    let most = effort.groups.iter().copied().max().unwrap_or(1);
    let fleets = (0..most).map(|_| Ok(RedisFleet::start(nodes)?)).collect::<Result<Vec<_>>>()?;
    let locks = fleets.iter().map(|fleet| connect(runtime, fleet)).collect::<Result<Vec<_>>>()?;
    let mut stages = Vec::new();
    for &tasks in &effort.tasks {
        for &groups in &effort.groups {
            let named = locks.iter().take(groups.into()).enumerate();
            let groups =
                LockGroups::new(named.map(|(index, locks)| (format!("group-{index}"), locks.clone())))?;
            stages.push((usize::from(tasks), groups, Costs::default()));
        }
    }
    let mut progress = Progress::start(format!("groups of {nodes}"), effort.blocks);
    for block in 0..effort.blocks {
        let count = stages.len();
        for turn in 0..count {
            let (tasks, groups, costs) = &mut stages[(turn + block as usize) % count];
            let servers = || fleets.iter().flat_map(RedisFleet::iter);
            let cycles = effort.cycles as usize;
            cycle(runtime, groups, *tasks, cycles / 10)?;
            let (before, cpu, started) = (Served::by_all(servers())?, process_cpu(), Instant::now());
            cycle(runtime, groups, *tasks, cycles)?;
            let (wall, cpu) = (started.elapsed(), process_cpu().saturating_sub(cpu));
            let served = Served::by_all(servers())?.since(before, cycles as f64);
            costs.rate.push(cycles as f64 / wall.as_secs_f64());
            costs.client.push(cpu.as_secs_f64() * 1e6 / cycles as f64);
            costs.servers.push(served.cpu * 1e6);
            costs.scripts.push(served.scripts);
        }
        progress.step();
    }
    let mut table = Table::new([
        "tasks, groups",
        "cycles/s",
        "client CPU us/cycle",
        "servers' CPU us/cycle",
        "script calls/cycle and node",
        "least and largest share of names",
        "one group holds, cycles/s",
    ]);
    for (tasks, groups, costs) in &stages {
        let (least, largest) = shares(groups);
        let servers = stats::median(&costs.servers);
        table.row([
            format!("{tasks}, {}", groups.groups().count()),
            format!("{:.0}", stats::median(&costs.rate)),
            format!("{:.1}", stats::median(&costs.client)),
            format!("{servers:.1}"),
            format!("{:.2}", stats::median(&costs.scripts) / nodes as f64),
            format!("{:.1} %, {:.1} %", least * 100.0, largest * 100.0),
            format!("{:.0}", 1e6 / (servers / nodes as f64)),
        ]);
    }
    let caption = format!(
        "Groups of {nodes} Redis; acquire and release of free locks, {} interleaved blocks of {} cycles. What one group holds is \
         computed: where each of its servers has a core of its own and nothing else limits:",
        effort.blocks, effort.cycles
    );
    Ok(section.table(caption, table))
}

/// Each cycle with a name of its own.
fn cycle(runtime: &Runtime, groups: &LockGroups, tasks: usize, cycles: usize) -> Result<()> {
    static NEXT_NAME: AtomicU64 = AtomicU64::new(0);
    let left = Arc::new(AtomicU64::new(cycles as u64));
    let user = |_| {
        let (groups, left) = (groups.clone(), Arc::clone(&left));
        runtime.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                let name = format!("bench:{}", NEXT_NAME.fetch_add(1, Ordering::Relaxed));
                groups.lock(name).acquire().await?.release().await?;
            }
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        })
    };
    let users: Vec<_> = (0..tasks).map(user).collect();
    users.into_iter().try_for_each(|user| runtime.block_on(user)?)
}

/// Of 100,000 names, the share of the group that has the fewest, and of the one that has the most.
fn shares(groups: &LockGroups) -> (f64, f64) {
    const NAMES: u32 = 100_000;
    let names: Vec<&str> = groups.groups().map(|(name, _)| name).collect();
    let mut counts = vec![0_u32; names.len()];
    for number in 0..NAMES {
        let owner = groups.group_of(format!("invoice:{number}"));
        if let Some(count) = names.iter().position(|name| *name == owner).and_then(|at| counts.get_mut(at)) {
            *count += 1;
        }
    }
    let share = |count: Option<&u32>| f64::from(count.copied().unwrap_or_default()) / f64::from(NAMES);
    (share(counts.iter().min()), share(counts.iter().max()))
}

/// What one operation on a lock costs.
struct Operation {
    name: &'static str,
    /// A node.
    served: Served,
    /// Seconds in the client.
    client: f64,
}

/// What a lock costs, measured.
struct Model {
    operations: Vec<Operation>,
    /// Bytes that a held lock takes on a node, its counter included.
    held: f64,
    /// Bytes that its counter takes on a node.
    counter: f64,
    /// Bytes that a held lock takes in the client.
    client: f64,
}

const NODES: usize = 5;
const AT_ONCE: usize = 64;

impl Model {
    fn measure(runtime: &Runtime, count: usize) -> Result<Self> {
        let _progress = Progress::start(format!("cost model: {count} locks"), 1_u64);
        let fleet = RedisFleet::start(NODES)?;
        // None of them is renewed meanwhile.
        let ttl = Duration::from_secs(600);
        let builder = Locks::builder().nodes(fleet.urls()).ttl(ttl).max_ttl(ttl);
        let locks = runtime.block_on(builder.init())?;
        runtime.block_on(async {
            let warm = futures::stream::iter(0..AT_ONCE * 4).map(|name| {
                let lock = locks.lock(format!("warm:{name}"));
                async move { lock.acquire().await?.release().await.map_err(Box::from) }
            });
            warm.buffer_unordered(AT_ONCE)
                .collect::<Vec<Result<()>>>()
                .await
                .into_iter()
                .collect::<Result<()>>()
        })?;
        let mut operations = Vec::new();
        let per_lock = (count * NODES) as f64;
        let start = Served::by_all(&fleet)?;
        let mut last = (start, process_cpu());
        let mut note = |name| -> Result<Served> {
            // Answers that nobody waits for are here by then.
            std::thread::sleep(Duration::from_millis(50));
            let now = (Served::by_all(&fleet)?, process_cpu());
            let client = now.1.saturating_sub(last.1).as_secs_f64() / count as f64;
            operations.push(Operation { name, served: now.0.since(last.0, per_lock), client });
            // What asking takes is not part of the next one.
            last = (Served::by_all(&fleet)?, process_cpu());
            Ok(now.0)
        };
        let before = resident()?;
        let acquiring = futures::stream::iter(0..count).map(|name| {
            let lock = locks.lock(format!("invoice:{name:08}"));
            async move { lock.acquire().await }
        });
        let guards: Vec<_> = runtime.block_on(acquiring.buffer_unordered(AT_ONCE).collect());
        let guards = guards.into_iter().collect::<Result<Vec<_>, _>>()?;
        let client = resident()?.saturating_sub(before) as f64 / count as f64;
        let holding = note("acquire")?;
        let extending = futures::stream::iter(&guards).map(|guard| guard.extend());
        let extended: Vec<_> = runtime.block_on(extending.buffer_unordered(AT_ONCE).collect());
        extended.into_iter().collect::<Result<Vec<_>, _>>()?;
        note("extend")?;
        let releasing = futures::stream::iter(guards).map(redlock::LockGuard::release);
        let released: Vec<_> = runtime.block_on(releasing.buffer_unordered(AT_ONCE).collect());
        released.into_iter().collect::<Result<Vec<_>, _>>()?;
        let left = note("release")?;
        Ok(Self {
            operations,
            held: holding.since(start, per_lock).memory,
            counter: left.since(start, per_lock).memory,
            client,
        })
    }

    fn describe(&self, section: Section) -> Section {
        let mut table = Table::new([
            "a lock and node, five nodes",
            "script calls",
            "commands within",
            "bytes to the node",
            "bytes back",
            "CPU us, node",
            "CPU us, client, all nodes",
        ]);
        for Operation { name, served, client } in &self.operations {
            table.row([
                (*name).to_owned(),
                format!("{:.3}", served.scripts),
                format!("{:.2}", served.commands - served.scripts),
                format!("{:.0}", served.bytes_in),
                format!("{:.0}", served.bytes_out),
                format!("{:.2}", served.cpu * 1e6),
                format!("{:.1}", client * 1e6),
            ]);
        }
        let mut memory = Table::new(["memory, bytes", "a lock"]);
        memory.row(["on a node, held, with its counter".to_owned(), format!("{:.0}", self.held)]);
        memory.row(["on a node, its counter alone".to_owned(), format!("{:.0}", self.counter)]);
        memory.row(["in the client, held, with its guard (RSS)".to_owned(), format!("{:.0}", self.client)]);
        section
            .text(self.million())
            .table(
                format!(
                    "The cost model: fencing and guards on, {AT_ONCE} operations at a time, so that several go to a node in one \
                     script call; names of 16 bytes:"
                ),
                table,
            )
            .table("", memory)
    }

    /// The arithmetic.
    fn million(&self) -> String {
        const LOCKS: f64 = 1e6;
        /// Of a core; more would queue.
        const BUSY: f64 = 0.6;
        const RETENTION: f64 = 600.0;
        let of = |get: fn(&Operation) -> f64| -> f64 {
            self.operations.iter().filter(|one| one.name != "extend").map(get).sum()
        };
        let (node, client) = (of(|one| one.served.cpu), of(|one| one.client));
        let (bytes_in, bytes_out) = (of(|one| one.served.bytes_in), of(|one| one.served.bytes_out));
        let groups = (LOCKS * node / BUSY).ceil();
        let megabits = |bytes: f64| LOCKS * NODES as f64 * bytes * 8.0 / 1e6;
        let extend = self.operations.iter().find(|one| one.name == "extend");
        let extend = extend.map_or((0.0, 0.0), |one| (one.served.cpu * 1e6, one.client * 1e6));
        format!(
            "**What a million locks a second would take**, computed from the table below, each acquired and released once, \
             on groups of five: a node spends {:.2} us of CPU on each, and runs scripts on one core; at most {:.0} % busy, \
             that is {groups:.0} groups, {:.0} servers, {:.1} cores of servers' work. The clients spend {:.1} us on each: {:.1} \
             cores together. The network carries {:.0} Mbit/s to the nodes and {:.0} Mbit/s back, {:.0} and {:.0} for each node, \
             without the headers of TCP. Every new name leaves a counter for {:.0} minutes (`fencingRetention`): {:.0} million, {:.1} GB \
             on each node of each group; names that repeat share theirs. A lock that is held for longer than a third of its TTL \
             adds an extension for each third: {:.2} us on each node and {:.1} us in the client. Assumed are that names are many \
             and spread evenly, that no lock is waited for, that 64 operations at a time are under way in each client, as \
             here, and CPUs like this one; a client with fewer at a time sends more calls and costs its nodes more.",
            node * 1e6,
            BUSY * 100.0,
            groups * NODES as f64,
            LOCKS * node * NODES as f64,
            client * 1e6,
            LOCKS * client,
            megabits(bytes_in),
            megabits(bytes_out),
            megabits(bytes_in) / (groups * NODES as f64),
            megabits(bytes_out) / (groups * NODES as f64),
            RETENTION / 60.0,
            LOCKS * RETENTION / 1e6,
            LOCKS * RETENTION * self.counter / groups / 1e9,
            extend.0,
            extend.1,
        )
    }
}
