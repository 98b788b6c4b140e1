//! What our keys are called in an etcd.
//!
//! The main key of a lock is `prefix:name`. All other keys begin with a lead that no main key has, because a main key
//! that would is escaped.

use crate::id::LockName;

/// What every key of ours begins with that is not a lock's main key.
const LEAD: &[u8] = b"#redlock:";
const ESCAPED: &[u8] = b"#redlock:esc:";
const AUXILIARY: &[u8] = b"#redlock:aux:";
const SAID: &[u8] = b"#redlock:said:";
/// The key of a number that no fencing counter of this etcd is above.
pub(super) const TOP: &str = "#redlock:top";

/// The keys of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    /// Holds the owner token, on a lease.
    pub(super) main: Vec<u8>,
    /// Holds the fencing counter.
    pub(super) counter: Vec<u8>,
    /// Holds what the owner says of itself, on the lease of its lock: what is on another lease was said by another.
    pub(super) said: Vec<u8>,
}

impl Keys {
    pub(super) fn of(prefix: &str, name: &LockName) -> Self {
        let plain = match prefix {
            "" => name.as_bytes().to_vec(),
            prefix => [prefix.as_bytes(), b":", name.as_bytes()].concat(),
        };
        let main = if plain.starts_with(LEAD) { [ESCAPED, &plain].concat() } else { plain };
        Self { counter: [AUXILIARY, &main].concat(), said: [SAID, &main].concat(), main }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(prefix: &str, name: &str) -> [String; 2] {
        let keys = Keys::of(prefix, &LockName::new(name).unwrap());
        [keys.main, keys.counter].map(|key| String::from_utf8(key).unwrap())
    }

    #[test]
    fn keys_of_locks_and_of_counters_never_collide() {
        assert_eq!(keys("due:lock", "x"), ["due:lock:x", "#redlock:aux:due:lock:x"]);
        assert_eq!(keys("", "x"), ["x", "#redlock:aux:x"]);
        for (prefix, name) in [("", "#redlock:top"), ("#redlock", "top"), ("", "#redlock:aux:x")] {
            let [main, counter] = keys(prefix, name);
            assert!(main.starts_with("#redlock:esc:#redlock:"), "{main}");
            assert_eq!(counter, format!("#redlock:aux:{main}"));
        }
    }
}
