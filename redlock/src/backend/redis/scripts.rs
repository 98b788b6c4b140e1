//! The Lua that runs on the server: one script per operation.
//!
//! Every script reads the server's clock first and answers `{code, clock}` or `{code, clock, number}`, all integers; the
//! clock is in microseconds, far below the 2^53 up to which Lua counts exactly. The number is the fencing counter of a
//! grant, or what the holder of a refusal has left. A script that fails has left nothing behind: it reads before it writes, or
//! puts back what it wrote; and Redis lets one that has written go on whatever the memory limit says.
//!
//! The first line carries the server's `run_id`. Scripts are called by their hash alone (EVALSHA, never EVAL), so that
//! another process behind the same address answers NOSCRIPT instead of granting what its predecessor has forgotten.
//!
//! With the restart guard the text of every script that gives or prolongs also carries the marker that the client has judged, and
//! does nothing where the server has another one.

use fred::bytes_utils::Str;

use super::{keys, marker};
use crate::protections::Protections;

/// What the scripts of one connection expect of the server's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard<'a> {
    /// Nothing: the restart guard is off.
    Off,
    /// There is no marker of its present memory, but this text: it gives nothing.
    Unmarked { there: &'a str },
    /// This marker, a text of [`super::marker`]. Before `until`, and without a floor for its counters, it gives nothing new.
    Marked { text: &'a str, until: u64, floor: Option<u64> },
}

/// The operations, in the order in which their scripts are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Acquire,
    Extend,
    Raise,
    Release,
    Inspect,
    Look,
    Mark,
}

/// What a script's answer begins with.
pub(super) mod code {
    pub(in super::super) const DONE: i64 = 0;
    pub(in super::super) const HELD: i64 = 1;
    pub(in super::super) const MISSING: i64 = 2;
    pub(in super::super) const STALE: i64 = 3;
    pub(in super::super) const EXHAUSTED: i64 = 4;
    pub(in super::super) const QUARANTINED: i64 = 5;
    pub(in super::super) const UNMARKED: i64 = 6;
}

const CLOCK: &str = "local t=redis.call('TIME') local now=t[1]*1000000+t[2]";
const STALE: &str = "if now>tonumber(ARGV[3]) then return {3,now} end";
/// Gives the key ARGV[2] milliseconds, unless it has more already, or no end at all.
const PROLONG: &str = "local p=redis.call('PTTL',KEYS[1]) \
    if p>=0 and p<tonumber(ARGV[2]) then redis.call('PEXPIRE',KEYS[1],ARGV[2]) end";
const PROLONG_OR_SHORTEN: &str = "redis.call('PEXPIRE',KEYS[1],ARGV[2])";
/// The fencing counter of KEYS[2], 0 if there is none. What is no whole number up to 2^53 (NaN neither) was not written here.
const COUNTER: &str = "local c=tonumber(redis.call('GET',KEYS[2]) or 0) \
    if not c or c<0 or c>=9007199254740992 or c%1~=0 then \
    return redis.error_reply('WRONGTYPE the fencing counter is no whole number below 2^53; delete '..KEYS[2]) end";
/// Counts up to `n`, which the hint asks for, or, seldom, further. One command in most cases: it stores and returns what was there.
/// What cannot be counted up is put back, and the lock with it.
const COUNT: &str = "local c=n local o=redis.pcall('SET',KEYS[2],c==given and ARGV[5] or c,'PX',KEEP,'GET') if o then \
    if type(o)=='table' then redis.call('DEL',KEYS[1]) return o end \
    c=tonumber(o) if not c or c<0 or c>=9007199254740992 or c%1~=0 then \
    redis.call('SET',KEYS[2],o) redis.call('DEL',KEYS[1]) \
    return redis.error_reply('WRONGTYPE the fencing counter is no whole number below 2^53; delete '..KEYS[2]) end \
    if c+ARGV[6]>n then n=c+ARGV[6] if n<9007199254740992 then c=n end \
    redis.call('SET',KEYS[2],c,'PX',KEEP) if c<n then redis.call('DEL',KEYS[1]) return {4,now} end end c=n end";
/// Where the counter goes for the hint ARGV[5] and the span ARGV[6] if there is none, as `node::fence::next_counter` has it.
const NEXT: &str = "local n=hint+ARGV[6]-1 if n<FLOOR+ARGV[6] then n=FLOOR+ARGV[6] end";
const CLAMPED: &str = "local given=tonumber(ARGV[5]) local hint=given \
    if hint<now-1000000 then hint=now-1000000 elseif hint>now+1000000 then hint=now+1000000 end";
