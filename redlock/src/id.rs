//! The small values that everything else is made of, each validated when it is built.

mod marker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use marker::{Charter, Incarnation, Marker, Stage, Standing};

/// What is locked: any bytes, 1 to [`LockName::MAX_BYTES`] of them.
///
/// Names are compared byte by byte; no Unicode normalisation takes place. A backend whose keys are narrower
/// escapes what it must. Cloning is cheap (a shared pointer).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockName(Arc<[u8]>);

impl LockName {
    /// The longest name that is accepted, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`InvalidName`] if it is empty or longer than [`LockName::MAX_BYTES`].
    pub fn new(name: impl AsRef<[u8]>) -> Result<Self, InvalidName> {
        let bytes = name.as_ref();
        match bytes.len() {
            0 => Err(InvalidName::Empty),
            len if len > Self::MAX_BYTES => Err(InvalidName::TooLong { len }),
            _ => Ok(Self(bytes.into())),
        }
    }

    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for LockName {
    /// Readable in a terminal whatever the bytes are: control characters and invalid UTF-8 are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// The name has no bytes.
    #[error("the lock's name is empty; give it 1 to {} bytes", LockName::MAX_BYTES)]
    Empty,
    /// The name is longer than [`LockName::MAX_BYTES`].
    #[error(
        "the lock's name has {len} bytes; at most {} are allowed (hash it, or name what it stands for)",
        LockName::MAX_BYTES
    )]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

/// 160 random bits that prove ownership to a node. Fresh for every round, and never printed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerToken([u8; Self::BYTES]);

impl OwnerToken {
    /// Its length in bytes.
    pub const BYTES: usize = 20;

    /// Wraps bytes that the caller has drawn from the operating system's random source.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The raw bytes. A secret: whoever has them can release the lock.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The form in which it is stored on a node: 40 lower-case hexadecimal characters. A secret.
    pub fn to_hex(&self) -> String {
        self.hex().map(char::from).iter().collect()
    }

    /// The characters of [`OwnerToken::to_hex`].
    pub(crate) fn hex(&self) -> [u8; 2 * Self::BYTES] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 2 * Self::BYTES];
        for ([high, low], byte) in hex.as_chunks_mut().0.iter_mut().zip(self.0) {
            *high = DIGITS[usize::from(byte >> 4)];
            *low = DIGITS[usize::from(byte & 15)];
        }
        hex
    }
}

impl fmt::Debug for OwnerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerToken(secret)")
    }
}

/// A number that is strictly greater for every later holder of the same name. Hand it to the protected resource: one that
/// refuses a number below the largest it has seen is safe from holders that do not know yet that their time is up.
///
/// 1 to [`FencingToken::MAX`]; numbers are not consecutive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FencingToken(u64);

impl FencingToken {
    /// The largest token: nodes count in doubles, which are exact up to here.
    pub const MAX: u64 = (1 << 53) - 1;

    /// A token that a node's counter stands for; `None` outside 1..=[`FencingToken::MAX`].
    pub const fn new(counter: u64) -> Option<Self> {
        if counter >= 1 && counter <= Self::MAX { Some(Self(counter)) } else { None }
    }

    /// The token as a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long a node keeps a lock that is not renewed: [`Ttl::MIN`] to [`Ttl::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ttl(Duration);

impl Ttl {
    /// The shortest TTL: 10 ms. Below it the allowance for drift and one round trip leave nothing to hold.
    pub const MIN: Duration = Duration::from_millis(10);
    /// The longest TTL: 365 days.
    pub const MAX: Duration = Duration::from_secs(365 * 24 * 3600);

    /// Checks and wraps a TTL.
    ///
    /// # Errors
    /// [`InvalidTtl`] outside [`Ttl::MIN`]..=[`Ttl::MAX`]; zero is not "for ever".
    pub fn new(ttl: Duration) -> Result<Self, InvalidTtl> {
        if (Self::MIN..=Self::MAX).contains(&ttl) { Ok(Self(ttl)) } else { Err(InvalidTtl { ttl }) }
    }

    /// A TTL that is known to be in range when it is compiled.
    pub(crate) const fn from_const(ttl: Duration) -> Self {
        assert!(ttl.as_nanos() >= Self::MIN.as_nanos() && ttl.as_nanos() <= Self::MAX.as_nanos());
        Self(ttl)
    }

    /// The TTL as a duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// The TTL in whole milliseconds, rounded up: a node holds *at least* this long.
    pub fn as_millis_up(self) -> u64 {
        millis_up(self.0)
    }
}

/// A TTL outside [`Ttl::MIN`]..=[`Ttl::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a TTL of {ttl:?} is out of range; it must be between {:?} and 365 days", Ttl::MIN)]
pub struct InvalidTtl {
    /// What was asked for.
    pub ttl: Duration,
}

/// A point on the suspend-aware clock of this machine, in nanoseconds since it booted.
///
/// On Linux this is `CLOCK_BOOTTIME`, on macOS the continuous clock: both go on while the machine sleeps
/// (design, section 4: "a laptop that slept must not believe that it still holds a lock"). All arithmetic
/// saturates, so that no reply and no setting can wrap a validity around.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Instant(u64);

impl Instant {
    /// A point so many nanoseconds after the clock's origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This point and `duration` later; the end of time at the latest.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// This point and `duration` earlier; the clock's origin at the earliest.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.0))
    }
}

/// Whole milliseconds, rounded up.
pub(crate) fn millis_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_any_bytes_but_not_none_and_not_too_many() {
        assert_eq!(LockName::new(""), Err(InvalidName::Empty));
        assert_eq!(LockName::new([7; 513]), Err(InvalidName::TooLong { len: 513 }));
        assert!(LockName::new([0; 512]).is_ok());
        let odd = LockName::new(b"a\n\xff\xc3\xa9").unwrap();
        assert_eq!(odd.to_string(), "a\\n\\xffé");
    }

    #[test]
    fn a_ttl_is_bounded_on_both_sides_and_rounded_up() {
        for bad in [Duration::ZERO, Duration::from_micros(9_999), Duration::MAX] {
            assert_eq!(Ttl::new(bad), Err(InvalidTtl { ttl: bad }));
        }
        assert_eq!(Ttl::new(Duration::from_micros(10_001)).unwrap().as_millis_up(), 11);
    }

    #[test]
    fn an_owner_token_does_not_appear_in_debug_output() {
        let token = OwnerToken::from_bytes([0xab; 20]);
        assert_eq!(token.to_hex(), "ab".repeat(20));
        assert_eq!(format!("{token:?}"), "OwnerToken(secret)");
    }

    #[test]
    fn arithmetic_on_instants_saturates() {
        let end = Instant::from_nanos(u64::MAX);
        assert_eq!(end.saturating_add(Duration::MAX), end);
        assert_eq!(Instant::from_nanos(5).saturating_sub(Duration::MAX), Instant::from_nanos(0));
        assert_eq!(Instant::from_nanos(5).saturating_since(end), Duration::ZERO);
    }
}
