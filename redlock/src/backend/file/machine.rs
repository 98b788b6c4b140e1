//! Whose clock the times in the records are of: this boot of this machine, and this time namespace.

use std::fs;
use std::io;

/// One clock. Processes that read the same one may share locks; a record of another one cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// Different after every boot.
    boot_id: String,
    /// Clocks of time namespaces differ. 0: there are none.
    time_namespace: u64,
}

impl Machine {
    #[cfg(feature = "testing")]
    pub(super) fn new(boot_id: String, time_namespace: u64) -> Self {
        Self { boot_id, time_namespace }
    }

    /// This one.
    #[cfg(target_os = "linux")]
    pub(super) fn this() -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;

        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let is_id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        if !is_id(&boot_id) {
            let problem = "/proc/sys/kernel/random/boot_id holds no id";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let time_namespace = match fs::metadata("/proc/self/ns/time") {
            Ok(namespace) => namespace.ino(),
            // Before Linux 5.6 there is but one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { boot_id, time_namespace })
    }

    /// This one. Its boots cannot be told apart here: a lock of before lasts until its TTL is over, by the clock of now.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn this() -> io::Result<Self> {
        Ok(Self { boot_id: "any".to_owned(), time_namespace: 0 })
    }

    /// The name of the folder for locks whose times are of this clock.
    pub(super) fn folder(&self) -> String {
        format!("{FOLDER}{}-{}", self.boot_id, self.time_namespace)
    }
}

/// The names of such folders begin like this.
pub(super) const FOLDER: &str = "clock-";
