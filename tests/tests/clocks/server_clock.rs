//! The fixture itself: a server's wall clock goes where a test wants it.
//!
//! Nothing here is timed: what a server shows is compared with what the machine's clocks showed before and after.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::executor::block_on;
use redlock::testing::servers::{ClockStep, RedisFleet, RedisOptions, RedisServer, Reply, ServerError};
use redlock_tests::clock_shim;
use redlock_tests::support::{assert_no_key_is_left, connect, eventually};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// 8 %, as much as chrony slews at most.
const SLEW: i32 = 80_000;

fn options() -> RedisOptions {
    RedisServer::options().clock_shim(clock_shim())
}

fn start() -> RedisServer {
    options().start().unwrap()
}

/// Microseconds since 1970.
fn machine_time() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap()
}

/// What a server's TIME was, and the machine's clocks around it.
struct Sample {
    time: i64,
    machine: [i64; 2],
    passed: [Instant; 2],
}

impl Sample {
    fn of(server: &RedisServer) -> Self {
        let passed = Instant::now();
        let machine = machine_time();
        let reply = server.command(&["TIME"]).unwrap().texts();
        let machine = [machine, machine_time()];
        let [seconds, micros] = [0, 1].map(|part: usize| reply[part].parse::<i64>().unwrap());
        Self { time: seconds * 1_000_000 + micros, machine, passed: [passed, Instant::now()] }
    }

    /// Whether the server was so many microseconds ahead of the machine.
    fn is_ahead_by(&self, offset: i64) -> bool {
        self.is_ahead_between(offset, offset)
    }

    fn is_ahead_between(&self, least: i64, most: i64) -> bool {
        // Each side is rounded down to a microsecond.
        (self.machine[0] + least - 1..=self.machine[1] + most + 1).contains(&self.time)
    }

    #[track_caller]
    fn assert_ahead_by(&self, offset: i64) {
        assert!(self.is_ahead_by(offset), "{offset} µs ahead of {:?} is not {}", self.machine, self.time);
    }

    /// The clock has gained at [`SLEW`] since a point within `since`, until one within `until`.
    #[track_caller]
    fn assert_gained(&self, since: [Instant; 2], until: [Instant; 2]) {
        let gain = |time: Duration| micros(time) * i64::from(SLEW) / 1_000_000;
        let least = gain(until[0].saturating_duration_since(since[1]));
        let most = gain(until[1].saturating_duration_since(since[0])) + 1;
        assert!(
            self.is_ahead_between(least, most),
            "{least} to {most} µs ahead of {:?} is not {}",
            self.machine,
            self.time
        );
    }
}

/// Does it, and says when.
fn timed(action: impl FnOnce() -> Result<(), ServerError>) -> [Instant; 2] {
    let before = Instant::now();
    action().unwrap();
    [before, Instant::now()]
}

fn wait(duration: Duration) {
    let start = Instant::now();
    eventually("time passes", || start.elapsed() >= duration);
}

/// The libraries that the process has loaded.
fn libraries(server: &RedisServer) -> String {
    fs::read_to_string(format!("/proc/{}/maps", server.pid().unwrap())).unwrap()
}

#[test]
fn a_server_with_a_clock_of_its_own_starts_with_the_machines_time() {
    let server = start();
    assert!(libraries(&server).contains("libredlock_clock"));
    Sample::of(&server).assert_ahead_by(0);
}

#[test]
fn a_server_without_the_option_has_the_machines_clock_and_nothing_preloaded() {
    let server = RedisServer::start().unwrap();
    assert!(!libraries(&server).contains("libredlock_clock"));
    for change in
        [server.step_clock(ClockStep::Forward(MINUTE)), server.set_clock(UNIX_EPOCH), server.slew_clock(1)]
    {
        assert!(matches!(change, Err(ServerError::NoClock { .. })), "{change:?}");
    }
    Sample::of(&server).assert_ahead_by(0);
}

#[test]
fn time_follows_a_step_at_once() {
    let server = start();
    server.step_clock(ClockStep::Forward(MINUTE)).unwrap();
    Sample::of(&server).assert_ahead_by(micros(MINUTE));
    server.step_clock(ClockStep::Back(2 * MINUTE)).unwrap();
    Sample::of(&server).assert_ahead_by(-micros(MINUTE));
    server.step_clock(ClockStep::Forward(MINUTE)).unwrap();
    Sample::of(&server).assert_ahead_by(0);
}

#[test]
fn a_clock_that_was_set_goes_on_from_there() {
    let server = start();
    let at = UNIX_EPOCH + 20_000 * 24 * HOUR;
    let set = [Instant::now(), {
        server.set_clock(at).unwrap();
        Instant::now()
    }];
    let sample = Sample::of(&server);
    let since =
        |from: Instant, to: Instant| micros(at.duration_since(UNIX_EPOCH).unwrap() + to.duration_since(from));
    let range = since(set[1], sample.passed[0]) - 1..=since(set[0], sample.passed[1]) + 1;
    assert!(range.contains(&sample.time), "{range:?} {}", sample.time);
}

#[test]
fn time_follows_a_slew_as_long_as_it_lasts() {
    let server = start();
    let begun = timed(|| server.slew_clock(SLEW));
    wait(Duration::from_millis(300));
    let sample = Sample::of(&server);
    sample.assert_gained(begun, sample.passed);

    // What was gained stays; nothing is gained any more.
    let ended = timed(|| server.slew_clock(0));
    wait(Duration::from_millis(300));
    Sample::of(&server).assert_gained(begun, ended);
}

