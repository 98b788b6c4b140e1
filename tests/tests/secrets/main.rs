//! Owner tokens and passwords never get out: not by Debug, not by Display, not by what this library or those below it log.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod captured;
mod scenario;
mod secret;

use std::fmt::{Debug, Display};
use std::sync::{Mutex, PoisonError};

use secret::Secret;

/// What was printed, and what must not be in it.
#[derive(Default)]
struct Witness {
    said: Mutex<Vec<String>>,
    secrets: Mutex<Vec<Secret>>,
}

impl Witness {
    /// Has something print itself.
    fn hear(&self, what: &impl Debug) {
        self.keep(format!("{what:?}"));
        self.keep(format!("{what:#?}"));
    }

    /// Has an error, or whatever people read, print itself.
    fn hear_all(&self, what: &(impl Debug + Display)) {
        self.hear(what);
        self.keep(what.to_string());
    }

    /// Hears why something failed.
    #[track_caller]
    fn error<T: Debug, E: Debug + Display>(&self, result: Result<T, E>) -> E {
        let error = result.unwrap_err();
        self.hear_all(&error);
        error
    }

    fn keep(&self, text: String) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn secret(&self, secret: Secret) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).push(secret);
    }

    /// Looks at all that was said and logged.
    fn assert_nothing_got_out(self) {
        let (said, secrets) = (self.said.into_inner().unwrap(), self.secrets.into_inner().unwrap());
        for text in said.iter().chain(&captured::lines()) {
            secrets.iter().for_each(|secret| secret.is_not_in(text));
        }
    }
}

#[test]
fn no_secret_is_printed_or_logged_in_the_life_of_a_client() {
    if scenario::is_the_child() {
        return scenario::read_the_environment();
    }
    captured::start();
    let witness = Witness::default();
    scenario::run(&witness);
    let lines = captured::lines();
    let logged_by = |target: &str, level: &str| {
        lines.iter().filter(|line| line.starts_with(target) && line.contains(level)).count()
    };
    // Otherwise this would show nothing.
    assert!(logged_by("redlock", "WARN") > 0, "the library logs nothing");
    assert!(logged_by("fred", "TRACE") > 100, "fred's own log is not seen");
    let tokens = witness.secrets.lock().unwrap().len();
    assert!(tokens >= 20, "only {tokens} secrets were met");
    witness.assert_nothing_got_out();
}
