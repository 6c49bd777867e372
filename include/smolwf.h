/*
 * smolwf.h: durable workflows in one file, for every language.
 *
 * Generated from src/ffi by the build; edit there, then `make header`.
 *
 *
 * HOW DO I
 *
 * open a file, or a store for tests      sw_store_open, then sw_store_init; sw_store_open_in_memory
 * submit work, once per key              sw_run_submit with idempotency_key; many: sw_run_submit_many
 * know when it is done, and its result   sw_run_wait; without waiting: sw_run_get
 * find a run by its key                  sw_run_find
 * do work in a worker                    sw_run_claim, sw_step_begin, sw_step_complete,
 *                                        sw_attempt_complete; THE IDEA below has the loop
 * keep a long step's lease               sw_attempt_heartbeat, or lease_ms SW_LEASE_WHILE_ALIVE
 * retry what failed, after a while       sw_step_fail for a step, sw_attempt_fail for the run
 * never do a step twice                  SW_STEP_TRACK with max_tries 1
 * sleep for days                         sw_sleep, then sw_attempt_suspend
 * wait for a person or another program   sw_signal_await in the run, sw_signal_send from outside
 * wait for two things                    sw_await_any: the first of them; sw_await_all: all of them
 * fan out, and gather                    sw_child_submit_many, then sw_await_all
 * run something every night              sw_schedule_set
 * stop a run; undo what it did           sw_run_cancel; steps with SW_STEP_CLEANUP
 * set a run aside, and go on             sw_run_pause, sw_run_resume
 * run a failed run again                 sw_run_retry; from one step on, as a new run: sw_run_fork
 * change tables of your own in a step    sw_tx_run; ask them, or ours: sw_query
 * limit how many run at once             sw_queue_set
 * limit what a run and its tree cost     sw_budget_reserve, with budget in sw_submit_options
 * see what happened in a run             sw_run_history
 * list runs; how many there are          sw_run_list; sw_run_count
 * find runs by what the host knows       metadata in sw_submit_options, then sw_run_list
 * note something on a run, also later    sw_run_annotate
 * cancel, pause, resume, retry many      sw_run_act_many
 * see why a run does not move            sw_run_explain
 * see what a store does, and who works   sw_store_stats, sw_queue_list, sw_owner_list
 * tell others of progress                sw_event_append; they hear of it by sw_event_wait
 * hear of changes in an event loop       sw_watch_open, sw_watch_fd; in a thread: sw_store_wait
 * end a wait from elsewhere              sw_stop_fire; all waits of a store: sw_store_shutdown
 * test thirty days in a millisecond      SW_OPEN_MANUAL_CLOCK, sw_store_advance_clock
 * test what a crash does to a workflow   smolwf_testing.h; by hand: sw_store_kill_at
 * test new code on recorded runs         sw_run_fork from the end, claimed with SW_CLAIM_STRICT and
 *                                        SW_CLAIM_REPLAY_ONLY
 * keep a file from growing               sw_retention_set; by hand: sw_store_prune
 * make a file smaller                    sw_store_compact
 * know whether a file is sound           sw_store_check
 * keep a copy of it elsewhere            sw_store_backup
 * move a store to a server, or back      sw_store_graduate
 * take a run with its tree elsewhere     sw_run_export, then sw_run_import there
 * show a run in a report of a bug        sw_run_export with "redact"
 *
 *
 * CONTENTS
 *
 * This page: HOW DO I, THE IDEA, WORDS, CONVENTIONS, SHARED CODES, ERRORS, WHAT THE LIBRARY STORES
 * ITSELF, OWNERSHIP, THREADS, DURABILITY, FORK, ONE SQLITE PER FILE.
 * Below it, each under a heading of this form: "Steps ------". Option structs, with their flags, stand
 * before the first function that takes them.
 *
 * Codes - what calls answer
 * Constants - version, SW_NTS, SW_FOREVER, durability
 * Limits - SW_..._MAX: how long, large and many
 * Handles - the types behind pointers
 * Version - of the library, and whether it fits this header; names of codes
 *     sw_version sw_version_number sw_abi_version sw_abi_check sw_build_info sw_code_name
 * Errors - reading an sw_error
 *     sw_error_code sw_error_engine_code sw_error_is_retryable sw_error_message sw_error_free
 * Texts and ids - reading an sw_text, making ids and JSON strings
 *     sw_text_data sw_text_free sw_new_id sw_json_quote
 * Store - open, migrate, clock, wait for changes, close
 *     sw_store_open sw_store_open_in_memory sw_store_init sw_store_migrate sw_store_schema_version
 *     sw_store_migrations sw_store_path sw_store_advance_clock sw_store_kill_at sw_store_now_ms
 *     sw_store_wait sw_store_shutdown sw_store_close
 * Store: check, back up - is the file whole? A copy of it
 *     sw_store_check sw_store_backup
 * Runs: submit, claim, wait - where work comes from, who does it, its end
 *     sw_run_submit sw_run_submit_many sw_run_find sw_run_claim sw_run_claim_many sw_run_wait
 * Runs: look - one run, its history
 *     sw_run_get sw_run_history
 * Runs: list, count, act on many - by state, queue, time, metadata, ...
 *     sw_run_list sw_run_count sw_run_annotate sw_run_act_many
 * Runs: explain - why one does not move
 *     sw_run_explain
 * Store: look - counts, queues, owners, the file
 *     sw_store_stats sw_queue_list sw_owner_list
 * Store: keep - remove what has ended, by hand or by a policy; give room back
 *     sw_store_prune sw_retention_set sw_retention_get sw_store_compact
 * Runs: carry - one with its tree, out of a store and into another
 *     sw_run_export sw_run_import
 * Store: move - into another one, with runs in flight
 *     sw_store_graduate
 * Runs: act - cancel, pause, retry, fork, from outside
 *     sw_run_cancel sw_run_pause sw_run_resume sw_run_retry sw_run_fork
 * Queues - limits and pauses
 *     sw_queue_set
 * Watches - changes as a descriptor, for event loops
 *     sw_watch_open sw_watch_fd sw_watch_drain sw_watch_free
 * Stops - ending a wait from another thread
 *     sw_stop_new sw_stop_fire sw_stop_free
 * Attempts - what was claimed, until it ends
 *     sw_attempt_id sw_attempt_run_id sw_attempt_root_run_id sw_attempt_parent_run_id
 *     sw_attempt_workflow sw_attempt_code_version sw_attempt_queue sw_attempt_args
 *     sw_attempt_metadata sw_attempt_number sw_attempt_lease_expires_at_ms sw_attempt_heartbeat
 *     sw_attempt_check sw_attempt_complete sw_attempt_fail sw_attempt_release sw_attempt_suspend
 *     sw_attempt_free
 * Steps - work that is done once: begin, finish, what was recorded
 *     sw_step_begin sw_step_complete sw_step_complete_usage sw_step_fail sw_step_id sw_step_name
 *     sw_step_result sw_step_error sw_step_occurrence sw_step_tries sw_step_retry_at_ms
 *     sw_step_free
 * Waiting - for time, and for several things
 *     sw_sleep sw_await_any sw_await_all
 * Messages - send one to a run, await one
 *     sw_signal_send sw_signal_await
 * Children - runs that a run submits and awaits
 *     sw_child_submit sw_child_submit_many sw_child_await
 * Budgets - what a tree of runs may spend
 *     sw_budget_reserve sw_budget_settle sw_budget_raise sw_budget_get
 * Events - the append-only log
 *     sw_event_append sw_event_read sw_event_wait
 * Schedules - runs that submit themselves
 *     sw_schedule_set sw_schedule_delete sw_schedule_list
 * SQL of the host - your own tables, in the transaction of a step
 *     sw_query sw_tx_run
 *
 *
 * THE IDEA
 *
 * A host submits a run of a named workflow. A worker claims it and gets an attempt under a lease.
 * The worker's own code runs from the top and wraps every expensive, non-repeatable thing in a
 * step: begin answers "run it" or "replayed, here is the result"; complete makes the result
 * durable. If the process dies, another attempt starts from the top, and every finished step
 * replays. Nothing else is needed: no server, no thread, no snapshot of the host's memory.
 *
 *   sw_store *store;  sw_attempt *attempt;  sw_step *step;  sw_error *err;
 *   char id[SW_ID_CAP];
 *   size_t len;  uint32_t applied;
 *
 *   if (sw_store_open("app.db", NULL, &store, &err) < 0) return report(err);
 *   if (sw_store_init(store, &applied, &err) < 0) return report(err);
 *   sw_run_submit(store, "invoice", SW_NTS, "{\"order\":7}", SW_NTS, NULL, id, sizeof id, &err);
 *   sw_error_free(err);  err = NULL;
 *
 *   while (sw_run_claim(store, NULL, 0, NULL, &attempt, &err) == SW_OK) {
 *     int32_t rc = sw_step_begin(attempt, "charge", SW_NTS, NULL, 0, NULL, &step, &err);
 *     if (rc == SW_OK) {                                   // not done yet: do it, then record it
 *       char *receipt = charge_the_card(sw_attempt_args(attempt, &len));
 *       int tries = 5;                                     // what is done is worth more than one
 *       do {
 *         sw_error_free(err);  err = NULL;
 *         rc = sw_step_complete(step, receipt, SW_NTS, &err);
 *       } while (sw_error_is_retryable(err) && --tries > 0);
 *       free(receipt);
 *     } else if (rc == SW_REPLAYED) {                      // done by an earlier attempt
 *       puts(sw_step_result(step, &len));
 *     }
 *     sw_step_free(step);
 *     sw_error_free(err);  err = NULL;                     // err is used again: free it first
 *     if (rc == SW_OK || rc == SW_REPLAYED) {
 *       sw_attempt_complete(attempt, "\"paid\"", SW_NTS, &err);
 *     } else if (rc == SW_SUSPEND) {                       // the step failed lately: parked till it is due
 *       sw_attempt_suspend(attempt, &err);
 *     } else {
 *       sw_attempt_fail(attempt, "\"unpaid\"", SW_NTS, NULL, &err);  // tried again, or the end
 *     }
 *     sw_attempt_free(attempt);
 *     sw_error_free(err);  err = NULL;
 *   }
 *   sw_error_free(err);                                    // of a claim that failed
 *   sw_store_close(store);
 *
 * To wait, a run asks, and parks when the answer is SW_SUSPEND. Once something is ready, another
 * attempt runs from the top, comes to the same line and is answered; in that loop, with text a sw_text *:
 *
 *   rc = sw_await_any(attempt, "gate", SW_NTS, "[{\"signal\":\"paid\"},{\"sleep_ms\":259200000}]",
 *                     SW_NTS, SW_FOREVER, &text, &err);
 *   if (rc == SW_SUSPEND) {
 *     sw_attempt_suspend(attempt, &err);                   // parked: free it and claim another run
 *   } else if (rc == SW_OK) {
 *     puts(sw_text_data(text, &len));                      // {"index":0,"outcome":"ok","value":...}
 *     sw_text_free(text);
 *   } else if (rc != SW_TIMEOUT) {
 *     sw_attempt_fail(attempt, "\"no answer\"", SW_NTS, NULL, NULL);
 *   }
 *   sw_error_free(err);  err = NULL;
 *
 *
 * WORDS
 *
 * run       one piece of work: a workflow, which is the name of a host's function, with its arguments,
 *           from submit to its one outcome: completed, failed or cancelled. Children are runs that a
 *           run submits; a run with all below it is a tree, the topmost run its root.
 * task      the open half of a run, which waits in a queue or is held by an attempt, and goes when the
 *           run ends. It has the ULID of its run, with the prefix task_: task_id needs no look-up.
 * attempt   one worker's go at a run, from its claim to its end. Attempts of a run are numbered from 1,
 *           and the number is the fence: once its run was taken back, an attempt stores nothing.
 * try       an attempt, or a start of a step, that counts against max_tries: one that failed or was
 *           lost. An attempt that was released or suspended is none, so there may be more attempts
 *           than tries. Progress, such as a new step's end, starts the count of lost ones again.
 * step      one call of the run's code that is recorded: a name and an occurrence of it, counted from
 *           1. What is recorded replays: a later attempt is given the answer, and does no work.
 * queue     a name that runs are submitted to and claimed from, "default" unless said. It is made by
 *           use. Within it, a lane is the runs of one workflow and code version; a claim looks into
 *           the lanes that its options name.
 * claim     the taking of a ready run, which makes an attempt.
 * lease     for how long an attempt holds its run without a heartbeat. When it lapses, or its process
 *           dies, the run is claimed anew: of a death, whatever the lease, claims and waits of other
 *           processes hear within a second. One that has lapsed holds until the run is taken back. Time in
 *           which the machine sleeps does not count.
 * owner     a store handle that has claimed. A run under SW_LEASE_WHILE_ALIVE, or submitted with
 *           SW_SUBMIT_LOCAL, is its owner's until that handle is closed or its process dies.
 * suspend   to park a run: its attempt ends, and it takes no thread, no lease and no polling until
 *           something that it waits for is ready.
 * message   or signal: what sw_signal_send gives to a run under a name, kept until an await takes it.
 * event     an entry of the store's log, numbered in the order of commits.
 * sweep     to do what time has made due: delays, lapsed leases, dead owners, time-outs, schedules.
 *           No thread does that: a call that may sweep does a bounded part of it, for whatever queue.
 *           These are sw_run_claim, sw_run_claim_many, sw_run_wait and sw_store_wait; open watches do
 *           it as well.
 *
 *
 * CONVENTIONS
 *
 * Codes     int32_t: 0 is OK, above 0 a normal outcome that is no failure, below 0 an error. Treat
 *           an error you do not know as its class: -1 to -19 the caller, -20 to -39 the state,
 *           -40 to -59 the environment, -60 to -69 the library. BUSY, IO and NOMEM may be retried.
 * Arguments object, inputs, options, outputs, error. Outputs are written on success only (>= 0),
 *           and where the code has something to give: sw_run_find with SW_NONE writes no id. Handle and
 *           text outputs are set to NULL first. An output pointer that is NULL, and a
 *           handle that is NULL or of another kind, is SW_ERR_MISUSE, but where "may be NULL" is said.
 *           These are told here, and at a function only where they are more than that:
 *             store, attempt, step, watch, error   an open store; what sw_run_claim, sw_step_begin,
 *                                   sw_watch_open and err gave
 *             options, out_len, err may be NULL: all defaults; no length, which is in bytes without
 *                                   the NUL; no error object (ERRORS)
 *             stop                  may be NULL: ends the wait when it fires, see sw_stop_new
 *             cap                   bytes of the memory before it, for an id: at least SW_ID_CAP, else
 *                                   SW_ERR_INVALID
 * Text in   pointer and length in bytes, UTF-8, copied before the call returns; a length of SW_NTS (-1,
 *           for languages without unsigned numbers of 64 bits) means NUL-terminated. NULL with a
 *           length of 0 or SW_NTS is absent; NULL with another length is SW_ERR_MISUSE; absent where
 *           text is required, and empty where a name, id or key is meant, is SW_ERR_INVALID. Names
 *           have at most SW_NAME_BYTES_MAX bytes, keys SW_KEY_BYTES_MAX (SW_ERR_TOO_BIG), and no NUL
 *           within. Only file paths have no length: they must be NUL-terminated, and NULL is SW_ERR_MISUSE.
 *           A text that is no id of this store is SW_ERR_NOT_FOUND where an id is meant, however long.
 * JSON in   text of RFC 8259, any value, at most payload_bytes_max of the store's options long, 16 MiB
 *           by default (SW_ERR_TOO_BIG), and SW_JSON_DEPTH_MAX levels deep. SW_ERR_INVALID names the
 *           byte offset of a fault. Absent arguments and results read as null. Payloads come back byte
 *           for byte. An object with the key "$smolwf" at its top is refused: the library marks its own errors so.
 *           In objects that the library reads (options, specs, settings), keys that it does not know
 *           are refused, and null is as left out.
 * JSON out  documents; keys are only ever added, so ignore what you do not know. What is absent is
 *           null. Examples in this header stand in several lines; the library writes one.
 * Text out  views, NUL-terminated, that live as long as the object they are asked of; an accessor gives
 *           NULL (or 0) for what is no such object. A sw_text is freed by sw_text_free. Ids are
 *           written into the caller's memory, with their NUL.
 * Options   flat structs. Zero the struct, set struct_size to its sizeof; zero is the default in
 *           every field and NULL means all defaults. A text in one needs its length too, or SW_NTS: 0 beside
 *           a pointer is an empty text. A shorter struct than the library's is
 *           extended with zeros (below 8 bytes: SW_ERR_INVALID); a longer one whose unknown tail
 *           is not all zero, an unknown flag, or a reserved field that is not zero is
 *           SW_ERR_UNSUPPORTED. So is a struct_size above SW_STRUCT_SIZE_MAX.
 * Times     durations in milliseconds, to SW_DURATION_MS_MAX. Of the time-out of a call that waits 0
 *           answers now; of one that awaits it is over at once, for good. SW_FOREVER, which has no limit,
 *           is allowed where it is named; every other negative is SW_ERR_INVALID. Instants are Unix
 *           milliseconds, to SW_INSTANT_MS_MAX. Due times, delays, backoffs and time-outs follow the wall
 *           clock, and move when it is set. Leases do not: neither that nor a sleep of the machine ends one.
 * Repeats   finishing a step or an attempt again, through the same handle with the same bytes,
 *           answers as the first call did, so that IO and BUSY may be retried; other bytes are
 *           SW_ERR_CONFLICT. Of all else, what sets a state or is known by a name (waits, children,
 *           sw_budget_settle, sw_run_cancel, sw_run_annotate, all _set) is done once, however often it is
 *           called. What was submitted, sent, appended or reserved without a key or a source, sw_run_fork,
 *           sw_budget_raise, sw_run_import with new ids and an sw_tx_run that ends nothing may be done twice
 *           when they are repeated after IO, FULL or PANIC: look first. What a claim took that answered so,
 *           the next claim of the handle gives back.
 * Since     all of this is there since 0.1.0, but what says otherwise by a line with \since.
 *
 *
 * SHARED CODES
 *
 * Each function lists what it answers and why, and ends with what it shares with all of its class. Each
 * #define says what a code means.
 *
 * any       SW_ERR_MISUSE, SW_ERR_INTERNAL, SW_ERR_PANIC
 * reading   as any, and SW_ERR_CLOSED, SW_ERR_FORKED, SW_ERR_SCHEMA_OLD, SW_ERR_SCHEMA_NEW,
 *           SW_ERR_SCHEMA_FOREIGN, SW_ERR_SCHEMA_EDITED, SW_ERR_MOVED, SW_ERR_BUSY, SW_ERR_IO,
 *           SW_ERR_FULL, SW_ERR_CORRUPT, SW_ERR_NOMEM, SW_ERR_CANNOT_OPEN, SW_ERR_WAL_LOST
 * sweeping  as reading, and SW_ERR_POISONED
 * writing   as sweeping, and SW_ERR_READONLY
 *
 * A sweeping call may sweep (WORDS), or, of events, has to sync what it shows; a writing call may do both.
 * Reading calls wait for no writer, but when the file is opened or its log starts over. They answer
 * SW_ERR_FULL and SW_ERR_CANNOT_OPEN when a connection, which the store opens when first needed, finds
 * no room or no right for what stands beside the file.
 *
 *
 * ERRORS
 *
 * The last argument, sw_error **err, may be NULL. Else it is set to NULL first and, when the code is
 * below 0, to an object of the caller: code, SQLite's code, one sentence. Free it with
 * sw_error_free. It is not read and not freed before: free an error before you pass the same
 * variable again. There is no errno, no text per thread, no text per handle. When a call returns an
 * error, nothing of it is stored, but for SW_ERR_CANCELLED at the end of an attempt (the end is
 * stored) and IO, FULL, WAL_LOST, POISONED, PANIC at a commit (it may or may not be, whole or not at
 * all; after IO, FULL and PANIC repeat the finish, after POISONED and WAL_LOST open the file again and
 * look). Of sw_queue_set, sw_store_prune, sw_store_compact and sw_store_graduate, which work in parts, the
 * parts that are done stay.
 *
 *
 * WHAT THE LIBRARY STORES ITSELF
 *
 * Errors of runs, attempts and steps are the host's JSON, or an object of the library, which has the
 * key "$smolwf", a kind, and "message", a sentence:
 *
 *   {"$smolwf":"lapsed","message":...}       of an attempt: its lease lapsed, or its process died
 *   {"$smolwf":"tries","message":...}        of a run: its tries ran out, the last by an attempt that was lost
 *   {"$smolwf":"timeout","message":...}      of a run: its timeout_ms passed
 *   {"$smolwf":"cancelled","message":...}    of a run: it was cancelled, or one above it; with
 *                                            "reason", any JSON, if sw_run_cancel was given one
 *   {"$smolwf":"interrupted","message":...}  of a step: begun with SW_STEP_TRACK as often as max_tries
 *                                            allows, and never ended
 *
 * Events of the library have types that begin with "budget."; the one there is stands on the topmost
 * run, when reserved and spent together come to the level that its budget warns at:
 *
 *   {"type":"budget.warning",
 *    "payload":{"unit":"tokens","limit":5000,"warn":4000,"spent":3900,"reserved":120}}
 *
 * Metadata of a run that a schedule submitted is {"schedule":name,"scheduled_at_ms":instant}.
 *
 *
 * OWNERSHIP
 *
 * What a call hands out is the caller's, until its own _free or _close. Never use free() on it.
 * _free(NULL) and _close(NULL) do nothing. sw_store_shutdown, from any thread, wakes every waiter;
 * sw_store_close waits for calls in flight and gives the open attempts of the handle back; where it
 * cannot write, as after SW_ERR_POISONED, they are lost as those of a process that died. Attempts and
 * steps of a closed store answer SW_ERR_CLOSED and are still freed, in any order. A handle of the wrong
 * kind is SW_ERR_MISUSE. Using a handle after its _free, or while
 * another thread frees it, is undefined; only sw_store_close waits for calls in flight, and a stop may be
 * freed while waits carry it.
 *
 *
 * THREADS
 *
 * Every function may be called from any thread, and every handle used from many at once; none belongs
 * to a thread. Each function says one of:
 *   Never blocks.      It waits for no disk, and for no lock that is held for long.
 *   May block.         On disk, or for a lock up to the busy timeout of the store's options.
 *   Waits for ...      Until what it names has come.
 *   Waits at most ...  So long for what it names; a stop and sw_store_shutdown end it.
 * Where an event loop must go on, call all but the first on another thread, or see Watches.
 * The library starts no thread but one for each open watch (sw_watch_open), installs no handler of
 * signals or panics, and marks every descriptor close-on-exec. Do not unload it. A signal ends no call:
 * what one interrupts goes on. In a handler only sw_stop_fire may be called; it ends the waits that carry
 * the stop.
 *
 *
 * DURABILITY
 *
 * Where a function says "Durable when it returns", what it answers survives what the durability of the
 * store says, of the step for steps: SW_DURABILITY_POWER, the default, the loss of power;
 * SW_DURABILITY_PROCESS the death of the process, and the loss of power once a later call of the other
 * class has answered. That holds for what SW_EXISTS, SW_REPLAYED and a repeat confirm as well. Calls that
 * only look (sw_run_get, sw_run_wait, sw_run_find, lists) show what is committed, which a loss of power may
 * still take; sw_event_read and sw_event_wait sync what they show.
 *
 *
 * FORK
 *
 * In a child, a call on a handle made before the fork is SW_ERR_FORKED, and _close or _free there
 * leaks on purpose. The child may open other files; opening one that was open at the fork is
 * SW_ERR_FORKED too. Open stores after the fork. Texts, errors and stops are memory and no more: they go on
 * in the child. A fork that an exec follows at once does no harm; a child that is made without the C
 * library's fork is not noticed: it may call nothing here.
 *
 *
 * ONE SQLITE PER FILE
 *
 * Never open the file with a second SQLite in the same process, nor read or copy it there: closing
 * any descriptor of it drops the locks of this library, and the next commit is lost without a word.
 * Other processes may read it with any SQLite.
 */

