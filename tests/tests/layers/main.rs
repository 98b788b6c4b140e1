//! The layers of the source, and who may use whom: `docs/architecture.md` explains them, this holds them.

#![allow(clippy::unwrap_used)] // Clippy's allowance for tests does not reach their helpers.

mod examples;
mod source;
mod workspace;

use std::collections::{BTreeSet, HashMap};

use source::Construct::{self, Async, ForeignFile, HiddenFromDocs, Unsafe};
use source::{Path, Source};
use workspace::read_workspace;

/// Modules that may contain `unsafe`: the test that forks, and the library that stands in for a server's clock.
const UNSAFE_MODULES: &[&str] = &["tests::tests::fork", "tests::clock_shim"];

const RULES: &[Rule] = &[
    Rule {
        name: "pure core",
        what: "the quorum core is pure: no I/O, no clock, no random source, no async",
        within: &["crate::quorum"],
        of_crate: Some(&["crate::id"]),
        of_others: Some(&[
            "core",
            "std::cmp",
            "std::collections",
            "std::fmt",
            "std::iter",
            "std::mem",
            "std::num",
            "std::ops",
            "std::time",
            "thiserror",
        ]),
        never: &["crate::id::Instant::now", "std::time::Instant", "std::time::SystemTime"],
        constructs: &[Async],
        ..ANYTHING
    },
    Rule {
        name: "names alone",
        what: "names, tokens and times use nothing of the crate",
        within: &["crate::id"],
        of_crate: Some(&[]),
        ..ANYTHING
    },
    Rule {
        name: "backends alone",
        what: "a backend stands alone",
        within: &["crate::backend::*"],
        of_crate: Some(&["crate::node", "crate::id", "crate::env", "crate::protections", "crate::telemetry"]),
        ..ANYTHING
    },
    Rule {
        name: "driver",
        what: "the driver knows no backend",
        within: &["crate::driver"],
        never: &["crate::backend", "crate::config"],
        ..ANYTHING
    },
    Rule {
        name: "telemetry",
        what: "telemetry knows values, not who handles them",
        within: &["crate::telemetry"],
        of_crate: Some(&["crate::node", "crate::id", "crate::env", "crate::error"]),
        ..ANYTHING
    },
    Rule {
        name: "said in one place",
        what: "events, spans and metrics are worded in `telemetry` alone",
        within: &["crate"],
        except: &["crate::telemetry", "crate::testing"],
        never: &["tracing", "metrics"],
        ..ANYTHING
    },
    Rule {
        name: "several backends",
        what: "only the configuration and the builder know several backends",
        within: &["crate"],
        except: &["crate::backend", "crate::config", "crate::builder", "crate::locks"],
        one_backend: true,
        ..ANYTHING
    },
    Rule {
        name: "outside world",
        what: "only `env` touches clock, timer, threads and randomness",
        within: &["crate"],
        except: &["crate::env", "crate::testing"],
        never: &[
            "crate::id::Instant::now",
            "getrandom",
            "rand",
            "rustix::time",
            "rustix::rand",
            "std::time::Instant",
            "std::time::SystemTime",
            "std::thread::Builder",
            "std::thread::park_timeout",
            "std::thread::scope",
            "std::thread::sleep",
            "std::thread::sleep_until",
            "std::thread::spawn",
            "tokio::runtime",
            "tokio::spawn",
            "tokio::task",
            "tokio::time",
        ],
        ..ANYTHING
    },
    Rule {
        name: "election",
        what: "leader election is built on the public API; what it tells goes through `telemetry`, as everybody's",
        within: &["crate::election"],
        public_api: true,
        besides: &["crate::telemetry"],
        ..ANYTHING
    },
    Rule {
        name: "back doors",
        what: "nothing is public behind the documentation's back, no file is part of two modules",
        within: &["crate", "cli", "examples", "tests"],
        constructs: &[HiddenFromDocs, ForeignFile],
        ..ANYTHING
    },
    Rule {
        name: "unsafe",
        what: "`unsafe` is kept to named modules",
        within: &["crate", "cli", "examples", "tests"],
        except: UNSAFE_MODULES,
        constructs: &[Unsafe],
        ..ANYTHING
    },
];

/// What the modules in `within`, and those below them, may do.
struct Rule {
    name: &'static str,
    what: &'static str,
    /// `crate::backend::*` means each module in it, one by one.
    within: &'static [&'static str],
    except: &'static [&'static str],
    /// The only paths of the library besides its own module's that it may use.
    of_crate: Option<&'static [&'static str]>,
    /// The only paths of other crates that it may use.
    of_others: Option<&'static [&'static str]>,
    /// Paths that it must not use.
    never: &'static [&'static str],
    /// Constructs that it must not contain.
    constructs: &'static [Construct],
    /// It may name one backend at most.
    one_backend: bool,
    /// It may use only what is public at the crate's root...
    public_api: bool,
    /// ... and this.
    besides: &'static [&'static str],
}

const ANYTHING: Rule = Rule {
    name: "",
    what: "",
    within: &[],
    except: &[],
    of_crate: None,
    of_others: None,
    never: &[],
    constructs: &[],
    one_backend: false,
    public_api: false,
    besides: &[],
};

