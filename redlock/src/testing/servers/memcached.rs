//! memcached servers, started for a test.
