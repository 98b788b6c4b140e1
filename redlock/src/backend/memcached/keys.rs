//! What our items are called on a memcached.
//!
//! The main key of a lock is what due uses: `prefix:name`. memcached's keys have at most 250 bytes, and neither blanks nor control
//! characters; what does not fit is written otherwise, and all of that begins with a lead that no plain key has.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use sha2::{Digest, Sha256};

use crate::id::LockName;

/// What every key of ours begins with that is not a lock's plain one.
const LEAD: &[u8] = b"#redlock:";
const ESCAPED: &[u8] = b"#redlock:esc:";
const HASHED: &[u8] = b"#redlock:sha:";
const AUXILIARY: &[u8] = b"#redlock:aux:";
const AUXILIARY_OF_LONG: &[u8] = b"#redlock:aux#";
/// The key of the marker.
pub(super) const MARKER: &[u8] = b"#redlock:marker";
/// The key of the highest counter that was further ahead of the server's time than counters are by themselves.
pub(super) const TOP: &[u8] = b"#redlock:top";
/// The key of a random number that tells servers apart.
pub(super) const ID: &[u8] = b"#redlock:id";

const LONGEST: usize = 250;
/// What memcached does not take, and what would make it ambiguous; bytes above ASCII are encoded too.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// The key that holds the owner token.
pub(super) fn main(prefix: &str, name: &LockName) -> Vec<u8> {
    let plain = match prefix {
        "" => name.as_bytes().to_vec(),
        prefix => [prefix.as_bytes(), b":", name.as_bytes()].concat(),
    };
    let fits = plain.iter().all(|&byte| byte > b' ' && byte != 0x7f);
    if fits && plain.len() <= LONGEST && !plain.starts_with(LEAD) {
        return plain;
    }
    let encoded = percent_encode(&plain, ENCODED).to_string();
    let escaped = [ESCAPED, encoded.as_bytes()].concat();
    if escaped.len() <= LONGEST { escaped } else { hashed(HASHED, &plain) }
}

/// The key for the fencing counter.
pub(super) fn auxiliary(main: &[u8]) -> Vec<u8> {
    let key = [AUXILIARY, main].concat();
    if key.len() <= LONGEST { key } else { hashed(AUXILIARY_OF_LONG, main) }
}

fn hashed(lead: &[u8], text: &[u8]) -> Vec<u8> {
    let mut key = lead.to_vec();
    key.extend(Sha256::digest(text).iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
    key
}

/// Which of so many servers keeps a key: due's rule.
pub(super) fn server_of(key: &[u8], servers: usize) -> usize {
    let servers = u32::try_from(servers).unwrap_or(u32::MAX).max(1);
    usize::try_from(crc32fast::hash(key) % servers).unwrap_or(0)
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
    fn a_main_key_is_what_due_uses_wherever_memcached_takes_it() {
        assert_eq!(main("due:lock", &name("x")), b"due:lock:x");
        assert_eq!(main("", &name("x%20y")), b"x%20y");
        assert_eq!(main("", &name([b'x'; 250])), [b'x'; 250]);
        assert_eq!(main("", &name("h\u{e9}")), "h\u{e9}".as_bytes());
    }

    #[test]
    fn what_memcached_does_not_take_is_written_otherwise() {
        assert_eq!(main("p", &name("a b")), b"#redlock:esc:p:a%20b");
        assert_eq!(main("", &name("#redlock:marker")), b"#redlock:esc:#redlock:marker");
        assert_eq!(main("#redlock", &name("marker")), b"#redlock:esc:#redlock:marker");
        let long = main("", &name([b'x'; 251]));
        assert!(long.starts_with(HASHED) && long.len() == HASHED.len() + 64);
        assert_eq!(auxiliary(b"a:b"), b"#redlock:aux:a:b");
        assert!(auxiliary(&[b'x'; 250]).starts_with(AUXILIARY_OF_LONG));
    }

    #[test]
    fn a_server_is_chosen_as_due_chooses_it() {
        // CRC-32 (IEEE) of "123456789" is cbf43926, its check value.
        assert_eq!(server_of(b"123456789", 1), 0);
        assert_eq!(server_of(b"123456789", 3), 0xcbf4_3926 % 3);
        assert_eq!(server_of(b"123456789", 5), 0xcbf4_3926 % 5);
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            vec(any::<u8>(), 1..6),
            vec(Just(b'a'), 1..250),
            Just(b" ".to_vec()),
            Just(b"%20".to_vec()),
            Just(LEAD.to_vec()),
            Just(b"#redlock".to_vec()),
            Just(b"aux:".to_vec()),
            Just(b"esc:".to_vec()),
            Just(b"marker".to_vec()),
        ];
        vec(piece, 1..3).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn keys_fit_and_no_two_collide(
            one in bytes(),
            other in bytes(),
            prefix in prop_oneof![Just(""), Just("#redlock"), Just("p"), Just("a b")],
        ) {
            let (one_main, other_main) = (main(prefix, &name(&one)), main(prefix, &name(&other)));
            prop_assert_eq!(one == other, one_main == other_main);
            prop_assert_eq!(one == other, auxiliary(&one_main) == auxiliary(&other_main));
            prop_assert_ne!(&auxiliary(&one_main), &other_main);
            for key in [one_main.clone(), auxiliary(&one_main)] {
                prop_assert!((1..=250).contains(&key.len()));
                prop_assert!(key.iter().all(|&byte| byte > b' ' && byte != 0x7f));
                prop_assert!(![MARKER, TOP, ID].contains(&&key[..]));
            }
        }
    }
}
