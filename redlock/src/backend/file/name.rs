//! From the name of a lock to the name of its file.

/// File names are no longer than this; 255 bytes is what file systems have.
const LONGEST: usize = 200;
/// Of a longer one this much stays readable.
const READABLE: usize = 150;

/// What is locked, as it stands in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// `prefix:name`, on one line: other bytes than those that file names can have everywhere are `%XX`. No two names have one
    /// text.
    pub(super) text: String,
    /// The name of the file: the text, or where that is too long its beginning and its hash.
    pub(super) file: String,
}

impl Key {
    pub(super) fn new(prefix: &str, name: &[u8]) -> Self {
        let separator: &[u8] = if prefix.is_empty() { b"" } else { b":" };
        let bytes = [prefix.as_bytes(), separator, name].concat();
        let mut text = String::with_capacity(bytes.len());
        for (at, &byte) in bytes.iter().enumerate() {
            let is_plain = byte.is_ascii_alphanumeric() || b"-_=@+,:".contains(&byte);
            // A file that begins with a dot is hidden, or is the directory itself.
            if is_plain || (byte == b'.' && at > 0) {
                text.push(char::from(byte));
            } else {
                text.push('%');
                text.push(hex(byte >> 4));
                text.push(hex(byte & 15));
            }
        }
        Self::from_text(&text)
    }

    /// The key that has this text.
    pub(super) fn from_text(text: &str) -> Self {
        let file = if text.len() <= LONGEST {
            text.to_owned()
        } else {
            // No short name has "%-" in it.
            let readable = text.get(..READABLE).unwrap_or_default();
            format!("{readable}%-{:032x}", hash(text.as_bytes()))
        };
        Self { text: text.to_owned(), file }
    }

    /// Spreads keys evenly.
    pub(super) fn number(&self) -> usize {
        #[allow(clippy::cast_possible_truncation, reason = "any part of it will do")]
        let number = hash(self.text.as_bytes()) as usize;
        number
    }
}

fn hex(digit: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(digit & 15)])
}

/// FNV-1a with 128 bits: names that are chosen to collide get an error, since the record has the whole name.
pub(super) fn hash(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn file(name: impl AsRef<[u8]>) -> String {
        Key::new("", name.as_ref()).file
    }

    #[test]
    fn plain_names_stay_as_they_are_and_all_others_are_escaped() {
        assert_eq!(Key::new("redlock", b"invoice:42").file, "redlock:invoice:42");
        assert_eq!(file("a/b %\n"), "a%2Fb%20%25%0A");
        assert_eq!(file("."), "%2E");
        assert_eq!(file(".."), "%2E.");
        assert_eq!(file(b"\xff\0"), "%FF%00");
    }

    #[test]
    fn no_two_names_have_one_file_and_every_file_name_is_short_and_safe() {
        let long = "x".repeat(512);
        let names: Vec<Vec<u8>> = (0..=255u8)
            .map(|byte| vec![byte])
            .chain(["a%2Fb", "a/b", "A", "a"].map(|name| name.as_bytes().to_vec()))
            .chain((140..=512).map(|length| long.as_bytes()[..length].to_vec()))
            .chain((0..=255u8).map(|byte| [&[b'x'; 300][..], &[byte]].concat()))
            .collect();
        let distinct: BTreeSet<&Vec<u8>> = names.iter().collect();
        let files: BTreeSet<String> = distinct.iter().map(file).collect();
        assert_eq!(files.len(), distinct.len());
        assert!(
            files.iter().all(|file| file.len() <= LONGEST && !file.contains('/') && !file.starts_with('.'))
        );
    }
}
