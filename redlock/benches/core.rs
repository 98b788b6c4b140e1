//! Regressions of the pure core, and of a whole cycle on the memory backend: no I/O, no other process.
//!
//! `cargo bench -p redlock-quorum --features testing` says how each figure compares with the run before.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use redlock::testing::pure;
use redlock::{Locks, Quorum};

fn core(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core");
    type Course = fn(Quorum) -> bool;
    let courses: [(&str, Course); 4] = [
        ("granted round", pure::granted_round),
        ("refused round", pure::refused_round),
        ("settled claim", pure::settled_claim),
        ("confirmed release", pure::confirmed_release),
    ];
    for nodes in [1, 3, 5, 7, 9] {
        let Ok(quorum) = Quorum::majority(nodes) else { continue };
        for (name, course) in courses {
            group.bench_function(BenchmarkId::new(name, nodes), |bencher| {
                bencher.iter(|| course(black_box(quorum)));
            });
        }
    }
    group.finish();
}

fn memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("memory");
    for fencing in [true, false] {
        let Ok(locks) = block_on(Locks::builder().memory().fencing(fencing).build()) else { continue };
        let lock = locks.lock("name");
        let name = if fencing { "acquire and release" } else { "acquire and release, no token" };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                block_on(async {
                    let Ok(guard) = lock.acquire().await else { return false };
                    guard.release().await.is_ok()
                })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, core, memory);
criterion_main!(benches);