#ifndef SMOLWF_H
#define SMOLWF_H

#include <stddef.h>
#include <stdint.h>

/* Codes ------------------------------------------------------------------------------------- */

/** Done. */
#define SW_OK 0

/** Nothing is there now: no run to claim, no run under the key. */
#define SW_NONE 1

/** The wait ended before what it waited for came. */
#define SW_TIMEOUT 2

/**
 * Of sw_step_begin and sw_child_submit: done before; the recorded answer is attached and the work must not
 * run again. Awaits and sleeps that replay answer as they did the first time.
 */
#define SW_REPLAYED 3

/** The key matched: the id of what exists was returned and nothing was made. */
#define SW_EXISTS 4

/**
 * Not ready: suspend the attempt, or ask again later. Of sw_attempt_fail: the attempt has ended, and the run
 * is tried again.
 */
#define SW_SUSPEND 5

/** A memoised failure, a failed child or a final failure. The call itself succeeded. */
#define SW_FAILED 6

/**
 * A pointer that cannot be meant: NULL, a handle of another kind, NULL text with a
 * length; or a call without the flag it needs. The calling program is wrong.
 */
#define SW_ERR_MISUSE -1

/** An argument outside its range or form; the message names the value and the limit. */
#define SW_ERR_INVALID -2

/** No such run, child, step, reservation, budget unit or schedule. */
#define SW_ERR_NOT_FOUND -3

/** A text or payload above its limit, or a statement of the host's that ran for too long. */
#define SW_ERR_TOO_BIG -5

/** An option, flag, file system or feature that this library does not serve. */
#define SW_ERR_UNSUPPORTED -6

/** The store was shut down or closed. */
#define SW_ERR_CLOSED -7

/** The handle, or the file, was opened before a fork and this process is the child. */
#define SW_ERR_FORKED -8

/** Another copy of this library in this process holds the file. */
#define SW_ERR_SECOND_COPY -9

/**
 * The run was taken back when the lease lapsed, whether or not another attempt has it yet; or it, or this
 * attempt, has ended: stop work, results will be refused.
 */
#define SW_ERR_LEASE_LOST -20

/**
 * The run was cancelled or timed out. At the end of an attempt by sw_attempt_complete, _fail, _release or
 * _suspend, that end was stored all the same.
 */
#define SW_ERR_CANCELLED -21

/**
 * The code is another than the one that recorded: a step was begun with another input, an await as
 * another kind, or a claim's SW_CLAIM_STRICT or SW_CLAIM_REPLAY_ONLY found a difference.
 */
#define SW_ERR_NONDETERMINISM -22

/** The state of the thing forbids the call, such as finishing twice with different bytes. */
#define SW_ERR_CONFLICT -23

/** The file has an older schema, or none yet: call sw_store_init or sw_store_migrate. */
#define SW_ERR_SCHEMA_OLD -24

/** The file, or the target asked for, is newer than this library. Nothing was written. */
#define SW_ERR_SCHEMA_NEW -25

/**
 * The file has sw_* tables that are not of this library, or something was added to its own: a column,
 * an index, a trigger, a foreign key that refers to them. Nothing was written.
 */
#define SW_ERR_SCHEMA_FOREIGN -26

/** The target of a migration is below the version of the file; there is no way back. */
#define SW_ERR_TARGET_OLDER -27

/** A budget does not allow the amount asked; nothing was taken. */
#define SW_ERR_BUDGET -28

/** A migration applied to the file differs from the one this library has. */
#define SW_ERR_SCHEMA_EDITED -29

/**
 * The store is not in force: it was moved to another one, which the message names, or a move into it
 * was taken back. Close it and open the other one. See sw_store_graduate.
 */
#define SW_ERR_MOVED -30

/**
 * A lock, one of the max_readers connections that read, or the turn to write was not to be had for the whole
 * busy timeout, or the store is being moved by sw_store_graduate. May be retried.
 */
#define SW_ERR_BUSY -40

/**
 * Reading, writing, syncing or locking failed, or the process or the system has too few
 * descriptors. May be retried; sw_error_engine_code is the reason.
 */
#define SW_ERR_IO -41

/**
 * The disk, a quota, or a limit on the size of files is reached. What was acknowledged before
 * stays.
 */
#define SW_ERR_FULL -42

/** The store was opened read-only, or its medium cannot be written. */
#define SW_ERR_READONLY -43

/** The file is damaged. */
#define SW_ERR_CORRUPT -44

/**
 * Memory ran out, of payloads, SQLite or the system. May be retried. Where even the small memory of a call is
 * not to be had, the process is aborted; what was acknowledged is kept.
 */
#define SW_ERR_NOMEM -45

/** The file is not a SQLite database. Nothing was written. */
#define SW_ERR_NOT_A_STORE -46

/**
 * The file cannot be opened or made. Also from a call that needs a read connection of its own,
 * which the store opens when first needed: when the right to the file was lost by then.
 */
#define SW_ERR_CANNOT_OPEN -47

/** A rule of the library's own did not hold. Please report it with the message. */
#define SW_ERR_INTERNAL -60

/**
 * The library's code panicked in this call alone: its work is rolled back, or all of it is done and
 * only the answer lost. Please report it.
 */
#define SW_ERR_PANIC -61

/**
 * An earlier sync of the store failed: writes are refused until every handle on the file is
 * closed and it is opened again. Reading goes on.
 */
#define SW_ERR_POISONED -62

/**
 * The database, its write-ahead log or its -smolwf was removed or replaced while the store was
 * open: what is written to it nobody will see. Close every handle on it and open it again. Another
 * SQLite in this process may have taken the log away; see the first page.
 */
#define SW_ERR_WAL_LOST -63

/* Constants --------------------------------------------------------------------------------- */

/**
 * The ABI this header describes. 0 is the preview, which may still change; give it to
 * sw_abi_check.
 */
#define SW_ABI_VERSION 0

/** First part of the version of the header. */
#define SW_VERSION_MAJOR 0

/** Second part of the version of the header. */
#define SW_VERSION_MINOR 1

/** Third part of the version of the header. */
#define SW_VERSION_PATCH 0

/**
 * Version of the header in one number: major << 16 | minor << 8 | patch. Compare with
 * sw_version_number, which is the library's.
 */
#define SW_VERSION_NUMBER 256

/**
 * Length that says: the text ends at its NUL. The largest size_t, all bits set: a language without
 * unsigned numbers of 64 bits passes -1. (2^63 is read as the same: what -1 becomes where numbers
 * are floating point, as in LuaJIT.)
 */
#define SW_NTS 18446744073709551615ull

/** Time-out without limit. */
#define SW_FOREVER -1

/** Bytes that the memory for an id must have at least, with its NUL. */
#define SW_ID_CAP 64

/**
 * Length of a lease that holds for as long as the process that claimed lives and has the store
 * open; it does not lapse.
 */
#define SW_LEASE_WHILE_ALIVE 4294967295u

/** Durability: what was answered survives the loss of power. */
#define SW_DURABILITY_POWER 1

/**
 * Durability: what was answered survives the death of the process, and the loss of power once any
 * later call with SW_DURABILITY_POWER has answered. Saves a sync of the disk per call.
 */
#define SW_DURABILITY_PROCESS 2

/** For sw_store_kill_at: the process dies with its transaction, of which nothing is stored. */
#define SW_KILL_BEFORE_COMMIT 1

/**
 * For sw_store_kill_at: the process dies once its transaction is stored, before anybody hears of it.
 */
#define SW_KILL_AFTER_COMMIT 2

/* Limits ------------------------------------------------------------------------------------ */

/** Bytes in a name at most: workflow, queue, step, message, worker, schedule, unit, event type. */
#define SW_NAME_BYTES_MAX 255

/**
 * Bytes in a key at most: of idempotency, its scope, of concurrency, the source of a reservation.
 */
#define SW_KEY_BYTES_MAX 1024

/** Bytes of one JSON payload at most, and of payload_bytes_max in sw_store_options: 512 MiB. */
#define SW_PAYLOAD_BYTES_MAX 536870912

/** Levels of nesting in a JSON text at most. */
#define SW_JSON_DEPTH_MAX 100

/** Bytes of the path of a store's file at most, when it is absolute and links are followed. */
#define SW_FILE_BYTES_MAX 504

/** Bytes of an option struct at most, as its struct_size says. */
#define SW_STRUCT_SIZE_MAX 4096

/** Milliseconds of a duration, delay or time-out at most: a hundred years. */
#define SW_DURATION_MS_MAX 3162240000000

/** Unix milliseconds of an instant at most: the end of the year 9999. */
#define SW_INSTANT_MS_MAX 253402300799999

/** Milliseconds of the busy timeout at most: a day. */
#define SW_BUSY_TIMEOUT_MS_MAX 86400000

/** Milliseconds of a lease at least. */
#define SW_LEASE_MS_MIN 1000

/** Milliseconds of a lease at most: an hour. For more heartbeat, or SW_LEASE_WHILE_ALIVE. */
#define SW_LEASE_MS_MAX 3600000

/** Connections of a store that read side by side at most. */
#define SW_READERS_MAX 64

/** Tries of a run or a step at most. */
#define SW_TRIES_MAX 1000000

/** Growth from one wait before a try to the next at most, in percent: 200 doubles it. */
#define SW_BACKOFF_PERCENT_MAX 10000

/** Occurrences of one name in a run at most. */
#define SW_OCCURRENCE_MAX 1000000000

/** Runs in one submit or claim of many at most. */
#define SW_MANY_MAX 10000

/** Things that one await of several names at most. */
#define SW_WAITS_MAX 10000

/** Messages and children that one parked run waits for at most, over all its awaits. */
#define SW_WAITS_PARKED_MAX 100000

/** Entries of a page, of a history or of events, at most; a limit of 0 is 1000. */
#define SW_PAGE_LEN_MAX 10000

/**
 * Bytes of payloads after which a page of events, of a history or of runs ends, whatever its limit:
 * 16 MiB.
 */
#define SW_EVENT_PAGE_BYTES 16777216

/** Kinds of events that one filter names at most. */
#define SW_EVENT_TYPES_MAX 64

/** Events that one call passes over at most in search of those of some kinds. */
#define SW_EVENTS_LOOKED_MAX 10000

/** Things that a run waits for which its document shows at most. */
#define SW_WAITING_SHOWN_MAX 100

/** Units that one budget, reservation or usage names at most. */
#define SW_BUDGET_UNITS_MAX 64

/** Units that a tree of runs ever meters at most. */
#define SW_BUDGET_UNITS_OF_TREE_MAX 256

/** Sums by workflow, kind of step and unit that the document of a budget shows at most. */
#define SW_BUDGET_TOTALS_MAX 1000

/** Open reservations of an attempt at most, counted by unit. */
#define SW_RESERVATIONS_OPEN_MAX 1000

/** Schedules in a store at most. */
#define SW_SCHEDULES_MAX 10000

/** Bytes in the spec of a schedule at most, its args included. */
#define SW_SCHEDULE_SPEC_BYTES_MAX 65536

/** Missed firings that a schedule makes up for at most, the newest. */
#define SW_SCHEDULE_CATCH_UP_MAX 1000

/** Milliseconds after which a firing that nobody saw counts as missed: a minute. */
#define SW_SCHEDULE_GRACE_MS 60000

/** Faults of one kind that the report of a check names at most. */
#define SW_CHECK_FAULTS_MAX 20

/** Runs in a page of a list, or that one act on many is about, at most. */
#define SW_LIST_LEN_MAX 1000

/** Runs that one call of a list looks at, about, whether it lists them or not. */
#define SW_LIST_LOOKS_MAX 16384

/**
 * Running runs, ready ones, or runs of an idempotency scope, above which a list goes through more
 * than it shows.
 */
#define SW_LIST_GATHER_MAX 8192

/** Bytes of the filter of a list at most. */
#define SW_FILTER_BYTES_MAX 65536

/** Members of metadata that the filter of a list names at most. */
#define SW_FILTER_METADATA_MAX 16

/** Where a count may be told to stop at most. */
#define SW_COUNT_MAX 1000000000

/** Bytes of a run's metadata at most, once it is annotated. */
#define SW_METADATA_BYTES_MAX 65536

/** Runs that one sw_store_prune removes at most. */
#define SW_PRUNE_LEN_MAX 100000

/** Bytes of a policy of sw_retention_set at most. */
#define SW_POLICY_BYTES_MAX 65536

/** Workflows that such a policy names at most. */
#define SW_POLICY_WORKFLOWS_MAX 1000

/** Runs of a workflow that such a policy keeps as its newest at most. */
#define SW_KEEP_NEWEST_MAX 10000

/** Pages that one sw_store_compact gives back at most. */
#define SW_COMPACT_PAGES_MAX 1000000

/** Runs of a tree that is exported or imported at most. */
#define SW_CARRY_RUNS_MAX 20000

/**
 * Attempts, steps, signals, waits, events, reservations and what these came to, of such a tree, at most.
 */
#define SW_CARRY_ROWS_MAX 200000

/** Bytes of the document of such a tree at most: 128 MiB. */
#define SW_CARRY_BYTES_MAX 134217728

/** Open runs of a kind that sw_store_stats and sw_queue_list count at most. */
#define SW_TASKS_COUNTED_MAX 10000

/** Failed, or cancelled, runs that sw_store_stats counts at most. */
#define SW_OUTCOMES_COUNTED_MAX 100000

/**
 * Pairs of a workflow and a code version in queues that sw_store_stats and sw_queue_list look at.
 */
#define SW_LANES_SHOWN_MAX 10000

/**
 * Pairs of a workflow and a code version in its queue that sw_run_explain looks at, beside its own.
 */
#define SW_LANES_EXPLAINED_MAX 1000

/** Limits that are reached which sw_store_stats shows at most. */
#define SW_FULL_SHOWN_MAX 100

/** Runs that fill a limit which are shown at most. */
#define SW_HOLDERS_SHOWN_MAX 10

/** Runs before another that sw_run_explain counts at most. */
#define SW_AHEAD_COUNTED_MAX 1000

/** Bytes in one SQL statement of the host's at most. */
#define SW_SQL_TEXT_BYTES_MAX 1048576

/** Values that one SQL statement is given at most. */
#define SW_SQL_PARAMS_MAX 32766

/** Rows that sw_query, or a statement of sw_tx_run, answers with at most. */
#define SW_SQL_ROWS_MAX 10000

/**
 * Bytes of values after which the rows of sw_query end, and that those of a script may have: 16 MiB.
 */
#define SW_SQL_BYTES 16777216

/** Milliseconds that sw_query may be told to run at most: an hour. */
#define SW_SQL_TIMEOUT_MS_MAX 3600000

/** Items of a script of sw_tx_run at most. */
#define SW_SCRIPT_LEN_MAX 1000

/* Handles ----------------------------------------------------------------------------------- */

/** One worker's go at a run, under a lease. Freed by sw_attempt_free. */
typedef struct sw_attempt sw_attempt;

/**
 * What went wrong in one call: a code, SQLite's code, a sentence. Immutable; freed by
 * sw_error_free.
 */
typedef struct sw_error sw_error;

/** One call of a run that is recorded: to be done now, or done before. Freed by sw_step_free. */
typedef struct sw_step sw_step;

/**
 * A flag that ends waits: a call that waits carries it, another thread or a signal handler fires
 * it. Made by sw_stop_new, freed by sw_stop_free; belongs to no store.
 */
typedef struct sw_stop sw_stop;

/**
 * An open store: one file, or a place in memory. A file may be opened many times, in
 * one process and in many. Ended by sw_store_close.
 */
typedef struct sw_store sw_store;

/**
 * An immutable text that a call made for the caller, often a JSON document. Freed by
 * sw_text_free.
 */
typedef struct sw_text sw_text;

/**
 * A watch on a store: descriptors that become readable when the store changes, for event loops.
 * Made by sw_watch_open, ended by sw_watch_free.
 */
typedef struct sw_watch sw_watch;

