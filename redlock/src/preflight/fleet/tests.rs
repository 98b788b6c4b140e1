use super::super::{Report, Severity};
use super::*;
use crate::id::{Instant, Ttl};
use crate::quorum::{DriftFactor, Quorum};

/// 10 s of TTL: 102 ms are allowed for drift.
fn measure(nodes: usize) -> Measure {
    Measure {
        quorum: Quorum::majority(nodes).unwrap(),
        ttl: Ttl::new(Duration::from_secs(10)).unwrap(),
        node_timeout: Duration::from_millis(400),
        drift: DriftFactor::DEFAULT,
    }
}

fn node(number: usize, change: impl FnOnce(&mut Identity, &mut Examination)) -> Looked {
    let (mut identity, mut examination) = (Identity::default(), Examination::new(vec![FindingKind::Durable]));
    change(&mut identity, &mut examination);
    Looked { address: format!("n{number}").into(), answer: Ok((identity, examination)) }
}

/// The findings of this severity, as lines.
fn found(looked: &[Looked], severity: Severity) -> Vec<String> {
    let findings = judge(looked, measure(looked.len()));
    findings.iter().filter(|found| found.severity() == severity).map(ToString::to_string).collect()
}

/// Nodes with these clocks in milliseconds, read with an error of half a round trip each.
fn clocks<const N: usize>(clocks: [(u64, u64); N]) -> Vec<Looked> {
    let looked = clocks.iter().enumerate().map(|(number, &(millis, round_trip))| {
        node(number, |_, examination| {
            let (sent, received) = (Instant::from_nanos(0), Instant::from_nanos(round_trip * 1_000_000));
            examination.clock = Some(ClockReading::new(millis * 1_000, sent, received));
        })
    });
    looked.collect()
}

fn clocks_off<const N: usize>(of: [(u64, u64); N]) -> Vec<String> {
    let mut warnings = found(&clocks(of), Severity::Warning);
    warnings.retain(|text| text.contains("clock"));
    warnings
}

#[test]
fn a_clock_further_from_the_median_than_the_drift_allows_is_named_with_its_side() {
    let [ahead] =
        clocks_off([(5_000, 0), (5_101, 0), (4_990, 0), (5_104, 0), (5_001, 0)]).try_into().unwrap();
    assert!(
        ahead.starts_with("n3: its clock is 103.0ms ahead of") && ahead.contains("102.0ms are allowed"),
        "{ahead}"
    );
}

#[test]
fn a_clock_is_off_only_beyond_the_allowance_and_the_error_of_the_readings() {
    assert_eq!(clocks_off([(5_000, 0), (5_102, 0), (5_000, 0)]), [""; 0]);
    assert_eq!(clocks_off([(5_000, 0), (5_103, 0), (5_000, 0)]).len(), 1);
    assert_eq!(clocks_off([(5_000, 0), (4_897, 0), (5_000, 0)]).len(), 1);
    // Half of the round trip may have been spent on either way.
    assert_eq!(clocks_off([(5_000, 0), (5_200, 200), (5_000, 0)]), [""; 0]);
    assert_eq!(clocks_off([(5_000, 0), (5_303, 200), (5_000, 0)]).len(), 1);
}

#[test]
fn one_clock_alone_is_not_judged() {
    assert!(found(&clocks([(5_000, 0)]), Severity::Good).iter().all(|text| !text.contains("clock")));
    assert_eq!(clocks_off([(5_000, 0), (9_000, 0)]).len(), 1, "of two, one is taken for the time");
}

#[test]
fn round_trips_are_slow_beyond_a_quarter_of_the_node_timeout_by_their_median() {
    let with = |millis: [u64; 3]| {
        let looked = [node(0, |_, examination| {
            examination.round_trips = millis.map(Duration::from_millis).to_vec();
        })];
        found(&looked, Severity::Warning)
    };
    assert_eq!(with([100, 900, 1]), [""; 0]);
    let [slow] = with([101, 900, 1]).try_into().unwrap();
    assert!(slow.starts_with("n0: takes 101.0ms for a round trip, of 400ms"), "{slow}");
}

