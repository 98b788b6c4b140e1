//! Where things lie in the tree, and how names become parts of paths.

use crate::id::LockName;

/// Names of the library's own begin so; a lock's name that does is escaped.
const OWN: &str = "#redlock:";

/// The paths of one prefix.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Without a slash at its end; empty: the root.
    root: String,
}

impl Tree {
    pub(super) fn new(folder: &str, prefix: &str) -> Self {
        let parts = folder.split('/').chain(prefix.split('/')).filter(|part| !part.is_empty());
        let root = parts.fold(String::new(), |root, part| root + "/" + &escape(part.as_bytes()));
        Self { root }
    }

    /// What everything lies in, to be created; `None`: the root, which is there.
    pub(super) fn root(&self) -> Option<&str> {
        Some(self.root.as_str()).filter(|root| !root.is_empty())
    }

    /// The same, to be looked at.
    pub(super) fn shown_root(&self) -> &str {
        self.root().unwrap_or("/")
    }

    pub(super) fn name(&self, name: &LockName) -> Place {
        self.place(&escape(name.as_bytes()))
    }

    /// Of a part of a path as it stands in the tree; `None` if it is one of the library's own.
    pub(super) fn listed(&self, part: &str) -> Option<Place> {
        let reserved = part.starts_with(OWN) || (self.root.is_empty() && part == "zookeeper");
        (!reserved).then(|| self.place(part))
    }

    fn place(&self, part: &str) -> Place {
        let name = format!("{}/{part}", self.root);
        Place { lock: format!("{name}/lock"), name }
    }

    /// Tells ensembles apart.
    pub(super) fn identity(&self) -> String {
        format!("{}/{OWN}id", self.root)
    }

    /// No fencing counter is above its value.
    pub(super) fn top(&self) -> String {
        format!("{}/{OWN}top", self.root)
    }

    /// No counter that was removed was above its value.
    pub(super) fn swept(&self) -> String {
        format!("{}/{OWN}swept", self.root)
    }

    /// The parent of the sessions' markers.
    pub(super) fn sessions(&self) -> String {
        format!("{}/{OWN}sessions", self.root)
    }

    pub(super) fn session(&self, id: &str) -> String {
        format!("{}/{OWN}sessions/{id}", self.root)
    }
}

/// The paths of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The counter, and parent of all that concerns the name.
    pub(super) name: String,
    /// The lock itself.
    pub(super) lock: String,
}

impl Place {
    /// What the names of waiters begin with.
    pub(super) const WAITER: &'static str = "wait-";

    /// The path of a new waiter, without its number.
    pub(super) fn waiter(&self) -> String {
        format!("{}/{}", self.name, Self::WAITER)
    }

    /// The path of the child with this name.
    pub(super) fn child(&self, child: &str) -> String {
        format!("{}/{child}", self.name)
    }
}

/// One part of a path for any bytes; different ones for different bytes. What ZooKeeper or the separator forbids becomes
/// `%XX`, byte by byte; plain names stay as they are. The longest has three times [`LockName::MAX_BYTES`], which ZooKeeper takes.
pub(super) fn escape(name: &[u8]) -> String {
    let mut part = String::with_capacity(name.len());
    let hex = |part: &mut String, bytes: &[u8]| {
        for byte in bytes {
            part.push_str(&format!("%{byte:02X}"));
        }
    };
    // A whole part of this kind has a meaning of its own.
    let special = name == b"." || name == b".." || name == b"zookeeper" || name.starts_with(OWN.as_bytes());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let bytes = c.encode_utf8(&mut buffer).as_bytes();
            // Java's characters from D800 on are surrogates, private or special: ZooKeeper takes none of them.
            let is_plain = c != '/' && c != '%' && !c.is_control() && u32::from(c) < 0xD800;
            if is_plain && !(special && part.is_empty()) {
                part.push(c);
            } else {
                hex(&mut part, bytes);
            }
        }
        hex(&mut part, chunk.invalid());
    }
    part
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_readable_and_all_others_become_one_part() {
        for (name, part) in [
            (&b"invoice:42"[..], "invoice:42"),
            ("caf\u{e9} au lait".as_bytes(), "caf\u{e9} au lait"),
            (b"a/b", "a%2Fb"),
            (b"100%", "100%25"),
            (b".", "%2E"),
            (b"..", "%2E."),
            (b"...", "..."),
            (b"zookeeper", "%7Aookeeper"),
            (b"#redlock:id", "%23redlock:id"),
            (b"#1", "#1"),
            (b"a\0\n\x7f", "a%00%0A%7F"),
            (b"\xff\x00", "%FF%00"),
            ("\u{1f512}".as_bytes(), "%F0%9F%94%92"),
            ("\u{85}\u{e000}".as_bytes(), "%C2%85%EE%80%80"),
        ] {
            assert_eq!(escape(name), part);
        }
    }

    #[test]
    fn a_prefix_with_slashes_is_several_levels() {
        let name = LockName::new("a").unwrap();
        assert_eq!(Tree::new("/x/y", "due:lock").name(&name).lock, "/x/y/due:lock/a/lock");
        let root = Tree::new("", "");
        assert_eq!((root.root(), root.shown_root()), (None, "/"));
        assert_eq!(root.name(&name).name, "/a");
        assert_eq!(root.listed("zookeeper"), None);
        assert_eq!(root.listed("#redlock:id"), None);
    }

    proptest! {
        #[test]
        fn a_part_can_be_read_back(name in proptest::collection::vec(any::<u8>(), 1..40)) {
            let part = escape(&name);
            prop_assert!(!part.contains('/') && part != "." && part != "..");
            let mut bytes = Vec::new();
            let mut rest = part.bytes();
            while let Some(byte) = rest.next() {
                bytes.push(match byte {
                    b'%' => {
                        let digits = [rest.next().unwrap(), rest.next().unwrap()];
                        u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    byte => byte,
                });
            }
            prop_assert_eq!(bytes, name);
        }
    }
}