#ifdef __cplusplus
extern "C" {
#endif

/* Version ----------------------------------------------------------------------------------- */

/**
 * Returns the version of the library, such as "0.1.0". Never blocks.
 * \return static text, NUL-terminated; never NULL and never freed
 */
const char *sw_version(void);

/**
 * Returns the version of the library as one number: major << 16 | minor << 8 | patch. Never
 * blocks.
 * \return such as 513 for 0.2.1
 */
uint32_t sw_version_number(void);

/**
 * Returns the ABI of the library, which SW_ABI_VERSION of the header it was built with names.
 * Never blocks.
 * \return 0 while in preview
 */
uint32_t sw_abi_version(void);

/**
 * Tells whether the library serves programs built with a header. Call it once after loading. Never
 * blocks.
 * \param header_abi  SW_ABI_VERSION of the header the program was built with
 * \retval SW_OK               it does
 * \retval SW_ERR_UNSUPPORTED  it does not: the library is of another ABI
 */
int32_t sw_abi_check(uint32_t header_abi);

/**
 * Returns how the library was built, as a JSON object: library, version, abi_version,
 * sqlite_version, sqlite_source_id, sqlite_compile_options, durability, panic, target, is_debug.
 * Keys are only ever added. Never blocks.
 * \return static text, NUL-terminated; never NULL and never freed
 */
const char *sw_build_info(void);

/**
 * Returns the name of a code, such as "SW_ERR_BUSY" for -40. Never blocks.
 * \param code  any integer
 * \return static text, NUL-terminated, never freed; "SW_UNKNOWN" for an integer that is no code
 */
const char *sw_code_name(int32_t code);

/* Errors ------------------------------------------------------------------------------------ */

/**
 * Returns the code of an error: what the call returned. Never blocks.
 * \retval SW_OK          error is NULL
 * \retval SW_ERR_MISUSE  error is not an sw_error, or the call returned that
 * \return any code below 0, as the call returned it
 */
int32_t sw_error_code(const sw_error *error);

/**
 * Returns the code of the layer below an SW_ERR_IO or SW_ERR_CANNOT_OPEN: SQLite's extended result code, or
 * a negated errno; of a server the state of SQL that it answered, five characters read as a number in base
 * 36. Never blocks.
 * \return 0 when none of them was involved, for all other codes, and for NULL
 */
int32_t sw_error_engine_code(const sw_error *error);

/**
 * Tells whether the same call may succeed when repeated unchanged: BUSY, IO and NOMEM. Of those that may
 * have been stored see ERRORS and Repeats on the first page. Never blocks.
 * \return 1 if so, else 0; 0 for NULL
 */
int32_t sw_error_is_retryable(const sw_error *error);

/**
 * Returns the sentence of an error: lower case, with the value and the limit, never a payload.
 * Never blocks.
 * \return text, NUL-terminated, that lives until sw_error_free; never NULL: "" for NULL
 */
const char *sw_error_message(const sw_error *error);

/**
 * Frees an error. Its message dies with it. Never blocks.
 * \param error  from the last argument of a call; NULL does nothing
 */
void sw_error_free(sw_error *error);

/* Texts and ids ----------------------------------------------------------------------------- */

/**
 * Returns the bytes of a text. Never blocks.
 * \param text  from a call of this library
 * \return UTF-8, NUL-terminated, that lives until sw_text_free; NULL when text is NULL
 */
const char *sw_text_data(const sw_text *text, size_t *out_len);

/**
 * Frees a text. What sw_text_data returned dies with it. Never blocks.
 * \param text  from a call of this library; NULL does nothing
 */
void sw_text_free(sw_text *text);

/**
 * Makes an id: `<prefix>_<ULID>`, the ULID in 26 lower-case Crockford characters.
 *
 * Unique, URL-safe, and within a process strictly increasing as text for one prefix, from any
 * number of threads. A forked child has a sequence of its own. Never blocks.
 * \param prefix,prefix_len  `[a-z][a-z0-9_]{0,30}`
 * \param out_id             receives the id and its NUL
 * \retval SW_OK           the id is written
 * \retval SW_ERR_INVALID  the prefix has another form, or cap is below SW_ID_CAP
 * \retval SW_ERR_TOO_BIG  the prefix has more than SW_NAME_BYTES_MAX bytes
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_new_id(const char *prefix, size_t prefix_len, char *out_id, size_t cap, sw_error **err);

/**
 * Writes a text as a JSON string with its quotes, for hosts without a JSON writer. Never blocks.
 * \param text,text_len  UTF-8 to SW_PAYLOAD_BYTES_MAX bytes; may be empty and may hold NULs
 * \param out            receives the JSON, freed by sw_text_free; NULL on failure
 * \retval SW_OK           the JSON string is in out
 * \retval SW_ERR_INVALID  text is absent, or not UTF-8
 * \retval SW_ERR_TOO_BIG  text has more than SW_PAYLOAD_BYTES_MAX bytes
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_json_quote(const char *text, size_t text_len, sw_text **out, sw_error **err);

/* Store ------------------------------------------------------------------------------------- */

/** Flag of sw_store_options: the file must exist already, else SW_ERR_CANNOT_OPEN. */
#define SW_OPEN_NO_CREATE 1

/**
 * Flag of sw_store_options: nothing is written through this handle; writers answer
 * SW_ERR_READONLY. Implies SW_OPEN_NO_CREATE.
 */
#define SW_OPEN_READ_ONLY 2

/**
 * Flag of sw_store_options: the store's clock stands still until sw_store_advance_clock. It
 * starts at the later of the system's time and the latest time in the file. For tests of hosts.
 */
#define SW_OPEN_MANUAL_CLOCK 4

/**
 * Flag of sw_store_options: do not refuse file systems of a network or of a shared folder, nor a
 * file with a second hard link. Locks and syncs may then not hold what this header promises.
 */
#define SW_OPEN_ALLOW_NETWORK_FS 8

/** Options of sw_store_open and sw_store_open_in_memory. Zero in a field is its default. */
typedef struct sw_store_options {
  /** sizeof(sw_store_options). */
  uint32_t struct_size;
  /** SW_OPEN_NO_CREATE, SW_OPEN_READ_ONLY, SW_OPEN_MANUAL_CLOCK, SW_OPEN_ALLOW_NETWORK_FS, or 0. */
  uint32_t flags;
  /** Milliseconds that a call waits for a lock, 1 to SW_BUSY_TIMEOUT_MS_MAX; 0 is 5000. */
  uint32_t busy_timeout_ms;
  /** SW_DURABILITY_POWER or SW_DURABILITY_PROCESS; 0 is POWER. */
  uint32_t durability;
  /**
   * Connections that read side by side, 1 to SW_READERS_MAX; 0 is 4. A reading call beyond them waits for
   * one, up to the busy timeout.
   */
  uint32_t max_readers;
  /**
   * Milliseconds of a lease when the claim names none, SW_LEASE_MS_MIN to SW_LEASE_MS_MAX or
   * SW_LEASE_WHILE_ALIVE; 0 is 30000.
   */
  uint32_t lease_default_ms;
  /** Bytes of one JSON payload at most, 1 to SW_PAYLOAD_BYTES_MAX; 0 is 16777216. */
  uint64_t payload_bytes_max;
} sw_store_options;

/**
 * Opens the store in a file, creating the file with mode 0600 unless told not to. Does not
 * migrate: call sw_store_init next. Every refusal is made here, before one byte of the file
 * changes, and a new file that cannot be opened is taken away again. One change comes first where
 * it is due: a transaction that was cut off is rolled back from its -journal, as by any program
 * that opens the file, since it can be told only afterwards whose file it is.
 *
 * Beside the file stand its -wal and -shm, which are SQLite's, and its -smolwf, which is this
 * library's; do not remove them while the store is open anywhere. A symbolic link is followed, also
 * to a file that is yet to be made. A path that begins with "file:", "sqlite:" or another scheme and
 * "://" is refused, as is ":memory:", which is sw_store_open_in_memory's.
 *
 * A path that begins with "postgresql://" or "postgres://" is no file but a schema on a server, where
 * the library was built with that; its docs/POSTGRES.md says what differs.
 *
 * With SW_OPEN_READ_ONLY no right to write is needed, neither to the file nor to its directory, and
 * what others write is seen at the next call. But a file with a -wal is read with its -shm: where
 * that is not there and cannot be made, as on a read-only mount, or may not be read, the answer is
 * SW_ERR_CANNOT_OPEN, here or from the first reading call after a writer came.
 *
 * May block.
 * \param path  path of the file, NUL-terminated; to SW_FILE_BYTES_MAX bytes when it is absolute
 *              and links are followed, its last part to 247
 * \param out   receives the store, ended by sw_store_close; NULL on failure
 * \retval SW_OK                  the store is open
 * \retval SW_ERR_INVALID         path is empty, too long, a URI or ":memory:", or an option is out
 *                                of its range
 * \retval SW_ERR_UNSUPPORTED     an unknown option or flag, a file system of a network or of a
 *                                shared folder, a file with a second hard link, a -smolwf file
 *                                of another version, or a server where none can be served
 * \retval SW_ERR_FORKED          the file was open in the parent when this process was forked
 * \retval SW_ERR_SECOND_COPY     another copy of this library in this process has the file open
 * \retval SW_ERR_SCHEMA_NEW      the file is of a newer library
 * \retval SW_ERR_SCHEMA_FOREIGN  the file has sw_* tables that are not of this library, or something
 *                                was added to its own
 * \retval SW_ERR_SCHEMA_EDITED   a migration applied to the file differs from this library's
 * \retval SW_ERR_BUSY            another process held a lock for the whole time-out
 * \retval SW_ERR_IO              reading, writing or locking failed, or there are too few
 *                                descriptors
 * \retval SW_ERR_FULL            no room for the file or for those beside it
 * \retval SW_ERR_READONLY        the file or its directory cannot be written, and the options do
 *                                not say SW_OPEN_READ_ONLY
 * \retval SW_ERR_CORRUPT         the file is damaged
 * \retval SW_ERR_NOMEM           memory ran out
 * \retval SW_ERR_NOT_A_STORE     the file is not a SQLite database
 * \retval SW_ERR_CANNOT_OPEN     no such file with SW_OPEN_NO_CREATE, no such directory, no right; a
 *                                server that is not reached or does not let this user in;
 *                                with SW_OPEN_READ_ONLY also a -wal without a readable -shm, and a
 *                                transaction that was cut off and is to be rolled back first
 * \retval SW_ERR_WAL_LOST        a file of the store was removed or replaced meanwhile
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_store_open(const char *path, const sw_store_options *options, sw_store **out,
                      sw_error **err);

/**
 * Opens a store in memory, which dies with its handle. For tests of hosts; call sw_store_init
 * next. Never blocks.
 * \param options  NULL for all defaults; the flags about files mean nothing here
 * \param out      receives the store, ended by sw_store_close; NULL on failure
 * \retval SW_OK               the store is open
 * \retval SW_ERR_INVALID      an option is out of its range
 * \retval SW_ERR_UNSUPPORTED  an unknown option or flag
 * \retval SW_ERR_NOMEM        memory ran out
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_store_open_in_memory(const sw_store_options *options, sw_store **out, sw_error **err);

/**
 * Migrates the store to the newest schema this library has; a new file gets its tables. Any
 * number of processes may do so at once. All pending migrations are applied, or none.
 *
 * May block. Durable against the loss of power when it returns.
 * \param out_applied  receives how many migrations were applied now, 0 when none was pending
 * \retval SW_OK  the schema is the newest
 * Also what any writing call may answer but SW_ERR_SCHEMA_OLD: SHARED CODES.
 */
int32_t sw_store_init(sw_store *store, uint32_t *out_applied, sw_error **err);

/**
 * Migrates the store up to one version of the schema; for hosts that roll out in two steps. Calls
 * about runs work with the newest version only.
 *
 * May block. Durable against the loss of power when it returns.
 * \param target       the version, from 0; see sw_store_schema_version
 * \param out_applied  receives how many migrations were applied now, 0 when none was pending
 * \retval SW_OK                the schema is target
 * \retval SW_ERR_INVALID       target is below 0
 * \retval SW_ERR_TARGET_OLDER  target is below the version of the file
 * \retval SW_ERR_SCHEMA_NEW    also: target is newer than this library
 * Also what any writing call may answer but SW_ERR_SCHEMA_OLD: SHARED CODES.
 */
int32_t sw_store_migrate(sw_store *store, int64_t target, uint32_t *out_applied, sw_error **err);

/**
 * Returns the version of the schema in the file, and the newest that this library has.
 *
 * May block.
 * \param out_current  receives the version in the file, 0 when nothing was applied yet
 * \param out_newest   receives the version that sw_store_init goes to
 * \retval SW_OK  both are written
 * Also what any reading call may answer but SW_ERR_SCHEMA_OLD: SHARED CODES.
 */
int32_t sw_store_schema_version(sw_store *store, int64_t *out_current, int64_t *out_newest,
                                sw_error **err);

/**
 * Lists the migrations applied to the file, ascending:
 * `[{"id":1,"introduced_version":"0.1.0","applied_time":1760000000000}]`, times in Unix
 * milliseconds.
 *
 * May block.
 * \param out  receives the JSON, freed by sw_text_free; NULL on failure
 * \retval SW_OK  the list is in out; `[]` when nothing was applied yet
 * Also what any reading call may answer but SW_ERR_SCHEMA_OLD: SHARED CODES.
 */
int32_t sw_store_migrations(sw_store *store, sw_text **out, sw_error **err);

/**
 * Returns the path of the file, or the URL of the server's store without what is secret in it. Never
 * blocks.
 * \return NUL-terminated, as the system takes it, living until sw_store_close; NULL for a store in
 *         memory, and for what is no store
 */
const char *sw_store_path(const sw_store *store);

/**
 * Moves the manual clock on: sleeps, backoffs and leases that come due by it are due at once, and
 * waits that they end return. A host tests thirty days in a millisecond. On an error the clock has
 * not moved.
 *
 * SW_FOREVER moves it to the next moment at which something comes due, a sleep, a backoff, a time-out, a
 * lease or a schedule; it stays where something is due already. With a claim after each move a host runs
 * to its end whatever waits for time alone.
 *
 * May block. What it moves to survives the death of the process. Without tables of ours, or with
 * SW_OPEN_READ_ONLY, the clock moves for this handle alone.
 * \param store  a store opened with SW_OPEN_MANUAL_CLOCK
 * \param ms     milliseconds to go forward, from 0, or SW_FOREVER
 * \retval SW_OK           the clock has moved
 * \retval SW_NONE         ms is SW_FOREVER and nothing will come due: the clock has not moved
 * \retval SW_ERR_MISUSE   also: the store was opened without SW_OPEN_MANUAL_CLOCK
 * \retval SW_ERR_INVALID  ms is below -1, or would pass SW_INSTANT_MS_MAX
 * \retval SW_ERR_SCHEMA_OLD  ms is SW_FOREVER, and the file has an older schema, or none yet
 * Also what any writing call may answer but SW_ERR_SCHEMA_OLD, SW_ERR_READONLY: SHARED CODES.
 */
int32_t sw_store_advance_clock(sw_store *store, int64_t ms, sw_error **err);

/**
 * Has this process die by SIGKILL at the commit-th commit that it makes on this file from now on, for a
 * test of what a host does then: every write that a host waits for is one, whatever it is. A test
 * kills a workflow at its first, its second, its third commit and so on until it runs to its end
 * undisturbed, each time before and after, and looks what the next process makes of it;
 * smolwf_testing.h does that. It holds for all handles of the file in this process, until it has struck
 * or is asked for anew.
 *
 * May block: it waits for a write that is under way.
 * \param store   any store
 * \param commit  from 1, the next one; 0 is none, the process lives
 * \param when    SW_KILL_BEFORE_COMMIT or SW_KILL_AFTER_COMMIT, also with commit 0
 * \retval SW_OK              it will, or, with 0, it will not
 * \retval SW_ERR_INVALID     commit is below 0, or when is another number
 * \retval SW_ERR_READONLY    the store was opened with SW_OPEN_READ_ONLY: it makes no commits
 * \retval SW_ERR_CLOSED      the store was shut down or closed
 * \retval SW_ERR_FORKED      the store was opened before a fork and this process is the child
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_store_kill_at(sw_store *store, int64_t commit, int32_t when, sw_error **err);

/**
 * Returns the store's clock: the system's, or the manual one. Never blocks.
 * \return Unix milliseconds; 0 for what is no open store
 */
int64_t sw_store_now_ms(const sw_store *store);

/**
 * Waits until the store's change counter is another than `seen`. The counter moves when a run
 * becomes claimable (submitted, woken, given back, due, lapsed, its owner dead), when one ends or is
 * cancelled, and when an event is appended, in any process; never for steps or heartbeats. It may
 * move for several of those at once, and now and then for none.
 *
 * So no wake-up is lost: take the counter (with `seen` 0 and timeout_ms 0), look at the store, and
 * wait with that counter as `seen`. It lives as long as some process has the store open.
 *
 * A store opened with SW_OPEN_READ_ONLY hears what those who write tell, through `<path>-smolwf`,
 * and moves nothing itself: what comes due is told once one of them has moved it. While there is
 * no such file, as nobody has written yet, the counter is 0. Where its user may read that file and
 * not write to it, it looks at a word in memory every 50 milliseconds, as nobody can wake it.
 *
 * Waits at most timeout_ms; besides, it may block.
 * \param seen        a counter that an earlier call gave, or 0
 * \param timeout_ms  milliseconds, to SW_DURATION_MS_MAX; 0 answers now, SW_FOREVER waits without
 *                    limit
 * \param out_now     receives the counter, also for SW_TIMEOUT
 * \retval SW_OK               the counter is another
 * \retval SW_TIMEOUT          it was not until timeout_ms passed or the stop fired
 * \retval SW_ERR_INVALID      timeout_ms is below -1 or above SW_DURATION_MS_MAX
 * \retval SW_ERR_CLOSED       also when the store is shut down during the wait
 * \retval SW_ERR_READONLY     the store was opened with SW_OPEN_READ_ONLY, and the file beside it
 *                             that tells of changes cannot be read
 * \retval SW_ERR_UNSUPPORTED  the same, and that file is of another release of the library
 * Also what any sweeping call may answer: SHARED CODES.
 */
int32_t sw_store_wait(sw_store *store, uint64_t seen, int64_t timeout_ms, sw_stop *stop,
                      uint64_t *out_now, sw_error **err);

/**
 * Ends the use of a store from any thread: waits return, later calls are SW_ERR_CLOSED. Calls that
 * are writing finish. Doing it again does nothing. Nothing is freed: sw_store_close comes after.
 * Never blocks.
 * \param store  an open store; NULL does nothing
 */
void sw_store_shutdown(sw_store *store);

/**
 * Closes a store: shuts it down, waits for calls in flight to return, and gives the open attempts
 * of this handle back at once, so that others may claim their runs without a try being charged.
 * Where it cannot write, as after SW_ERR_POISONED or on a full disk, it gives nothing back: the
 * attempts are lost as those of a process that died, each counts as a try, and what they had
 * reserved is charged in full until it is settled.
 *
 * Attempts and steps made from it answer SW_ERR_CLOSED and are still freed by their own _free. So
 * does a later call on the store itself, until a thousand others were closed; then its memory is
 * gone.
 *
 * Waits for calls in flight. sw_store_shutdown ends those that wait, sw_store_backup, and what works part by
 * part; sw_query, sw_store_check and sw_tx_run run to their end. What it gives back survives the death
 * of the process; a loss of power loses it, like a dead worker.
 * \param store  an open store; NULL does nothing; in a forked child a store of its parent leaks
 */
void sw_store_close(sw_store *store);

/* Store: check, back up --------------------------------------------------------------------- */

/**
 * Looks whether a store is whole, and answers a JSON report. It is ok when nothing was found; else
 * faults has an entry for each thing that should not be, at most SW_CHECK_FAULTS_MAX of a kind.
 * Details name rows by their keys, and hold no payload.
 *
 *   {"ok":false,"faults":[{"check":"ledger","detail":"entry 12 has no balance"}]}
 *
 * It verifies the pages and indexes of the file; that each balance of a budget is the
 * sum of its ledger, of its totals and of its open reservations; that open reservations are of
 * living attempts; that a run has a task or an end, never both; that nothing is of a run, parent,
 * root, lane or owner that is not there; that counts of running runs are right; that what was
 * recorded is JSON; that each payload stored apart is the one recorded, and counted as often as
 * it is carried. It changes nothing. What CHECK clauses of the host's own tables say is not asked.
 *
 * May block. Never waits for a writer. Reads the whole file: seconds for each gigabyte, in which
 * the log cannot start over.
 * \param out  receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK           the document is in out, whatever it says
 * \retval SW_ERR_CORRUPT  also: so damaged that it cannot be looked through
 * \retval SW_ERR_IO       also: a page could not be read, so that nothing is known of it
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_store_check(sw_store *store, sw_text **out, sw_error **err);

/**
 * Copies a store to a new file while others write: as it is at one moment, and whole. The copy gets its
 * name at the end, so a file of that name is a backup that was finished; its mode is 0600.
 *
 * The copy is a store of its own. Restoring is to copy or move it where the store was, while nobody has
 * that open, and to take the old -wal, -shm and -smolwf away. Its running attempts are lost ones: the
 * next claim takes their runs back, and those steps replay that were recorded when it was taken. Cursors
 * of the original are none of the copy's.
 *
 * A store of an older schema can be copied as well, before sw_store_init migrates it: its copy has that
 * schema.
 *
 * What is acknowledged before the call is in the copy, which is safe from the loss of power when the call
 * returns. A process that is killed meanwhile leaves files whose names begin with that of the copy,
 * -backup_ and 26 letters, which may be deleted.
 *
 * May block. Never waits for a writer: seconds for each gigabyte, in which the log cannot start over. A
 * store in memory can write nothing meanwhile. sw_store_shutdown ends it.
 * \param path  of the copy, NUL-terminated, as for sw_store_open; nothing may have that name, nor that
 *              with -wal, -shm, -journal or -smolwf behind it; nor may it be such a name of a file
 *              that is there
 * \retval SW_OK                the copy is there
 * \retval SW_ERR_INVALID       path is empty, too long, a URI or ":memory:"
 * \retval SW_ERR_CONFLICT      something has that name, or it would be a part of a file; all is as it was
 * \retval SW_ERR_READONLY      the folder is on a file system that cannot be written
 * \retval SW_ERR_FULL          also: no room for the copy, of which nothing is left
 * \retval SW_ERR_UNSUPPORTED   the store is on a server, whose own tools copy it
 * Also what any reading call may answer but SW_ERR_SCHEMA_OLD: SHARED CODES.
 */
int32_t sw_store_backup(sw_store *store, const char *path, sw_error **err);

/* Runs: submit, claim, wait ----------------------------------------------------------------- */

/**
 * Flag of sw_submit_options: only the handle that submits the run may claim it, while that handle
 * is open; any handle afterwards.
 */
#define SW_SUBMIT_LOCAL 1

/** Options of sw_run_submit and sw_child_submit. Zero in a field is its default. */
typedef struct sw_submit_options {
  /** sizeof(sw_submit_options). */
  uint32_t struct_size;
  /** SW_SUBMIT_LOCAL, or 0. */
  uint32_t flags;
  /** Name of the queue; absent is "default". */
  const char *queue;
  /** Bytes of queue, or SW_NTS. */
  size_t queue_len;
  /** Unix milliseconds before which the run is not claimed; 0 is now. At most SW_INSTANT_MS_MAX. */
  int64_t run_at_ms;
  /**
   * Milliseconds from the later of now and run_at_ms after which the run fails with an error
   * marked "timeout", to SW_DURATION_MS_MAX; 0 is never.
   */
  int64_t timeout_ms;
  /**
   * Milliseconds before the second try, to SW_DURATION_MS_MAX; 0 is 1000. Each further wait
   * grows by backoff_percent.
   */
  int64_t backoff_initial_ms;
  /**
   * Milliseconds between two tries at most, to SW_DURATION_MS_MAX; 0 is 3600000. Waits grow until
   * they are there, however many tries that takes. Each wait moves by up to a tenth.
   */
  int64_t backoff_max_ms;
  /** The lower goes first among ready runs; any value. */
  int32_t priority;
  /** Tries before the run fails for good, to SW_TRIES_MAX; 0 is 3. */
  uint32_t max_tries;
  /** Growth from one wait to the next in percent, 100 to SW_BACKOFF_PERCENT_MAX; 0 is 200. */
  uint32_t backoff_percent;
  /** Must be 0. */
  uint32_t reserved;
  /**
   * Key under which one run is made and no second one, for as long as the first exists, to
   * SW_KEY_BYTES_MAX bytes; absent is none. For another workflow it is SW_ERR_CONFLICT.
   */
  const char *idempotency_key;
  /** Bytes of idempotency_key, or SW_NTS. */
  size_t idempotency_key_len;
  /**
   * Scope within which the key counts, to SW_KEY_BYTES_MAX bytes; absent is the scope
   * without a name, and empty is SW_ERR_INVALID.
   */
  const char *idempotency_scope;
  /** Bytes of idempotency_scope, or SW_NTS. */
  size_t idempotency_scope_len;
  /** Runs of one queue with the same key, to SW_KEY_BYTES_MAX bytes, share its limit per key. */
  const char *concurrency_key;
  /** Bytes of concurrency_key, or SW_NTS. */
  size_t concurrency_key_len;
  /** Version of the code that may run it, a name; absent: any worker may run it. */
  const char *code_version;
  /** Bytes of code_version, or SW_NTS. */
  size_t code_version_len;
  /**
   * JSON object `{unit: limit}` of up to SW_BUDGET_UNITS_MAX units, names of 1 to
   * SW_NAME_BYTES_MAX bytes: what this run and all below it may spend, see sw_budget_reserve. A
   * limit is an integer 0 to 2^63-1, or `{"limit": integer, "warn": integer}`: when reserved and
   * spent together come to warn, an event "budget.warning" is appended to the topmost run, once.
   * Absent is without limits. A forked run has the limits of its source's tree and has spent
   * nothing; a retried one goes on with its own.
   */
  const char *budget;
  /** Bytes of budget, or SW_NTS. */
  size_t budget_len;
  /** JSON object of the host's own, shown with the run; absent is none. */
  const char *metadata;
  /** Bytes of metadata, or SW_NTS. */
  size_t metadata_len;
} sw_submit_options;

/**
 * Submits a run: the wish that a worker runs the host's function `workflow` with `args`.
 *
 * With an idempotency key, one run is made per (scope, key) for as long as it exists; later submits
 * of that workflow get SW_EXISTS and its id, whatever their other arguments. Under another workflow
 * the key is SW_ERR_CONFLICT, and the message names both workflows and the run: give each workflow
 * keys, or a scope, of its own.
 *
 * A host that dislikes a struct of two dozen fields gives the same options as JSON to
 * sw_run_submit_many, an array of one item.
 *
 * May block. Durable when it returns; so is what SW_EXISTS confirms.
 * \param workflow,workflow_len  name of the host's function
 * \param args,args_len  JSON; absent is null
 * \param out_run_id     receives the run's id and its NUL
 * \retval SW_OK               the run is submitted; its id is written
 * \retval SW_EXISTS           the key matched; the id of the run it made is written
 * \retval SW_ERR_INVALID      workflow is absent; a text, args or an option is out of its form or
 *                             range; a scope without a key; cap is below SW_ID_CAP
 * \retval SW_ERR_TOO_BIG      a text or args is above its limit
 * \retval SW_ERR_UNSUPPORTED  an unknown option or flag
 * \retval SW_ERR_CONFLICT     the key has made a run of another workflow
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_submit(sw_store *store, const char *workflow, size_t workflow_len,
                      const char *args, size_t args_len, const sw_submit_options *options,
                      char *out_run_id, size_t cap, sw_error **err);

/**
 * Submits many runs in one commit, all or none. Each item is an object with "workflow", "args" (any
 * JSON) and the fields of sw_submit_options by their names; instead of the flag there is "local",
 * true or false. What is left out or null is the default.
 *
 *   [{"workflow":"invoice","args":{"order":7},"queue":"billing","priority":-1,"max_tries":5,
 *     "idempotency_key":"order-7","metadata":{"tenant":"acme"},
 *     "budget":{"tokens":{"limit":5000,"warn":4000}}},
 *    {"workflow":"report","local":true}]
 *
 * Two items of one workflow with one idempotency key make one run, and the second names it; of two
 * workflows, the second is the item that SW_ERR_CONFLICT names.
 *
 * May block. Durable when it returns; so is what "exists" confirms.
 * \param items,items_len  JSON array of 1 to SW_MANY_MAX objects
 * \param out              receives an array in the order of the items,
 *                         `[{"run_id":"run_...","exists":false}]`, freed by sw_text_free; NULL on
 *                         failure. With "exists" true the key matched
 * \param err              its message begins with the item that it is about: `items[3]: ...`
 * \retval SW_OK            every run is submitted or found
 * \retval SW_ERR_INVALID   items is absent, no JSON array, empty, or has too many; an item is no
 *                          object, lacks its workflow, or has an unknown key or a value out of its
 *                          form or range
 * \retval SW_ERR_TOO_BIG   items, or a text in it, is above its limit
 * \retval SW_ERR_CONFLICT  the key of an item has made a run of another workflow
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_submit_many(sw_store *store, const char *items, size_t items_len, sw_text **out,
                           sw_error **err);

/**
 * Finds the run that an idempotency key made.
 *
 * May block. Never waits for a writer. It shows what is committed; a submit with the same key that
 * answers SW_EXISTS is what makes it durable.
 * \param idempotency_scope,idempotency_scope_len  as it was submitted; absent is the scope
 *                    without a name
 * \param idempotency_key,idempotency_key_len  as it was submitted
 * \param out_run_id  receives the run's id and its NUL
 * \retval SW_OK           the id is written
 * \retval SW_NONE         no run exists under that scope and key
 * \retval SW_ERR_INVALID  the key is absent, a text is empty, no UTF-8 or holds a NUL, or cap is
 *                         below SW_ID_CAP
 * \retval SW_ERR_TOO_BIG  scope or key has more than SW_KEY_BYTES_MAX bytes
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_run_find(sw_store *store, const char *idempotency_scope, size_t idempotency_scope_len,
                    const char *idempotency_key, size_t idempotency_key_len, char *out_run_id,
                    size_t cap, sw_error **err);

/**
 * Flag of sw_claim_options: the attempt completes its run only after it has asked for all that the run
 * has recorded: steps that ended, sleeps, awaits, children. Else sw_attempt_complete, and
 * attempt_complete of sw_tx_run, are SW_ERR_NONDETERMINISM, name one that was not asked for, and store
 * nothing. It finds code that took another way than the attempt before it.
 */
#define SW_CLAIM_STRICT 1

/**
 * Flag of sw_claim_options: no step is run. sw_step_begin of one whose end is not recorded is
 * SW_ERR_NONDETERMINISM, and names it. For looking whether code replays what was recorded: on a copy,
 * see sw_run_fork.
 */
#define SW_CLAIM_REPLAY_ONLY 2

/** Options of sw_run_claim and sw_run_claim_many. Zero in a field is its default. */
typedef struct sw_claim_options {
  /** sizeof(sw_claim_options). */
  uint32_t struct_size;
  /** SW_CLAIM_STRICT, SW_CLAIM_REPLAY_ONLY, or 0. */
  uint32_t flags;
  /** Milliseconds to wait for a run, to SW_DURATION_MS_MAX, or SW_FOREVER; 0 does not wait. */
  int64_t wait_ms;
  /** As lease_default_ms of sw_store_options; 0 is what the store's options say. */
  uint32_t lease_ms;
  /** Must be 0. */
  uint32_t reserved;
  /** Name of the worker, shown in the history; absent is none. */
  const char *worker;
  /** Bytes of worker, or SW_NTS. */
  size_t worker_len;
  /** JSON array of the workflows to take, such as ["invoice"]; [] takes nothing, absent is all. */
  const char *workflows;
  /** Bytes of workflows, or SW_NTS. */
  size_t workflows_len;
  /**
   * JSON array of the code versions to take; runs without one are taken too. `[]` takes only
   * those, absent is all.
   */
  const char *code_versions;
  /** Bytes of code_versions, or SW_NTS. */
  size_t code_versions_len;
  /** From sw_stop_new, or NULL: once it has fired nothing is claimed; the answer is SW_NONE. */
  sw_stop *stop;
} sw_claim_options;

/**
 * Claims the next run of a queue, under a lease. Among ready runs the lower priority goes first,
 * then what was due earlier, then what was submitted earlier. Runs whose lease lapsed, or whose
 * process died, are claimed anew; schedules that are due submit their runs.
 *
 * The attempt must end by complete, fail, release or suspend, or else its run comes back when the
 * lease lapses or the store is closed. An empty queue takes no lock.
 *
 * Waits at most wait_ms for a run, 0 when options is NULL; besides, it may block. Durable when it
 * returns an attempt.
 * \param queue,queue_len  name of the queue; absent is "default"
 * \param out              receives the attempt, freed by sw_attempt_free; NULL on failure and for
 *                         SW_NONE
 * \retval SW_OK               the attempt is in out
 * \retval SW_NONE             nothing to claim until wait_ms passed or the stop fired
 * \retval SW_ERR_INVALID      a text or an option is out of its form or range
 * \retval SW_ERR_TOO_BIG      a text is above its limit
 * \retval SW_ERR_UNSUPPORTED  an unknown option or flag
 * \retval SW_ERR_CLOSED       also when the store is shut down during the wait
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_claim(sw_store *store, const char *queue, size_t queue_len,
                     const sw_claim_options *options, sw_attempt **out, sw_error **err);

/**
 * Claims up to `max` runs of a queue in one commit, in the order of sw_run_claim and as that does.
 * It waits for the first run, not for `max` of them.
 *
 * Waits at most wait_ms for a run, 0 when options is NULL; besides, it may block. Durable when it
 * returns attempts.
 * \param queue,queue_len  name of the queue; absent is "default"
 * \param max              attempts at most, 1 to SW_MANY_MAX
 * \param out              array of max places; receives the attempts, each freed by
 *                         sw_attempt_free; the other places become NULL, and all on failure
 * \param out_count        receives how many attempts there are; 0 with SW_NONE
 * \retval SW_OK               at least one attempt is in out
 * \retval SW_NONE             nothing to claim until wait_ms passed or the stop fired
 * \retval SW_ERR_INVALID      max is out of its range (out is not touched then); a text or an
 *                             option is out of its form or range
 * \retval SW_ERR_TOO_BIG      a text is above its limit
 * \retval SW_ERR_UNSUPPORTED  an unknown option or flag
 * \retval SW_ERR_CLOSED       also when the store is shut down during the wait
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_claim_many(sw_store *store, const char *queue, size_t queue_len,
                          const sw_claim_options *options, uint32_t max, sw_attempt **out,
                          uint32_t *out_count, sw_error **err);

/**
 * Waits for a run to end and gives its document, as sw_run_get does. Also wakes when it ends because
 * its time-out passed or its worker was lost, though nobody else is there to notice.
 *
 * A store opened with SW_OPEN_READ_ONLY cannot end a run: there it tells only of ends that others
 * have stored. It hears of them as sw_store_wait does, and looks twice a second in any case.
 *
 * Waits at most timeout_ms; besides, it may block.
 * \param run_id,run_id_len  from a submit or a claim
 * \param timeout_ms         milliseconds, to SW_DURATION_MS_MAX; 0 looks once, SW_FOREVER waits
 *                           without limit
 * \param out                receives the document, freed by sw_text_free; NULL on failure and for
 *                           SW_TIMEOUT
 * \retval SW_OK             the run has completed, failed or been cancelled; the document is in
 *                           out
 * \retval SW_TIMEOUT        it had not until timeout_ms passed or the stop fired
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL; timeout_ms is below
 *                           -1 or above SW_DURATION_MS_MAX
 * \retval SW_ERR_NOT_FOUND  no such run, or it ended during the wait and was pruned before it was seen:
 *                           keep runs that are waited for some seconds
 * \retval SW_ERR_CLOSED     also when the store is shut down during the wait
 * Also what any sweeping call may answer: SHARED CODES.
 */
int32_t sw_run_wait(sw_store *store, const char *run_id, size_t run_id_len, int64_t timeout_ms,
                    sw_stop *stop, sw_text **out, sw_error **err);

/* Runs: look -------------------------------------------------------------------------------- */

/**
 * Shows a run as a JSON document. Its args, metadata, result and errors are embedded as JSON.
 *
 *   {"run_id":"run_01k...","task_id":"task_01k...","root_run_id":"run_01k...","parent_run_id":null,
 *    "workflow":"invoice","queue":"default","state":"waiting","priority":0,"args":{"order":7},
 *    "result":null,"error":null,"attempts":2,"tries":1,"max_tries":3,"run_at_ms":1760000000000,
 *    "created_at_ms":1760000000000,"updated_at_ms":1760000004000,"finished_at_ms":null,
 *    "metadata":{"tenant":"acme"},"code_version":"v1","waiting_for":[{"signal":"approval"}],
 *    "cancel_asked":false,"pause_asked":false,"last_error":"no connection","due_at_ms":null}
 *
 * The state is one of "pending", "running", "waiting", "paused", "completed", "failed",
 * "cancelled"; the last three are final. waiting_for is null unless the state is "waiting"; then
 * it names up to SW_WAITING_SHOWN_MAX of what the run waits for: {"signal": name}, {"child":
 * run_id}, {"budget": unit, "amount": n}, and {"until_ms": instant} for the next sleep, time-out
 * or step that is due.
 *
 * cancel_asked and pause_asked are true or false: whether a running attempt was told to end, or to
 * yield, and has not done so yet. Once it has, the state is "cancelled" or "paused" and they are
 * false.
 *
 * error and result are those of a run that has ended. last_error is that of a run that has not: what
 * its newest failed attempt ended with, the host's error or, of an attempt that was lost, the
 * library's {"$smolwf":"lapsed"}. It stays through later attempts, waits, pauses and sw_run_retry
 * until a newer one or the end of the run; null where no attempt has failed, and once it has ended.
 *
 * due_at_ms is when a pending run may be claimed, or could have been: its run_at_ms, the end of the
 * backoff after a failed attempt or of the delay it was given back with, when it woke, or, of one
 * that waited, when it was paused; null in every other state.
 *
 * May block. Never waits for a writer.
 * \param run_id,run_id_len  from a submit or a claim
 * \param out                receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK             the document is in out
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
 * \retval SW_ERR_NOT_FOUND  no such run
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_run_get(sw_store *store, const char *run_id, size_t run_id_len, sw_text **out,
                   sw_error **err);

/**
 * Shows what happened in a run, page by page, as a JSON document; run is as of sw_run_get.
 *
 *   {"run":{},
 *    "attempts":[{"attempt_id":"attempt_01k...","number":1,"worker":"w1","state":"suspended",
 *      "started_at_ms":1760000000000,"ended_at_ms":1760000001000,"error":null}],
 *    "steps":[{"step_id":"step_01k...","name":"charge","occurrence":1,"kind":"step",
 *      "state":"completed","tries":1,"input_hash":"9f86d0...","result":"receipt 9","error":null,
 *      "started_at_ms":1760000000100,"ended_at_ms":1760000000900}],
 *    "signals":[{"name":"approval","payload":true,"sent_at_ms":1760000000500,"consumed":true,
 *      "consumed_by":"step_01k..."}],
 *    "children":[{"run_id":"run_01k...","workflow":"mail","state":"pending",
 *      "created_at_ms":1760000000700,"finished_at_ms":null}],
 *    "events":[{"seq":4,"run_id":"run_01k...","type":"paid","payload":{"cents":900},
 *      "at_ms":1760000000800}],
 *    "next":null}
 *
 * The state of an attempt is one of "running", "completed", "failed", "released", "suspended",
 * "lost", "cancelled"; one that its run's time-out ended is "failed". That of a step is one of
 * "running", "completed", "failed", "backing_off", "waiting", "timed_out"; that of a child is as of
 * a run.
 *
 * Sleeps, awaits and submits of children stand among the steps, with the kinds "sleep", "signal",
 * "child", "any", "all" and "child_submit". consumed_by is the step_id of the await that took a
 * message; the payload of one that was taken by sw_await_any or sw_await_all is null, it stands in
 * the result of that step.
 *
 * May block. Never waits for a writer.
 * \param run_id,run_id_len  from a submit or a claim
 * \param cursor,cursor_len  what next said in the page before; absent is the first page
 * \param limit              attempts, steps, signals, children and events in the page, together, 1
 *                           to SW_PAGE_LEN_MAX; 0 is 1000. A page also ends after payloads of
 *                           SW_EVENT_PAGE_BYTES
 * \param out                receives the document, freed by sw_text_free; NULL on failure. Its
 *                           next is null on the last page
 * \retval SW_OK             the document is in out
 * \retval SW_ERR_INVALID    run_id is absent, a text is out of its form, cursor is no cursor of
 *                           this call, or limit is above SW_PAGE_LEN_MAX
 * \retval SW_ERR_NOT_FOUND  no such run
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_run_history(sw_store *store, const char *run_id, size_t run_id_len,
                       const char *cursor, size_t cursor_len, uint32_t limit, sw_text **out,
                       sw_error **err);

/* Runs: list, count, act on many ------------------------------------------------------------ */

/**
 * Lists the runs that a filter means, page by page, as a JSON document.
 *
 *   {"items":[{"run_id":"run_01k...","task_id":"task_01k...","root_run_id":"run_01k...",
 *      "parent_run_id":null,"workflow":"invoice","queue":"billing","state":"failed","priority":0,
 *      "attempts":3,"tries":3,"max_tries":3,"run_at_ms":1760000000000,
 *      "created_at_ms":1760000000000,"updated_at_ms":1760000009000,
 *      "finished_at_ms":1760000009000,"code_version":null,"cancel_asked":false,
 *      "pause_asked":false,"due_at_ms":null}],
 *    "next":"l1.9f86d0...","looked_at":1}
 *
 * filter is a JSON object, as {"state":"failed","workflow":"invoice"}; a run is listed when all that
 * it names is true of the run. Absent, or {}, it leaves nothing out. Its keys:
 *
 * - state: one of the states of sw_run_get, or an array of them
 * - workflow, queue, code_version: a name
 * - worker: a name; that of the run's running attempt or, where none runs, of its newest
 * - parent_run_id: the run that submitted it
 * - root_run_id: the topmost run of its tree, which is listed itself
 * - roots_only: true leaves out what another run submitted
 * - created_from_ms, created_to_ms: when it was submitted, Unix milliseconds, half open: from this
 *   instant, to before that
 * - finished_from_ms, finished_to_ms: when it ended, as above; open runs are left out
 * - metadata: an object of up to SW_FILTER_METADATA_MAX strings, numbers, true, false or null:
 *   top-level members that the run's metadata has with equal values
 * - idempotency_scope, idempotency_key: as in sw_submit_options; a key without a scope is one of
 *   the scope without a name, as with ""
 * - error_contains: to SW_KEY_BYTES_MAX bytes that the JSON text of its error, or of an open run's
 *   last_error, contains
 * - cancel_asked: true or false, as sw_run_get shows it
 * - order: "newest", the default, or "oldest": which of the submitted comes first
 * - include: an array of "args", "result", "error", "metadata", "waiting_for"
 * - dry_run: for sw_run_act_many and sw_store_prune
 *
 * An item is a run as sw_run_get shows it, without the keys args, result, error, last_error,
 * metadata and waiting_for, unless include names them; error stands for error and last_error.
 *
 * next is the cursor of the next page, null on the last. It stays valid whatever runs come and go,
 * and is good for this filter, order and store alone. A call looks at SW_LIST_LOOKS_MAX runs at most,
 * about, whatever it finds: a page may have fewer items than limit, even none, and a next. looked_at
 * says how many runs it looked at.
 *
 * A page costs the same in a store of any size where these narrow it, all that are named together:
 * state, workflow, queue, code_version, parent_run_id, root_run_id, created_*, finished_*, metadata,
 * idempotency_key, idempotency_scope. Of running runs, of pending ones that are ready, and of a
 * scope this holds for up to SW_LIST_GATHER_MAX of them, of finished_* for a span in which about a
 * million have ended; beyond that more runs are looked at, of all open ones or of all. worker,
 * error_contains, roots_only and cancel_asked have no index: they are asked of the runs that the
 * others leave.
 *
 * May block. Never waits for a writer; a page is one moment of the store.
 * \param filter,filter_len  JSON, to SW_FILTER_BYTES_MAX; absent is all runs
 * \param cursor,cursor_len  what next said in the page before; absent is the first page
 * \param limit              items in the page, 1 to SW_LIST_LEN_MAX; 0 is 100
 * \param out                receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK             the document is in out
 * \retval SW_ERR_INVALID    filter is no JSON object, has an unknown key, one twice, or a value out
 *                           of its form or range; cursor is of another filter, order or store, or
 *                           is none; limit is above SW_LIST_LEN_MAX
 * \retval SW_ERR_TOO_BIG    filter or a text in it is above its limit
 * \retval SW_ERR_NOT_FOUND  the run of parent_run_id or root_run_id is not there
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_run_list(sw_store *store, const char *filter, size_t filter_len,
                    const char *cursor, size_t cursor_len, uint32_t limit, sw_text **out,
                    sw_error **err);

/**
 * Counts the runs that a filter means, as sw_run_list reads it, and stops at a number.
 *
 * It looks at as many runs as a list of them would page by page: with a filter that has no index, at
 * every run of the store. It does so part by part, each a moment of the store, so that runs which
 * come, change or go meanwhile may be counted or not.
 *
 * May block. Never waits for a writer.
 * \param filter,filter_len  JSON, to SW_FILTER_BYTES_MAX; absent is all runs
 * \param at_most            where to stop, 1 to SW_COUNT_MAX; 0 is 10000
 * \param out                receives the number, at_most if there are as many or more
 * \retval SW_OK             the number is in out
 * \retval SW_ERR_INVALID    filter is no JSON object, has an unknown key, one twice, or a value out
 *                           of its form or range; at_most is above SW_COUNT_MAX
 * \retval SW_ERR_TOO_BIG    filter or a text in it is above its limit
 * \retval SW_ERR_NOT_FOUND  the run of parent_run_id or root_run_id is not there
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_run_count(sw_store *store, const char *filter, size_t filter_len, uint64_t at_most,
                     uint64_t *out, sw_error **err);

/**
 * Changes the metadata of a run, in whatever state, by a JSON merge patch (RFC 7396): members of
 * patch take the place of those of the metadata, null takes one away, objects are merged, and what
 * patch does not name stays as it was. A run without metadata has an empty object. Lists find the
 * run by what it has become at once; a patch that changes nothing writes nothing.
 *
 * May block. Durable when it returns, as the store's durability says.
 * \param run_id,run_id_len  from a submit or a claim
 * \param patch,patch_len    a JSON object
 * \retval SW_OK             the metadata is changed, or was so before
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL; patch is absent or no
 *                           JSON object
 * \retval SW_ERR_NOT_FOUND  no such run
 * \retval SW_ERR_TOO_BIG    it would have more than SW_METADATA_BYTES_MAX, or patch is above the
 *                           store's limit on payloads; nothing is changed
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_annotate(sw_store *store, const char *run_id, size_t run_id_len,
                        const char *patch, size_t patch_len, sw_error **err);

/**
 * Does to the runs that a filter means, up to a number, what the call on one run does, and tells
 * what came of it as a JSON document.
 *
 *   {"matched":3,"done":2,"refused":[{"run_id":"run_01k...","code":-23}],"more":false}
 *
 * filter is that of sw_run_list. Where it names no state, the runs to which there is something to do
 * are meant: for "cancel" the open ones that were not told yet, for "pause" the open ones that are
 * not paused or told, for "resume" the paused ones and those that were told to pause, for "retry" the
 * failed and cancelled ones. So a call that is repeated while more is true comes to an end, whoever
 * was stopped in between. Where it names states, all runs in these are meant: those of which the call
 * on one run would answer SW_ERR_CONFLICT are left as they are and listed in refused, and meant again
 * the next time.
 *
 * With "dry_run": true nothing is done, and done is 0: matched counts the runs that it would be done
 * to or refused of, refused lists the latter.
 *
 * Where no index says which runs are meant, the call looks on, SW_LIST_LOOKS_MAX runs at a time, until
 * it has found some or has seen all.
 *
 * One commit, all or none of the runs; their states are looked at in it. What follows a cancel below
 * each of them is as for sw_run_cancel: no descendant is claimed any more once it returns.
 *
 * May block, for each part of what is cancelled. Durable when it returns, as the store's durability
 * says.
 * \param action,action_len  "cancel", "pause", "resume" or "retry"
 * \param filter,filter_len  JSON, to SW_FILTER_BYTES_MAX; absent is all runs
 * \param limit              runs to act on, 1 to SW_LIST_LEN_MAX; 0 is 100
 * \param out                receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK             the document is in out. Its more is true when there may be other runs
 *                           that are meant
 * \retval SW_ERR_INVALID    action is absent or none of these; filter as for sw_run_list; limit is
 *                           above SW_LIST_LEN_MAX
 * \retval SW_ERR_TOO_BIG    action, filter or a text in it is above its limit
 * \retval SW_ERR_NOT_FOUND  the run of parent_run_id or root_run_id is not there
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_act_many(sw_store *store, const char *action, size_t action_len,
                        const char *filter, size_t filter_len, uint32_t limit, sw_text **out,
                        sw_error **err);

/* Runs: explain ----------------------------------------------------------------------------- */

/**
 * Shows why a run does not move, as a JSON document: at least one reason, the most telling first. Keys
 * are only ever added.
 *
 *   {"run_id":"run_01k...","state":"pending",
 *    "reasons":[{"code":"queue_full","text":"queue \"mail\" lets 2 run at once, and 2 do",
 *      "since_ms":null,"evidence":{"queue":"mail","concurrency":2,"running":2,
 *      "run_ids":["run_01k...","run_01k..."]},"hint":"sw_queue_set raises \"concurrency\""},
 *     {"code":"behind_others","text":"it is the next: those who claim it are busy",
 *      "since_ms":1760000000000,"evidence":{"ahead":0,"is_at_least":false,"first_run_id":null,
 *      "last_claimed_at_ms":1760000000500},"hint":"more workers"}]}
 *
 * text and hint are for people, and may change; code is one of these, with what its evidence tells.
 * since_ms is since when, null where that was not noted.
 *
 * running: an attempt holds it (attempt, worker, owner_id, pid, pause_asked). owner_dead,
 * owner_silent: the process that holds it is gone, or lives and has let its lease lapse; the next
 * claim or wait of any process takes the run back. cancel_unheard: the attempt was told to end (asked:
 * "cancel" or "timeout") and goes on.
 *
 * queue_paused, queue_full, key_full: the limits of its queue hold it back, with the run_ids of up to
 * SW_HOLDERS_SHOWN_MAX that fill them. local_owner: it was submitted with SW_SUBMIT_LOCAL by a handle
 * that is open. behind_others: ahead others are claimed first, counted to SW_AHEAD_COUNTED_MAX; of 0
 * it is the next. queue_unclaimed: nobody claims from its queue, or nobody its workflow: nothing was
 * claimed there since it was due, or nothing of the queue in the last second, while none of its runs
 * is held. version_unclaimed: its code version is not claimed while others are. Both show
 * last_claimed_at_ms, which may be a second behind, and may miss what was claimed of runs that were
 * pruned since (sw_queue_list). Of a queue with more than SW_LANES_EXPLAINED_MAX workflows and code
 * versions the first by name are looked at, and the run's own.
 *
 * not_due: it begins at until_ms. backing_off: it, or its step, is tried again at until_ms, after
 * error. waits_signal, waits_child, waits_sleep, waits_budget: it is parked on a signal, on a child
 * and its state, until a moment, or until a unit of its budget, short_by so much, has room; one reason
 * for each, up to SW_WAITING_SHOWN_MAX. paused: a person set it aside. ended: it has ended.
 *
 * May block. Never waits for a writer.
 * \param run_id,run_id_len  from a submit or a claim
 * \param out                receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK             the document is in out
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
 * \retval SW_ERR_NOT_FOUND  no such run
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_run_explain(sw_store *store, const char *run_id, size_t run_id_len, sw_text **out,
                       sw_error **err);

/* Store: look ------------------------------------------------------------------------------- */

/**
 * Shows what there is to be told of a store as a whole, as a JSON document. Keys are only ever added.
 *
 *   {"at_ms":1760000000000,
 *    "runs":{"total":120,"pending":8,"running":2,"waiting":3,"paused":1,"completed":100,"failed":5,
 *     "cancelled":1,"at_least":[],"at_most":[]},
 *    "oldest_ready_at_ms":1759999990000,"oldest_ready_for_ms":10000,
 *    "next_due_at_ms":1760000060000,
 *    "queues":[{"queue":"default","concurrency":2,"concurrency_per_key":null,"paused":false,
 *     "running":2,"ready":5,"delayed":3,"waiting":3,"blocked":0,
 *     "oldest_ready_at_ms":1759999990000,"last_claimed_at_ms":1759999999000,"at_least":[]}],
 *    "full":[{"queue":"default","concurrency_key":null,"limit":2,"running":2,
 *     "run_ids":["run_01k..."]}],
 *    "owners":[{"owner_id":"owner_3","pid":4711,"alive":true,"opened_at_ms":1759999000000,
 *     "running":2,"oldest_lease_at_ms":1759999999000}],
 *    "file":{"page_bytes":4096,"pages":250,"bytes":1024000,"free_bytes":8192,"log_bytes":41232},
 *    "writer":{"commits":300,"writes":900,"largest_batch":12,
 *     "batches":{"1":200,"2_7":90,"8_63":10,"64_up":0},"syncs":250,"syncs_shared":50,
 *     "turn_waits":20,"turn_wait_ms":35,
 *     "calls":[{"call":"sw_step_complete","writes":700,"took_ms":41,"longest_ms":2}]}}
 *
 * runs counts by state. It costs the same in a store of a million runs: open runs are counted up to
 * SW_TASKS_COUNTED_MAX of a kind, failed and cancelled ones up to SW_OUTCOMES_COUNTED_MAX of each, and
 * at_least names the counts that stopped there; sw_run_count counts on. total is how many numbers
 * runs were given, exact unless runs between the oldest and the newest are gone; completed is what the
 * other counts leave of it, so at most that many where at_most names it.
 *
 * oldest_ready_at_ms is since when the run could be claimed that nobody has claimed for longest,
 * null when none is ready; next_due_at_ms is when something comes due by itself next. queues is as
 * sw_queue_list shows them and owners as sw_owner_list. full shows up to SW_FULL_SHOWN_MAX limits
 * that are reached, of queues and of concurrency keys, with up to SW_HOLDERS_SHOWN_MAX of the runs
 * that fill them.
 *
 * log_bytes are those of the write-ahead log; free_bytes hold nothing and are used again. writer
 * tells what this process has written since it opened the file, null for a store opened with
 * SW_OPEN_READ_ONLY: commits and the writes that shared them, syncs made for them and commits that
 * another process' sync covered, and how often and how long, in sum, another process' turn to write
 * was waited for. calls tells whose the writes were, and how long their work kept others waiting
 * beside commits and syncs; sweep is what waits and cancels moved, sync an answer that first made safe
 * what it had read.
 *
 * May block. Never waits for a writer.
 * \param out  receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK  the document is in out
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_store_stats(sw_store *store, sw_text **out, sw_error **err);

/**
 * Shows the queues that have runs or were set as a JSON array, ordered by name: limits, what stands in
 * them, and when something was last claimed from them. Keys are only ever added.
 *
 *   [{"queue":"default","concurrency":2,"concurrency_per_key":null,"paused":false,"running":2,
 *     "ready":5,"delayed":3,"waiting":3,"blocked":0,"oldest_ready_at_ms":1759999990000,
 *     "last_claimed_at_ms":1759999999000,"at_least":[]}]
 *
 * ready may be claimed, as far as limits let them; blocked stand behind another run with their
 * concurrency key. What has come due counts as delayed or waiting until the next claim or wait of any
 * process moves it. last_claimed_at_ms is null when nothing was, and goes with the queue's last run of
 * a workflow and code version when that is pruned; it may be a second behind. at_least names the
 * counts that stopped at their bound: SW_TASKS_COUNTED_MAX of the whole store, and for ready an equal
 * part of that for each workflow and code version.
 *
 * Queues whose workflows and code versions are not among the first SW_LANES_SHOWN_MAX of the store, by
 * the names of the queues, are left out.
 *
 * May block. Never waits for a writer.
 * \param out  receives the array, freed by sw_text_free; NULL on failure
 * \retval SW_OK  the array is in out; "[]" when there are none
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_queue_list(sw_store *store, sw_text **out, sw_error **err);

/**
 * Shows the owners of attempts as a JSON array, the oldest first: each is a store handle that has
 * claimed, in whichever process. Keys are only ever added.
 *
 *   [{"owner_id":"owner_3","pid":4711,"alive":true,"opened_at_ms":1759999000000,"running":2,
 *     "oldest_lease_at_ms":1759999999000}]
 *
 * opened_at_ms is when it first claimed, running how many runs it holds, oldest_lease_at_ms when it
 * claimed the one that it has held for longest. alive is false for one whose process is gone or is of
 * an earlier boot of the machine: the next claim or wait of any process takes its runs back and
 * forgets it. It is null where a store opened with SW_OPEN_READ_ONLY may not read the file that tells.
 *
 * May block. Never waits for a writer.
 * \param out  receives the array, freed by sw_text_free; NULL on failure
 * \retval SW_OK  the array is in out; "[]" when there are none
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_owner_list(sw_store *store, sw_text **out, sw_error **err);

/* Store: keep ------------------------------------------------------------------------------- */

/**
 * Removes runs that have ended, with all that is stored of them, and tells what came of it as a JSON
 * document: the runs that were removed, the trees that are gone, the bytes of JSON that the runs
 * carried (args, results, errors, metadata, what their steps recorded and what was said to them), and
 * whether there may be more to do.
 *
 *   {"runs":3,"trees":2,"bytes":4096,"more":false}
 *
 * Trees go whole or not at all: a topmost run with all runs below it. filter is that of sw_run_list
 * and is asked of the topmost run alone, as with "roots_only": true; a state that is not "completed",
 * "failed" or "cancelled" means none. A tree in which a run lives stays, whatever the filter, and so
 * does one from whose runs a living one was forked, since that may await their children. The oldest
 * go first, unless order says "newest".
 *
 * A tree is gone for every call from the first moment: its ids are SW_ERR_NOT_FOUND, lists and counts
 * leave it out, and its idempotency key makes a new run. Its rows go part by part, and up to limit
 * runs in one call: what is left of a larger tree goes first in the next call, whatever its filter,
 * and is in runs and bytes of that one. Repeat the call while more is true. With "dry_run": true
 * nothing is changed, and the document tells what would go of the trees that are there.
 *
 * What the runs appended to the log stays there (sw_event_read without run_id) until every older
 * event is gone as well, so that the log has no holes but before its first_seq; the newest event
 * stays in any case. Pages that become free are used again; sw_store_compact gives them back.
 *
 * May block, for each part: some ten milliseconds in which other writers wait. Durable when it
 * returns, as the store's durability says. Whoever is killed in the middle has removed some trees and
 * not the others; the next prune goes on where it stopped.
 * \param filter,filter_len  JSON, to SW_FILTER_BYTES_MAX; absent is everything that has ended
 * \param limit              runs to remove, 1 to SW_PRUNE_LEN_MAX; 0 is 1000
 * \param out                receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK             the document is in out
 * \retval SW_ERR_INVALID    filter as for sw_run_list; limit is above SW_PRUNE_LEN_MAX
 * \retval SW_ERR_TOO_BIG    filter or a text in it is above its limit
 * \retval SW_ERR_NOT_FOUND  the run of parent_run_id or root_run_id is not there, and no tree was
 *                           left to go on with
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_store_prune(sw_store *store, const char *filter, size_t filter_len, uint32_t limit,
                       sw_text **out, sw_error **err);

/**
 * Sets which ended runs go by themselves, as if somebody called sw_store_prune for them again and again:
 * for how long they stay, and how many. The policy is a JSON object, each member of which may be left
 * out, as may each member of an entry of "workflows":
 *
 *   {"completed_ms":604800000,"failed_ms":2592000000,"cancelled_ms":604800000,"keep_newest":100,
 *    "workflows":{"audit":{"completed_ms":31536000000}}}
 *
 * For how long: completed_ms, failed_ms and cancelled_ms are the milliseconds for which a run stays that
 * ended so, counted from its end, 0 to SW_DURATION_MS_MAX. One that is left out means for ever, where
 * another of the three is given. How many: the newest keep_newest ended runs of each workflow stay, in the
 * order of submission and whatever they ended as, 0 to SW_KEEP_NEWEST_MAX. A run goes once nothing keeps it:
 * it has stayed for its time and is not among the newest. With keep_newest above 0 and none of the three
 * times, the newest stay and all others go, whatever their age; with keep_newest 0 and none of them nothing
 * goes: for that give times of 0. What an entry of "workflows" has holds for the runs of that workflow in
 * the place of the same member outside; it may name workflows that have no run yet, up to
 * SW_POLICY_WORKFLOWS_MAX.
 *
 * It is asked of topmost runs, and what goes, goes as sw_store_prune says: trees whole, none in which a
 * run lives or from which a living one was forked, with all that is stored of them but what they appended
 * to the log while older events are there.
 *
 * The policy is kept in the file, and in copies of it, and holds for every process, until it is set
 * again: it is replaced whole. `{}`, and an absent one, ends it. The one that holds already is set again
 * at no cost.
 *
 * What is due is removed by claims and by waits of whoever may write (sw_run_claim, sw_run_wait and the
 * like), part by part: some milliseconds, then a pause of some, up to about five thousand runs a second
 * in all. So a run may stay longer than it must: by an eighth of its time, at least a quarter of a second
 * and at most a minute; more where others are due before it, and in a store in which millions stay. A
 * store that nobody claims from or waits in keeps all: there sw_store_prune is the way. Whoever is killed
 * in the middle, the next goes on. Times are those of the wall clock, or of the manual one: what a
 * clock that is wrong by a year has let go does not come back, but the newest stay. Each look for what is
 * due is a write: while nothing but claims and waits go on, one in an eighth of the shortest time, four
 * in a second to one in a minute. Without a policy, and between looks, nothing is written for it.
 *
 * May block. Durable when it returns, as the store's durability says.
 * \param policy,policy_len  JSON object, to SW_POLICY_BYTES_MAX; absent is `{}`
 * \retval SW_OK           the policy holds, or none does
 * \retval SW_ERR_INVALID  policy is no JSON object, or has an unknown key or a value out of its range
 * \retval SW_ERR_TOO_BIG  policy or a name in it is above its limit
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_retention_set(sw_store *store, const char *policy, size_t policy_len, sw_error **err);

/**
 * Tells the policy that sw_retention_set has set, as a JSON document with the members that were given;
 * `{}` where there is none:
 *
 *   {"completed_ms":604800000,"keep_newest":100}
 *
 * May block. Never waits for a writer.
 * \param out  receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK  the document is in out
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_retention_get(sw_store *store, sw_text **out, sw_error **err);

/**
 * Gives pages of the file that hold nothing back to the file system, and tells as a JSON document how
 * many, and how many that hold nothing are left.
 *
 *   {"freed_pages":1024,"left_pages":300}
 *
 * What ended runs leave behind is used again by those that come, so that a file whose runs go by
 * themselves does not grow; this makes it smaller, after very many have gone. sw_store_stats tells how
 * much is free, in "free_bytes".
 *
 * Part by part, so that others write in between: each page given back may move another. The file has
 * its new size when the log is moved into it, which this call does if no reader keeps it from that. It
 * waits for none: otherwise a later write does it, or the next call.
 *
 * May block, for each part: some milliseconds in which other writers wait. Durable when it returns, as
 * the store's durability says. Whoever is killed in the middle has given some pages back and not the
 * others.
 * \param pages_max  pages to give back, 1 to SW_COMPACT_PAGES_MAX; 0 is 1024
 * \param out        receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK               the document is in out
 * \retval SW_ERR_INVALID      pages_max is above SW_COMPACT_PAGES_MAX
 * \retval SW_ERR_UNSUPPORTED  the file was made without this: by an older version of the library, or
 *                             by another program. The message says how it gets it
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_store_compact(sw_store *store, uint32_t pages_max, sw_text **out, sw_error **err);

/* Runs: carry ------------------------------------------------------------------------------- */

/**
 * Returns a topmost run with all runs below it as one JSON document, as they stand at one moment: what
 * they were submitted with, how they ended or where their tasks stand, attempts, steps, signals, what is
 * waited for, budget, events. sw_run_import brings it into another store, where the runs go on. A run
 * below another is refused: that one may await it, and the topmost one holds its budget.
 *
 * The document is so; what stands in its lists is told by docs/schemas/carried_tree.json:
 *
 *   {"format":1,"schema_version":8,"library_version":"0.1.0","store_id":"01a222d96bbdc5fe",
 *    "exported_at_ms":1700000000000,"redacted":false,"runs":[],"events":[],"units":[]}
 *
 * Payloads (args, results, errors, metadata, signals, events) stand in it as JSON strings, so that
 * whatever formats the document anew leaves them byte for byte.
 *
 * options is a JSON object: "redact": true is for reports of bugs. In the place of each payload, key and
 * name of a worker then stands {"bytes":12,"hash":"..."}, with "engine" for the kind of an error that
 * the library made. Equal texts have equal hashes within one document and in no other, since each is
 * made with a key that is thrown away. Names stay: of workflows, queues, versions, steps and their
 * kinds, signals, types of events, units. Such a document cannot be imported.
 *
 * Nothing is changed: the runs go on here as well. To move them, pause the topmost one and those below
 * it first, and cancel them once they are imported elsewhere.
 *
 * May block. Never waits for a writer. The document stands in memory, up to SW_CARRY_BYTES_MAX.
 * \param run_id,run_id_len    of a topmost run
 * \param options,options_len  JSON; absent is {"redact":false}
 * \param out                  receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK             the document is in out
 * \retval SW_ERR_INVALID    run_id is absent; options has an unknown key or a value of another kind
 * \retval SW_ERR_NOT_FOUND  no such run, or its tree is being pruned
 * \retval SW_ERR_CONFLICT   the run is below another, which the sentence names; or a run of the tree is
 *                           open and was forked from one whose children, in another tree, it may await
 * \retval SW_ERR_TOO_BIG    the tree has more than SW_CARRY_RUNS_MAX runs or SW_CARRY_ROWS_MAX rows
 *                           beside, or the document more than SW_CARRY_BYTES_MAX bytes
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_run_export(sw_store *store, const char *run_id, size_t run_id_len,
                      const char *options, size_t options_len, sw_text **out, sw_error **err);

/**
 * Brings the runs of a document of sw_run_export into this store, all of them or none, and tells which
 * run is the topmost and how many came.
 *
 *   {"run_id":"run_01hf7yat006834yhcwb13ejypz","runs":3}
 *
 * They go on where they stood: what was recorded is replayed, what waits goes on waiting until the same
 * moments, what is due may be claimed. An attempt that ran when it was exported comes in as a lost one:
 * its loss counts as any, what it had reserved is charged in full, and its run may be claimed, or ends
 * as it was told to. Owners, leases and SW_SUBMIT_LOCAL stay behind. Limits of queues are this store's
 * own. Reservations get new ids. Events are appended to this store's log, in their order and with their
 * times. A run stays linked with the one that it was forked from if that is in this store. A policy of
 * sw_retention_set holds for what has ended.
 *
 * options is a JSON object: "ids": "keep", the default, gives the runs the ids that they have, "new" gives
 * them new ones, for a second copy. Those that the library itself has written are then replaced: a submit
 * of a child replays with the child's new id, and awaits of it as before. Ids that a host has put into its
 * own payloads stay as they are. An idempotency key comes along either way.
 *
 * The document may be from anywhere: what is wrong with it is refused with its place, and nothing is
 * changed. What it says of work that was done is believed, so import what you trust. The numbers of what
 * it may have are those of sw_run_export; each payload has this store's limit.
 *
 * May block: an import is one transaction, for which other writers wait. Durable when it returns, as the
 * store's durability says. Whoever is killed in the middle has imported nothing.
 * \param document,document_len  JSON, to SW_CARRY_BYTES_MAX; must be given
 * \param options,options_len    JSON; absent is {"ids":"keep"}
 * \param out                    receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK                  the runs are in the store
 * \retval SW_ERR_INVALID         document is absent, has an unknown key or a value of another kind or
 *                                beyond its range, contradicts itself, or was exported with "redact";
 *                                options likewise
 * \retval SW_ERR_UNSUPPORTED     it has another format than this library's
 * \retval SW_ERR_SCHEMA_NEW      also: it comes from a store of a newer schema
 * \retval SW_ERR_CONFLICT        a run of this store has one of its ids, or is still being pruned; or an
 *                                idempotency key of it has made a run here; the sentence names the run
 * \retval SW_ERR_TOO_BIG         document, a payload or a name in it is above its limit, or it has more
 *                                runs or rows than allowed
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_import(sw_store *store, const char *document, size_t document_len,
                      const char *options, size_t options_len, sw_text **out, sw_error **err);

/* Store: move ------------------------------------------------------------------------------- */

/**
 * Moves a whole store into another one, with runs in flight: from a file to a server, back, or between two
 * of a kind. One commit decides. Before it this store is in force, from it on the other one; never are both.
 *
 * The other store must be initialised and empty, and is opened as this one is. What happens, in order:
 * this store is frozen; attempts that run are released, with no try charged; rows are copied, table by
 * table, under the keys and ids that they have; what came is read again and compared by its rows and a sum
 * over all that they hold, and looked at as sw_store_check does; then it is decided, and the other store
 * opened. Ids, idempotency keys, numbers of events and cursors stay good there. Runs that sleep, wait, are
 * delayed, paused or held back stand there as they stood; signals, cascades, schedules, budgets, limits
 * of queues and the policy of retention go on. Runs of SW_SUBMIT_LOCAL become claimable by all. The host's
 * own tables do not move: the report names them.
 *
 * While it is frozen this store may be read; each write and claim, through any handle of any process, is
 * SW_ERR_BUSY. From the decision on every call that reads or writes it, sw_store_init among them, is
 * SW_ERR_MOVED, whose message names the other store; the exceptions are this one, sw_store_backup,
 * sw_store_migrations and what closes it. Nothing acknowledged is lost: an attempt that was released replays
 * in the other store what it had recorded. Until it is opened, a call on the other store is SW_ERR_BUSY.
 * Older libraries find a schema newer than themselves in both.
 *
 * A call that is cut off, by a kill, a lost connection or "for_ms", leaves this store frozen, or decided
 * and not opened: call again with the same two stores, and the move goes on. With another store it begins
 * anew there. Several calls at once go on with one move.
 *
 * options is a JSON object. "for_ms", 0 to SW_BUSY_TIMEOUT_MS_MAX: the call returns after about so long, as SW_TIMEOUT and
 * with a report of how far it is, to be called again; 0, the default, goes on to the end. "abort": true takes
 * back a move that is not decided: this store goes on, but for the attempts that were released, and the
 * other one answers SW_ERR_MOVED until it is moved into again; to may be NULL then, if it cannot be reached.
 *
 *   {"state":"moved","table":null,"rows":2,"released":0,
 *    "tables":[{"table":"sw_workflow_lanes","rows":2,"sum":"d1a2c5e4f60718293a4b5c6d7e8f9011"}],
 *    "left_behind":["orders"]}
 *
 * state is "releasing", "copying", "comparing", "moved", or "in_force" where no move is under way any more;
 * table is the one at work, rows how many were copied or compared so far, released the attempts that were.
 *
 * May block: for as long as rows take to be read, written and read again, and a check of the other store,
 * which is one piece, whatever "for_ms" says. Both are durable when it returns SW_OK, whatever their
 * options say. Both have the newest schema.
 * \param store                the one that is moved
 * \param to                   the one that it is moved into; it may be NULL with "abort"
 * \param options,options_len  JSON; absent is {"abort":false,"for_ms":0}
 * \param out                  receives the report, freed by sw_text_free; NULL on failure
 * \retval SW_OK                 the other store is in force, now or since an earlier call; with "abort", this one
 * \retval SW_TIMEOUT            "for_ms" is over, and the move is not at its end
 * \retval SW_ERR_MISUSE         also: to is NULL, without "abort"
 * \retval SW_ERR_INVALID        both are the same store; options has an unknown key or a value beyond its range
 * \retval SW_ERR_CONFLICT       to is not empty, or is being filled from another store; the move was taken back
 *                               or begun anew by another call; or the clock of the server that it is on is
 *                               behind the time at which runs were submitted
 * \retval SW_ERR_MOVED          also: to another one than to
 * \retval SW_ERR_CORRUPT        also: what came is not what was sent, or has faults; nothing was decided
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_store_graduate(sw_store *store, sw_store *to, const char *options, size_t options_len,
                          sw_text **out, sw_error **err);

/* Runs: act --------------------------------------------------------------------------------- */

/**
 * Cancels a run and all its descendants. A run that nobody runs is cancelled at once. A running one
 * is told: its attempt learns of it (SW_ERR_CANCELLED) at its next heartbeat, check, begin of a
 * step that would run, or other call that begins something; finished work may still be recorded,
 * steps with SW_STEP_CLEANUP may begin, and however the attempt then ends, the run is cancelled.
 *
 * When it returns, no descendant is claimed any more, and running ones are told. Descendants are
 * ended part by part, so other calls go on meanwhile; of a very large tree some may be ended after
 * the return, by calls that claim or wait. The run's error is
 * `{"$smolwf":"cancelled","message":...,"reason":...}`, with the reason if there is one.
 *
 * May block, for each part of the tree. Durable when it returns.
 * \param run_id,run_id_len  from a submit or a claim
 * \param reason,reason_len  JSON; may be absent
 * \retval SW_OK             the run is cancelled or told to end, or was before; the reason stays
 *                           the first, and what was retried below it since is cancelled too
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL; reason is no JSON,
 *                           or has the key "$smolwf"
 * \retval SW_ERR_NOT_FOUND  no such run
 * \retval SW_ERR_TOO_BIG    reason is above the store's limit on payloads
 * \retval SW_ERR_CONFLICT   the run has completed or failed
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_cancel(sw_store *store, const char *run_id, size_t run_id_len,
                      const char *reason, size_t reason_len, sw_error **err);

/**
 * Sets a run aside: it is not claimed until it is resumed. A running one is set aside when its
 * attempt next ends unfinished; if it completes or fails for good, it ends. Time-outs go on.
 *
 * May block. Durable when it returns.
 * \param run_id,run_id_len  from a submit or a claim
 * \retval SW_OK             the run is paused or will be, or was before
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
 * \retval SW_ERR_NOT_FOUND  no such run
 * \retval SW_ERR_CONFLICT   the run has ended
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_pause(sw_store *store, const char *run_id, size_t run_id_len, sw_error **err);

/**
 * Puts a paused run back, and takes a pause back that has not taken effect. A delay or backoff that
 * is not over goes on. A run that waited is claimable at once: its next attempt asks again and, if
 * nothing has come, parks anew; no message and no deadline is lost.
 *
 * May block. Durable when it returns.
 * \param run_id,run_id_len  from a submit or a claim
 * \retval SW_OK             the run is not paused any more, or was not
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
 * \retval SW_ERR_NOT_FOUND  no such run
 * \retval SW_ERR_CONFLICT   the run has ended
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_resume(sw_store *store, const char *run_id, size_t run_id_len, sw_error **err);

/**
 * Opens a failed or cancelled run again: it is claimable at once, by any worker. Recorded results
 * replay; memoised failures, also of awaited children, and steps that back off are forgotten and
 * run anew; tries and time-out count from now. Attempts go on being numbered.
 *
 * Its children stay as they are. One that failed or was cancelled with it is retried by itself,
 * before or after; a cancel of the run that is still ending descendants is finished first.
 *
 * May block. Durable when it returns.
 * \param run_id,run_id_len  from a submit or a claim
 * \retval SW_OK             the run is open again
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
 * \retval SW_ERR_NOT_FOUND  no such run
 * \retval SW_ERR_CONFLICT   the run has not ended, or has completed
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_retry(sw_store *store, const char *run_id, size_t run_id_len, sw_error **err);

/**
 * Makes a new run of the same workflow, args and options that replays what a run in any state
 * recorded before a step: results, memoised failures, sleeps, answers to awaits, submits of
 * children. From there on it goes its own way. The first run is not touched.
 *
 * The fork is a topmost run, claimable at once, without the idempotency key of the first. A submit
 * of a child that it replays names the first run's child: the fork may await it and gets what
 * comes of it, but it stays the first run's child, and a cancel of the fork does not end it.
 * Messages that the first run has not taken stay with that.
 *
 * To look whether code replays what other code has recorded: fork the run from its end, in a copy of
 * the store or where sw_run_import brought it, and claim the fork with SW_CLAIM_STRICT and
 * SW_CLAIM_REPLAY_ONLY. The first difference is SW_ERR_NONDETERMINISM, and no step is run.
 *
 * May block. Durable when it returns.
 * \param run_id,run_id_len  from a submit or a claim
 * \param from_step,from_step_len  a step_id of the run, or a name for its first occurrence, a
 *                           step's before that of a sleep, an await or a child; absent is the
 *                           start; empty, with a pointer that is not NULL, is the end: all that
 *                           is recorded is replayed
 * \param out_run_id         receives the new run's id and its NUL
 * \retval SW_OK             the fork is submitted; its id is written
 * \retval SW_ERR_INVALID    run_id is absent or empty, a text is no UTF-8, or holds a NUL, or cap is
 *                           below SW_ID_CAP
 * \retval SW_ERR_NOT_FOUND  no such run, or it has recorded no such step
 * \retval SW_ERR_TOO_BIG    from_step has more than SW_NAME_BYTES_MAX bytes
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_run_fork(sw_store *store, const char *run_id, size_t run_id_len,
                    const char *from_step, size_t from_step_len, char *out_run_id, size_t cap,
                    sw_error **err);

/* Queues ------------------------------------------------------------------------------------ */

/**
 * Sets the limits of a queue, for claims in every process, from the next one on. The settings are a
 * JSON object: `{"concurrency":8,"concurrency_per_key":1,"paused":false}`. `concurrency` is how many
 * of the queue's runs may be held by attempts at once, `concurrency_per_key` how many that share a
 * concurrency_key; both are 1 to UINT32_MAX. With `paused` true nothing is claimed. What the
 * settings leave out, or name as null, is lifted; `{}` lifts all.
 *
 * A lower limit takes no run from an attempt: no further one is claimed until there is room.
 *
 * May block, once for each 64 concurrency keys whose runs are held by attempts. Durable when it
 * returns. On SW_ERR_IO and SW_ERR_FULL, and what else may come of a commit, the limits may hold already, and runs that
 * they let in may not be claimable yet: call again.
 * \param queue,queue_len  name of the queue; absent is "default"
 * \param settings,settings_len  JSON object
 * \retval SW_OK           the limits hold
 * \retval SW_ERR_INVALID  queue is empty, no UTF-8, or holds a NUL; settings are absent, no JSON
 *                         object, or have an unknown key or a value out of its range
 * \retval SW_ERR_TOO_BIG  a text is above its limit
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_queue_set(sw_store *store, const char *queue, size_t queue_len,
                     const char *settings, size_t settings_len, sw_error **err);

/* Watches ----------------------------------------------------------------------------------- */

/**
 * Opens a watch on a store. It tells of what the change counter of sw_store_wait counts, and of
 * what comes due by itself, from now on. A store opened with SW_OPEN_READ_ONLY can be watched too,
 * as sw_store_wait says.
 *
 * This is the one call that starts a thread: it sleeps in the kernel, has all signals blocked, and
 * ends with sw_watch_free, or when the store is shut down or closed. Never blocks.
 * \param out  receives the watch, freed by sw_watch_free; NULL on failure
 * \retval SW_OK               the watch is open
 * \retval SW_ERR_CLOSED       the store is shut down or closed
 * \retval SW_ERR_FORKED       the store belongs to the parent of this process
 * \retval SW_ERR_READONLY     the store was opened with SW_OPEN_READ_ONLY, and the file beside it
 *                             that tells of changes cannot be read
 * \retval SW_ERR_UNSUPPORTED  the same, and that file is of another release of the library
 * \retval SW_ERR_IO           the system gave no descriptors or no thread
 * \retval SW_ERR_NOMEM        memory ran out
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_watch_open(sw_store *store, sw_watch **out, sw_error **err);

/**
 * Gives a new descriptor of a watch, a duplicate of one end of a pair of sockets: non-blocking,
 * close-on-exec, the caller's to close. It becomes readable when the store changes, with one byte
 * for a whole burst of changes; sw_watch_drain empties it and arms it again. It reads as ended after
 * sw_watch_free, and when the store is shut down or closed.
 *
 * All descriptors of a watch are ends of one pair: each becomes readable, and a drain empties all.
 * Two event loops that must each hear of every change open two watches. Do not write to it. Never
 * blocks.
 * \param out_fd  receives the descriptor; close it with close(2)
 * \retval SW_OK          the descriptor is in out_fd
 * \retval SW_ERR_CLOSED  the store is shut down or closed
 * \retval SW_ERR_FORKED  the watch belongs to the parent of this process
 * \retval SW_ERR_IO      the system gave no descriptor
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_watch_fd(sw_watch *watch, int32_t *out_fd, sw_error **err);

/**
 * Empties the descriptors of a watch and arms them again: a change that is not in the count it
 * gives makes them readable anew. So drain first, then look at the store. Never blocks.
 * \param out_now  receives the change counter, as sw_store_wait takes it
 * \retval SW_OK          the counter is in out_now
 * \retval SW_ERR_CLOSED  the store is shut down or closed
 * \retval SW_ERR_FORKED  the watch belongs to the parent of this process
 * \retval SW_ERR_IO      reading the descriptor failed
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_watch_drain(sw_watch *watch, uint64_t *out_now, sw_error **err);

/**
 * Ends a watch and its thread. Descriptors that were given stay the caller's and read as ended.
 *
 * Waits for the thread, which ends at once unless it is just at the disk or at a lock: then up to
 * the busy timeout.
 * \param watch  from sw_watch_open; NULL does nothing; in a forked child a watch of its parent
 *               leaks
 */
void sw_watch_free(sw_watch *watch);

/* Stops ------------------------------------------------------------------------------------- */

/**
 * Makes a stop that has not fired. Never blocks.
 * \param out  receives the stop, freed by sw_stop_free; NULL on failure
 * \retval SW_OK  the stop is made
 * Also what any call may answer: SHARED CODES.
 */
int32_t sw_stop_new(sw_stop **out, sw_error **err);

/**
 * Fires a stop: the waits that carry it end, with SW_NONE or SW_TIMEOUT, and later ones do not wait: a claim
 * takes nothing, the others look once, and answer SW_OK for what is there. There is no way back. Firing
 * again does nothing.
 *
 * Never blocks. A signal handler may call it, and nothing else of this library.
 * \param stop  from sw_stop_new; NULL does nothing
 */
void sw_stop_fire(sw_stop *stop);

/**
 * Frees a stop. Waits that carry it go on; they can then not be ended by it. Never blocks.
 * \param stop  from sw_stop_new; NULL does nothing
 */
void sw_stop_free(sw_stop *stop);

/* Attempts ---------------------------------------------------------------------------------- */

/**
 * Returns the id of an attempt, attempt_ and a ULID. Never blocks.
 * \return a view of the attempt
 */
const char *sw_attempt_id(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the id of the run that the attempt is at. Never blocks.
 * \return a view of the attempt
 */
const char *sw_attempt_run_id(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the id of the run at the top of the run's tree: its own when nobody submitted it as a
 * child. Never blocks.
 * \return a view of the attempt
 */
const char *sw_attempt_root_run_id(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the id of the run that submitted this one as a child. Never blocks.
 * \return a view of the attempt; NULL when there is none
 */
const char *sw_attempt_parent_run_id(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the name of the workflow to run. Never blocks.
 * \return a view of the attempt
 */
const char *sw_attempt_workflow(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the version of the code that the run was submitted for, as code_version of its options.
 * Never blocks.
 * \return a view of the attempt; NULL when there is none
 */
const char *sw_attempt_code_version(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the name of the queue it was claimed from. Never blocks.
 * \return a view of the attempt
 */
const char *sw_attempt_queue(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the arguments of the run: JSON, byte for byte as submitted; "null" when none were given.
 * Never blocks.
 * \return a view of the attempt
 */
const char *sw_attempt_args(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the metadata of the run as it was claimed: a JSON object, byte for byte as submitted, but
 * for what sw_run_annotate has changed. What a host put there for its tracing goes on here. Never
 * blocks.
 * \return a view of the attempt; NULL when there is none
 */
const char *sw_attempt_metadata(const sw_attempt *attempt, size_t *out_len);

/**
 * Returns the number of the attempt within its run. It grows with each claim and is the fence:
 * writes of an attempt with a lower number than the newest are refused. Never blocks.
 * \return from 1; 0 for what is no attempt
 */
uint32_t sw_attempt_number(const sw_attempt *attempt);

/**
 * Returns when the lease lapses, as far as this handle knows: each heartbeat and each write
 * through the attempt may move it on. Never blocks.
 * \return Unix milliseconds, by the store's clock; INT64_MAX for SW_LEASE_WHILE_ALIVE; 0 for what
 *         is no attempt
 */
int64_t sw_attempt_lease_expires_at_ms(const sw_attempt *attempt);

/**
 * Extends the lease of a claimed attempt, so that no other worker takes it over. Never shortens
 * it. After SW_LEASE_WHILE_ALIVE the lease stays so.
 *
 * May block. Durable when it returns.
 * \param lease_ms  milliseconds from now, SW_LEASE_MS_MIN to SW_LEASE_MS_MAX, or
 *                  SW_LEASE_WHILE_ALIVE; 0 keeps the length that the claim or the last heartbeat
 *                  named
 * \retval SW_OK              the lease runs at least until now + lease_ms
 * \retval SW_ERR_INVALID     lease_ms is out of its range
 * \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended; stop work, results will
 *                            be refused
 * \retval SW_ERR_CANCELLED   the run was cancelled or timed out; the lease is not extended
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_attempt_heartbeat(sw_attempt *attempt, uint32_t lease_ms, sw_error **err);

/**
 * Looks whether the attempt may go on. Writes nothing and extends no lease.
 *
 * May block. Never waits for a writer.
 * \retval SW_OK              the attempt holds the run
 * \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED   the run was cancelled or timed out
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_attempt_check(sw_attempt *attempt, sw_error **err);

/**
 * Ends the attempt and its run with a result. The run is completed, which is final. Steps that are begun and
 * not finished stay so: join first who works on them. Children go on, and messages that nobody took stay.
 *
 * Repeated through the same handle with the same bytes it answers as the first call did.
 *
 * May block. Durable when it returns.
 * \param attempt            from sw_run_claim; still to be freed
 * \param result,result_len  JSON; absent is null
 * \retval SW_OK                  the run is completed
 * \retval SW_ERR_INVALID         result is no JSON, or has the key "$smolwf"
 * \retval SW_ERR_TOO_BIG         result is above the store's limit
 * \retval SW_ERR_LEASE_LOST      the run was taken back; nothing is stored
 * \retval SW_ERR_CANCELLED       the run was cancelled or timed out; this end of the attempt is
 *                                stored, and the run ends as cancelled or failed
 * \retval SW_ERR_NONDETERMINISM  it was claimed with SW_CLAIM_STRICT, and has not asked for something
 *                                that is recorded, which is named; nothing is stored
 * \retval SW_ERR_CONFLICT        this handle has ended the attempt otherwise
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_attempt_complete(sw_attempt *attempt, const char *result, size_t result_len,
                            sw_error **err);

/** Flag of sw_fail_options: this failure is final, whatever tries are left. */
#define SW_FAIL_TERMINAL 1

/**
 * Flag of sw_fail_options: the error is plain text, to be stored as a JSON string. It may be
 * empty and may hold NULs.
 */
#define SW_FAIL_TEXT 2

/** Options of sw_attempt_fail and sw_step_fail. Zero in a field is its default. */
typedef struct sw_fail_options {
  /** sizeof(sw_fail_options). */
  uint32_t struct_size;
  /** SW_FAIL_TERMINAL, SW_FAIL_TEXT, or 0. */
  uint32_t flags;
  /** Milliseconds until the next try, to SW_DURATION_MS_MAX; 0 is what the backoff says. */
  int64_t retry_after_ms;
} sw_fail_options;

/**
 * Ends the attempt with an error. While tries are left the run comes back after its backoff;
 * otherwise, or with SW_FAIL_TERMINAL, it is failed, which is final.
 *
 * Repeated through the same handle with the same bytes it answers as the first call did.
 *
 * May block. Durable when it returns.
 * \param attempt          from sw_run_claim; still to be freed
 * \param error,error_len  JSON, or plain text with SW_FAIL_TEXT; absent is null
 * \retval SW_SUSPEND          the run will be tried again; the attempt has ended, and is not to be suspended
 * \retval SW_FAILED           the run is failed
 * \retval SW_ERR_INVALID      error is no JSON, no UTF-8 or has the key "$smolwf", or
 *                             retry_after_ms is out of its range
 * \retval SW_ERR_TOO_BIG      error is above the store's limit
 * \retval SW_ERR_UNSUPPORTED  an unknown option or flag
 * \retval SW_ERR_LEASE_LOST   the run was taken back; nothing is stored
 * \retval SW_ERR_CANCELLED    the run was cancelled or timed out; this end of the attempt is
 *                             stored, and the run ends as cancelled or failed
 * \retval SW_ERR_CONFLICT     this handle has ended the attempt otherwise
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_attempt_fail(sw_attempt *attempt, const char *error, size_t error_len,
                        const sw_fail_options *options, sw_error **err);

/**
 * Ends the attempt by giving its run back; no try is charged. For a worker that shuts down, or
 * cannot run it now.
 *
 * Repeated through the same handle with the same delay it answers as the first call did.
 *
 * May block. Durable when it returns.
 * \param attempt   from sw_run_claim; still to be freed
 * \param delay_ms  milliseconds before the run may be claimed again, 0 to SW_DURATION_MS_MAX
 * \retval SW_OK              the run is given back
 * \retval SW_ERR_INVALID     delay_ms is out of its range
 * \retval SW_ERR_LEASE_LOST  the run was taken back; nothing is stored
 * \retval SW_ERR_CANCELLED   the run was cancelled or timed out; this end of the attempt is
 *                            stored, and the run ends as cancelled or failed
 * \retval SW_ERR_CONFLICT    this handle has ended the attempt otherwise
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_attempt_release(sw_attempt *attempt, int64_t delay_ms, sw_error **err);

/**
 * Ends the attempt and parks the run until something it waits for is ready: whatever answered
 * SW_SUSPEND to this attempt, a sleep, an await, a step that backs off, or SW_ERR_BUDGET to a
 * reserve, and was not answered otherwise since. A parked run costs no thread, no lease and no
 * polling; it is claimed again as soon as any of that comes true, and no try is charged. It looks
 * once more before it parks, so nothing that came meanwhile is missed. A run may be woken early:
 * its next attempt asks again.
 *
 * Repeated through the same handle it answers as the first call did.
 *
 * May block. Durable when it returns.
 * \param attempt  from sw_run_claim; still to be freed
 * \retval SW_OK              the run is parked, or claimable again already
 * \retval SW_ERR_LEASE_LOST  the run was taken back; nothing is stored
 * \retval SW_ERR_CANCELLED   the run was cancelled or timed out; this end of the attempt is
 *                            stored, and the run ends as cancelled or failed
 * \retval SW_ERR_CONFLICT    nothing answered SW_SUSPEND or SW_ERR_BUDGET; a step is begun and
 *                            neither finished nor freed; more than SW_WAITS_PARKED_MAX signals and
 *                            children are waited for; or this handle has ended the attempt
 *                            otherwise
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_attempt_suspend(sw_attempt *attempt, sw_error **err);

/**
 * Frees an attempt and the views it lent. Does not end it: an attempt that was not ended keeps its
 * run until the lease lapses or the store is closed. Its steps live on until they are freed. Never
 * blocks.
 * \param attempt  from sw_run_claim; NULL does nothing; in a forked child an attempt of its parent
 *                 leaks
 */
void sw_attempt_free(sw_attempt *attempt);

/* Steps ------------------------------------------------------------------------------------- */

/**
 * Flag of sw_step_options: the start is recorded too, so that others see the step running and a
 * start without an end counts as a try. With max_tries 1 such a step is never run twice: begin
 * answers SW_FAILED, with an error marked "interrupted". Costs one more commit.
 */
#define SW_STEP_TRACK 1

/**
 * Flag of sw_step_options: the step undoes something and may begin on a run that was cancelled
 * or timed out.
 */
#define SW_STEP_CLEANUP 2

/**
 * Options of sw_step_begin. Zero in a field is its default. None is recorded: each begin goes by its own, so
 * that tries and backoff may differ from one attempt to the next.
 */
typedef struct sw_step_options {
  /** sizeof(sw_step_options). */
  uint32_t struct_size;
  /** SW_STEP_TRACK, SW_STEP_CLEANUP, or 0. */
  uint32_t flags;
  /** Label shown in the history, such as "agent", a name; absent is "step". */
  const char *kind;
  /** Bytes of kind, or SW_NTS. */
  size_t kind_len;
  /**
   * Which call of this name in the run is meant, 1 to SW_OCCURRENCE_MAX; 0 is the lowest that this
   * attempt has not passed.
   */
  uint32_t occurrence;
  /** SW_DURABILITY_POWER or SW_DURABILITY_PROCESS; 0 is the store's. */
  uint32_t durability;
  /** Tries before the step fails for good, to SW_TRIES_MAX; 0 is 3. */
  uint32_t max_tries;
  /** Must be 0. */
  uint32_t reserved;
  /**
   * Milliseconds before the second try, to SW_DURATION_MS_MAX; 0 is 1000. Doubles, moved by up
   * to a tenth.
   */
  int64_t backoff_initial_ms;
  /** Milliseconds between two tries at most, to SW_DURATION_MS_MAX; 0 is 3600000. */
  int64_t backoff_max_ms;
} sw_step_options;

/**
 * Begins a step: says whether its work is to be done now, or hands out what was recorded.
 *
 * A step is known by (run, name, occurrence). With occurrence 0 it is the lowest occurrence of
 * the name that this attempt has not passed; it is passed when begin answered SW_REPLAYED or
 * SW_FAILED, and when this attempt completed it or failed it for good. While it is open in this
 * attempt, an automatic begin of the name is SW_ERR_CONFLICT: calls side by side use distinct
 * names, or name the occurrence.
 *
 * Work that was begun may be done more than once, when the process dies before complete; its
 * result is recorded once. SW_STEP_TRACK with max_tries 1 makes that at most once.
 *
 * May block. A replay writes nothing and waits for no writer. A begin that answers SW_OK writes
 * only with SW_STEP_TRACK, or where a start was recorded before; so does the one that finds that the last
 * start was interrupted, and SW_FAILED with it. Durable then when it returns, by the step's durability.
 * \param name,name_len    name of the step
 * \param input,input_len  JSON that must mean the same whenever the step is begun; absent is not
 *                         compared
 * \param out              receives the step, freed by sw_step_free, for SW_OK, SW_REPLAYED and
 *                         SW_FAILED; NULL otherwise
 * \retval SW_OK                  do the work, then sw_step_complete or sw_step_fail
 * \retval SW_REPLAYED            done before; sw_step_result has the result
 * \retval SW_FAILED              failed for good before; sw_step_error has the error
 * \retval SW_SUSPEND             it backs off after a failure: end the attempt by
 *                                sw_attempt_suspend, or ask again; sw_step_retry_at_ms of the step
 *                                that failed said when
 * \retval SW_ERR_INVALID         name is absent; a text, input or option is out of its form or
 *                                range; input has a key twice, an integer beyond 2^53-1 either
 *                                way, or a number beyond binary64
 * \retval SW_ERR_TOO_BIG         a text or input is above its limit
 * \retval SW_ERR_UNSUPPORTED     an unknown option or flag
 * \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED       the run was cancelled or timed out, and this is no cleanup
 * \retval SW_ERR_NONDETERMINISM  it was recorded with another input; both hashes are named. Or no end
 *                                of it is recorded, and the claim said SW_CLAIM_REPLAY_ONLY
 * \retval SW_ERR_CONFLICT        the step is open in this attempt
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_step_begin(sw_attempt *attempt, const char *name, size_t name_len,
                      const char *input, size_t input_len, const sw_step_options *options,
                      sw_step **out, sw_error **err);

/**
 * Records the result of a step, once and for all: every later attempt replays it.
 *
 * Finished work is recorded on a cancelled run too. Repeated through the same handle with the
 * same bytes it answers as the first call did.
 *
 * May block. Durable when it returns, by the step's durability.
 * \param step               from sw_step_begin, which answered SW_OK; still to be freed
 * \param result,result_len  JSON; absent is null
 * \retval SW_OK              the result is recorded
 * \retval SW_ERR_INVALID     result is no JSON, or has the key "$smolwf"
 * \retval SW_ERR_TOO_BIG     result is above the store's limit
 * \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended; nothing is stored
 * \retval SW_ERR_CONFLICT    the step was finished otherwise, or was replayed
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_step_complete(sw_step *step, const char *result, size_t result_len, sw_error **err);

/**
 * Records the result of a step as sw_step_complete does, and in the same commit what it used of
 * the budget: the open reservations that this attempt made for the step are settled by it.
 *
 * Usage is recorded under every unit that it names, reserved or not, with a limit or without; it
 * may exceed what was reserved and the limit. Units that were reserved and are not named are given
 * back.
 *
 * Finished work is recorded on a cancelled run too. Repeated through the same handle with the
 * same bytes it answers as the first call did.
 *
 * May block. Durable when it returns, by the step's durability.
 * \param step               from sw_step_begin, which answered SW_OK; still to be freed
 * \param result,result_len  JSON; absent is null
 * \param usage,usage_len    JSON object `{unit: integer}` of up to SW_BUDGET_UNITS_MAX units, as
 *                           for sw_budget_reserve; must be given
 * \retval SW_OK              result and usage are recorded
 * \retval SW_ERR_INVALID     result is no JSON, or has the key "$smolwf"; usage is absent, out of
 *                            its form or range, would bring what is spent above 2^63-1, or names
 *                            one unit more than SW_BUDGET_UNITS_OF_TREE_MAX of the tree
 * \retval SW_ERR_TOO_BIG     a text is above the store's limit
 * \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended; nothing is stored
 * \retval SW_ERR_CONFLICT    the step was finished otherwise, or was replayed
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_step_complete_usage(sw_step *step, const char *result, size_t result_len,
                               const char *usage, size_t usage_len, sw_error **err);

/**
 * Records that a step failed. While tries are left it may be begun again at sw_step_retry_at_ms;
 * otherwise, or with SW_FAIL_TERMINAL, the failure is recorded for good and replays. It is recorded on a
 * cancelled run too.
 *
 * Repeated through the same handle with the same bytes it answers as the first call did.
 *
 * May block. Durable when it returns, by the step's durability.
 * \param step             from sw_step_begin, which answered SW_OK; still to be freed
 * \param error,error_len  JSON, or plain text with SW_FAIL_TEXT; absent is null
 * \retval SW_SUSPEND          it may be begun again from sw_step_retry_at_ms on, in this attempt or,
 *                             after sw_attempt_suspend, in the next one
 * \retval SW_FAILED           it is failed for good
 * \retval SW_ERR_INVALID      error is no JSON, no UTF-8 or has the key "$smolwf", or
 *                             retry_after_ms is out of its range
 * \retval SW_ERR_TOO_BIG      error is above the store's limit
 * \retval SW_ERR_UNSUPPORTED  an unknown option or flag
 * \retval SW_ERR_LEASE_LOST   the run was taken back, or this attempt ended; nothing is stored
 * \retval SW_ERR_CONFLICT     the step was finished otherwise, or was replayed
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_step_fail(sw_step *step, const char *error, size_t error_len,
                     const sw_fail_options *options, sw_error **err);

/**
 * Returns the id of a step, step_ and a ULID; the same whenever it replays. Never blocks.
 * \return a view of the step
 */
const char *sw_step_id(const sw_step *step, size_t *out_len);

/**
 * Returns the name of a step, as it was begun. Never blocks.
 * \return a view of the step
 */
const char *sw_step_name(const sw_step *step, size_t *out_len);

/**
 * Returns the recorded result of a step that begin answered with SW_REPLAYED: JSON, byte for byte
 * as it was completed. Never blocks.
 * \return a view of the step; NULL when there is none
 */
const char *sw_step_result(const sw_step *step, size_t *out_len);

/**
 * Returns the recorded error of a step that begin answered with SW_FAILED: JSON, byte for byte as
 * it failed; an object with the key "$smolwf" when the library recorded it. Never blocks.
 * \return a view of the step; NULL when there is none
 */
const char *sw_step_error(const sw_step *step, size_t *out_len);

/**
 * Returns which call of its name in the run a step is. Never blocks.
 * \return from 1; 0 for what is no step
 */
uint32_t sw_step_occurrence(const sw_step *step);

/**
 * Returns how often the work of a step was begun, as far as recorded, with this time when begin
 * answered SW_OK. Never blocks.
 * \return from 1; 0 for what is no step
 */
uint32_t sw_step_tries(const sw_step *step);

/**
 * Returns when a step that failed may be begun again. Never blocks.
 * \return Unix milliseconds; 0 when it did not fail, or failed for good; 0 for what is no step
 */
int64_t sw_step_retry_at_ms(const sw_step *step);

/**
 * Frees a step and the views it lent. Does not finish it: the next begin of the name means the
 * same occurrence. Never blocks.
 * \param step  from sw_step_begin; NULL does nothing; in a forked child a step of its parent leaks
 */
void sw_step_free(sw_step *step);

/* Waiting ----------------------------------------------------------------------------------- */

/**
 * Sleeps for as long as it takes, without keeping a thread or a process busy. The first call fixes
 * when the sleep is over; calls of later attempts, or of later moments, ask whether it is, and a
 * duration they give is ignored. Once it is over, that is recorded and replays.
 *
 * The first sw_sleep of a name in an attempt is its first occurrence, the call after one that
 * answered SW_OK the next. Sleeps count apart from steps.
 *
 * May block. Never waits for the time itself. Durable when it returns.
 * \param name,name_len  name of the sleep
 * \param duration_ms    milliseconds from the first call, 0 to SW_DURATION_MS_MAX
 * \retval SW_OK              the sleep is over
 * \retval SW_SUSPEND         it is not: end the attempt by sw_attempt_suspend, or ask again
 * \retval SW_ERR_INVALID     name is absent or out of its form, or duration_ms out of its range
 * \retval SW_ERR_TOO_BIG     name has more than SW_NAME_BYTES_MAX bytes
 * \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED   the run was cancelled or timed out
 * \retval SW_ERR_CONFLICT    another thread asks for the same sleep at this moment
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_sleep(sw_attempt *attempt, const char *name, size_t name_len, int64_t duration_ms,
                 sw_error **err);

/**
 * Awaits the first of several: messages, children, sleeps. The one that was ready earliest is
 * chosen, of equals the one that stands first; a message is taken in the commit that records the
 * choice, and the choice replays. The others stay as they were: a message that was not chosen is
 * for the next await, a child goes on.
 *
 * waits are objects with one key each: a message by its name, a child by its run_id, a sleep by its
 * milliseconds from the first call, 0 to SW_DURATION_MS_MAX.
 *
 *   [{"signal":"approval"},{"child":"run_01k..."},{"sleep_ms":259200000}]
 *
 * The answer has the place in waits, "ok" or "failed", and the payload, the child's result or error,
 * or null for a sleep: {"index":0,"outcome":"ok","value":true}.
 *
 * Deadlines, of the whole and of sleeps, are fixed by the first call that has any, as for sw_signal_await; so are
 * occurrences counted.
 *
 * May block. Never waits for what is awaited. Durable when it returns.
 * \param name,name_len    name of the await
 * \param waits,waits_len  JSON array of 1 to SW_WAITS_MAX objects
 * \param timeout_ms       milliseconds from the first call that has a limit, to SW_DURATION_MS_MAX;
 *                         with 0 what is not there is SW_TIMEOUT, which is recorded: to look, and
 *                         ask again, give SW_FOREVER, which has no limit; with a sleep among the
 *                         waits the first call fixes that there is none
 * \param out              receives the answer, freed by sw_text_free; NULL unless that is SW_OK
 * \retval SW_OK                  the choice is in out
 * \retval SW_SUSPEND             none is ready: end the attempt by sw_attempt_suspend, or ask
 *                                again
 * \retval SW_TIMEOUT             none was ready in time; this replays too
 * \retval SW_ERR_INVALID         name or waits is absent or out of its form, or timeout_ms out of
 *                                its range; the sentence names the entry of waits
 * \retval SW_ERR_TOO_BIG         name or a name in waits has more than SW_NAME_BYTES_MAX bytes,
 *                                waits is above the store's limit
 * \retval SW_ERR_NOT_FOUND       a child in waits is no child of this run
 * \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED       the run was cancelled or timed out
 * \retval SW_ERR_NONDETERMINISM  this occurrence of the name was recorded by another kind of
 *                                await, or with sleeps in other places
 * \retval SW_ERR_CONFLICT        another thread asks for the same await at this moment
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_await_any(sw_attempt *attempt, const char *name, size_t name_len,
                     const char *waits, size_t waits_len, int64_t timeout_ms, sw_text **out,
                     sw_error **err);

/**
 * Awaits all of several: messages, children, sleeps. A run that is parked on it wakes once, when the
 * last is ready, and each end of one of ten thousand children costs the same as one of two. Messages
 * are taken in the commit that records the answer; a name that stands there twice takes two. The
 * answer replays.
 *
 * Deadlines, of the whole and of sleeps, are fixed by the first call that has any, as for sw_signal_await; so are
 * occurrences counted. After a time-out, messages that came are kept for the next await.
 *
 * May block. Never waits for what is awaited. Durable when it returns.
 * \param name,name_len    name of the await
 * \param waits,waits_len  as for sw_await_any
 * \param timeout_ms       milliseconds from the first call that has a limit, to SW_DURATION_MS_MAX;
 *                         with 0 what is not there is SW_TIMEOUT, which is recorded: to look, and
 *                         ask again, give SW_FOREVER, which has no limit; with a sleep among the
 *                         waits the first call fixes that there is none
 * \param out              receives an array in the order of waits of what sw_await_any answers,
 *                         freed by sw_text_free; NULL unless the answer is SW_OK
 * \retval SW_OK                  all are ready; the answers are in out
 * \retval SW_SUSPEND             some are not: end the attempt by sw_attempt_suspend, or ask again
 * \retval SW_TIMEOUT             not all were ready in time; this replays too
 * \retval SW_ERR_INVALID         name or waits is absent or out of its form, or timeout_ms out of
 *                                its range; the sentence names the entry of waits
 * \retval SW_ERR_TOO_BIG         name or a name in waits has more than SW_NAME_BYTES_MAX bytes,
 *                                waits is above the store's limit, or the answers have more than
 *                                SW_PAYLOAD_BYTES_MAX bytes together
 * \retval SW_ERR_NOT_FOUND       a child in waits is no child of this run
 * \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED       the run was cancelled or timed out
 * \retval SW_ERR_NONDETERMINISM  this occurrence of the name was recorded by another kind of
 *                                await, or with sleeps in other places
 * \retval SW_ERR_CONFLICT        another thread asks for the same await at this moment
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_await_all(sw_attempt *attempt, const char *name, size_t name_len,
                     const char *waits, size_t waits_len, int64_t timeout_ms, sw_text **out,
                     sw_error **err);

/* Messages ---------------------------------------------------------------------------------- */

/**
 * Sends a message to a run that has not ended. Messages of one name are taken in the order they
 * were sent, each by one await; one that nobody awaits yet is kept. A run that is parked on the
 * name becomes claimable.
 *
 * With an idempotency key, one message is sent per (run, name, key); a repeat answers SW_EXISTS,
 * whatever its payload, also after the message was taken or the run has ended.
 *
 * May block. Durable when it returns; so is what SW_EXISTS confirms.
 * \param run_id,run_id_len    from a submit or a claim
 * \param name,name_len        name that the run awaits
 * \param payload,payload_len  JSON; absent is null
 * \param idempotency_key,idempotency_key_len  to SW_KEY_BYTES_MAX bytes; absent sends each time
 * \retval SW_OK             the message is sent
 * \retval SW_EXISTS         the key matched: it was sent before
 * \retval SW_ERR_INVALID    run_id or name is absent; a text is out of its form; payload is no
 *                           JSON or has the key "$smolwf"
 * \retval SW_ERR_TOO_BIG    a text or payload is above its limit
 * \retval SW_ERR_NOT_FOUND  no such run
 * \retval SW_ERR_CONFLICT   the run has ended
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_signal_send(sw_store *store, const char *run_id, size_t run_id_len,
                       const char *name, size_t name_len, const char *payload, size_t payload_len,
                       const char *idempotency_key, size_t idempotency_key_len, sw_error **err);

/**
 * Awaits the next message under a name. The message is taken by this await alone, in the commit
 * that records it; asked again by a later attempt, the same await answers the same message.
 *
 * The first call that gives a time-out fixes the deadline; those of later calls are ignored. A message that was
 * sent at the deadline or before wins however late the run asks; a later one is kept for the next
 * await of the name.
 *
 * The first await of a name in an attempt is its first occurrence, the call after one that
 * answered SW_OK or SW_TIMEOUT the next. Awaits of signals, of children and of several things
 * count together, and apart from steps.
 *
 * May block. Never waits for the message. Durable when it returns.
 * \param name,name_len  name that the message is sent under
 * \param timeout_ms     milliseconds from the first call that has a limit, to SW_DURATION_MS_MAX;
 *                       with 0 what is not there is SW_TIMEOUT, which is recorded: to look, and
 *                       ask again, give SW_FOREVER, which has no limit
 * \param out            receives the payload, JSON, byte for byte as sent, freed by sw_text_free;
 *                       NULL unless the answer is SW_OK
 * \retval SW_OK                  the message is in out
 * \retval SW_SUSPEND             none yet: end the attempt by sw_attempt_suspend, or ask again
 * \retval SW_TIMEOUT             none came in time; this replays too
 * \retval SW_ERR_INVALID         name is absent or out of its form, or timeout_ms out of its range
 * \retval SW_ERR_TOO_BIG         name has more than SW_NAME_BYTES_MAX bytes
 * \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED       the run was cancelled or timed out
 * \retval SW_ERR_NONDETERMINISM  this occurrence of the name was recorded by another kind of await
 * \retval SW_ERR_CONFLICT        another thread asks for the same await at this moment
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_signal_await(sw_attempt *attempt, const char *name, size_t name_len, int64_t timeout_ms,
                        sw_text **out, sw_error **err);

/* Children ---------------------------------------------------------------------------------- */

/**
 * Submits a run as a child of the attempt's run: once per name and occurrence, however often the
 * attempt is repeated. It goes into its parent's queue unless options name another, belongs to its
 * parent's tree, and goes on when its parent ends; when its parent is cancelled or times out, so is
 * it.
 *
 * The first submit of a name in an attempt is its first occurrence, the call after one that answered SW_OK
 * or SW_REPLAYED the next: after an error the same call means the same child.
 * Children count apart from steps.
 *
 * May block. Durable when it returns; so is what SW_REPLAYED confirms.
 * \param name,name_len  name of the child within its parent
 * \param workflow,workflow_len  name of the host's function
 * \param args,args_len  JSON; absent is null
 * \param options        as for sw_run_submit, without idempotency_key, idempotency_scope and
 *                       budget; NULL for all defaults
 * \param out_run_id     receives the child's id and its NUL
 * \retval SW_OK               the child is submitted; its id is written
 * \retval SW_REPLAYED         it was submitted before, whatever workflow, args and options are given now;
 *                             its id is written
 * \retval SW_ERR_INVALID      name or workflow is absent; a text, args or an option is out of its
 *                             form or range; a key or a budget, which a child cannot have; cap is
 *                             below SW_ID_CAP
 * \retval SW_ERR_TOO_BIG      a text or args is above its limit
 * \retval SW_ERR_UNSUPPORTED  an unknown option or flag
 * \retval SW_ERR_LEASE_LOST   the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED    the run was cancelled or timed out
 * \retval SW_ERR_CONFLICT     another thread submits a child of this name at this moment
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_child_submit(sw_attempt *attempt, const char *name, size_t name_len,
                        const char *workflow, size_t workflow_len,
                        const char *args, size_t args_len, const sw_submit_options *options,
                        char *out_run_id, size_t cap, sw_error **err);

/**
 * Submits children in one commit, all or none. Each is as by sw_child_submit; children of one name
 * are its occurrences in the order of the list.
 *
 * Each item is an object with "name", and else as for sw_run_submit_many, without the three options
 * that a child cannot have: idempotency_key, idempotency_scope and budget.
 *
 *   [{"name":"page","workflow":"fetch","args":{"url":"https://a.example"},"max_tries":5},
 *    {"name":"page","workflow":"fetch","args":{"url":"https://b.example"}}]
 *
 * May block. Durable when it returns; so is what exists confirms.
 * \param items,items_len  JSON array of 1 to SW_MANY_MAX objects
 * \param out              receives an array with run_id and exists of each, in order, freed by
 *                         sw_text_free; exists is true for what was submitted before; NULL on
 *                         failure
 * \retval SW_OK              all are submitted; the answer is in out
 * \retval SW_ERR_INVALID     items is absent, no such array, or an item is out of its form or
 *                            range; the sentence names the item, and a key that is not known
 * \retval SW_ERR_TOO_BIG     items or a text in it is above its limit
 * \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED   the run was cancelled or timed out
 * \retval SW_ERR_CONFLICT    another thread submits a child of such a name at this moment
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_child_submit_many(sw_attempt *attempt, const char *items, size_t items_len,
                             sw_text **out, sw_error **err);

/**
 * Awaits the end of a child of the attempt's run. The answer is recorded, and replays.
 *
 * The first call that gives a time-out fixes the deadline; those of later calls are ignored. A child that ended
 * at the deadline or before is answered however late the run asks.
 *
 * The first await of a child in an attempt is its first occurrence, the call after one that answered SW_OK,
 * SW_FAILED or SW_TIMEOUT the next. Its name among awaits is run_id.
 *
 * May block. Never waits for the child. Durable when it returns.
 * \param run_id,run_id_len  from sw_child_submit or sw_child_submit_many
 * \param timeout_ms         milliseconds from the first call that has a limit, to SW_DURATION_MS_MAX;
 *                           with 0 what is not there is SW_TIMEOUT, which is recorded: to look, and
 *                           ask again, give SW_FOREVER, which has no limit
 * \param out                receives the child's result or error, JSON, byte for byte as given,
 *                           freed by sw_text_free; NULL unless the answer is SW_OK or SW_FAILED
 * \retval SW_OK                  the child is completed; its result is in out
 * \retval SW_FAILED              the child failed or was cancelled; its error is in out
 * \retval SW_SUSPEND             it has not ended: end the attempt by sw_attempt_suspend, or ask
 *                                again
 * \retval SW_TIMEOUT             it did not end in time; this replays too
 * \retval SW_ERR_INVALID         run_id is absent, empty or no UTF-8, or timeout_ms out of its
 *                                range
 * \retval SW_ERR_NOT_FOUND       no such run, or it is no child of this one
 * \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED       the run was cancelled or timed out
 * \retval SW_ERR_NONDETERMINISM  this occurrence of run_id was recorded by another kind of await
 * \retval SW_ERR_CONFLICT        another thread asks for the same await at this moment
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_child_await(sw_attempt *attempt, const char *run_id, size_t run_id_len,
                       int64_t timeout_ms, sw_text **out, sw_error **err);

/* Budgets ----------------------------------------------------------------------------------- */

/**
 * Reserves amounts of the budget for what an attempt is about to do, all of them or none.
 *
 * Limits are those that the topmost run was submitted with (`budget` in sw_submit_options), per
 * unit, shared by all runs below it. Reserved and spent together are never above a limit when a
 * reserve is answered with SW_OK, whoever reserves at the same time in whatever process. A unit
 * without a limit is only metered.
 *
 * A reservation belongs to its attempt. Settle it with sw_budget_settle, or complete its step with
 * sw_step_complete_usage; sw_step_complete and sw_step_fail settle nothing. What is open when the attempt
 * ends in order (complete, fail, release, suspend, close of the store) is given back; what is open when
 * its lease lapses or its process dies is charged in full, since the call may have been paid, and a later
 * settle corrects that.
 *
 * Refused with SW_ERR_BUDGET the call joins what sw_attempt_suspend parks on: the run becomes
 * claimable when the limit is raised or enough is given back. Give back what is not needed before
 * parking: two runs that hold a part each and wait for the rest wait for each other.
 *
 * May block. Durable when it returns; so is what SW_EXISTS confirms.
 * \param step_or_null         a step of this attempt that begin answered with SW_OK, for which the
 *                             amounts are; or NULL
 * \param amounts,amounts_len  JSON object `{unit: integer}` of 1 to SW_BUDGET_UNITS_MAX units;
 *                             names of 1 to SW_NAME_BYTES_MAX bytes, integers 0 to 2^63-1 without
 *                             sign, fraction or exponent
 * \param source,source_len    what makes it one, to SW_KEY_BYTES_MAX bytes: reserved again with
 *                             the same source in this attempt it is the same reservation, whatever
 *                             the amounts; absent is a reservation of its own
 * \param out_id               receives the reservation's id and its NUL, for SW_OK and SW_EXISTS
 * \retval SW_OK              all of it is reserved
 * \retval SW_EXISTS          that source reserved before in this attempt; that id is written
 * \retval SW_ERR_INVALID     amounts is absent or out of its form or range, or names no unit; a
 *                            unit without a limit would come above 2^63-1, or be one more than
 *                            SW_BUDGET_UNITS_OF_TREE_MAX of the tree; the step is another
 *                            attempt's; source is empty; cap is below SW_ID_CAP
 * \retval SW_ERR_TOO_BIG     a text is above its limit
 * \retval SW_ERR_BUDGET      a unit has no room; nothing is reserved. The message names the unit,
 *                            its limit, what is spent, what is reserved and what was asked
 * \retval SW_ERR_CONFLICT    the step is finished or was replayed, or the attempt has
 *                            SW_RESERVATIONS_OPEN_MAX open reservations, counted by unit
 * \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED   the run was cancelled or timed out
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_budget_reserve(sw_attempt *attempt, sw_step *step_or_null,
                          const char *amounts, size_t amounts_len,
                          const char *source, size_t source_len, char *out_id, size_t cap,
                          sw_error **err);

/**
 * Settles a reservation: what was reserved goes back, what was used is spent. Any handle of the
 * store may settle it, in any process, at any time until the run is pruned.
 *
 * The amounts may exceed the reservation and the limit: the money is gone, and the next reserve
 * fails. Units that were reserved and are not named are given back whole; units that were not
 * reserved are spent all the same. `{}` gives all back.
 *
 * Settled twice it is settled once: the same amounts again are SW_OK, others SW_ERR_CONFLICT. Of a
 * reservation that was charged in full because its attempt was lost, the first settle corrects the
 * charge.
 *
 * May block. Durable when it returns.
 * \param reservation_id,reservation_id_len  from sw_budget_reserve
 * \param usage,usage_len  JSON object `{unit: integer}` of up to SW_BUDGET_UNITS_MAX units, as for
 *                         sw_budget_reserve; must be given
 * \retval SW_OK             settled, now or before with the same amounts
 * \retval SW_ERR_INVALID    a text is absent, empty or no UTF-8; usage is out of its form or
 *                           range, or would bring what is spent above 2^63-1, or names one unit
 *                           more than SW_BUDGET_UNITS_OF_TREE_MAX of the tree
 * \retval SW_ERR_TOO_BIG    usage is above the store's limit
 * \retval SW_ERR_NOT_FOUND  no such reservation
 * \retval SW_ERR_CONFLICT   settled before with other amounts, or given back when its attempt
 *                           ended
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_budget_settle(sw_store *store, const char *reservation_id, size_t reservation_id_len,
                         const char *usage, size_t usage_len, sw_error **err);

/**
 * Moves a limit up or down. The level of its warning moves by as much, and a warning is given
 * again once that level is reached anew.
 *
 * Runs that are parked for want of room become claimable: at once as many as fit together, the
 * smallest ask first; others that would fit follow while room is left. A limit may be moved below
 * what is spent: then every reserve fails. Limits are shared by the tree, so any run of it may be
 * named.
 *
 * May block. Durable when it returns.
 * \param run_id,run_id_len  any run of the tree
 * \param unit,unit_len      name of a unit that has a limit
 * \param delta              what is added to the limit; may be negative. The limit stays 0 to
 *                           2^63-1
 * \retval SW_OK             the limit is moved
 * \retval SW_ERR_INVALID    a text is absent, empty or no UTF-8, or holds a NUL; the limit would
 *                           be below 0 or above 2^63-1
 * \retval SW_ERR_TOO_BIG    unit has more than SW_NAME_BYTES_MAX bytes
 * \retval SW_ERR_NOT_FOUND  no such run, or its tree has no limit of that unit
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_budget_raise(sw_store *store, const char *run_id, size_t run_id_len,
                        const char *unit, size_t unit_len, int64_t delta, sw_error **err);

/**
 * Shows a budget as a JSON document: that of the topmost run, whichever run of the tree is named.
 *
 *   {"root_run_id":"run_01k...",
 *    "units":{"tokens":{"limit":5000,"warn":4000,"reserved":120,"spent":3900,"remaining":980},
 *      "calls":{"limit":null,"warn":null,"reserved":0,"spent":3,"remaining":null}},
 *    "totals":[{"workflow":"invoice","kind":"step","unit":"tokens","spent":3900,"entries":3}],
 *    "totals_cut":false}
 *
 * Of a unit without a limit, limit and remaining are null. Remaining is negative when more was spent
 * than allowed. totals are what was spent by workflow, kind of step (null for what was reserved
 * without one) and unit; totals_cut is true when there are more than SW_BUDGET_TOTALS_MAX of them.
 *
 * May block. Never waits for a writer.
 * \param run_id,run_id_len  any run of the tree
 * \param out                receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK             the document is in out
 * \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
 * \retval SW_ERR_NOT_FOUND  no such run
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_budget_get(sw_store *store, const char *run_id, size_t run_id_len, sw_text **out,
                      sw_error **err);

/* Events ------------------------------------------------------------------------------------ */

/**
 * Appends an event to the log, about the run of an attempt. Events are numbered from 1 in the order
 * of their commits, without gaps: once a number can be read, no smaller one appears.
 *
 * With a key, one event is appended per (run, key); a repeat answers SW_EXISTS, whatever its type
 * and payload. Without one, a run that begins again appends again: events do not replay.
 *
 * May block. Durable when it returns; so is what SW_EXISTS confirms.
 * \param type,type_len        kind of event, a name; names that begin with "budget." are the
 *                             library's own: do not use them, which nobody checks
 * \param payload,payload_len  JSON; absent is null
 * \param key,key_len          to SW_KEY_BYTES_MAX bytes; absent appends each time
 * \retval SW_OK              the event is appended
 * \retval SW_EXISTS          the key matched: it was appended before
 * \retval SW_ERR_INVALID     type is absent; a text is out of its form; payload is no JSON or has
 *                            the key "$smolwf"
 * \retval SW_ERR_TOO_BIG     a text or payload is above its limit
 * \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
 * \retval SW_ERR_CANCELLED   the run was cancelled or timed out
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_event_append(sw_attempt *attempt, const char *type, size_t type_len,
                        const char *payload, size_t payload_len, const char *key, size_t key_len,
                        sw_error **err);

/**
 * Reads events above a number, in order, as a JSON document. first_seq and last_seq are the oldest
 * and the newest number in the store, 0 when there is none.
 *
 *   {"items":[{"seq":4,"run_id":"run_01k...","type":"paid","payload":{"cents":900},
 *      "at_ms":1760000000800}],
 *    "first_seq":1,"last_seq":4}
 *
 * A reader goes on with the seq of its last item. It has missed events when first_seq is above the
 * number it asked for plus 1: they were pruned. sw_event_wait waits for what comes next.
 *
 * A page ends after limit items, or earlier, after the item with which its payloads come to
 * SW_EVENT_PAGE_BYTES; it was not the last while the last item's seq is below last_seq and the
 * store is read whole.
 *
 * What is shown outlives the loss of power, whatever the store's durability: when last_seq is above
 * that of all reads of this handle before, it waits for a sync of the log, its own or another's that
 * began meanwhile. A store opened with SW_OPEN_READ_ONLY cannot sync, and shows what is committed.
 *
 * May block.
 * \param after_seq          number above which to read, from 0
 * \param run_id,run_id_len  only events of this run; absent is the whole store
 * \param limit              events in the page, 1 to SW_PAGE_LEN_MAX; 0 is 1000
 * \param out                receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK             the document is in out
 * \retval SW_ERR_INVALID    after_seq is negative, run_id is empty or out of its form, or limit is
 *                           above SW_PAGE_LEN_MAX
 * \retval SW_ERR_NOT_FOUND  no such run
 * Also what any sweeping call may answer: SHARED CODES.
 */
int32_t sw_event_read(sw_store *store, int64_t after_seq, const char *run_id, size_t run_id_len,
                      uint32_t limit, sw_text **out, sw_error **err);

/**
 * Waits for events above a number and reads them, in order, as sw_event_read does: a tail costs one
 * call for each page of what is new, and none while nothing is. The document has one key more,
 * next_seq: the number to go on with, as after_seq of the next call.
 *
 *   {"items":[{"seq":4,"run_id":"run_01k...","type":"paid","payload":{"cents":900},
 *     "at_ms":1760000001000}],
 *    "first_seq":1,"last_seq":4,"next_seq":4}
 *
 * The filter is a JSON object: `{"type":"said"}` or `{"type":["said","heard"]}`, up to
 * SW_EVENT_TYPES_MAX kinds of events; `{"run_id":"run_..."}` for those of one run; or both. Absent, or
 * `{}`, is every event of the store. A call that names kinds passes over SW_EVENTS_LOOKED_MAX events
 * at most: when none of those is asked for, items is empty, and next_seq says where to go on.
 *
 * What is shown outlives the loss of power, as for sw_event_read. A store opened with SW_OPEN_READ_ONLY
 * waits as sw_store_wait says, and looks twice a second in any case.
 *
 * Waits at most timeout_ms; besides, it may block.
 * \param after_seq          number above which to read, from 0
 * \param filter,filter_len  JSON object; absent is every event
 * \param limit              events in the page, 1 to SW_PAGE_LEN_MAX; 0 is 1000
 * \param timeout_ms         milliseconds, to SW_DURATION_MS_MAX; 0 looks once, SW_FOREVER waits
 *                           without limit
 * \param out                receives the document, freed by sw_text_free; NULL on failure and for
 *                           SW_TIMEOUT
 * \retval SW_OK             the document is in out
 * \retval SW_TIMEOUT        nothing was there until timeout_ms passed or the stop fired
 * \retval SW_ERR_INVALID    after_seq is negative, limit is above SW_PAGE_LEN_MAX, timeout_ms is below
 *                           -1 or above SW_DURATION_MS_MAX, or the filter is no JSON object, has an
 *                           unknown key or a value out of its form
 * \retval SW_ERR_TOO_BIG    a text is above its limit
 * \retval SW_ERR_NOT_FOUND  no run has the run_id of the filter
 * \retval SW_ERR_CLOSED     also when the store is shut down during the wait
 * Also what any sweeping call may answer: SHARED CODES.
 */
int32_t sw_event_wait(sw_store *store, int64_t after_seq, const char *filter, size_t filter_len,
                      uint32_t limit, int64_t timeout_ms, sw_stop *stop, sw_text **out,
                      sw_error **err);

/* Schedules --------------------------------------------------------------------------------- */

/**
 * Sets a schedule, which submits a run again and again: by an expression in local time, or each so
 * many milliseconds.
 *
 * The library has no thread that would wake up: a schedule that is due submits its run inside the
 * next claim or wait (sw_run_claim and the like) of any process, for whatever queue, and a claim or
 * wait that sleeps wakes for it. Of all processes one submits it, once: run and next time are one
 * commit. The run has the metadata {"schedule":name,"scheduled_at_ms":when}, and that time as its
 * run_at_ms, which puts it in its place among the ready.
 *
 * The same spec again changes nothing, so a program may set its schedules at each start. Another
 * spec replaces the old one; if it fires at the same times (cron, every_ms and timezone are
 * equal), the next firing stays, otherwise firings count from now. A schedule that was paused goes
 * on with the next firing from now.
 *
 * spec is a JSON object of at most SW_SCHEDULE_SPEC_BYTES_MAX bytes:
 *
 *   {"workflow":"report","args":{"kind":"daily"},"queue":"nightly","cron":"30 6 * * MON-FRI",
 *    "timezone":"Europe/Berlin","overlap":"skip","catch_up":"last","paused":false}
 *
 * Its keys:
 * - "workflow": name of the host's function; must be given.
 * - "args": any JSON; absent is null. "queue": absent is "default".
 * - "cron" or "every_ms", one of them. "every_ms" is 1 to SW_DURATION_MS_MAX and counts from the
 *   set that named it. "cron" has five fields, minute (0-59), hour (0-23), day of month (1-31),
 *   month (1-12 or JAN-DEC), day of week (0-7 or SUN-SAT, 0 and 7 are Sunday), or six with the
 *   second (0-59) first. A field is one or more of these with commas between: `*`, a number, a
 *   range a-b, a step `*`/n or a-b/n. The words are read in either case, in their field alone. A
 *   day of month is also L, the last, or nW, the weekday nearest to day n within its month; a day
 *   of week is also d#n, the nth of the month, n 1 to 5, or d#L, the last. When both days are
 *   named, that is neither field is `*` alone, either counts. All else is refused, and the message
 *   names the field: a range that runs backward, a step of 0, a/n, ?, LW, nicknames as @daily. So
 *   is an expression that never fires, as on 30 February.
 * - "timezone": name in the IANA database, as "Europe/Berlin"; absent is "UTC". The rules are
 *   those that the machine has at each firing (/usr/share/zoneinfo); "UTC" needs none. Where the
 *   hour and the minute are numbers, ranges or lists of these, each local time that cron names
 *   fires once: one that a clock going forward leaves out at the first instant after the gap,
 *   together with whatever else falls there; one that a clock going back repeats, the first time.
 *   Where the hour or the minute has a `*` or a step, be it one of a list, the whole expression
 *   follows the clock: it fires at each instant at which clocks show a time that it names, so not
 *   at all in the gap, and in both passes of what is repeated. Seconds, days and months do not
 *   matter for this.
 * - "overlap": "skip" (default): a firing submits nothing while the last run of the schedule is
 *   open, and is counted in "skipped" of the list. "queue": it submits a run all the same.
 * - "catch_up": what becomes of firings that passed while nobody looked. "last" (default): one
 *   run, for the last of them. "none": nothing, unless it is the last and at most
 *   SW_SCHEDULE_GRACE_MS late. "all": one run each, for the newest SW_SCHEDULE_CATCH_UP_MAX (with
 *   "skip", only while none is open).
 * - "paused": true stops firing.
 *
 * May block. Durable when it returns.
 * \param name,name_len  names the schedule
 * \param spec,spec_len  JSON object, as above
 * \retval SW_OK               the schedule is as spec says
 * \retval SW_ERR_INVALID      name or spec is absent; name is out of its form; spec is no JSON,
 *                             has an unknown key, which is named, or a value out of its form or
 *                             range; the time zone is not known on this machine; cron never fires
 * \retval SW_ERR_TOO_BIG      name, spec or a text in it is above its limit
 * \retval SW_ERR_UNSUPPORTED  the machine has no time zones, and spec names one that is not "UTC"
 * \retval SW_ERR_CONFLICT     there are SW_SCHEDULES_MAX schedules already
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_schedule_set(sw_store *store, const char *name, size_t name_len,
                        const char *spec, size_t spec_len, sw_error **err);

/**
 * Deletes a schedule: nothing fires any more. Runs that it submitted go on.
 *
 * May block. Durable when it returns.
 * \param name,name_len  as it was set
 * \retval SW_OK             the schedule is gone
 * \retval SW_ERR_INVALID    name is absent or out of its form
 * \retval SW_ERR_NOT_FOUND  no schedule has that name
 * \retval SW_ERR_TOO_BIG    name has more than SW_NAME_BYTES_MAX bytes
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_schedule_delete(sw_store *store, const char *name, size_t name_len, sw_error **err);

/**
 * Shows all schedules as a JSON array, ordered by name, with the keys of their specs; what was left
 * out there is filled in.
 *
 *   [{"name":"daily","workflow":"report","args":{"kind":"daily"},"queue":"nightly",
 *     "cron":"30 6 * * MON-FRI","every_ms":null,"timezone":"Europe/Berlin","overlap":"skip",
 *     "catch_up":"last","paused":false,"next_at_ms":1760070600000,"last_at_ms":1759984200000,
 *     "last_run_id":"run_01k...","skipped":0,"error":null}]
 *
 * next_at_ms is when it is due next, null while it is paused or when it fires no more. last_at_ms
 * is the firing that last_run_id was submitted for. skipped counts firings that submitted nothing
 * because the last run was open. error is null, or says why the schedule cannot fire on the
 * machine that last tried, such as a time zone it does not know; it is tried again every five
 * seconds.
 *
 * May block. Never waits for a writer.
 * \param out  receives the array, freed by sw_text_free; NULL on failure
 * \retval SW_OK  the array is in out; "[]" when there are none
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_schedule_list(sw_store *store, sw_text **out, sw_error **err);

/* SQL of the host --------------------------------------------------------------------------- */

/**
 * Asks one SQL query of the store's file, as a JSON document. It may read every table: the host's own,
 * which stand beside the library's, and the library's, whose columns may change with its version.
 *
 *   {"columns":["id","balance"],"rows":[[1,250],[2,9223372036854775807]],"more":false}
 *
 * sql is one statement that only reads. params gives its parameters: an array by position, or an
 * object by name, {"id":1} for :id, @id or $id; on a server an array alone, for $1, $2 and so on.
 * Values are JSON: null; true and false, which are 1 and 0; integers, exact to 64 bits; numbers with a
 * fraction or an exponent, which are REAL; strings; bytes as {"$base64":"..."}; {"$real":"Infinity"}
 * and {"$real":"-Infinity"}, which no JSON number is. Columns come back so, and a TEXT that is no
 * UTF-8 as bytes.
 *
 * options is a JSON object: "rows_max", to SW_SQL_ROWS_MAX, after so many the rows end, 0 is 1000;
 * "timeout_ms", to SW_SQL_TIMEOUT_MS_MAX, 0 is 5000. The rows end as well with the one whose values bring
 * them above SW_SQL_BYTES, which one row may not have by itself. more says whether there were more rows;
 * ask on from the last key.
 *
 * ATTACH, PRAGMA, transactions and what writes are refused. The query sees one moment of the store; while
 * it runs, the log of the file cannot start over, it takes one of the store's max_readers, and a close
 * waits for it.
 *
 * May block. Never waits for a writer.
 * \param sql,sql_len          one statement, to SW_SQL_TEXT_BYTES_MAX; must be given
 * \param params,params_len    JSON, to SW_SQL_PARAMS_MAX values; absent is none
 * \param options,options_len  JSON; absent is the defaults
 * \param out                  receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK               the document is in out
 * \retval SW_ERR_INVALID      sql is absent, is no statement or more than one, cannot be run or may not
 *                             be: its sentence says what SQLite said; params does not fit, or has what
 *                             is no value; options has an unknown key or a value out of its range
 * \retval SW_ERR_TOO_BIG      a text or a row is above its limit, or the query ran for longer than
 *                             timeout_ms
 * \retval SW_ERR_UNSUPPORTED  params is an object, and the store is on a server
 * Also what any reading call may answer: SHARED CODES.
 */
int32_t sw_query(sw_store *store, const char *sql, size_t sql_len,
                 const char *params, size_t params_len, const char *options, size_t options_len,
                 sw_text **out, sw_error **err);

/**
 * Runs a script in one transaction, all of it or nothing: statements on the host's own tables, runs,
 * messages, the end of a step or of an attempt. What a step does to the host's tables is thereby done
 * once, whatever is killed when: its rows and its record are one commit.
 *
 * script is a JSON array of 1 to SW_SCRIPT_LEN_MAX items, done in their order, each an object with one of
 * these keys:
 *
 * - sql: one statement, with params as for sw_query, and expect_changes, the number of rows that it must
 *   insert, change or delete itself: another number undoes the whole script, SW_ERR_CONFLICT
 * - query: one statement that only reads, with params
 * - submit: a run, as an item of sw_run_submit_many: it exists if and only if the script commits
 * - signal: {"run_id","name","payload","idempotency_key"}, as for sw_signal_send
 * - step_complete: {"result":JSON} or {"result_from":N}, what item N came to, from 0: records the result
 *   of the step, as sw_step_complete does; once in a script
 * - attempt_complete: the same for the attempt, as sw_attempt_complete; the last item
 *
 * It is answered as a JSON array, with what each item came to: {"changes":1} for sql, with columns, rows and
 * more where it has RETURNING; {"columns","rows","more"} for query; {"run_id","exists"} for submit;
 * {"exists"} for signal; {} for an end.
 *
 *   [{"changes":1},{"columns":["balance"],"rows":[[250]],"more":false},{}]
 *
 * Statements may read every table, make and drop tables, indexes, views and triggers of the host's, and
 * write those. Refused are writes to names that begin with sw_, foreign keys to them, tables named
 * json_each, json_tree or pragma_..., writes to sqlite_sequence, what is TEMP, ATTACH, PRAGMA, ANALYZE
 * and transactions; foreign keys among the host's tables hold when the script ends. These two calls stand
 * in for a SQLite of your own on the file, which must not be open in a process that has the store open:
 * its close would drop the library's locks.
 *
 * With a step, which sw_step_begin answered with SW_OK, or an attempt, the script is theirs: it fails with
 * SW_ERR_LEASE_LOST once the run was taken back, and has then done nothing. A script without a step
 * does not run on a run that was cancelled: nothing of it is stored, its end neither, and the attempt goes
 * on until sw_attempt_complete, _fail or _release. One that ends the step or the attempt is done once
 * through its handle: repeated with the same bytes it answers as the first time. Any other is done each
 * time.
 *
 * Others who write wait for it, so it may take no longer than the store's busy_timeout_ms, once begun. No
 * lock outlives the call.
 *
 * May block. Durable when it returns, by the step's durability if one is given.
 * \param attempt            in whose name it runs; may be NULL, also when a step is given
 * \param step               whose work it is; may be NULL; still to be freed
 * \param script,script_len  JSON, to the store's payload limit; must be given
 * \param out                receives the document, freed by sw_text_free; NULL on failure
 * \retval SW_OK                  it is committed, the results are in out
 * \retval SW_ERR_MISUSE          also for a step of another attempt, or an attempt of another store
 * \retval SW_ERR_INVALID         script is out of its form, or an item cannot be done or may not be: the
 *                                sentence begins with script[N] and says what SQLite said
 * \retval SW_ERR_TOO_BIG         a text, a result or what all rows come to is above its limit, or it ran for
 *                                longer than busy_timeout_ms
 * \retval SW_ERR_UNSUPPORTED     params of an item is an object, and the store is on a server
 * \retval SW_ERR_NOT_FOUND       a signal's run is not there
 * \retval SW_ERR_CONFLICT        a constraint failed, expect_changes is not met, a signal's run has ended,
 *                                an idempotency key is another workflow's; the step was finished otherwise,
 *                                or was replayed; the attempt ended otherwise
 * \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended; nothing is stored
 * \retval SW_ERR_CANCELLED       no step is given, or it ends the attempt, and the run was cancelled or timed
 *                                out
 * \retval SW_ERR_NONDETERMINISM  it ends an attempt that was claimed with SW_CLAIM_STRICT, as for
 *                                sw_attempt_complete
 * Also what any writing call may answer: SHARED CODES.
 */
int32_t sw_tx_run(sw_store *store, sw_attempt *attempt, sw_step *step,
                  const char *script, size_t script_len, sw_text **out, sw_error **err);

#ifdef __cplusplus
}
#endif

#endif /* SMOLWF_H */
