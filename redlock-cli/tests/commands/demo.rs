//! The demo as people run it: the real binary, real servers, and what is left when it is stopped.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than a busy machine takes for anything here.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many increments that the demo does not end by itself while a test looks at it.
const ENDLESS: [&str; 4] = ["--rounds", "10000", "--limit", "300"];

#[test]
fn a_hundred_contenders_count_to_a_hundred_while_two_of_five_servers_are_killed() {
    let output = run(&["demo"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("counter  100, expected 100"), "{text}");
    assert!(text.contains("holds    100, 0 of them overlapping"), "{text}");
    assert!(text.contains("node 1 killed after 25 of 100 increments"), "{text}");
    assert!(text.contains("node 2 killed after 50 of 100 increments"), "{text}");
    assert!(last_line(&text).starts_with("OK: "), "{text}");
    // A majority has granted to each of the five processes, which hand it on to their own contenders.
    let granted: Vec<u64> = votes(&text).iter().map(|row| row.granted).collect();
    assert_eq!(granted.len(), 5, "{text}");
    assert!(granted.iter().sum::<u64>() >= 15, "{text}");
    assert!(votes(&text)[0].failed > 0, "{text}");
}

#[test]
fn what_a_pipe_gets_has_no_escape_sequences() {
    let output = run(&["demo", "--contenders", "10"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!stdout(&output).contains(['\x1b', '\r']), "{:?}", stdout(&output));
}

#[test]
fn with_json_stdout_is_one_object_and_stderr_tells_the_run() {
    let output = run(&["demo", "--json", "--contenders", "10", "--processes", "2"]);
    assert_eq!(output.status.code(), Some(0));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["ok"], true, "{result}");
    assert_eq!((&result["counter"], &result["expected"]), (&10.into(), &10.into()), "{result}");
    assert_eq!(result["overlaps"], 0, "{result}");
    assert_eq!(result["nodes"][0]["state"], "killed", "{result}");
    assert_eq!(result["nodes"][4]["state"], "up", "{result}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("node 1 killed after "));
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let mut demo = redlock().args(["demo", "--contenders", "10"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(demo.stdout.take());
    assert_eq!(demo.wait().unwrap().code(), Some(0));
}

#[test]
fn every_round_of_every_contender_counts() {
    let output = run(&["demo", "--contenders", "7", "--rounds", "6", "--processes", "3", "--nodes", "3"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("counter  42, expected 42"), "{text}");
    assert_eq!(text.matches(" killed after ").count(), 1, "{text}");
}

#[test]
fn nodes_in_the_process_do_without_redis_and_the_demo_says_so() {
    let nowhere = tempfile::tempdir().unwrap();
    let output = redlock().args(["demo", "--in-process"]).env("PATH", nowhere.path()).output().unwrap();
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("In-process nodes instead of Redis servers"), "{text}");
    assert!(text.contains("counter  100, expected 100"), "{text}");
    assert_eq!(text.matches(" cut off after ").count(), 2, "{text}");
}

#[test]
fn without_the_lock_increments_are_lost_and_the_demo_fails() {
    for nodes in [&["--nodes", "1"][..], &["--in-process"]] {
        let output = run(&[&["demo", "--without", "lock"], nodes].concat());
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let verdict = last_line(&text);
        assert!(verdict.starts_with("FAILED: the counter is "), "{text}");
        assert!(verdict.contains("overlapped"), "{text}");
    }
}

#[test]
fn without_a_majority_nothing_moves_and_the_demo_ends_all_the_same() {
    let output = run(&["demo", "--nodes", "3", "--kill", "2", "--limit", "3"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("0 of them overlapping"), "{text}");
    assert!(text.contains("not finished after 3 s"), "{text}");
}

#[test]
fn a_command_line_that_cannot_be_understood_ends_with_64_and_help_with_0() {
    for wrong in
        [&["demo", "--nodes", "0"][..], &["demo", "--no-such"], &["demo", "--without", "x"], &["x"], &[]]
    {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(64), "{wrong:?}");
        assert!(output.stdout.is_empty(), "{wrong:?}");
    }
    for help in [&["--help"][..], &["demo", "--help"], &["--version"]] {
        assert_eq!(run(help).status.code(), Some(0), "{help:?}");
    }
    assert!(stdout(&run(&["demo", "--help"])).contains("redlock demo --contenders"));
}

#[test]
fn killing_the_demo_leaves_no_process_and_no_directory_behind() {
    let mut demo = Demo::start(&ENDLESS);
    demo.signal(Signal::KILL);
    assert_eq!(demo.process.wait().unwrap().signal(), Some(9));
    demo.is_gone_without_a_trace();
}

#[test]
fn a_signal_ends_the_demo_and_all_it_started() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let mut demo = Demo::start(&ENDLESS);
        demo.signal(signal);
        assert_eq!(demo.process.wait().unwrap().code(), Some(code));
        demo.is_gone_without_a_trace();
    }
}

#[test]
fn a_worker_that_dies_is_named_and_the_others_finish() {
    // Whoever had the lock when it died keeps it until its TTL has passed.
    let demo = Demo::start(&["--contenders", "10", "--rounds", "100", "--processes", "2"]);
    let victim = demo.workers[0];
    send(victim, Signal::KILL);
    let (code, text) = demo.finish();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("worker 1 (pid {victim}): ended early (signal: 9")), "{text}");
    let verdict = last_line(&text);
    assert!(verdict.starts_with("FAILED: "), "{text}");
    let (before, _) = verdict.split_once(" of 1000 increments were made").unwrap();
    let made: u32 = before.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(made >= 500, "{text}");
}

