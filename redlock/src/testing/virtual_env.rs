//! virtual_env
