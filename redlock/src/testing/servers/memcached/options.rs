use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::{ServerError, TlsFiles};
use super::MemcachedServer;

/// How to start a [`MemcachedServer`]; see [`MemcachedServer::options`].
#[derive(Clone)]
pub struct MemcachedOptions {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) tls: Option<TlsFiles>,
    pub(super) user: Option<(String, String)>,
    pub(super) clock_shim: Option<PathBuf>,
    args: Vec<String>,
}

impl MemcachedOptions {
    /// Appends a word to the command line: `.arg("-M")`.
    #[must_use]
    pub fn arg(self, word: impl Into<String>) -> Self {
        self.args([word.into()])
    }

    /// Appends words to the command line: `.args(["-m", "1"])`.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, words: I) -> Self {
        self.args.extend(words.into_iter().map(Into::into));
        self
    }

    /// Listens on this port instead of a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Listens on this IPv4 address instead of 127.0.0.1; any other of 127.0.0.0/8 will do on Linux.
    #[must_use]
    pub fn bind(mut self, host: impl Into<String>) -> Self {
        self.host = host.into();
        self
    }

    /// Listens with TLS, and no longer without.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Lets in this user alone (`-Y`).
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Gives the server a wall clock of its own, as [`RedisOptions::clock_shim`](crate::testing::servers::RedisOptions::clock_shim)
    /// does; [`MemcachedServer::step_clock`] changes it.
    #[must_use]
    pub fn clock_shim(mut self, shim: impl Into<PathBuf>) -> Self {
        self.clock_shim = Some(shim.into());
        self
    }

    /// Starts a server and waits until it takes connections.
    ///
    /// # Errors
    /// [`ServerError::NotInstalled`] without a memcached on this machine, [`ServerError::NotStarted`] with the end of its
    /// output if it did not accept its arguments or the port, [`ServerError::Io`] otherwise.
    pub fn start(&self) -> Result<MemcachedServer, ServerError> {
        MemcachedServer::start_with(self)
    }

    pub(super) fn new() -> Self {
        let host = "127.0.0.1".to_owned();
        Self { host, port: None, tls: None, user: None, clock_shim: None, args: Vec::new() }
    }

    const USERS: &'static str = "users";

    pub(super) fn write_users(&self, directory: &Path) -> io::Result<()> {
        let Some((name, password)) = &self.user else { return Ok(()) };
        fs::write(directory.join(Self::USERS), format!("{name}:{password}\n"))
    }

    /// The server's arguments. The user's own come last and win.
    pub(super) fn command_line(&self, port: u16, directory: &Path) -> Vec<String> {
        let port = port.to_string();
        // Started by root, it wants to know whose rights to keep; otherwise it does not ask. One thread will do for a test.
        let fixed = ["-l", &self.host, "-p", &port, "-U", "0", "-u", "root", "-t", "1"];
        let mut line: Vec<String> = fixed.map(str::to_owned).into();
        if self.user.is_some() {
            line.extend(["-Y".to_owned(), directory.join(Self::USERS).display().to_string()]);
        }
        if let Some(files) = &self.tls {
            let [certificate, key, authority] =
                [&files.certificate, &files.key, &files.authority].map(|path| path.display());
            // 2: a certificate is required, 0: none is asked for.
            let verify = if files.verify_clients { 2 } else { 0 };
            line.extend(["-Z".to_owned(), "-o".to_owned()]);
            line.push(format!(
                "ssl_chain_cert={certificate},ssl_key={key},ssl_ca_cert={authority},ssl_verify_mode={verify}"
            ));
        }
        line.extend(self.args.iter().cloned());
        line
    }
}

impl fmt::Debug for MemcachedOptions {
    /// Without the password, and the words of the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tls, .. } = self;
        f.debug_struct("MemcachedOptions")
            .field("host", host)
            .field("port", port)
            .field("tls", tls)
            .finish_non_exhaustive()
    }
}
