//! What our keys are called on a Redis.
//!
//! The main key of a lock is what other Redlock clients use: `prefix:name`. All other keys begin with a lead that no
//! main key has, because a main key that would is escaped.

use fred::util::redis_keyslot;

use crate::id::LockName;

/// What every key of ours begins with that is not a lock's main key.
const LEAD: &[u8] = b"#redlock:";
const ESCAPED: &[u8] = b"#redlock:esc:";
const AUXILIARY: &[u8] = b"#redlock:aux:{";
/// What every auxiliary key begins with.
pub(super) const AUXILIARY_LEAD: &str = "#redlock:aux:";
/// The key of a node's marker.
pub(super) const MARKER: &str = "#redlock:marker";
/// The key of the highest counter that was further ahead of the server's time than counters are by themselves.
pub(super) const TOP: &str = "#redlock:top";

/// The key that holds the owner token.
pub(super) fn main(prefix: &str, name: &LockName) -> Vec<u8> {
    let plain = match prefix {
        "" => name.as_bytes().to_vec(),
        prefix => [prefix.as_bytes(), b":", name.as_bytes()].concat(),
    };
    escaped(plain)
}

/// A main key, or the beginning of some, as it is kept: it never begins like our other keys.
pub(super) fn escaped(plain: Vec<u8>) -> Vec<u8> {
    if plain.starts_with(LEAD) { [ESCAPED, &plain].concat() } else { plain }
}

/// The key for all else that a node knows of a name, in the same Cluster slot as its main key.
pub(super) fn auxiliary(main: &[u8]) -> Vec<u8> {
    match hash_tag(main) {
        Some(tag) => [AUXILIARY, tag, b"}", main].concat(),
        None if !main.contains(&b'}') => [AUXILIARY, main, b"}"].concat(),
        // As a tag it would end too early: another tag that happens to lie in the same slot must do.
        None => [AUXILIARY, tag_in_slot(redis_keyslot(main)).as_bytes(), b"}", main].concat(),
    }
}

/// The part of a key that alone decides its slot: between the first `{` and the first `}` behind it, unless empty.
fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|&byte| byte == b'{')?;
    let behind = &key[open + 1..];
    let close = behind.iter().position(|&byte| byte == b'}')?;
    Some(&behind[..close]).filter(|tag| !tag.is_empty())
}

/// The smallest number whose digits lie in this slot; they are spread evenly, so that some 16,384 are looked at.
fn tag_in_slot(slot: u16) -> String {
    (0_u64..).map(|n| n.to_string()).find(|tag| redis_keyslot(tag.as_bytes()) == slot).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn name(bytes: impl AsRef<[u8]>) -> LockName {
        LockName::new(bytes).unwrap()
    }

    #[test]
    fn a_main_key_is_what_other_redlock_clients_use() {
        assert_eq!(main("due:lock", &name("x")), b"due:lock:x");
        assert_eq!(main("", &name("x")), b"x");
        assert_eq!(main("", &name("#redlock:marker")), b"#redlock:esc:#redlock:marker");
        assert_eq!(main("#redlock", &name("marker")), b"#redlock:esc:#redlock:marker");
    }

    #[test]
    fn an_auxiliary_key_shows_its_slot() {
        assert_eq!(auxiliary(b"a:b"), b"#redlock:aux:{a:b}");
        assert_eq!(auxiliary(b"a:{b}c"), b"#redlock:aux:{b}a:{b}c");
        assert_eq!(
            auxiliary(b"{}a"),
            [&b"#redlock:aux:{"[..], tag_in_slot(redis_keyslot(b"{}a")).as_bytes(), b"}{}a"].concat()
        );
    }

    /// Braces and the lead often, so that the odd cases are common.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'a'), any::<u8>()], 0..6),
            Just(LEAD.to_vec()),
            Just(b"#redlock".to_vec()),
            Just(b"aux:".to_vec()),
            Just(b"esc:".to_vec()),
            Just(b"marker".to_vec()),
        ];
        vec(piece, 1..4)
            .prop_map(|pieces| pieces.concat())
            .prop_filter("a key is never empty", |key| !key.is_empty())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_auxiliary_key_lies_in_the_slot_of_its_main_key(key in bytes()) {
            prop_assert_eq!(redis_keyslot(&auxiliary(&key)), redis_keyslot(&key));
        }

        #[test]
        fn no_two_keys_collide(one in bytes(), other in bytes(), prefix in prop_oneof![Just(""), Just("#redlock"), Just("p")]) {
            let (one_main, other_main) = (main(prefix, &name(&one)), main(prefix, &name(&other)));
            prop_assert_eq!(one == other, one_main == other_main);
            prop_assert_eq!(one == other, auxiliary(&one_main) == auxiliary(&other_main));
            prop_assert_ne!(&auxiliary(&one_main), &other_main);
            for own in [MARKER, TOP] {
                prop_assert_ne!(&other_main[..], own.as_bytes());
                prop_assert_ne!(&auxiliary(&one_main)[..], own.as_bytes());
            }
        }

        #[test]
        fn an_auxiliary_key_gives_its_main_key_back(key in bytes()) {
            let auxiliary = auxiliary(&key);
            let behind = auxiliary.strip_prefix(AUXILIARY).unwrap();
            let close = behind.iter().position(|&byte| byte == b'}').unwrap();
            let (tag, rest) = (&behind[..close], &behind[close + 1..]);
            prop_assert_eq!(if rest.is_empty() { tag } else { rest }, &key[..]);
        }
    }
}
