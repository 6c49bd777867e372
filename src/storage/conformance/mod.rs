//! The contract of a backend as tests, generic over how one is made.
//!
//! Each file holds the claims of one topic: functions over a [`Bed`], which is one empty store and
//! the transactions on it. [`conforms`] runs them all for one way to make a bed. Whoever adds a
//! method to a trait of [`crate::domain::port`] adds a claim here; whoever writes another backend
//! adds a function that makes beds, one line at the end of this file, and runs the same claims. No
//! claim names a backend: what is true of one alone is tested beside it.
//!
//! Most claims go through the scripts of the domain, since those are what a backend must carry; time
//! is a number, so no claim waits for anything.

#![cfg(test)]

mod attempt;
mod budget;
mod carry;
mod check;
mod claim;
mod control;
mod event;
mod graduate;
mod list;
mod news;
mod payload;
mod policy;
mod query;
mod queue;
mod retention;
mod run;
mod schedule;
mod sql;
mod stats;
mod step;
mod store;
mod task;
mod wait;

use crate::clock::Now;
use crate::domain::attempt::{End, Finish, finish};
use crate::domain::claim::{Claimed, Claimer, Picked};
use crate::domain::news::News;
use crate::domain::port::{Fence, LaneFilter, Owner, OwnerId, OwnerKey, Port, RunKey, Task};
use crate::domain::step::{Begin, Subject};
use crate::domain::submit::{QUEUE_DEFAULT, Submit, Submitted};
use crate::error::Result;
use crate::id::Id;

/// One store, empty but for its schema.
pub(super) trait Bed {
    /// Runs `work` in one transaction, and keeps what it wrote or not.
    fn transact(&mut self, is_kept: bool, work: &mut dyn FnMut(&mut dyn Port));
    /// Returns what the last transaction tells others.
    fn news(&self) -> News;
    /// Returns everything that is stored, each table in the order of its primary key, so that two
    /// states can be compared however they came about.
    fn dump(&mut self) -> String;
    /// Returns whether a key is the one after the greatest, so that the row of the newest run stays when
    /// that is pruned.
    fn keeps_newest(&self) -> bool;
    /// Returns whether equal large payloads are stored once.
    fn shares_payloads(&self) -> bool;
}

impl dyn Bed + '_ {
    /// Runs `work` in one transaction and keeps what it wrote.
    fn tx<T>(&mut self, work: impl FnOnce(&mut dyn Port) -> T) -> T {
        once(|work| self.transact(true, work), work)
    }

    /// Runs `work` in one transaction, which is then undone.
    fn undone<T>(&mut self, work: impl FnOnce(&mut dyn Port) -> T) -> T {
        once(|work| self.transact(false, work), work)
    }

    /// Runs `work`, which must fail with this code and change nothing.
    fn refused<T>(&mut self, code: i32, work: impl FnOnce(&mut dyn Port) -> Result<T>) -> String {
        let before = self.dump();
        let error = self.tx(work).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(self.dump(), before, "refused, and changed all the same");
        error.to_string()
    }

    fn submit(&mut self, number: u8, submit: &Submit, now: Now) -> Submitted {
        self.tx(|port| crate::domain::submit::submit(port, submit, run_id(number), 0, now)).unwrap()
    }

    /// Submits a plain run of the default queue and returns its key.
    fn run(&mut self, number: u8, now: Now) -> RunKey {
        self.submit(number, &plain(), now);
        self.key(number)
    }

    /// Returns the key of the run with this number.
    fn key(&mut self, number: u8) -> RunKey {
        self.tx(|port| port.run_by_id(run_id(number)).unwrap().unwrap())
    }

    /// Claims as a claimer that asks again as long as a sweep was cut.
    fn claim(&mut self, claimer: &Claimer, now: Now) -> Option<Box<Claimed>> {
        loop {
            let picked = self.tx(|port| crate::domain::claim::claim(port, claimer, 1, now));
            let Picked { mut runs, has_more, .. } = picked.unwrap();
            if !runs.is_empty() || !has_more {
                return runs.pop().map(Box::new);
            }
        }
    }

    /// Claims for owner 1, which takes what comes.
    fn claimed(&mut self, now: Now) -> Box<Claimed> {
        let owner_key = self.owner_key(1);
        self.claim(&claimer(1, owner_key), now).expect("nothing to claim")
    }

    fn owner_key(&mut self, mark: u64) -> OwnerKey {
        let owners = self.tx(|port| port.standing("").unwrap().owners);
        owners.iter().find(|owner| owner.id == owner_id(mark)).map_or(0, |owner| owner.owner_key)
    }

    fn task(&mut self, run_key: RunKey) -> Option<Task> {
        self.tx(|port| port.task(run_key).unwrap())
    }

    fn finish(&mut self, fence: Fence, end: &End, now: Now) -> Result<Finish> {
        self.tx(|port| finish(port, fence, end, now))
    }
}

