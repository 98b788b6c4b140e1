//! A terminal for a test: what is written to it, and what somebody would see in the end.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// A pseudo-terminal of some size. All that is written to it is kept.
pub(crate) struct Terminal {
    /// Whoever sits in front of it.
    person: File,
    /// Kept, so that the terminal stays when the last program has gone; `None` at the end.
    program: Option<File>,
    columns: usize,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let program = File::options().read(true).write(true).open(name).unwrap();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&program, size).unwrap();
        let person = File::from(master);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let reader = {
            let (mut screen, shown) = (person.try_clone().unwrap(), Arc::clone(&shown));
            thread::spawn(move || {
                let mut bytes = [0; 4_096];
                // It ends with an error once nobody has the terminal any more.
                while let Ok(count @ 1..) = screen.read(&mut bytes) {
                    shown.lock().unwrap().extend_from_slice(&bytes[..count]);
                }
            })
        };
        Self { person, program: Some(program), columns: columns.into(), shown, reader: Some(reader) }
    }

    /// For a program's stdin, stdout or stderr.
    pub(crate) fn end(&self) -> Stdio {
        self.program.as_ref().unwrap().try_clone().unwrap().into()
    }

    /// Somebody types this.
    #[allow(dead_code)] // Not every test types.
    pub(crate) fn type_in(&mut self, keys: &str) {
        self.person.write_all(keys.as_bytes()).unwrap();
    }

    /// Its modes: echo, line editing and the like.
    #[allow(dead_code)]
    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(self.program.as_ref().unwrap()).unwrap()
    }

    /// What was written so far.
    #[allow(dead_code)]
    pub(crate) fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// All that was written, once no program has the terminal any more.
    pub(crate) fn finish(mut self) -> Shown {
        drop(self.program.take());
        self.reader.take().unwrap().join().unwrap();
        Shown { written: self.so_far(), columns: self.columns }
    }
}

/// What a terminal was shown.
pub(crate) struct Shown {
    pub(crate) written: String,
    columns: usize,
}

impl Shown {
    /// What somebody sees in the end, scrolled back to the first line. Knows the sequences that our programs use, and fails at others.
    #[allow(dead_code)]
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut screen: Vec<Vec<char>> = vec![Vec::new()];
        let (mut row, mut column) = (0_usize, 0_usize);
        let mut rest = self.written.chars();
        while let Some(character) = rest.next() {
            match character {
                '\r' => column = 0,
                '\n' => row += 1,
                '\x1b' => {
                    assert_eq!(rest.next(), Some('['));
                    let (mut number, mut end) = (String::new(), rest.next().unwrap());
                    while !end.is_alphabetic() {
                        number.push(end);
                        end = rest.next().unwrap();
                    }
                    match end {
                        'm' => {}
                        'A' => row = row.saturating_sub(number.parse().unwrap()),
                        'K' => screen[row].truncate(column),
                        'J' => {
                            screen.truncate(row + 1);
                            screen[row].truncate(column);
                        }
                        other => panic!("unknown sequence {number}{other}"),
                    }
                }
                shown => {
                    if column == self.columns {
                        (row, column) = (row + 1, 0);
                    }
                    let rows = screen.len().max(row + 1);
                    screen.resize(rows, Vec::new());
                    let line = &mut screen[row];
                    line.resize(line.len().max(column + 1), ' ');
                    line[column] = shown;
                    column += 1;
                }
            }
            let rows = screen.len().max(row + 1);
            screen.resize(rows, Vec::new());
        }
        screen.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect()
    }
}
