//! Pages to look at: they are written only when asked for.
//!
//! `cargo test -p redlock-tests --test report -- --ignored` writes them to `target/report/`.

use std::fs;
use std::path::Path;

use redlock_tests::fault::FaultKind;
use redlock_tests::history::{ClientEvent, History, RunEvent, Target, Write};
use redlock_tests::oracle::{Rule, Verdict, Violation};

use crate::forged::{Forged, at, busy, good};
use crate::html::page;

/// Two holders of one name at a time, after two nodes forgot.
pub(crate) fn violated() -> (History, Verdict) {
    let mut forged = Forged::new(3, 5).without("quarantine");
    forged.hold(0, 0, "chaos-0", (100, 110, 700));
    forged.hold(1, 0, "chaos-0", (300, 712, 1_400));
    forged.hold(2, 0, "chaos-1", (200, 206, 1_300));
    forged.acquires(0, 1, "chaos-0", (900, 1_410, 3_200));
    forged.fault(1_700, FaultKind::Amnesia, Target::Node(0), "amnesia", 250);
    forged.fault(1_800, FaultKind::Flush, Target::Node(2), "flush", 0);
    forged.fault(
        2_000,
        FaultKind::Partition,
        Target::Way { client: 0, node: 1 },
        "partition, both ways",
        1_500,
    );
    forged.fault(2_050, FaultKind::Delay, Target::Way { client: 0, node: 3 }, "delay 60 ms", 900);
    forged.fault(2_900, FaultKind::Clock, Target::Node(4), "clock 3 s forward", 0);
    forged.hold(1, 1, "chaos-0", (1_500, 2_410, 3_050));
    forged.client(
        3_205,
        0,
        ClientEvent::Lost { hold: 1, why: "held by somebody else".to_owned(), valid_until: at(3_210) },
    );
    forged.client(
        3_010,
        1,
        ClientEvent::Added {
            hold: 1,
            element: "1-1".to_owned(),
            fenced: Write::Refused,
            unfenced: Write::Done,
        },
    );
    forged.acquires(2, 1, "chaos-1", (1_500, 1_520, 3_400));
    forged.fault(3_420, FaultKind::ClientKill, Target::Client(2), "SIGKILL", 300);
    forged.client(3_720, 2, ClientEvent::Started { pid: 5_100 });
    forged.hold(2, 0, "chaos-1", (3_730, 4_400, 4_900));
    forged.fault(3_900, FaultKind::ClientPause, Target::Client(1), "SIGSTOP", 600);
    forged.client(4_500, 1, ClientEvent::Starved { from: at(3_900) });
    forged.client(3_700, 1, ClientEvent::Wants { hold: 2, name: "chaos-1".to_owned() });
    forged.client(4_520, 1, ClientEvent::GaveUp { hold: 2, why: "dropped".to_owned() });
    let failed = forged.fault(4_100, FaultKind::Promote, Target::Node(3), "promote", 0);
    forged.run(4_110, RunEvent::Failed { id: failed, why: "there is no replica".to_owned() });
    forged.run(4_700, RunEvent::Calm);
    forged.hold(0, 2, "chaos-0", (4_600, 4_750, 5_400));
    for client in 0..3 {
        forged.client(6_000, client, ClientEvent::Ended);
    }
    let overlap = Violation {
        rule: Rule::MutualExclusion,
        detail: "chaos-0: client 1 acquired (fencing token 1763712000005065) while client 0 held it still (fencing token \
                 1763712000004052): both held it for 625 ms"
            .to_owned(),
        span: (at(2_410), at(3_035)),
        holds: vec![(0, 1), (1, 1)],
    };
    let late = Violation {
        rule: Rule::LostInTime,
        detail: "client 0 was told of the loss of chaos-0 795 ms after another client had it".to_owned(),
        span: (at(3_205), at(3_205)),
        holds: vec![(0, 1)],
    };
    (forged.history(), Verdict { violations: vec![overlap, late], ..good() })
}

#[test]
#[ignore = "writes pages to look at"]
fn pages_to_look_at() {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/report");
    fs::create_dir_all(&target).expect("target can be written");
    let (history, verdict) = violated();
    let write = |name: &str, history: &History, verdict: &Verdict| {
        fs::write(target.join(name), page(history, verdict)).expect("target can be written");
    };
    write("violated.html", &history, &verdict);
    write("good.html", &busy(8, 3, 60_000, 400).history(), &good());
    write("short.html", &busy(4, 2, 10_000, 400).history(), &good());
    write("long.html", &busy(8, 3, 330_000, 130).history(), &good());
    write("merged.html", &busy(8, 8, 40_000, 20).history(), &good());
}