#[test]
fn a_worker_that_hangs_is_named_when_the_time_is_up() {
    let demo = Demo::start(&["--rounds", "10000", "--limit", "4"]);
    let victim = demo.workers[2];
    send(victim, Signal::STOP);
    let workers = demo.workers.clone();
    let (code, text) = demo.finish();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("worker 3 (pid {victim}): not finished after 4 s")), "{text}");
    until("all workers are gone", || workers.iter().all(|pid| is_gone(*pid)));
}

/// A demo under way, with what it has started.
struct Demo {
    process: Child,
    output: BufReader<ChildStdout>,
    servers: Vec<u32>,
    workers: Vec<u32>,
    counter: String,
}

impl Demo {
    /// Starts a demo and returns once the contenders are counting.
    fn start(args: &[&str]) -> Self {
        let mut process = redlock().arg("demo").args(args).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (servers, workers, counter) = (Vec::new(), Vec::new(), String::new());
        let mut demo = Self { process, output, servers, workers, counter };
        let mut line = String::new();
        while demo.counter.is_empty() {
            line.clear();
            assert_ne!(demo.output.read_line(&mut line).unwrap(), 0, "the demo ended early");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["node", _, _, "redis-server,", "pid", pid] => demo.servers.push(pid.parse().unwrap()),
                ["workers", "pid", ref pids @ ..] => {
                    demo.workers = pids.iter().map(|pid| pid.parse().unwrap()).collect();
                }
                ["counter", file] => demo.counter = file.to_owned(),
                _ => {}
            }
        }
        assert_eq!(demo.servers.len(), 5);
        assert!(demo.workers.len() >= 2);
        let counting = || fs::read_to_string(&demo.counter).is_ok_and(|text| text.trim() > "0000000000");
        until("the contenders are counting", counting);
        demo
    }

    fn signal(&self, signal: Signal) {
        send(self.process.id(), signal);
    }

    fn finish(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        (self.process.wait().unwrap().code(), text)
    }

    fn is_gone_without_a_trace(&self) {
        let mut started = self.servers.iter().chain(&self.workers);
        until("servers and workers are gone", || started.clone().all(|pid| is_gone(*pid)));
        assert!(started.next().is_some());
        until("the counter is removed", || !Path::new(&self.counter).parent().unwrap().exists());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn redlock() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redlock"));
    command.stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    redlock().args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap()
}

struct Row {
    granted: u64,
    failed: u64,
}

/// The table at the end.
fn votes(text: &str) -> Vec<Row> {
    let table = text.lines().skip_while(|line| !line.starts_with("node  address")).skip(1);
    let rows =
        table.take_while(|line| !line.is_empty()).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.map(|row| Row { granted: row[2].parse().unwrap(), failed: row[4].parse().unwrap() }).collect()
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// One that has ended but that nobody has collected yet is gone.
fn is_gone(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with(['Z', 'X']))
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
