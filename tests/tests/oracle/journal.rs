//! How histories are written down.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Write as _};
use std::sync::Arc;

use redlock_tests::history::{ClientEvent, Event, HistoryFile, Journal, Recorder};

fn look(hold: u64) -> ClientEvent {
    ClientEvent::Holds { hold, valid_until: 0 }
}

#[test]
fn of_looks_in_a_row_at_one_hold_the_recorder_keeps_the_last() {
    let recorder = Arc::new(Recorder::default());
    let journal = |client| Journal::new(client, Arc::<Recorder>::clone(&recorder));
    let (one, other) = (journal(0), journal(1));
    one.note(look(5)).unwrap();
    other.note(look(5)).unwrap();
    one.note(look(5)).unwrap();
    one.note(ClientEvent::Releases { hold: 5 }).unwrap();
    one.note(look(6)).unwrap();
    one.note(look(7)).unwrap();
    let kept: Vec<_> = recorder
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Client { client, what: ClientEvent::Holds { hold, .. }, .. } => (client, Some(hold)),
            Event::Client { client, .. } => (client, None),
            Event::Run { .. } => unreachable!(),
        })
        .collect();
    assert_eq!(kept, [(0, Some(5)), (1, Some(5)), (0, None), (0, Some(6)), (0, Some(7))]);
}

#[test]
fn a_file_has_every_event_at_once_and_one_that_was_cut_off_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("client.jsonl");
    let journal = Journal::new(3, Arc::new(HistoryFile::create(&path).unwrap()));
    journal.note(ClientEvent::Started { pid: 7 }).unwrap();
    journal.note(look(1)).unwrap();
    write!(OpenOptions::new().append(true).open(&path).unwrap(), "{{\"Client\":").unwrap();
    let events = Event::read_lines(BufReader::new(File::open(&path).unwrap())).unwrap();
    assert_eq!(events.len(), 2);
    assert!(matches!(events[1], Event::Client { client: 3, what: ClientEvent::Holds { hold: 1, .. }, .. }));
    assert!(HistoryFile::create(&path).is_err(), "another history is not written over");
}
