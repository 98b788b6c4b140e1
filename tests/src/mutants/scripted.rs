//! For each safeguard a course of things, on virtual time and so the same in every run, in which it is needed.

mod acquiring;
mod building;
mod clocks;
mod fencing;
mod forgetting;
mod handing;
mod holding;
mod leading;
mod releasing;
mod sets;
mod world;

use redlock::Protections;

/// Plays it; says whether what must not happen happened.
pub type Play = fn(Protections) -> bool;

/// Each safeguard, what happens without it, and the course of things that shows it.
pub const SCRIPTED: &[(&str, &str, Play)] = &[
    (
        "validity_check",
        "a client that slept is handed a lock that somebody else holds",
        acquiring::handed_out_after_its_validity,
    ),
    (
        "drift_allowance",
        "a client with a slow clock believes in its lock when it has expired",
        holding::believed_by_a_slow_clock,
    ),
    (
        "fresh_owner",
        "the late release of a failed round takes the lock from the round after it",
        acquiring::released_by_an_earlier_round,
    ),
    ("stale_deadline", "the late request of a dead client takes the lock", acquiring::taken_by_a_ghost),
    (
        "release_owner_check",
        "the late release of one holder takes the lock from the next",
        releasing::released_by_another_owner,
    ),
    (
        "extend_owner_check",
        "a holder that has lost the lock prolongs it for ever",
        holding::prolonged_by_another_owner,
    ),
    ("never_shorten", "an extension ends a lock before its time", holding::shortened),
    (
        "release_unknown",
        "a request that was overtaken by its release leaves a lock behind",
        releasing::left_by_a_request_that_was_overtaken,
    ),
    ("adopt_stragglers", "a dropped acquire leaves a lock behind", releasing::left_by_a_dropped_acquire),
    ("extend_in_time", "a lock whose validity had ended is believed again", holding::revived),
    (
        "lost_on_majority",
        "a holder believes in its lock although a majority has told it otherwise",
        holding::believed_against_the_majority,
    ),
    (
        "lost_ahead",
        "a holder is told of its loss only when its validity has ended",
        holding::told_when_it_was_over,
    ),
    (
        "fence_quorum",
        "a later holder that meets other nodes has no greater fencing token",
        fencing::token_of_a_minority,
    ),
    (
        "fence_clamp",
        "one client with a wrong hint pushes the tokens an hour ahead of the time",
        fencing::token_far_ahead_of_the_nodes_time,
    ),
    (
        "fence_extend",
        "nodes that lose their counters while a lock is held give the next holder a lower token",
        fencing::token_forgotten_by_one_node_after_the_other,
    ),
    ("fence_once", "a request that arrives twice counts twice", fencing::counted_twice),
    (
        "preflight",
        "a lock that its node has evicted is handed out again",
        building::handed_out_by_a_node_that_evicts,
    ),
    (
        "marker_check",
        "nodes that were told to forget grant what somebody holds, at once",
        forgetting::granted_without_a_marker,
    ),
    (
        "quarantine",
        "nodes that have forgotten grant what somebody holds as soon as they have a new marker",
        forgetting::granted_with_a_new_memory,
    ),
    (
        "quarantine_from_marker",
        "a server that has run for long and was told to forget has no quarantine",
        forgetting::granted_by_an_old_process,
    ),
    (
        "fence_floor",
        "nodes that have forgotten their counters give the next holder a lower token",
        fencing::token_forgotten_with_everything_else,
    ),
    ("restore", "a lock is lost as nodes forget one after the other", forgetting::eroded),
    (
        "restore_new_only",
        "a holder whose keys were deleted believes in its lock after another has held it",
        forgetting::believed_after_another_holder,
    ),
    (
        "clock_guard",
        "a node whose clock was set ahead grants what somebody holds",
        clocks::granted_by_a_clock_that_was_set,
    ),
    (
        "own_clock",
        "a holder whose machine stood still, clock and all, believes in a lock that another holds",
        clocks::believed_after_standing_still,
    ),
    (
        "handoff_hold",
        "a holder that has handed its lock over believes in it while the next one holds it",
        handing::believed_by_a_former_holder,
    ),
    ("handoff_validity", "a waiter is handed a lock that is about to end", handing::handed_over_at_its_end),
    ("handoff_token", "two holders of one lease have the same fencing token", handing::the_same_token_twice),
    (
        "handoff_bound",
        "a process whose tasks want the lock again and again keeps it from all others",
        handing::kept_from_others,
    ),
    (
        "fence_top",
        "nodes that lose their counters while a lease is handed over give a later holder a lower token",
        handing::token_of_a_span_forgotten,
    ),
    (
        "campaign_recheck",
        "a candidate is handed a leadership that has ended already",
        leading::handed_out_too_late,
    ),
    (
        "await_work",
        "a leader that steps down resigns while its work goes on, and another leads",
        leading::resigned_before_its_work_has_returned,
    ),
    (
        "stop_in_time",
        "the work of a leader that is cut off goes on while another leads",
        leading::worked_on_beside_the_next_leader,
    ),
    (
        "takeover_delay",
        "another leads as soon as a leader's validity has ended, though it was to wait",
        leading::taken_over_at_once,
    ),
    (
        "node_set_epoch",
        "a client with the list of before a node was replaced gets what one with the new list holds",
        sets::held_by_clients_of_two_lists,
    ),
    (
        "node_set_wait",
        "two nodes are removed one after the other, and those that are left grant what somebody holds",
        sets::granted_by_those_that_are_left,
    ),
    (
        "node_set_floor",
        "two nodes are removed one after the other, and the next holder has a lower fencing token",
        sets::token_removed_with_its_nodes,
    ),
];
