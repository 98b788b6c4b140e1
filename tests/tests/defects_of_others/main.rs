//! What goes wrong in other lock libraries, each case held by a test here.
//!
//! | library | what goes wrong there | the test, or why there is none |
//! |---|---|---|
//! | due | a lost lock is invisible to its holder | [`renewal::a_lost_lock_is_told_to_its_holder_before_its_validity_ends`] |
//! | due | one transient error ends renewal, silently | [`renewal::a_renewal_that_fails_once_is_told_and_followed_by_another`] |
//! | due | what TryAcquire returns is never renewed | [`renewal::try_acquire_is_renewed_as_acquire_is`] |
//! | due | TLS files that cannot be read crash the program | [`settings::tls_files_that_cannot_be_used_are_errors_that_name_the_file`] |
//! | due | TLS with fewer than all three files is plain text, silently | [`settings::a_tls_file_alone_never_means_plain_text`] |
//! | due | the token is the locker's: a late release frees somebody else's lock | [`release::a_late_release_leaves_the_next_holder_alone`], [`release::a_release_that_arrives_late_leaves_the_next_holder_alone`], [`release::every_acquisition_has_an_owner_of_its_own`] |
//! | due | a release beside a renewal in flight leaves the lock held | [`release::a_release_during_a_renewal_in_flight_ends_released`], [`release::releases_among_renewals_on_real_servers_leave_no_key`] |
//! | due | a release that is forgotten renews for ever | [`renewal::a_forgotten_guard_ends_at_its_renew_limit`] |
//! | due | after a lost reply it waits for its own key to expire | [`quorum::a_single_node_whose_reply_was_lost_is_acquired_in_the_next_round_too`] |
//! | due | a TTL of 0 or below 1 ms: a key without an end, or a renewal that deletes it | [`settings::a_ttl_of_zero_or_below_the_shortest_is_refused_before_any_node_is_asked`], [`release::every_key_on_a_server_ends_by_itself`] |
//! | due | memcached: TTLs below 1 s and above 30 days, coarse expiry, eviction | in the tests of that backend, `memcached_node`: votes (TTLs), stopped (ends in time), full (eviction) |
//! | due | acquireInterval = 0 is a busy loop | [`settings::a_pause_of_zero_is_refused`], [`waiting::a_waiter_asks_about_as_often_as_it_should_and_never_twice_at_once`] |
//! | due | a fixed pause without jitter herds the waiters | [`waiting::waiters_do_not_come_in_step`] |
//! | due | no fairness | [`waiting::waiters_of_one_process_are_served_in_the_order_in_which_they_came`] |
//! | due | acquireMaxRetries = N makes N + 2 attempts | [`waiting::n_retries_are_n_plus_one_attempts`], [`waiting::acquire_max_retries_of_the_configuration_means_the_same`] |
//! | due | DNS errors are swallowed | [`settings::a_host_that_does_not_resolve_is_named_with_the_reason`] |
//! | due | a duration that does not parse becomes 0 | [`settings::a_duration_that_does_not_parse_is_an_error_in_every_key`] |
//! | due | its examples do not print what they counted, and skip acquires that failed | [`waiting::a_hundred_tasks_count_to_a_hundred_and_a_failed_acquire_is_an_error`] |
//! | redsync | a minority that did not vote is never topped up: the quorum erodes | needs restore: comes with it |
//! | redsync | a cancelled caller cancels the clean-up too: keys stay | [`release::an_acquire_cancelled_at_any_moment_leaves_nothing`], [`release::acquires_dropped_half_way_on_real_servers_leave_no_key`], [`release::a_failed_acquire_cleans_up_the_nodes_that_did_not_answer_too`] |
//! | redsync | DEL overtakes SET on another connection of the pool | [`overtaking::thousands_of_uncontended_cycles_leave_no_key`], [`overtaking::thousands_of_contended_attempts_that_fail_fast_leave_no_key`] |
//! | redsync | still valid after it has expired | [`renewal::is_valid_is_false_once_the_validity_has_ended`] |
//! | redsync | one slow node slows all | [`speed_of_nodes::one_slow_node_slows_nobody`], [`speed_of_nodes::locks_are_acquired_renewed_and_released_without_a_server_that_hangs`] |
//! | node-redlock | hangs for ever on an even split | [`quorum::four_nodes_that_are_split_two_and_two_decide_at_once_and_then_agree`], [`quorum::an_even_number_of_nodes_needs_more_than_half_and_works`] |
//! | node-redlock | returns a lock that has expired already | [`quorum::an_acquire_that_took_longer_than_the_ttl_is_not_held_and_leaves_nothing`] |
//! | node-redlock | blocks itself by its own key from the try before | [`quorum::a_lost_reply_to_the_acquire_does_not_block_the_next_round`] |
//! | node-redlock | its error says that there was no quorum, and not why | [`quorum::an_error_says_what_each_node_said`] |
//! | RedLock.net | an extension sets a missing key anew, always | [`renewal::an_extension_never_makes_a_key_that_is_gone`] |
//! | RedLock.net | IsAcquired knows of no expiry | [`renewal::is_valid_is_false_once_the_validity_has_ended`] |
//! | RedLock.net | no notification of a loss | [`renewal::a_lock_that_others_have_taken_is_lost_as_soon_as_a_majority_says_so`] |
//! | RedLock.net | two holders | [`quorum::two_clients_never_hold_one_lock_at_the_same_time`] |
//! | Redisson RedLock | asks one node after the other | [`quorum::all_nodes_are_asked_at_once`] |
//! | Redisson RedLock | does not compare the time that acquiring took with the lease | [`quorum::an_acquire_that_took_longer_than_the_ttl_is_not_held_and_leaves_nothing`] |
//! | Redisson RedLock | no allowance for drift | [`quorum::the_validity_counts_from_before_the_asking_and_leaves_room_for_drift`] |
//! | Redisson RedLock | two holders | [`quorum::two_clients_never_hold_one_lock_at_the_same_time`] |
//! | Redisson RedLock | nobody is called when a renewal fails | [`renewal::a_renewal_that_fails_once_is_told_and_followed_by_another`] |
//! | Redisson RedLock | the watchdog outlives unlock | [`renewal::nothing_is_renewed_after_the_release`] |
//! | Redisson RedLock | keys of fencing tokens that never expire | needs fencing: comes with fencing tokens; all other keys: [`release::every_key_on_a_server_ends_by_itself`] |
//! | Redisson RedLock | lost wake-ups | [`waiting::no_wake_up_is_lost_when_the_waiter_that_it_was_for_gives_up`] |
//! | Redisson | its locks are hashes, which others do not understand | not our layout: a lock is a plain string key |
//! | pottery | an extension is not compared with the validity | [`renewal::an_extension_that_took_too_long_does_not_count`] |
//! | pottery | no clean-up after an asynchronous cancellation | [`release::an_acquire_cancelled_at_any_moment_leaves_nothing`] |
//! | redlock-rs | the validity of an acquire that took too long wraps around | [`quorum::a_validity_never_wraps_around`] |
//! | redlock-rs | asks one node after the other | [`quorum::all_nodes_are_asked_at_once`] |
//! | redlock-rs | one node that is down fails the acquire, and the keys on the others stay | [`quorum::a_node_that_is_down_neither_fails_the_acquire_nor_leaves_keys_on_the_others`], [`quorum::real_servers_that_are_down_leave_no_keys_on_the_others`] |
//! | rslock | one black hole among three: pending for 20 s and more | [`speed_of_nodes::one_black_hole_among_three_slows_nobody`], [`speed_of_nodes::too_many_black_holes_fail_the_attempt_within_the_node_timeout`] |
//! | rslock | `using` never extends, and says Ok after the lock has expired | [`renewal::work_that_takes_much_longer_than_the_ttl_is_done_under_the_lock`], [`renewal::work_whose_lock_is_lost_is_cancelled_and_not_called_done`] |
//! | rslock | one failed extension deletes the lock everywhere | [`renewal::an_extension_that_fails_deletes_nothing_and_the_lock_stays_valid`] |
//! | rslock | a dropped future leaks | [`release::acquires_dropped_half_way_on_real_servers_leave_no_key`] |
//! | aioredlock | an extension brings back a lock that others held in between | [`renewal::an_extension_never_brings_back_a_lock_that_others_held_in_between`] |
//! | DistributedLock | its notification can come seconds after the lock has expired | [`renewal::a_lost_lock_is_told_to_its_holder_before_its_validity_ends`] |
//! | rueidislock | one deployment alone, so no failure of a server is survived | [`quorum::a_node_that_is_down_neither_fails_the_acquire_nor_leaves_keys_on_the_others`] |
//! | rueidislock | keys end by the time of day of the client | [`renewal::what_time_of_day_a_client_believes_it_is_does_not_matter`] |
//! | redis-semaphore | no check of the validity | [`quorum::an_acquire_that_took_longer_than_the_ttl_is_not_held_and_leaves_nothing`] |
//! | redis-semaphore | after a standby the holder does not know that the lock was lost | [`renewal::a_client_that_slept_past_its_validity_knows_it_when_it_wakes`] |
//! | redlock4j | its semaphore over a quorum limits nothing | there is no semaphore here |
//! | redis-rs | a client may skip queued commands whose future was dropped: keys stay | [`overtaking::thousands_of_uncontended_cycles_leave_no_key`], [`release::acquires_dropped_half_way_on_real_servers_leave_no_key`] |
//! | redsync, pottery | pools without order leave keys | [`overtaking::thousands_of_uncontended_cycles_leave_no_key`], [`overtaking::thousands_of_contended_attempts_that_fail_fast_leave_no_key`] |
//! | fred, as it comes | the queue towards a hung node grows without limit | [`hung_node::thousands_of_cycles_past_a_hung_server_take_bounded_memory`] |
//! | redlock-rs | a validity that wraps around grants locks that have expired | [`quorum::a_validity_never_wraps_around`] |
//! | redlock-rs, redlock-py | a dead node fails every acquire, and keys stay on the others | [`quorum::real_servers_that_are_down_leave_no_keys_on_the_others`] |

mod fleet;
mod hung_node;
mod overtaking;
mod quorum;
mod release;
mod renewal;
mod settings;
mod speed_of_nodes;
mod table;
mod waiting;
mod world;