#[test]
fn a_slew_backwards_loses_time_and_a_step_on_the_way_changes_nothing_about_that() {
    let server = start();
    let begun = timed(|| server.slew_clock(-SLEW));
    server.step_clock(ClockStep::Forward(HOUR)).unwrap();
    wait(Duration::from_millis(300));
    server.step_clock(ClockStep::Back(HOUR)).unwrap();
    let ended = timed(|| server.slew_clock(SLEW));
    // As much is gained again as was lost, give or take the moments of the changes.
    wait(ended[1] - begun[0]);
    let back = timed(|| server.slew_clock(0));
    let gain = |time: Duration| micros(time) * i64::from(SLEW) / 1_000_000;
    let lost = [gain(ended[0] - begun[1]), gain(ended[1] - begun[0])];
    let gained = [gain(back[0] - ended[1]), gain(back[1] - ended[0])];
    let sample = Sample::of(&server);
    assert!(lost[0] > 20_000, "it was slewed long enough to show");
    assert!(sample.is_ahead_between(gained[0] - lost[1] - 1, gained[1] - lost[0] + 1), "{}", sample.time);
}

#[test]
fn a_step_of_a_minute_expires_a_key_of_30_seconds_at_once() {
    let server = start();
    let set = |key| server.command(&["SET", key, "1", "PX", "30000"]).unwrap();
    set("a");
    server.step_clock(ClockStep::Forward(MINUTE)).unwrap();
    assert_eq!(server.command(&["GET", "a"]).unwrap(), Reply::Nil);

    // Backwards it keeps a key for as much longer.
    set("b");
    server.step_clock(ClockStep::Back(MINUTE)).unwrap();
    let left = server.command(&["PTTL", "b"]).unwrap().integer().unwrap();
    assert!((60_001..=90_000).contains(&left), "{left}");
}

#[test]
fn the_clocks_of_two_servers_are_independent() {
    let fleet = RedisFleet::start_with(2, &options()).unwrap();
    fleet.server(0).step_clock(ClockStep::Forward(MINUTE)).unwrap();
    fleet.server(1).step_clock(ClockStep::Back(HOUR)).unwrap();
    Sample::of(fleet.server(0)).assert_ahead_by(micros(MINUTE));
    Sample::of(fleet.server(1)).assert_ahead_by(-micros(HOUR));
}

#[test]
fn a_restarted_server_has_the_clock_that_it_had() {
    let server = options().persistent().start().unwrap();
    server.step_clock(ClockStep::Forward(MINUTE)).unwrap();
    server.command(&["SET", "a", "1", "PX", "30000"]).unwrap();
    server.restart().unwrap();
    Sample::of(&server).assert_ahead_by(micros(MINUTE));
    assert_eq!(server.keys().unwrap(), ["a"], "the file has absolute times of this clock");

    // A clock can be changed while its server is down.
    server.kill();
    server.step_clock(ClockStep::Forward(MINUTE)).unwrap();
    server.restart().unwrap();
    Sample::of(&server).assert_ahead_by(2 * micros(MINUTE));
    assert!(server.keys().unwrap().is_empty());
}

/// Asks for TIME so often in a row, one answer right behind the other.
fn times_in_a_row(server: &RedisServer, count: usize) -> Vec<i64> {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all("TIME\r\n".repeat(count).as_bytes()).unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    // `*2`, `$10`, seconds, `$6`, microseconds
    let numbers: Vec<i64> = lines.filter_map(|line| line.parse().ok()).take(2 * count).collect();
    numbers.chunks(2).map(|time| time[0] * 1_000_000 + time[1]).collect()
}

#[test]
fn a_clock_that_is_stepped_forward_is_never_seen_to_go_back_on_the_way() {
    const CHANGES: usize = 1_000;
    let server = start();
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                server.step_clock(ClockStep::Forward(MINUTE)).unwrap();
            }
        });
        let _stop = StopOnDrop(&enough);
        let (mut seen, mut changes) = (0, 0);
        eventually("the clock was seen to change often enough", || {
            for time in times_in_a_row(&server, 1_000) {
                assert!(time >= seen, "{time} after {seen}");
                changes += usize::from(time - seen >= micros(MINUTE));
                seen = time;
            }
            changes >= CHANGES
        });
    });
}

/// Ends the other thread also when this one panics: a scope waits for all of its threads.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_time_that_no_clock_shows_is_refused_and_changes_nothing() {
    let server = start();
    for refused in [
        server.step_clock(ClockStep::Forward(Duration::MAX)),
        server.step_clock(ClockStep::Forward(250 * 365 * 24 * HOUR)),
        server.step_clock(ClockStep::Back(100 * 365 * 24 * HOUR)),
        server.set_clock(UNIX_EPOCH - Duration::from_secs(1)),
    ] {
        assert!(matches!(refused, Err(ServerError::Io { .. })), "{refused:?}");
    }
    Sample::of(&server).assert_ahead_by(0);
}

#[test]
fn a_server_that_does_not_load_the_shim_is_not_started() {
    let missing = clock_shim().with_file_name("libno_such_shim.so");
    let error = RedisServer::options().clock_shim(&missing).start().unwrap_err();
    assert!(matches!(error, ServerError::NotStarted { .. }), "{error}");
    assert!(error.to_string().contains("has not loaded the clock shim"), "{error}");
    assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
}

#[test]
fn servers_with_a_clock_of_their_own_grant_locks() {
    let fleet = RedisFleet::start_with(3, &options()).unwrap();
    fleet.server(0).step_clock(ClockStep::Forward(MINUTE)).unwrap();
    fleet.server(1).step_clock(ClockStep::Back(MINUTE)).unwrap();
    let locks = connect(&fleet);
    let guard = block_on(locks.lock("a").acquire()).unwrap();
    assert!(block_on(locks.lock("a").try_acquire()).unwrap().is_none());
    block_on(guard.extend()).unwrap();
    block_on(guard.release()).unwrap();
    assert_no_key_is_left(&fleet);
}