#[test]
fn every_layer_uses_only_what_it_may() {
    let sources = read_workspace();
    let found: Vec<String> = RULES.iter().flat_map(|rule| rule.violations(&sources)).collect();
    assert!(found.is_empty(), "{} violations of the layer rules:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_rules_speak_of_modules_that_exist() {
    let sources = read_workspace();
    // Named by the design, and still to come.
    let not_yet = ["crate::driver"];
    for place in RULES.iter().flat_map(|rule| rule.within).filter(|place| !not_yet.contains(place)) {
        assert!(sources.iter().any(|source| place_of(place, &source.module).is_some()), "{place} is nowhere");
    }
}

impl Rule {
    fn violations(&self, sources: &[Source]) -> Vec<String> {
        let root = sources.iter().find(|source| source.module == ["crate"]).unwrap();
        let test_modules: Vec<&Path> = sources.iter().flat_map(|source| &source.test_modules).collect();
        let mut found = Vec::new();
        for source in sources {
            let Some(own) = self.within.iter().find_map(|place| place_of(place, &source.module)) else {
                continue;
            };
            if self.except.iter().any(|place| place_of(place, &source.module).is_some()) {
                continue;
            }
            let is_for_tests = test_modules.iter().any(|module| source.module.starts_with(module));
            let mut lines = self.wrong_constructs(source, is_for_tests);
            if !is_for_tests {
                lines.extend(self.wrong_paths(source, &own, root));
            }
            let module = source.module.join("::");
            let text = |(line, what)| format!("{module}, line {line}: {what}\n    rule: {}", self.what);
            found.extend(lines.into_iter().map(text));
        }
        found
    }

    fn wrong_constructs(&self, source: &Source, is_for_tests: bool) -> Vec<(usize, String)> {
        let is_wrong =
            |found: &Construct| self.constructs.contains(found) && !(is_for_tests && *found == Async);
        let wrong = source.constructs.iter().filter(|(construct, _)| is_wrong(construct));
        wrong.map(|(construct, line)| (*line, format!("{construct:?}"))).collect()
    }

    fn wrong_paths(&self, source: &Source, own: &Path, root: &Source) -> Vec<(usize, String)> {
        let mut wrong = Vec::new();
        let mut backends = BTreeSet::new();
        for (path, line) in &source.paths {
            let path = at_home(path, &root.imports);
            let is_own = path.starts_with(own);
            let of_crate = path[0] == "crate";
            let allowed = if of_crate { self.of_crate } else { self.of_others };
            let is_allowed =
                is_own || allowed.is_none_or(|list| list.iter().any(|place| is_below(&path, place)));
            let is_open = is_own || self.besides.iter().any(|place| is_below(&path, place));
            let is_hidden = self.public_api && of_crate && !is_open && !is_public(&path, root);
            if !is_allowed || is_hidden || self.never.iter().any(|place| meets(&path, place)) {
                wrong.push((*line, path.join("::")));
            }
            if meets(&path, "crate::backend") {
                backends.extend(path.get(2).cloned());
            }
        }
        if self.one_backend && (backends.len() > 1 || backends.contains("*")) {
            wrong.push((1, format!("several backends: {backends:?}")));
        }
        wrong
    }
}

/// The part of `module` that `place` names, if it lies there: `crate::backend::*` names `crate::backend::redis`.
fn place_of(place: &str, module: &[String]) -> Option<Path> {
    let segments: Vec<&str> = place.split("::").collect();
    let fits = |(wanted, actual): (&&str, &String)| *wanted == "*" || wanted == actual;
    let is_there = segments.len() <= module.len() && segments.iter().zip(module).all(fits);
    is_there.then(|| module[..segments.len()].to_vec())
}

/// Whether the path is `place` or something below it.
fn is_below(path: &[String], place: &str) -> bool {
    let mut segments = path.iter();
    place.split("::").all(|wanted| segments.next().is_some_and(|actual| actual == wanted))
}

/// Whether the path is `place`, something below it, or a glob that brings it in.
fn meets(path: &[String], place: &str) -> bool {
    let place_segments: Path = place.split("::").map(str::to_owned).collect();
    match path {
        [above @ .., last] if last == "*" => is_below(path, place) || place_segments.starts_with(above),
        _ => is_below(path, place),
    }
}

/// Resolves what the crate's root re-exports: `crate::Ttl` lives in `crate::id`.
fn at_home(path: &Path, root: &HashMap<String, Vec<Path>>) -> Path {
    match path.as_slice() {
        [first, name, rest @ ..] if first == "crate" && root.contains_key(name) => {
            [root[name][0].as_slice(), rest].concat()
        }
        _ => path.clone(),
    }
}

/// Whether a path of the library is one that users of the library can write, up to their own spelling.
fn is_public(path: &[String], root: &Source) -> bool {
    let exported = root.public.iter().filter_map(|name| root.imports.get(name)).flatten();
    let module = path.get(1).is_some_and(|name| root.public.contains(name));
    module || exported.into_iter().any(|export| path.starts_with(export))
}
