//! The known failures of Redlock, by name, on real servers.