fn once<T>(
    transact: impl FnOnce(&mut dyn FnMut(&mut dyn Port)),
    work: impl FnOnce(&mut dyn Port) -> T,
) -> T {
    let (mut work, mut answer) = (Some(work), None);
    transact(&mut |port| answer = work.take().map(|work| work(port)));
    answer.expect("a bed runs the work once")
}

/// Both clocks at the same number.
fn at(ms: i64) -> Now {
    Now { wall_ms: ms, lease_ms: ms }
}

fn run_id(number: u8) -> Id {
    Id::from_bytes([number; 16])
}

fn plain() -> Submit {
    Submit { workflow: "w".into(), ..Submit::default() }
}

/// The id of an owner whom nobody asks whether it lives.
fn owner_id(mark: u64) -> OwnerId {
    let mut bytes = [0; OwnerId::LEN];
    bytes[..8].copy_from_slice(&mark.to_le_bytes());
    OwnerId::from_bytes(bytes)
}

fn claimer(mark: u64, owner_key: OwnerKey) -> Claimer {
    Claimer {
        owner: Owner { owner_key, id: owner_id(mark) },
        lease_ms: 10_000,
        worker: Some(format!("worker {mark}")),
        filter: LaneFilter { queue: QUEUE_DEFAULT.into(), ..LaneFilter::default() },
        dead: Vec::new(),
        unheard: Vec::new(),
        seed: run_id(0xEE),
    }
}

/// A step of an attempt, on its first try.
fn subject(fence: Fence, name: &str, begin: Begin, now: Now) -> Subject {
    Subject {
        fence,
        name: name.into(),
        occurrence: begin.occurrence.max(1),
        tries: 1,
        started_at_ms: now.wall_ms,
        plan: begin.plan().unwrap(),
    }
}

/// A sequence of numbers that looks random and is the same each time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Makes a test of each claim for the beds that `$make` makes: a function that gives a fresh store of
/// its backend, and goes with it; none where that is not to be had, and it has said so.
macro_rules! conforms {
    ($backend:ident, $make:expr, $($topic:ident: $($claim:ident)*;)*) => {
        mod $backend {
            $(mod $topic {
                $(#[test]
                fn $claim() {
                    if let Some(mut bed) = $make() {
                        crate::storage::conformance::$topic::$claim(&mut *bed);
                    }
                })*
            })*
        }
    };
}

