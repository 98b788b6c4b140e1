//! The ways between clients and nodes: a proxy each, which understands RESP.
