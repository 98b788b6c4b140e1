//! The Lua that runs on the server: one script per operation.
//!
//! Every script reads the server's clock first and answers `{code, clock}` or `{code, clock, pttl}`, all integers; the
//! clock is in microseconds, far below the 2^53 up to which Lua counts exactly. A script writes at most once, and
//! that is the last thing it does: whatever makes it fail has left nothing behind.
//!
//! The first line carries the server's `run_id`. Scripts are called by their hash alone (EVALSHA, never EVAL), so that
//! another process behind the same address answers NOSCRIPT instead of granting what its predecessor has forgotten.

use fred::bytes_utils::Str;

use crate::protections::Protections;

/// The operations, in the order in which their scripts are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Acquire,
    Extend,
    Release,
    Inspect,
}

/// What a script's answer begins with.
pub(super) mod code {
    pub(in super::super) const DONE: i64 = 0;
    pub(in super::super) const HELD: i64 = 1;
    pub(in super::super) const MISSING: i64 = 2;
    pub(in super::super) const STALE: i64 = 3;
}

const CLOCK: &str = "local t=redis.call('TIME') local now=t[1]*1000000+t[2]";
const STALE: &str = "if now>tonumber(ARGV[3]) then return {3,now} end";
/// Gives the key ARGV[2] milliseconds, unless it has more already, or no end at all.
const PROLONG: &str = "local p=redis.call('PTTL',KEYS[1]) \
    if p>=0 and p<tonumber(ARGV[2]) then redis.call('PEXPIRE',KEYS[1],ARGV[2]) end";
const PROLONG_OR_SHORTEN: &str = "redis.call('PEXPIRE',KEYS[1],ARGV[2])";
const HELD_BY_ANOTHER: &str = "return {1,now,redis.call('PTTL',KEYS[1])}";

impl Script {
    pub(super) const ALL: [Self; 4] = [Self::Acquire, Self::Extend, Self::Release, Self::Inspect];

    /// What it does, for errors.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Extend => "extend",
            Self::Release => "release",
            Self::Inspect => "inspect",
        }
    }

    /// The text for one server process. KEYS[1] is the main key; ARGV: owner, TTL in milliseconds, deadline in the
    /// server's microseconds.
    pub(super) fn render(self, run_id: &str, protections: &Protections) -> String {
        let stale = if protections.stale_deadline() { STALE } else { "" };
        let prolong = if protections.never_shorten() { PROLONG } else { PROLONG_OR_SHORTEN };
        let body = match self {
            Self::Acquire => format!(
                "{stale} if redis.call('SET',KEYS[1],ARGV[1],'NX','PX',ARGV[2]) then return {{0,now}} end \
                 if redis.call('GET',KEYS[1])==ARGV[1] then {prolong} return {{0,now}} end {HELD_BY_ANOTHER}"
            ),
            Self::Extend => {
                let owned = if protections.extend_owner_check() { "v==ARGV[1]" } else { "v" };
                format!(
                    "{stale} local v=redis.call('GET',KEYS[1]) if {owned} then {prolong} return {{0,now}} end \
                     if v then {HELD_BY_ANOTHER} end return {{2,now}}"
                )
            }
            Self::Release => {
                let owned = if protections.release_owner_check() { "==ARGV[1]" } else { "" };
                format!(
                    "if redis.call('GET',KEYS[1]){owned} then redis.call('DEL',KEYS[1]) return {{0,now}} end \
                     return {{2,now}}"
                )
            }
            Self::Inspect => {
                format!("if redis.call('GET',KEYS[1]) then {HELD_BY_ANOTHER} end return {{2,now}}")
            }
        };
        format!("-- redlock {run_id}\n{CLOCK} {body}")
    }
}

/// The hashes under which one server process knows the scripts.
#[derive(Debug)]
pub(super) struct Hashes(pub(super) [Str; 4]);

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
            let [one, other] = ["a", "b"].map(|run_id| script.render(run_id, &Default::default()));
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