/// Every claim, once.
macro_rules! every_claim {
    ($backend:ident, $make:expr) => {
        conforms! {
            $backend, $make,
            run:
                one_key_makes_one_run_of_its_workflow_whatever_else_is_asked
                a_key_of_another_workflow_is_a_conflict_and_stores_nothing
                a_list_that_uses_a_key_for_two_workflows_is_refused_whole
                a_key_counts_within_its_scope
                a_key_stays_taken_after_its_run_has_ended
                runs_without_a_key_are_all_made
                an_undone_submit_leaves_nothing_and_its_key_is_free
                runs_are_inserted_in_their_order_or_known_by_their_key
                a_lane_is_made_once_for_its_four_names
                args_come_back_byte_for_byte_whatever_their_size
                a_policy_that_was_not_named_is_the_default
                a_run_has_no_end_while_it_is_open;
            claim:
                ready_runs_go_by_priority_then_due_time_then_submission
                a_claimed_run_is_claimed_by_nobody_else
                each_claim_raises_the_attempt_number
                a_claimer_sees_its_queue_and_the_workflows_it_named
                a_claimer_of_code_versions_also_takes_runs_without_one
                a_lane_of_one_owner_is_for_that_owner
                what_waits_in_lanes_of_a_gone_owner_is_for_all_and_its_lanes_are_looked_at_no_more
                a_run_is_claimed_when_it_is_due_and_not_before
                a_sweep_of_due_runs_is_bounded_and_goes_on
                runs_claimed_together_come_in_the_order_of_claims
                heads_are_taken_in_order_up_to_a_share_and_stop_behind_a_gate
                what_comes_due_wakes_together_and_names_each_gate_once
                the_lost_are_those_whose_lease_ended_and_those_of_the_dead
                a_sweep_looks_again_at_each_run_before_it_moves_it
                an_outlook_promises_what_a_claim_finds
                a_lapsed_lease_is_claimed_by_the_next_worker
                leases_follow_the_time_awake_and_due_times_the_wall_clock
                a_lease_while_alive_lapses_with_its_owner_alone
                what_a_claim_took_that_nobody_heard_of_is_given_back_by_the_next
                the_runs_of_the_dead_are_taken_back_in_bounded_sweeps
                losses_in_a_row_without_progress_use_up_the_tries
                progress_starts_the_count_of_losses_anew
                an_orderly_close_gives_all_back_and_charges_nothing
                an_owner_is_written_once_and_its_key_never_again
                a_run_that_timed_out_in_the_queue_fails
                a_run_that_timed_out_in_an_attempt_ends_with_that_attempt
                claims_agree_with_a_plain_model_over_random_histories;
            task:
                every_write_of_a_task_counts_its_version;
            attempt:
                a_stale_attempt_changes_nothing
                an_attempt_of_another_lineage_changes_nothing
                a_lapsed_lease_that_nobody_took_over_still_works
                a_heartbeat_extends_the_lease_and_never_shortens_it
                every_write_keeps_at_least_half_the_lease_ahead
                a_completed_run_has_its_result_and_no_task
                a_failure_is_tried_again_after_its_backoff_until_the_tries_are_used_up
                a_terminal_failure_ends_the_run_at_once
                a_named_wait_outranks_the_backoff
                a_release_charges_no_try_however_often
                the_same_end_again_is_the_same_answer
                an_end_that_comes_after_the_lapse_of_a_cancelled_attempt_is_lost
                another_end_of_an_ended_attempt_is_lost;
            step:
                a_result_is_recorded_once
                a_record_is_answered_with_what_is_stored_once_that_is_finished
                a_result_comes_back_byte_for_byte
                steps_are_told_apart_by_run_name_and_occurrence
                a_start_is_replaced_by_its_end_and_replaces_none
                a_failure_stores_its_tries_and_the_time_of_the_next
                a_failure_with_no_try_left_is_for_good
                a_stale_attempt_records_nothing
                an_input_hash_stays_with_its_step
                a_start_without_an_end_is_no_progress
                a_walk_visits_each_step_until_told_to_stop
                an_interrupted_step_is_memoised_as_failed;
            budget:
                a_reserve_fits_below_the_limit_or_takes_nothing
                balances_hold_all_or_none_and_add_up_to_the_largest_number
                the_tree_shares_one_budget
                what_a_parked_attempt_gives_back_itself_does_not_wake_it_at_once
                a_unit_without_a_limit_is_metered
                one_source_reserves_once_in_an_attempt
                settling_twice_is_settling_once
                an_id_that_is_none_of_ours_is_not_found
                an_orderly_end_gives_back_what_is_open
                a_lost_attempt_is_charged_until_a_settle_corrects_it
                a_cancelled_run_reserves_nothing
                a_step_settles_its_reservations_with_its_result
                room_wakes_as_many_as_fit_and_the_next_once_it_is_not_taken
                a_run_that_waits_for_two_units_wakes_when_both_have_room
                a_warning_is_given_once_for_each_level
                a_limit_is_moved_within_its_range
                a_retried_run_keeps_its_meter_and_a_fork_has_the_limits_alone
                sums_agree_with_a_plain_model_over_random_histories;
            check:
                an_empty_store_is_whole;
            event:
                a_key_appends_once_in_a_run
                an_event_under_a_known_key_is_not_inserted_and_leaves_no_gap
                numbers_follow_the_commits_without_a_gap_and_stay
                a_page_ends_at_its_limit_or_its_bytes
                kinds_are_told_apart_and_places_are_found;
            stats:
                counts_stop_at_their_bound
                the_last_claim_of_a_lane_is_noted_once_a_second
                what_holds_a_run_back_is_found
                a_lane_is_found_however_many_stand_before_it;
            news:
                a_run_is_told_to_the_queue_it_comes_into
                an_end_tells_what_it_makes_claimable
                what_wakes_a_run_tells_every_queue
                whoever_must_hear_it_is_recalled
                a_step_tells_nobody_and_a_pause_whoever_looks;
            query:
                a_run_document_tells_each_state
                a_pending_run_says_when_it_is_due
                the_last_error_of_a_run_is_found_behind_attempts_that_ended_in_order
                a_history_pages_through_everything_once
                a_history_pages_through_messages_and_children
                a_cursor_stays_valid_while_steps_are_added
                a_failed_attempt_keeps_its_error_when_its_run_is_retried
                an_unknown_run_is_not_found
                payloads_are_embedded_as_they_were_given;
            payload:
                a_payload_comes_back_byte_for_byte_on_both_sides_of_the_bound
                a_payload_stays_as_long_as_one_run_carries_it
                what_is_not_written_leaves_no_payload
                what_is_awaited_is_the_payload_that_was_given
                a_fork_carries_what_its_origin_did
                a_page_ends_after_so_many_bytes_however_little_room_they_take;
            list:
                a_list_shows_the_runs_of_which_all_that_is_named_is_true
                a_list_finds_by_parent_by_root_and_by_key
                runs_are_shown_together_in_the_order_of_asking
                a_list_shows_what_is_large_where_it_is_asked_for
                a_cursor_of_a_list_stays_valid_and_is_good_for_that_list_alone
                a_page_that_finds_nothing_says_how_far_it_looked_and_goes_on
                an_annotated_run_is_found_by_what_it_has_become
                an_annotation_that_changes_nothing_writes_nothing
                metadata_grows_to_64_kib_and_no_further
                an_annotation_takes_its_old_marks_away
                an_act_on_many_is_that_on_each_and_comes_to_an_end
                an_act_tells_which_runs_of_a_named_state_it_is_not_for;
            retention:
                a_pruned_tree_leaves_nothing_behind
                a_lane_goes_with_the_last_run_that_names_it
                an_owner_goes_whose_runs_went_before_it
                what_a_run_of_a_gone_owner_has_spent_is_of_a_lane_that_is_there
                a_tree_with_a_living_run_stays_whole
                a_tree_of_many_parts_is_gone_from_the_first
                a_prune_goes_on_where_another_stopped
                a_tree_from_which_a_living_run_was_forked_stays
                events_of_pruned_runs_stay_until_they_are_the_oldest
                keys_of_pruned_runs_are_not_given_again
                lists_agree_over_random_histories_of_prunes;
            policy:
                a_run_stays_for_its_time_and_goes_by_itself
                the_newest_of_each_workflow_stay_whatever_their_age
                a_number_alone_lets_all_others_go
                a_workflow_has_rules_of_its_own_member_by_member
                a_tree_goes_once_all_in_it_has_ended
                a_look_goes_in_bounded_parts_with_pauses_between
                a_tree_of_many_parts_is_gone_from_the_first_part
                a_policy_that_is_replaced_or_ended_holds_from_then_on
                a_look_that_is_not_due_writes_nothing
                a_clock_that_goes_back_stops_no_look
                a_policy_that_is_not_read_keeps_all_and_nobody_from_claiming
                what_goes_is_what_nothing_keeps_over_random_histories
                workflows_are_gone_through_by_name;
            carry:
                a_tree_that_comes_back_is_what_it_was
                rows_are_told_as_they_stand
                an_id_is_given_once
                a_task_and_a_signal_are_written_as_they_stood
                an_attempt_that_ran_comes_in_as_lost
                children_wake_their_parents_in_their_own_tree
                an_import_tells_the_queues_that_it_fills
                a_cancel_under_way_is_carried;
            graduate:
                rows_come_back_as_they_were_and_are_found_as_before
                a_page_of_rows_ends_at_its_bytes
                a_mark_is_found_changed_and_taken_away
                an_identity_goes_over;
            control:
                a_cancel_ends_a_run_that_nobody_runs_and_flags_one_that_is_run
                a_cancel_goes_down_in_bounded_parts_and_no_child_is_claimed_before
                a_cancel_passes_through_a_descendant_that_had_ended
                a_cancel_ends_what_was_retried_since_the_one_before
                a_lapse_that_ends_a_cancelled_run_ends_its_children_in_the_same_claim
                a_descendant_however_deep_is_not_claimed_after_a_cancel
                the_origins_of_a_fork_go_back_to_the_first
                an_ancestry_goes_up_to_the_first_who_ends_the_one_below
                the_children_of_a_run_that_timed_out_are_cancelled
                a_paused_run_is_not_claimed_until_it_is_resumed
                a_pause_of_a_running_run_takes_effect_at_its_unfinished_end
                a_waiting_run_that_was_paused_asks_again_when_resumed
                a_run_that_waited_is_due_from_its_pause_on_and_a_ready_one_as_before
                a_retry_keeps_results_and_forgets_failures
                a_retry_waits_for_the_cancel_that_came_before_it
                a_fork_replays_what_was_recorded_before_a_step
                a_fork_has_every_option_of_its_origin_but_its_key_and_its_date
                a_fork_from_a_name_means_the_step_of_that_name
                a_fork_awaits_the_children_of_its_origin_and_does_not_own_them;
            queue:
                a_queue_holds_no_more_runs_than_its_limit
                counts_hold_however_a_run_ceases_to_run
                a_gate_lets_one_in_after_the_other
                gates_turn_in_every_lane_of_their_queue_and_in_no_other
                the_next_is_let_in_when_the_first_at_an_open_gate_goes_away
                a_gate_that_opens_lets_one_in_of_each_lane
                a_raised_limit_lets_in_as_many_as_it_has_room_for
                a_run_that_ends_lets_the_next_in_while_a_limit_is_being_raised
                what_a_limit_holds_back_is_not_looked_at_and_comes_when_it_is_lifted
                the_first_in_the_order_of_claims_is_the_ready_one_at_its_gate
                a_limit_that_is_set_counts_what_runs_already;
            sql:
                rows_of_the_host_come_back_as_they_were_written
                a_script_records_its_step_beside_the_hosts_rows
                a_script_of_a_lost_attempt_does_nothing
                what_the_host_may_not_write_is_refused;
            schedule:
                a_due_schedule_makes_its_run_in_the_claim_that_finds_it
                a_firing_makes_one_run_however_often_one_looks
                an_undone_sweep_leaves_the_schedule_due
                an_outlook_sees_the_next_schedule
                the_same_spec_again_changes_nothing
                another_spec_counts_anew_unless_it_fires_at_the_same_times
                a_paused_schedule_fires_nothing_and_makes_up_for_nothing
                a_deleted_schedule_is_gone_and_its_runs_go_on
                a_firing_is_skipped_and_counted_while_the_last_run_is_open
                a_queueing_schedule_fires_whatever_is_open
                a_last_run_that_is_gone_counts_as_ended
                missed_firings_are_left_out_or_made_up_for_as_asked
                ten_years_of_missed_seconds_are_bounded_in_number_and_per_sweep
                a_sweep_of_due_schedules_is_bounded_and_goes_on
                a_schedule_whose_zone_is_gone_waits_and_spoils_nobodys_claim
                a_stored_expression_that_is_not_read_is_told_and_holds_nothing_up
                a_zone_that_is_not_known_and_a_day_that_never_comes_are_refused
                there_is_a_bound_on_the_number_of_schedules
                the_list_is_ordered_by_name_and_shows_every_key;
            store:
                migrating_again_changes_nothing
                the_clock_of_a_file_never_goes_back
                the_latest_instant_is_no_earlier_than_any_recorded;
            wait:
                a_sleep_is_over_when_its_first_call_said
                who_waits_is_told_with_what_is_left
                what_has_come_is_told_in_the_order_of_asking_up_to_a_bound
                tasks_that_wake_are_ready_at_their_gates_and_wait_for_nothing
                a_message_in_time_wins_however_late_the_run_asks
                a_message_that_lies_there_is_in_time_whichever_clock_stamped_it
                a_message_after_the_deadline_is_too_late_and_is_kept
                each_message_is_taken_by_one_await_in_the_order_of_sending
                a_key_sends_once_even_after_its_message_was_taken
                an_ended_run_takes_no_signals
                of_any_the_earliest_is_taken_and_the_others_stay
                of_all_a_name_mentioned_twice_takes_two_signals
                all_waits_for_a_message_that_another_await_took_before_the_park
                all_of_many_children_wake_their_parent_once
                all_with_a_sleep_wakes_when_the_last_is_ready
                all_with_a_sleep_wakes_although_the_rest_came_before_the_park
                a_park_looks_once_more
                any_member_of_the_set_wakes_and_the_rest_is_forgotten
                a_park_checks_the_fence_first
                the_same_park_again_is_the_same_answer
                an_attempt_that_must_stop_asks_nothing
                an_answer_keeps_the_lease
                an_ask_in_another_form_is_told
                a_child_is_submitted_once_per_name_and_occurrence
                a_run_that_is_no_child_is_not_found
                a_child_that_did_not_complete_answers_with_its_error
                a_step_that_backs_off_wakes_its_run;
        }
    };
}

// One line for each factory: a backend that joins adds its own, and no claim changes.
every_claim!(sqlite_in_memory, crate::storage::sqlite::bed_tests::in_memory);
every_claim!(sqlite_in_a_file, crate::storage::sqlite::bed_tests::in_a_file);
#[cfg(feature = "postgres")]
every_claim!(postgres, crate::storage::postgres::bed_tests::in_a_schema);
