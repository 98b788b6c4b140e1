//! scratch
use redlock_tests::model::{BOUNDS, SWITCHES, Bound, check};
#[test]
fn scratch() {
    for bound in BOUNDS {
        let report = check(*bound, None).unwrap();
        println!("{} {} steps {} states depth {} in {:?} {:?} missed {:?}", bound.name, report.steps, report.states, report.depth, report.elapsed, report.violated, report.missed);
    }
    for s in SWITCHES {
        let report = check(Bound::named(s.bound).unwrap(), Some(s.name)).unwrap();
        println!("{} {} {} steps {} states depth {} in {:?} missed {:?}", s.name, s.bound, report.steps, report.states, report.depth, report.elapsed,  report.missed);
        if let Some(v) = report.violated { println!("{}", v.property); for l in v.steps { println!("   {l}"); } }
    }
}
