//! Defects of what is shown of an owner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use redlock::node::Description;

use super::Case;
use crate::wrong::then;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::in_the_store(
            "does not say whose it is",
            |wrong| {
                wrong.inspect(|at, name| {
                    then(at.node().inspect(name), |mut look| {
                        look.owner = None;
                        look
                    })
                })
            },
            &["a_look_says_whose_it_is"],
        ),
        Case::in_the_store(
            "shows a part of what is said",
            |wrong| {
                wrong.acquire(|at, mut request| {
                    let text =
                        request.description.map(|said| said.as_str().chars().take(100).collect::<String>());
                    request.description = text.map(Description::new);
                    at.acquire(request)
                })
            },
            &["a_description_is_shown_to_all"],
        ),
        Case::in_the_store(
            "goes on showing what an earlier owner said",
            |wrong| {
                let shown = Arc::new(Mutex::new(HashMap::new()));
                wrong.inspect(move |at, name| {
                    let shown = Arc::clone(&shown);
                    then(at.node().inspect(name.clone()), move |mut look| {
                        let mut shown = shown.lock().unwrap();
                        match &look.description {
                            Some(said) => drop(shown.insert(name, said.clone())),
                            None => look.description = shown.get(&name).cloned(),
                        }
                        look
                    })
                })
            },
            &["a_description_goes_with_its_lock"],
        ),
        Case::in_the_store(
            "forgets what was said with an extension that says nothing",
            |wrong| {
                wrong.extend(|at, mut request| {
                    request.description.get_or_insert_with(|| Description::new(""));
                    at.extend(request)
                })
            },
            &["an_extension_leaves_or_changes_a_description", "what_is_restored_brings_its_description"],
        ),
        Case::in_the_store(
            "restores without what is said",
            |wrong| {
                wrong.extend(|at, mut request| {
                    request.description.take_if(|_| request.restore);
                    at.extend(request)
                })
            },
            &["what_is_restored_brings_its_description"],
        ),
    ]
}
