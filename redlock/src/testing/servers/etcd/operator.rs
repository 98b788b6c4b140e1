//! What an operator does with an ensemble: by etcd's JSON over HTTP, for which nothing else is needed.

use super::EtcdEnsemble;
use crate::testing::servers::ServerError;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl EtcdEnsemble {
    /// Sends one request as an operator to a member that runs and is not paused, and returns the JSON of the answer:
    /// `ensemble.ask("lease/leases", "{}")`. Keys and values are in base64, numbers in quotes.
    ///
    /// # Errors
    /// [`ServerError::Refused`] if etcd refuses it, [`ServerError::Io`] without an answer in time,
    /// [`ServerError::NotRunning`] if no member runs.
    pub fn ask(&self, path: &str, request: &str) -> Result<String, ServerError> {
        let token = match self.is_locked() {
            false => None,
            true => {
                let log_in = format!(r#"{{"name":"root","password":"{}"}}"#, self.password());
                texts(&self.send("auth/authenticate", &log_in, None)?, "token").into_iter().next()
            }
        };
        self.send(path, request, token.as_deref())
    }

    fn send(&self, path: &str, request: &str, token: Option<&str>) -> Result<String, ServerError> {
        let mut result = Err(ServerError::NotRunning { server: "etcd".to_owned() });
        for member in self.iter().filter(|member| member.answers()) {
            result = member.post(path, request, token);
            if !matches!(result, Err(ServerError::Io { .. })) {
                break;
            }
        }
        result
    }

    /// The names of all keys, sorted.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn keys(&self) -> Result<Vec<String>, ServerError> {
        // From the least key on.
        let answer = self.ask("kv/range", r#"{"key":"AA==","range_end":"AA==","keys_only":true}"#)?;
        let mut keys: Vec<_> = texts(&answer, "key").iter().map(|key| decoded(key)).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    /// The keys of locks that somebody holds: all but the library's own, which hold counters.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn lock_keys(&self) -> Result<Vec<String>, ServerError> {
        let mut keys = self.keys()?;
        keys.retain(|key| !key.starts_with("#redlock:") || key.starts_with("#redlock:esc:"));
        Ok(keys)
    }

    /// What a key holds; `None` if it is not there.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn value(&self, key: &str) -> Result<Option<String>, ServerError> {
        let answer = self.ask("kv/range", &format!(r#"{{"key":"{}"}}"#, encoded(key)))?;
        Ok(texts(&answer, "value").first().map(|value| decoded(value)))
    }

    /// The id of the lease that a key is on; `None` if there is none.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn lease_of(&self, key: &str) -> Result<Option<i64>, ServerError> {
        let answer = self.ask("kv/range", &format!(r#"{{"key":"{}"}}"#, encoded(key)))?;
        Ok(texts(&answer, "lease").first().and_then(|id| id.parse().ok()))
    }

    /// Writes a key, on no lease.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn put(&self, key: &str, value: &str) -> Result<(), ServerError> {
        let request = format!(r#"{{"key":"{}","value":"{}"}}"#, encoded(key), encoded(value));
        self.ask("kv/put", &request).map(drop)
    }

    /// The ids of all leases.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn leases(&self) -> Result<Vec<i64>, ServerError> {
        let answer = self.ask("lease/leases", "{}")?;
        Ok(texts(&answer, "ID").iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// How many seconds a lease still lasts; `None` if it is gone.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn lease_lasts(&self, id: i64) -> Result<Option<u64>, ServerError> {
        let answer = self.ask("lease/timetolive", &format!(r#"{{"ID":"{id}"}}"#))?;
        Ok(texts(&answer, "TTL").first().and_then(|left| left.parse().ok()))
    }

    /// Ends a lease, and deletes the keys that are on it.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn revoke(&self, id: i64) -> Result<(), ServerError> {
        self.ask("lease/revoke", &format!(r#"{{"ID":"{id}"}}"#)).map(drop)
    }

    /// The ids of the leases for locks: all but those for fencing counters, which `EtcdNode` marks by bit 62.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn lock_leases(&self) -> Result<Vec<i64>, ServerError> {
        let mut leases = self.leases()?;
        leases.retain(|id| id & (1 << 62) == 0);
        Ok(leases)
    }

    /// A user with the rights that the documentation asks for, and no more.
    pub(super) fn enable_auth(&self) -> Result<(), ServerError> {
        let user = Self::USER;
        let run = |path: &str, request: String| self.send(path, &request, None).map(drop);
        for name in ["root", user] {
            run("auth/user/add", format!(r#"{{"name":"{name}","password":"{}"}}"#, self.password()))?;
            run("auth/role/add", format!(r#"{{"name":"{name}"}}"#))?;
            run("auth/user/grant", format!(r#"{{"user":"{name}","role":"{name}"}}"#))?;
        }
        for prefix in self.prefixes() {
            let mut end = prefix.clone().into_bytes();
            if let Some(last) = end.last_mut() {
                *last += 1;
            }
            let (key, end) = (encoded(prefix), encoded(end));
            let permission = format!(r#"{{"permType":"READWRITE","key":"{key}","range_end":"{end}"}}"#);
            run("auth/role/grant", format!(r#"{{"name":"{user}","perm":{permission}}}"#))?;
        }
        run("auth/enable", "{}".to_owned())
    }
}

/// The values of all fields with this name in a JSON text that has no escapes in them.
pub(super) fn texts(json: &str, field: &str) -> Vec<String> {
    let lead = format!(r#""{field}":""#);
    json.split(&lead).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// Base64.
fn encoded(text: impl AsRef<[u8]>) -> String {
    let mut line = String::new();
    for chunk in text.as_ref().chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) & 63;
            let is_padding = place > chunk.len();
            line.push(if is_padding { '=' } else { char::from(ALPHABET[digit as usize]) });
        }
    }
    line
}

/// The text behind base64; what is none is left out.
fn decoded(line: &str) -> String {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for digit in line.bytes().filter_map(|byte| ALPHABET.iter().position(|&known| known == byte)) {
        (bits, count) = (bits << 6 | digit as u32, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_through_base64() {
        for (text, line) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("#a:ü", "I2E6w7w=")]
        {
            assert_eq!(encoded(text), line);
            assert_eq!(decoded(line), text);
        }
        assert_eq!(texts(r#"{"kvs":[{"key":"YQ=="},{"key":"Yg==","lease":"7"}]}"#, "key"), ["YQ==", "Yg=="]);
    }
}
