use std::fmt;
use std::path::{Path, PathBuf};

use super::{RedisServer, ServerError, lock_user};

/// The certificates of a server with TLS, as PEM files.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authority that signs clients' certificates, and usually the server's.
    pub authority: PathBuf,
    /// Whether clients must show a certificate (mTLS).
    pub verify_clients: bool,
}

/// How to start a [`RedisServer`]; see [`RedisServer::options`].
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    persistent: bool,
    pub(super) tls: Option<TlsFiles>,
    /// The text of a sentinel's configuration: it is one then, and no server.
    pub(super) sentinel: Option<String>,
    pub(super) clock_shim: Option<PathBuf>,
    pub(super) rights: Option<String>,
    /// Of the user with these rights, instead of a random one.
    pub(super) lock_password: Option<String>,
    args: Vec<String>,
}

impl RedisOptions {
    /// Appends a configuration directive with one value, as in `.arg("--requirepass", "secret")`.
    #[must_use]
    pub fn arg(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.args([name.into(), value.into()])
    }

    /// Appends command line words, for directives with several values: `.args(["--replicaof", "127.0.0.1", "7001"])`.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, words: I) -> Self {
        self.args.extend(words.into_iter().map(Into::into));
        self
    }

    /// Writes every change to disk before answering (`appendonly yes`, `appendfsync always`).
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
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

    /// Listens with TLS too, on a free port of its own: [`RedisServer::tls_url`].
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Gives the server a wall clock of its own, which starts with the machine's time, survives restarts, and is changed
    /// by [`RedisServer::step_clock`], [`RedisServer::set_clock`] and [`RedisServer::slew_clock`]. Linux only.
    ///
    /// `shim` is the library to preload (`LD_PRELOAD`) for that. This project's tests compile it from
    /// `tests/clock_shim`; its path must contain neither a space nor a colon. A server that does not load it is not
    /// started.
    #[must_use]
    pub fn clock_shim(mut self, shim: impl Into<PathBuf>) -> Self {
        self.clock_shim = Some(shim.into());
        self
    }

    /// Lets the user of [`RedisServer::url`] do this, in words of `ACL SETUSER`, instead of what a node with the restart guard
    /// needs in database 0 with the usual prefix. `RedisConfig::acl_rule` says what another configuration needs.
    #[must_use]
    pub fn rights(mut self, rule: impl Into<String>) -> Self {
        self.rights = Some(rule.into());
        self
    }

    /// Starts a server and waits until it takes commands.
    ///
    /// # Errors
    /// [`ServerError::NotInstalled`] without a Redis on this machine, [`ServerError::NotStarted`] with the end of the
    /// server's log if it did not accept its configuration or the port, [`ServerError::Io`] otherwise.
    pub fn start(&self) -> Result<RedisServer, ServerError> {
        RedisServer::start_with(self)
    }

    pub(super) fn new() -> Self {
        let host = "127.0.0.1".to_owned();
        Self {
            host,
            port: None,
            persistent: false,
            tls: None,
            sentinel: None,
            clock_shim: None,
            rights: lock_user::documented_rights(),
            lock_password: None,
            args: Vec::new(),
        }
    }

    /// A sentinel with this configuration, which it changes as it goes.
    pub(super) fn sentinel(configuration: String, tls: Option<TlsFiles>) -> Self {
        Self { sentinel: Some(configuration), tls, rights: None, ..Self::new() }
    }

    /// The name of a sentinel's configuration in its directory.
    pub(super) const SENTINEL_FILE: &'static str = "sentinel.conf";

    /// The server's arguments, with the ports that were chosen for it. The user's own come last and win.
    pub(super) fn command_line(&self, port: u16, tls_port: Option<u16>) -> Vec<String> {
        let Self { host, persistent, tls, sentinel, args, .. } = self;
        let port = port.to_string();
        let fixed = ["--port", &port, "--bind", host, "--daemonize", "no", "--protected-mode", "no"];
        let kind: &[&str] = match (sentinel, persistent) {
            (Some(_), _) => &[],
            (None, true) => &["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
            (None, false) => &["--save", "", "--appendonly", "no"],
        };
        let mut line: Vec<String> = fixed.iter().chain(kind).map(|&word| word.to_owned()).collect();
        if sentinel.is_some() {
            line.insert(0, "--sentinel".to_owned());
        }
        if let (Some(files), Some(tls_port)) = (tls, tls_port) {
            let path = |file: &Path| file.display().to_string();
            let verify = if files.verify_clients { "yes" } else { "no" };
            line.extend(["--tls-port".to_owned(), tls_port.to_string()]);
            line.extend(["--tls-cert-file".to_owned(), path(&files.certificate)]);
            line.extend(["--tls-key-file".to_owned(), path(&files.key)]);
            line.extend(["--tls-ca-cert-file".to_owned(), path(&files.authority)]);
            line.extend(["--tls-auth-clients".to_owned(), verify.to_owned()]);
        }
        line.extend(args.iter().cloned());
        line
    }

    pub(super) fn password(&self) -> Option<&str> {
        let at = self.args.iter().rposition(|word| word == "--requirepass")?;
        self.args.get(at + 1).map(String::as_str)
    }
}

impl fmt::Debug for RedisOptions {
    /// Without the words of the command line: they may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, persistent, tls, clock_shim, rights, .. } = self;
        f.debug_struct("RedisOptions")
            .field("host", host)
            .field("port", port)
            .field("persistent", persistent)
            .field("tls", tls)
            .field("clock_shim", clock_shim)
            .field("rights", rights)
            .finish_non_exhaustive()
    }
}