#[test]
fn two_nodes_with_one_instance_are_one_server() {
    let with =
        |number, instance: &str| node(number, |identity, _| identity.instance = Some(instance.to_owned()));
    let errors = found(&[with(0, "a"), with(1, "b"), with(2, "a")], Severity::Error);
    assert_eq!(errors, ["n0 and n2 are the same server -> every node must be a server of its own"]);
}

#[test]
fn versions_that_differ_are_noted() {
    let with =
        |number, version: &str| node(number, |identity, _| identity.version = Some(version.to_owned()));
    assert_eq!(found(&[with(0, "7.0.15"), with(1, "7.0.15"), node(2, |_, _| {})], Severity::Note), [""; 0]);
    let [note] =
        found(&[with(0, "7.0.15"), with(1, "6.2.0"), with(2, "7.0.15")], Severity::Note).try_into().unwrap();
    assert!(note.contains("n1 has 6.2.0"), "{note}");
}

#[test]
fn nodes_on_hosts_of_their_own_are_not_mentioned() {
    let on = |number, host: &str| node(number, |_, examination| examination.host = Some(host.to_owned()));
    let looked = [on(0, "10.0.0.1"), on(1, "10.0.0.2"), on(2, "localhost")];
    assert!(found(&looked, Severity::Warning).is_empty() && found(&looked, Severity::Note).is_empty());
    let looked = [on(0, "localhost"), on(1, "127.0.0.2"), on(2, "::1")];
    assert_eq!(found(&looked, Severity::Note).len(), 1, "all names of this machine are one");
    let looked = [on(0, "redis"), on(1, "other"), on(2, "redis")];
    let [warning] = found(&looked, Severity::Warning).try_into().unwrap();
    assert!(warning.contains("n0 and n2 run on one machine (redis)"), "{warning}");
}

#[test]
fn of_a_node_that_does_not_say_how_it_is_set_up_nothing_is_known() {
    let silent = node(0, |_, examination| examination.findings.clear());
    let [unknown] = found(&[silent], Severity::Unknown).try_into().unwrap();
    assert!(unknown.starts_with("n0: does not say how it is set up"), "{unknown}");
}

#[test]
fn what_needs_another_setting_is_an_error_and_what_may_heal_a_warning() {
    use NodeErrorKind::*;
    for (kind, severity) in [
        (Unreachable, Severity::Warning),
        (Timeout, Severity::Warning),
        (NotReady, Severity::Warning),
        (ReadOnly, Severity::Error),
        (Denied, Severity::Error),
        (Unsupported, Severity::Error),
        (Tls, Severity::Error),
        (Protocol, Severity::Error),
    ] {
        let error = NodeError::without_effect(&"n0".into(), kind, "its reason");
        assert_eq!(failed(&error).severity(), severity, "{kind:?}");
        let looked = [Looked { address: "n0".into(), answer: Err(error) }];
        assert!(found(&looked, severity).iter().any(|text| text.starts_with("n0: its reason")));
    }
}

#[test]
fn nothing_that_a_node_says_can_steer_a_terminal() {
    let evil = "\u{1b}[2J\u{9b}\r\n\t".to_owned();
    let error = NodeError::without_effect(&"n1".into(), NodeErrorKind::NotReady, evil.clone());
    let kinds = vec![
        FindingKind::Version { version: evil.clone() },
        FindingKind::Evicts { policy: evil.clone(), maxmemory: 1 },
        FindingKind::Unreadable { what: vec!["save".to_owned()], reason: evil.clone() },
        FindingKind::Other { severity: Severity::Note, what: evil.clone(), advice: None },
        FindingKind::NotPermitted { user: evil.clone(), missing: Vec::new() },
    ];
    let looked = [
        node(0, |identity, examination| {
            examination.findings = kinds;
            examination.eviction_policy = Some(evil.clone());
            identity.version = Some(evil.clone());
        }),
        Looked { address: "n1".into(), answer: Err(error) },
        node(2, |identity, _| identity.version = Some("7".to_owned())),
    ];
    let report = Report::new(measure(3).quorum, &looked, judge(&looked, measure(3)));
    let text = report.to_string();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert_eq!(text.matches("\\u{1b}").count(), 7, "{text}");
}
