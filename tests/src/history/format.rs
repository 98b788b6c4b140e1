//! Histories as lines of JSON, so that a process that is killed leaves what it wrote.

use std::io::{self, BufRead, Write};

use super::{Event, History, Run};

impl Event {
    /// One line, with its end.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_line(&self, to: &mut impl Write) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        to.write_all(&line)
    }

    /// Every whole line; a last one that was cut off by a kill is left out.
    ///
    /// # Errors
    /// Those of reading, and of a line that is no event.
    pub fn read_lines(mut from: impl BufRead) -> io::Result<Vec<Self>> {
        let (mut events, mut line) = (Vec::new(), String::new());
        loop {
            line.clear();
            from.read_line(&mut line)?;
            match line.strip_suffix('\n') {
                Some(whole) => events.push(serde_json::from_str(whole)?),
                None => return Ok(events),
            }
        }
    }
}

impl History {
    /// All events of a run, brought in order.
    pub fn new(run: Run, mut events: Vec<Event>) -> Self {
        events.sort_by_key(Event::at);
        Self { run, events }
    }

    /// The run in the first line, then an event a line.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut first = serde_json::to_vec(&self.run)?;
        first.push(b'\n');
        to.write_all(&first)?;
        self.events.iter().try_for_each(|event| event.write_line(to))
    }

    /// What [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// Those of reading, and of a line that is not what it should be.
    pub fn read(mut from: impl BufRead) -> io::Result<Self> {
        let mut first = String::new();
        from.read_line(&mut first)?;
        Ok(Self::new(serde_json::from_str(&first)?, Event::read_lines(from)?))
    }
}
