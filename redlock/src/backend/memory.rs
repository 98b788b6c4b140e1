//! In-process node.
