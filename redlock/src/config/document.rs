//! Tables and values of a TOML file, with what an error message needs: the file, the line, the table and the key.
//!
//! Error messages are built here and not taken from `toml`: those quote whole lines, and one may hold a password.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::duration;
use super::error::{ConfigError, ConfigErrorKind};

/// The text of a file and what to call it.
pub(super) struct Document<'a> {
    pub(super) origin: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Document<'a> {
    pub(super) fn parse(&self) -> Result<DeTable<'a>, ConfigError> {
        DeTable::parse(self.text).map(Spanned::into_inner).map_err(|error| {
            let refused = self.error(ConfigErrorKind::Syntax, format!("not valid TOML: {}", error.message()));
            match error.span() {
                Some(span) => refused.on_line(self.line(&span)),
                None => refused,
            }
        })
    }

    pub(super) fn error(&self, kind: ConfigErrorKind, problem: impl Into<String>) -> ConfigError {
        ConfigError::new(kind, self.origin, problem)
    }

    /// The line that a span begins on, counted from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        1 + before.iter().filter(|&&byte| byte == b'\n').count()
    }
}

/// A table of the file.
pub(super) struct Table<'a> {
    document: &'a Document<'a>,
    /// Its full name: `lock.redis`.
    name: String,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// The table `key` of the whole file, if it is there.
    pub(super) fn top(
        document: &'a Document<'a>,
        entries: &'a DeTable<'a>,
        key: &str,
    ) -> Result<Option<Self>, ConfigError> {
        match entries.get_key_value(key) {
            Some((key, value)) => Entry::new(document, "", key, value).table().map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry<'_>> {
        let (key, value) = self.entries.get_key_value(key)?;
        Some(Entry::new(self.document, &self.name, key, value))
    }

    /// A string that is there and not empty: due writes `""` for "not set".
    #[cfg(any(
        feature = "redis",
        feature = "zookeeper",
        feature = "memcached",
        feature = "etcd",
        feature = "file"
    ))]
    pub(super) fn filled(&self, key: &str) -> Result<Option<(Entry<'_>, &str)>, ConfigError> {
        let Some(entry) = self.get(key) else { return Ok(None) };
        let text = entry.text()?;
        Ok((!text.is_empty()).then_some((entry, text)))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|(key, value)| Entry::new(self.document, &self.name, key, value))
    }

    /// An error about the table as a whole.
    pub(super) fn error(&self, kind: ConfigErrorKind, problem: impl Into<String>) -> ConfigError {
        self.document.error(kind, problem).in_table(&self.name)
    }
}

/// A key of a table with its value.
pub(super) struct Entry<'a> {
    document: &'a Document<'a>,
    table: &'a str,
    pub(super) key: &'a str,
    line: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    fn new(
        document: &'a Document<'a>,
        table: &'a str,
        key: &'a Spanned<DeString<'a>>,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Self {
        let line = document.line(&key.span());
        Self { document, table, key: key.get_ref(), line, value: value.get_ref() }
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub(super) fn table(&self) -> Result<Table<'a>, ConfigError> {
        let entries = self.value.as_table().ok_or_else(|| self.wrong_type("a table"))?;
        let name = match self.table {
            "" => self.key.to_owned(),
            parent => format!("{parent}.{}", self.key),
        };
        Ok(Table { document: self.document, name, entries })
    }

    pub(super) fn text(&self) -> Result<&'a str, ConfigError> {
        self.value.as_str().ok_or_else(|| self.wrong_type("a string"))
    }

    /// The strings of an array, each with its line.
    #[cfg(any(feature = "redis", feature = "zookeeper", feature = "memcached", feature = "etcd"))]
    pub(super) fn texts(&self) -> Result<Vec<(&'a str, usize)>, ConfigError> {
        let array = self.value.as_array().ok_or_else(|| self.wrong_type("an array of strings"))?;
        // Counted on from element to element: a long list is not read again for each.
        let (mut counted, mut line) = (0, 1);
        let text = |element: &'a Spanned<DeValue<'a>>| {
            let start = element.span().start;
            let between = self.document.text.as_bytes().get(counted..start).unwrap_or_default();
            line += between.iter().filter(|&&byte| byte == b'\n').count();
            counted = start;
            let value = element.get_ref();
            let text = value.as_str().ok_or_else(|| {
                let found = article(value);
                self.error(
                    ConfigErrorKind::WrongType,
                    format!("found {found} in the array, expected strings only"),
                )
                .on_line(line)
            })?;
            Ok((text, line))
        };
        array.iter().map(text).collect()
    }

    pub(super) fn integer(&self) -> Result<i64, ConfigError> {
        let integer = self.value.as_integer().ok_or_else(|| self.wrong_type("an integer"))?;
        i64::from_str_radix(integer.as_str(), integer.radix())
            .map_err(|_| self.invalid("expected an integer of 64 bits"))
    }

    /// A float, or an integer in its place.
    pub(super) fn number(&self) -> Result<f64, ConfigError> {
        let text = match self.value {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            _ => return Err(self.wrong_type("a number such as 0.01")),
        };
        text.parse().map_err(|_| self.invalid("expected a number such as 0.01"))
    }

    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        match self.value {
            DeValue::Boolean(value) => Ok(*value),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A string with units, or a bare integer in nanoseconds.
    pub(super) fn duration(&self) -> Result<Duration, ConfigError> {
        match self.value {
            DeValue::String(text) => {
                duration::parse(text).ok_or_else(|| self.invalid(format!("expected {}", duration::EXPECTED)))
            }
            DeValue::Integer(_) => {
                let nanos = u64::try_from(self.integer()?).map_err(|_| {
                    self.invalid(format!("expected {}; a bare integer is nanoseconds", duration::EXPECTED))
                })?;
                Ok(Duration::from_nanos(nanos))
            }
            _ => Err(self.wrong_type(duration::EXPECTED)),
        }
    }

    pub(super) fn wrong_type(&self, expected: &str) -> ConfigError {
        let found = article(self.value);
        self.error(ConfigErrorKind::WrongType, format!("found {found}, expected {expected}"))
    }

    /// An error that shows the value: not for passwords. What may be a URL under a wrong key is not shown.
    pub(super) fn invalid(&self, problem: impl Into<String>) -> ConfigError {
        let error = self.error(ConfigErrorKind::InvalidValue, problem);
        match self.value {
            DeValue::String(text) if text.contains('@') => error,
            DeValue::String(text) => error.with_found(quoted(text)),
            DeValue::Integer(integer) => error.with_found(integer.to_string()),
            DeValue::Float(float) => error.with_found(float.to_string()),
            _ => error,
        }
    }

    /// An error that does not show the value.
    pub(super) fn error(&self, kind: ConfigErrorKind, problem: impl Into<String>) -> ConfigError {
        let error = self.document.error(kind, problem).on_line(self.line).at_key(&shown_key(self.key));
        if self.table.is_empty() { error } else { error.in_table(self.table) }
    }
}

/// A key as TOML would have it: bare if it can be.
fn shown_key(key: &str) -> String {
    let bare = (1..=LONGEST).contains(&key.len())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { quoted(key) }
}

/// Of a text that is printed.
const LONGEST: usize = 60;

/// A text as it can be printed: quoted, without control characters, not endless.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((cut, _)) => format!("{:?}...", &text[..cut]),
    }
}

fn article(value: &DeValue<'_>) -> String {
    let name = value.type_str();
    let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {name}")
}