const UNCLAMPED: &str = "local given=tonumber(ARGV[5]) local hint=given";
/// Has the counter stand at `c`, and keeps it for as long as `node::fence::keep_for` says, or up to a second longer. What is sent
/// is enough for a counter that is a second ahead of the server's time; strings go on as they are, numbers cost a conversion.
const STORE: &str = "redis.call('SET',KEYS[2],c,'PX',KEEP)";
const KEEP: &str = "c>now+1000000 and ARGV[4]+math.ceil((c-now)/1000) or ARGV[4]";
const HELD_BY_ANOTHER: &str = "return {1,now,redis.call('PTTL',KEYS[1])}";

impl Script {
    pub(super) const ALL: [Self; 7] =
        [Self::Acquire, Self::Extend, Self::Raise, Self::Release, Self::Inspect, Self::Look, Self::Mark];

    /// What it does, for errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Extend => "extend",
            Self::Raise => "raise",
            Self::Release => "release",
            Self::Inspect => "inspect",
            Self::Look => "a look",
            Self::Mark => "a change of the marker",
        }
    }

    /// The text for one server process. KEYS: main key, auxiliary key. ARGV: owner, TTL in milliseconds, deadline in the
    /// server's microseconds; where there is a fence also for how long to keep the counter, in milliseconds, and then
    /// hint and span (acquire), or the least value (extend, raise). Extend has two empty ones without a fence, and a sixth if
    /// it is to restore. A look has none of them; for a change of the marker see [`MARK`].
    pub(super) fn render(self, run_id: &str, guard: Guard<'_>, protections: &Protections) -> String {
        let stale = if protections.stale_deadline() { STALE } else { "" };
        let marked = guard.compare(protections);
        let store = guard.store();
        let prolong = if protections.never_shorten() { PROLONG } else { PROLONG_OR_SHORTEN };
        let clamp = if protections.fence_clamp() { CLAMPED } else { UNCLAMPED };
        // A counter that was lost under its lock is begun anew.
        let again = if protections.fence_once() {
            "if c==0 then c=math.min(n,9007199254740991) end"
        } else {
            "c=math.max(c+ARGV[6],n)"
        };
        let body = match self {
            Self::Acquire => format!(
                "{stale} {marked} {admitted} if not ARGV[4] then \
                 if redis.call('SET',KEYS[1],ARGV[1],'NX','PX',ARGV[2]) then return {{0,now}} end \
                 if redis.call('GET',KEYS[1])==ARGV[1] then {prolong} return {{0,now}} end {HELD_BY_ANOTHER} end \
                 {clamp} {next} \
                 if n<9007199254740992 and redis.call('SET',KEYS[1],ARGV[1],'NX','PX',ARGV[2]) then \
                 {count} {note} return {{0,now,c}} end \
                 local v=redis.call('GET',KEYS[1]) \
                 if v==ARGV[1] then {COUNTER} {again} {store} {prolong} return {{0,now,c}} end \
                 if v then {HELD_BY_ANOTHER} end return {{4,now}}",
                admitted = guard.admitted(),
                next = NEXT.replace("FLOOR", &guard.floor().to_string()),
                count = COUNT.replace("KEEP", KEEP),
                note = guard.note(),
            ),
            Self::Extend => {
                let owned = if protections.extend_owner_check() { "v==ARGV[1]" } else { "v" };
                let give =
                    format!("if v then {prolong} else redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) end");
                format!(
                    "{stale} {marked} local v=redis.call('GET',KEYS[1]) if {owned} or (ARGV[6] and not v) then \
                     if ARGV[4]=='' then {give} return {{0,now}} end \
                     {COUNTER} c=math.max(c,tonumber(ARGV[5])) {give} {store} return {{0,now,c}} end \
                     if v then {HELD_BY_ANOTHER} end return {{2,now}}"
                )
            }
            Self::Raise => format!(
                "{stale} {marked} local v=redis.call('GET',KEYS[1]) if v==ARGV[1] then \
                 {COUNTER} c=math.max(c,tonumber(ARGV[5])) {store} return {{0,now,c}} end \
                 if v then {HELD_BY_ANOTHER} end return {{2,now}}"
            ),
            Self::Release => {
                let owned = if protections.release_owner_check() { "==ARGV[1]" } else { "" };
                format!(
                    "if redis.call('GET',KEYS[1]){owned} then redis.call('DEL',KEYS[1]) return {{0,now}} end \
                     return {{2,now}}"
                )
            }
            Self::Inspect => {
                format!(
                    "{COUNTER} if redis.call('GET',KEYS[1]) then return {{1,now,redis.call('PTTL',KEYS[1]),c}} end \
                     return {{2,now,-1,c}}"
                )
            }
            Self::Look => format!("{} {}", guard.is_unchanged(), guard.ceiling()),
            Self::Mark => MARK.to_owned(),
        };
        format!("-- redlock {run_id}\n{CLOCK} {body}")
    }
}

