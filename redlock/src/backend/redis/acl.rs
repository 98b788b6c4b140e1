//! What the user of a node must be allowed to do: the one place that says it.

use super::RedisConfig;
use super::keys;

/// What every node runs.
const COMMANDS: [&str; 10] = [
    "+info",
    "+script|load",
    "+evalsha",
    "+time",
    "+get",
    "+set",
    "+del",
    "+pttl",
    "+pexpire",
    "+client|tracking",
];
/// A trusted append only file is looked for in the configuration.
const TRUST_AOF: &str = "+config|get";
/// Another database than 0 is selected.
const DATABASE: &str = "+select";

/// The least rule, as ACL SETUSER takes it: one word for each right.
pub(super) fn rule(config: &RedisConfig) -> String {
    let mut words: Vec<String> = Vec::new();
    let own = main_keys(&config.prefix);
    // Whoever may use all keys needs no further word for some of them.
    let all = own == "*";
    words.push(format!("~{own}"));
    if !all {
        words.push(format!("~{}", auxiliary_keys()));
    }
    if config.restart_guard && !all {
        words.extend([keys::MARKER, keys::TOP].map(|key| format!("~{key}")));
    }
    words.extend(COMMANDS.map(str::to_owned));
    words.extend((config.restart_guard && config.trust_aof).then(|| TRUST_AOF.to_owned()));
    words.extend((config.database() != 0).then(|| DATABASE.to_owned()));
    words.join(" ")
}

/// The pattern of all locks' main keys.
pub(super) fn main_keys(prefix: &str) -> String {
    if prefix.is_empty() {
        return "*".to_owned();
    }
    let key = keys::escaped(format!("{prefix}:").into_bytes());
    // It was UTF-8, and the lead that may have been put before it is.
    format!("{}*", literal(&String::from_utf8_lossy(&key)))
}

/// The pattern of the keys beside them.
pub(super) fn auxiliary_keys() -> String {
    format!("{}*", keys::AUXILIARY_LEAD)
}

/// A pattern that matches this text. What no word of a rule can contain matches any one byte.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' | '?' | '[' | ']' | '\\' => pattern.extend(['\\', character]),
            _ if character.is_ascii_whitespace() || character.is_ascii_control() => pattern.push('?'),
            _ => pattern.push(character),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_adds_its_own_rights() {
        let plain = RedisConfig::new("h");
        let commands = COMMANDS.join(" ");
        assert_eq!(rule(&plain), format!("~redlock:* ~#redlock:aux:* {commands}"));
        let guarded = plain.clone().restart_guard(true);
        let all = format!("~redlock:* ~#redlock:aux:* ~#redlock:marker ~#redlock:top {commands}");
        assert_eq!(rule(&guarded), all);
        assert_eq!(rule(&guarded.trust_aof(true)), format!("{all} +config|get"));
        // Without the guard nobody asks for it.
        assert_eq!(rule(&plain.clone().trust_aof(true)), rule(&plain));
        assert_eq!(rule(&plain.clone().db(1)), format!("{} +select", rule(&plain)));
        assert_eq!(rule(&plain.prefix("").restart_guard(true)), format!("~* {commands}"));
    }

    #[test]
    fn a_prefix_is_taken_literally() {
        for (prefix, pattern) in [
            ("a*b?c[d]e\\f", "a\\*b\\?c\\[d\\]e\\\\f:*"),
            ("two words\n", "two?words?:*"),
            ("due:lock", "due:lock:*"),
            ("#redlock", "#redlock:esc:#redlock:*"),
            ("#redlock:x", "#redlock:esc:#redlock:x:*"),
        ] {
            assert_eq!(main_keys(prefix), pattern);
        }
    }
}
