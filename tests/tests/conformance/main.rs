//! The conformance suite: nodes that keep the contract pass it, on real and on virtual time, and each clause bites.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod defects;
mod etcd;
mod file;
mod memcached;
mod memory;
mod redis;
mod report;
mod wrong;
mod zookeeper;

use redlock::testing::conformance::{self, Subject};

/// Fails with the report of what is broken; a run that shows the output of tests shows every report.
fn conforms(subject: &Subject) {
    let report = conformance::run(subject);
    println!("{report}");
    report.assert_ok();
}
