//! Which group a name belongs to: rendezvous hashing (highest random weight; Thaler and Ravishankar, 1998).
//!
//! All clients of all versions and languages must choose alike, for ever, so the hash is fixed: FNV-1a with 64 bits (offset basis
//! `cbf29ce484222325`, prime `100000001b3`) over bytes, and one step of SplitMix64 as the mixer. Both are a few lines in any
//! language and have no key. FNV-1a alone would not do: its high bits hardly depend on the last bytes.

use crate::env::split_mix;

/// The hash of a group's name, which is needed for every lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupHash(u64);

impl GroupHash {
    pub(super) fn of(group: &str) -> Self {
        Self(split_mix(fnv1a(group.as_bytes())))
    }

    /// How much this group wants the name: the group with the highest score has it.
    fn score(self, name: u64) -> u64 {
        split_mix(name ^ self.0)
    }
}

/// The index of the group that the name belongs to, of groups that are sorted by name; 0 for none.
pub(super) fn owner(groups: impl Iterator<Item = GroupHash>, name: &[u8]) -> usize {
    let name = fnv1a(name);
    // Of equal scores, which are as good as impossible, the first counts.
    let mut best = None;
    for (index, group) in groups.enumerate() {
        let score = group.score(name);
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((index, score));
        }
    }
    best.map_or(0, |(index, _)| index)
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner_of<'a>(groups: &[&'a str], name: &[u8]) -> &'a str {
        let mut sorted = groups.to_vec();
        sorted.sort_unstable();
        sorted[owner(sorted.iter().map(|group| GroupHash::of(group)), name)]
    }

    #[test]
    fn the_parts_are_the_published_functions() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        // The first three numbers of SplitMix64 with the seed 1234567.
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        let numbers = [0, 1, 2].map(|n| split_mix(step.wrapping_mul(n).wrapping_add(1_234_567)));
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn the_score_is_what_the_documentation_says() {
        let scores = ["a", "b", "c", "d"].map(|group| GroupHash::of(group).score(fnv1a(b"invoice:42")));
        assert_eq!(
            scores,
            [0xb173_e572_d168_c10c, 0x83f9_eb29_4c8c_23b5, 0x0f1c_63f8_c160_fce3, 0xcd6b_cb86_b7e1_b633]
        );
        assert_eq!(GroupHash::of("a").score(fnv1a(b"\x00\xff")), 0x3f91_8d4c_fae0_07ac);
    }

    #[test]
    fn names_are_shared_out_evenly() {
        const NAMES: u32 = 12_000;
        for groups in [&["a", "b", "c"][..], &["eu-1", "eu-2", "eu-3", "us-1", "us-2", "us-3"]] {
            for pattern in ["{}", "invoice:{}", "tenant-{}/report"] {
                let mut counts = vec![0_u32; groups.len()];
                for number in 0..NAMES {
                    let name = pattern.replace("{}", &number.to_string());
                    let owner = owner_of(groups, name.as_bytes());
                    counts[groups.iter().position(|group| *group == owner).unwrap()] += 1;
                }
                // Chi squared: above 25 once in 10,000 for 5 degrees of freedom, and for 2 more rarely.
                let expected = f64::from(NAMES) / groups.len() as f64;
                let chi: f64 =
                    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
                assert!(chi < 25.0, "{pattern}: {counts:?}, chi squared {chi}");
            }
        }
    }

    #[test]
    fn one_group_more_takes_its_share_and_no_more() {
        const NAMES: u32 = 30_000;
        let moved = (0..NAMES)
            .filter(|number| {
                let name = format!("job-{number}");
                let before = owner_of(&["a", "b", "c"], name.as_bytes());
                before != owner_of(&["a", "b", "c", "d"], name.as_bytes())
            })
            .count();
        // A quarter, give or take 4 standard deviations (75).
        assert!((7_200..=7_800).contains(&moved), "{moved}");
    }

    proptest! {
        #[test]
        fn a_name_moves_only_to_the_new_group_or_from_the_one_that_went(
            groups in proptest::collection::hash_set("[a-z0-9-]{1,8}", 2..8),
            name in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            let all: Vec<&str> = groups.iter().map(String::as_str).collect();
            let (new, fewer) = all.split_first().unwrap();
            let (before, after) = (owner_of(fewer, &name), owner_of(&all, &name));
            prop_assert!(after == before || after == *new);
            let mut reversed = all.clone();
            reversed.reverse();
            prop_assert_eq!(owner_of(&reversed, &name), after);
        }
    }
}
