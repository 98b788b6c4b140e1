//! The stores that can be a node, one cargo feature each. None knows another.

#[cfg(feature = "memory")]
pub mod memory;
#[cfg(feature = "redis")]
pub mod redis;