/// Changes the marker, KEYS[1]. ARGV: the text that is to be there now (nothing: none), the fields before its birth, birth
/// and end of quarantine (both empty: now, and ARGV[5] microseconds later), the floor, the fields behind it, and whether
/// the quarantine must be over.
const MARK: &str = "if (redis.call('GET',KEYS[1]) or '')~=ARGV[1] then return {6,now} end \
    local born,till=ARGV[3],ARGV[4] \
    if born=='' then born=string.format('%.0f',now) till=string.format('%.0f',now+ARGV[5]) end \
    if ARGV[8]=='1' and now<tonumber(till) then return {5,now} end \
    redis.call('SET',KEYS[1],ARGV[2]..' '..born..' '..till..' '..ARGV[6]..' '..ARGV[7]) return {0,now}";

impl Guard<'_> {
    /// Does nothing unless the marker is the one that was judged.
    fn compare(self, protections: &Protections) -> String {
        if !protections.marker_check() {
            return String::new();
        }
        match self {
            Self::Off => String::new(),
            Self::Unmarked { .. } => "do return {6,now} end".to_owned(),
            Self::Marked { text, .. } => {
                format!("if redis.call('GET','{}')~='{text}' then return {{6,now}} end", keys::MARKER)
            }
        }
    }

    /// Says whether the key of the marker is as it was when the connection was set up.
    fn is_unchanged(self) -> String {
        let there = match self {
            Self::Off => return String::new(),
            Self::Unmarked { there } => there,
            Self::Marked { text, .. } => text,
        };
        if !marker::is_plain(there) {
            return "do return {6,now} end".to_owned();
        }
        format!("if (redis.call('GET','{}') or '')~='{there}' then return {{6,now}} end", keys::MARKER)
    }

    /// Gives nothing new in quarantine.
    fn admitted(self) -> String {
        match self {
            Self::Marked { until, floor: None, .. } => {
                format!("do return {{5,now,math.max(0,math.ceil(({until}-now)/1000))}} end")
            }
            _ => String::new(),
        }
    }

    /// Where counters begin.
    fn floor(self) -> u64 {
        match self {
            Self::Marked { floor: Some(floor), .. } => floor,
            _ => 0,
        }
    }

    /// Stores a counter.
    fn store(self) -> String {
        format!("{} {}", STORE.replace("KEEP", KEEP), self.note())
    }

    /// Notes the highest of the counters that a second of lead over the server's time does not explain.
    fn note(self) -> String {
        match self {
            Self::Off => String::new(),
            _ => format!(
                "if c>now+1000000 and c>tonumber(redis.call('GET','{top}') or 0) then \
                 redis.call('SET','{top}',c) end",
                top = keys::TOP
            ),
        }
    }

    /// Answers what no counter is above.
    fn ceiling(self) -> String {
        let floor = match self {
            Self::Off => return "return {0,now}".to_owned(),
            Self::Unmarked { .. } => 0,
            Self::Marked { floor, .. } => floor.unwrap_or(0),
        };
        format!(
            "return {{0,now,math.min(9007199254740991,math.max({floor},now+1000000,\
             tonumber(redis.call('GET','{}') or 0)))}}",
            keys::TOP
        )
    }
}

/// The hashes under which one server process knows the scripts.
#[derive(Debug)]
pub(super) struct Hashes(pub(super) [Str; 7]);

impl Hashes {
    pub(super) fn of(&self, script: Script) -> &Str {
        &self.0[script as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_has_other_scripts() {
        for script in Script::ALL {
            let [one, other] =
                ["a", "b"].map(|run_id| script.render(run_id, Guard::Off, &Default::default()));
            assert_ne!(one, other);
            assert_eq!(one.lines().nth(1), other.lines().nth(1));
        }
    }

    #[test]
    fn hashes_are_found_under_the_script_they_belong_to() {
        let hashes = Hashes(Script::ALL.map(|script| format!("{script:?}").into()));
        for script in Script::ALL {
            assert_eq!(&hashes.of(script)[..], format!("{script:?}"));
        }
    }
}
