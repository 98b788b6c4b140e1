//! Who holds a lock, in words: what a client says of itself when it acquires, and what others read of it.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::env::Env;
use crate::node::Description;
use crate::node::description::{Readable, shortened};

/// Who holds a lock, as it says of itself: informative, and never to be acted on. Clocks of machines differ, host names repeat, and
/// a foreign client says nothing.
///
/// Every acquisition leaves it on the nodes beside the lock, unless
/// [`LocksBuilder::describe_holder`](crate::LocksBuilder::describe_holder) is off; it goes away with the lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The machine's name; empty if it was not said.
    pub host: String,
    /// The process there.
    pub pid: Option<u32>,
    /// When it was acquired, by the holder's wall clock, in milliseconds since 1970.
    pub since: Option<u64>,
    /// The free text of [`Lock::description`](crate::Lock::description) and [`Held::describe`](crate::Held::describe).
    pub text: String,
}

impl From<&Description> for Holder {
    /// What is in no form that is known here is all text.
    fn from(description: &Description) -> Self {
        let all = description.as_str();
        let mut words = all.splitn(4, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (host, pid, since, text) = (next(), next(), next(), next());
        if host.is_empty() {
            let text = all.strip_prefix(' ').unwrap_or(all).to_owned();
            return Self { text, ..Self::default() };
        }
        match (pid.parse(), since.parse()) {
            (Ok(pid), Ok(since)) => {
                Self { host: host.to_owned(), pid: Some(pid), since: Some(since), text: text.to_owned() }
            }
            _ => Self { text: all.to_owned(), ..Self::default() },
        }
    }
}

impl fmt::Display for Holder {
    /// Such as `web-3 pid 812 (nightly run)`, readable in a terminal whatever it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Readable(&self.text);
        match (self.host.as_str(), self.pid) {
            ("", _) if self.text.is_empty() => f.write_str("somebody who does not say who"),
            ("", _) => write!(f, "\"{text}\""),
            (host, pid) => {
                Readable(host).fmt(f)?;
                if let Some(pid) = pid {
                    write!(f, " pid {pid}")?;
                }
                if self.text.is_empty() { Ok(()) } else { write!(f, " ({text})") }
            }
        }
    }
}

/// What a client says of itself and of one hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Introduction {
    /// Host and process; `None`: they are not said.
    pub(crate) by: Option<Arc<str>>,
    pub(crate) text: Option<Arc<str>>,
    /// In milliseconds since 1970.
    since: u64,
}

impl Introduction {
    pub(crate) fn new(by: Option<Arc<str>>, text: Option<Arc<str>>) -> Self {
        Self { by, text: text.filter(|text| !text.is_empty()), since: 0 }
    }

    /// Host and process, as they are said.
    pub(crate) fn of_this_process() -> Arc<str> {
        let name = rustix::system::uname();
        let host = String::from_utf8_lossy(name.nodename().to_bytes());
        // It is one word.
        let host: String = host.chars().map(|c| if c.is_whitespace() { '-' } else { c }).collect();
        let host = match shortened(&host, 255) {
            "" => "localhost",
            host => host,
        };
        format!("{host} {}", std::process::id()).into()
    }

    /// Of a hold that begins now.
    pub(crate) fn now(&self, env: &dyn Env) -> Self {
        let since = if self.by.is_some() { env.wall_micros() / 1_000 } else { 0 };
        Self { since, ..self.clone() }
    }

    pub(crate) fn says(&self, text: Arc<str>) -> Self {
        Self { text: Some(text).filter(|text| !text.is_empty()), ..self.clone() }
    }

    /// `None`: there is nothing to say.
    pub(crate) fn description(&self) -> Option<Description> {
        let said = match (&self.by, &self.text) {
            (None, None) => return None,
            // A text without a first word is nothing but text.
            (None, Some(text)) => format!(" {text}"),
            (Some(by), text) => {
                let mut said =
                    String::with_capacity(by.len() + 15 + text.as_ref().map_or(0, |text| text.len()));
                // Into a string it cannot fail.
                let _ = write!(said, "{by} {}", self.since);
                if let Some(text) = text {
                    said.push(' ');
                    said.push_str(text);
                }
                said
            }
        };
        Some(Description::new(said))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Holder {
        Holder::from(&Description::new(text))
    }

    #[test]
    fn what_is_said_is_read() {
        let mut said = Introduction { by: Some("web-3 812".into()), text: None, since: 1_700_000_000_000 };
        let holder = Holder::from(&said.description().unwrap());
        assert_eq!((holder.host.as_str(), holder.pid, holder.since), ("web-3", Some(812), Some(said.since)));
        assert_eq!(holder.to_string(), "web-3 pid 812");
        said = said.says("two  words ".into());
        assert_eq!(Holder::from(&said.description().unwrap()).text, "two  words ");
        said.by = None;
        let holder = Holder::from(&said.description().unwrap());
        assert_eq!((holder.host.as_str(), holder.text.as_str()), ("", "two  words "));
        assert_eq!(holder.to_string(), "\"two  words \"");
        assert!(said.says("".into()).description().is_none());
        assert!(!Introduction::of_this_process().starts_with(' '));
    }

    #[test]
    fn what_is_odd_is_text_and_shown_escaped() {
        assert_eq!(read("a b c d").text, "a b c d");
        assert_eq!(read("h 1 2 \u{1b}[2Jx\n").to_string(), "h pid 1 (\\u{1b}[2Jx\\n)");
        assert_eq!(read("h\u{7} 1 2").to_string(), "h\\u{7} pid 1");
        assert_eq!(read(" ").to_string(), "somebody who does not say who");
    }

    proptest! {
        #[test]
        fn anything_can_be_read_and_shown(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            if let Some(description) = Description::from_stored(&bytes) {
                let shown = Holder::from(&description).to_string();
                prop_assert!(!shown.chars().any(char::is_control));
            }
        }

        #[test]
        fn a_text_comes_back_as_it_was(text in "\\PC{1,300}", with_host in any::<bool>()) {
            let by = with_host.then(|| "h 1".into());
            let said = Introduction { by, ..Introduction::default() }.says(text.clone().into());
            prop_assert_eq!(Holder::from(&said.description().unwrap()).text, text);
        }
    }
}
