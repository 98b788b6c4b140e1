//! A file that says how a candidate is, and the probe that reads it.
//!
//! It is one line, `UNTIL WORD`: until when it says something, on the suspend-aware clock of this machine, and how things stand. A
//! candidate that hangs does not write it any more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use redlock::{Election, Health, Instant};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::exit;

const EVERY: Duration = Duration::from_secs(1);
/// For how long it says something: a machine may be busy.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// Writes the file now, and from now on by a task of this runtime: it stops when the candidate hangs.
pub(super) async fn keep(file: PathBuf, election: Election) -> io::Result<()> {
    write(&file, election.health())?;
    tokio::spawn(async move {
        loop {
            sleep(EVERY).await;
            let (file, health) = (file.clone(), election.health());
            // A disk that hangs must not hold up whoever ends the command. What cannot be written now is written later, or the
            // probe finds it too old.
            let _ = spawn_blocking(move || write(&file, health)).await;
        }
    });
    Ok(())
}

fn write(file: &Path, health: Health) -> io::Result<()> {
    let until = Instant::now().saturating_add(GOOD_FOR).as_nanos();
    let word = match health {
        Health::Standby => "standby",
        Health::Leading { .. } => "leading",
        _ if health.is_ok() => "well",
        Health::Overdue { .. } => "overdue",
        _ => "wedged",
    };
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    fs::write(&new, format!("{until} {word}\n"))?;
    fs::rename(new, file)
}

/// Says whether whoever keeps this file is well.
pub(super) fn probe(file: &Path) -> ExitCode {
    match judge(fs::read_to_string(file), Instant::now()) {
        Ok(word) => {
            println!("{word}");
            ExitCode::SUCCESS
        }
        Err(why) => exit::failed(format!("{}: {why}", file.display())),
    }
}

fn judge(text: io::Result<String>, now: Instant) -> Result<String, String> {
    let text = text.map_err(|error| error.to_string())?;
    let found = text.trim_end().split_once(' ');
    let found = found.and_then(|(until, word)| Some((Instant::from_nanos(until.parse().ok()?), word)));
    let Some((until, word)) = found else { return Err("this is no health file".to_owned()) };
    if now >= until {
        return Err(format!(
            "the candidate has not written it for {:.0?}",
            now.saturating_since(until) + GOOD_FOR
        ));
    }
    match word {
        "standby" | "leading" | "well" => Ok(word.to_owned()),
        "overdue" => Err("the leadership was lost, and the command has not ended".to_owned()),
        _ => Err("the leadership is not renewed any more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_word_that_is_good_is_well() {
        let at = |nanos| Instant::from_nanos(nanos);
        let said = |text: &str| judge(Ok(text.to_owned()), at(100));
        assert_eq!(said("101 leading\n"), Ok("leading".to_owned()));
        assert_eq!(said("101 standby\n"), Ok("standby".to_owned()));
        for bad in ["100 leading\n", "101 overdue\n", "101 wedged\n", "", "leading", "x leading"] {
            assert!(said(bad).is_err(), "{bad:?}");
        }
        assert!(judge(Err(io::ErrorKind::NotFound.into()), at(0)).is_err());
    }
}
