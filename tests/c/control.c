/* Acting on runs from outside: cancel, pause, resume, retry, fork. */
#include "support.h"

#include "reader.h"

static int32_t cancel(sw_store *store, struct run_id id, const char *reason) {
    return sw_run_cancel(store, NTS(id.text), NTS(reason), ERR);
}

static int32_t act(int32_t (*on)(sw_store *, const char *, size_t, sw_error **), sw_store *store,
                   struct run_id id) {
    return on(store, NTS(id.text), ERR);
}

static struct run_id id_of(const sw_attempt *attempt) {
    struct run_id id = {""};
    strncpy(id.text, sw_attempt_run_id(attempt, NULL), sizeof id.text - 1);
    return id;
}

static struct run_id fork_run(sw_store *store, struct run_id of, const char *from_step) {
    struct run_id id = {""};
    REQUIRE_CODE(SW_OK,
                 sw_run_fork(store, NTS(of.text), NTS(from_step), id.text, sizeof id.text, ERR));
    return id;
}

/* ---- Cancel ------------------------------------------------------------------------------- */

TEST(a_cancelled_run_keeps_the_first_reason_and_is_not_claimed) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    CHECK_CODE(SW_OK, cancel(store, id, "\"first\""));
    CHECK_CODE(SW_OK, cancel(store, id, "\"second\""));
    CHECK_NOTHING_TO_CLAIM(store);
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("cancelled", run, "state");
    CHECK_TEXT_IN("cancelled", value_in(run, "error"), "$smolwf");
    CHECK_TEXT_IN("first", value_in(run, "error"), "reason");
    sw_store_close(store);
}

TEST(a_run_that_ended_by_itself_cannot_be_cancelled) {
    sw_store *store = store_in_memory();
    struct run_id done = submit(store, "w", NULL);
    finish(claim(store), "1");
    CHECK_CODE(SW_ERR_CONFLICT, cancel(store, done, NULL));
    CHECK_STATE("completed", store, done.text);
    struct run_id failed = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_fail_options terminal = fail_options(SW_FAIL_TERMINAL, 0);
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, ABSENT, &terminal, ERR));
    sw_attempt_free(attempt);
    CHECK_CODE(SW_ERR_CONFLICT, cancel(store, failed, NULL));
    struct run_id nobody = {"run_00000000000000000000000000"};
    CHECK_CODE(SW_ERR_NOT_FOUND, cancel(store, nobody, NULL));
    sw_store_close(store);
}

TEST(a_running_attempt_learns_of_the_cancel_at_every_call_that_begins_something) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    do_step(attempt, "done", "1");
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    attempt = claim(store);
    sw_step *open = begin(attempt, "open"), *step = NULL;
    CHECK_CODE(SW_OK, cancel(store, id, NULL));
    CHECK_STATE("running", store, id.text);
    CHECK_CODE(SW_ERR_CANCELLED, begin_code(attempt, "new", &step));
    CHECK(step == NULL);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_heartbeat(attempt, 0, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_check(attempt, ERR));
    char id_out[SW_ID_CAP] = "untouched";
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_CANCELLED, sw_sleep(attempt, NTS("nap"), 0, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_signal_await(attempt, NTS("go"), 0, &text, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_child_submit(attempt, NTS("c"), NTS("w"), ABSENT, NULL, id_out,
                                                 sizeof id_out, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_budget_reserve(attempt, NULL, NTS("{\"u\":1}"), ABSENT, id_out,
                                                   sizeof id_out, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_event_append(attempt, NTS("e"), ABSENT, ABSENT, ERR));
    CHECK(text == NULL);
    CHECK_TEXT("untouched", id_out);
    CHECK_CODE(SW_OK, sw_step_complete(open, NTS("2"), ERR));
    sw_step_free(open);
    CHECK_CODE(SW_REPLAYED, begin_code(attempt, "done", &step));
    sw_step_free(step);
    sw_step_options cleanup = step_options();
    cleanup.flags = SW_STEP_CLEANUP;
    REQUIRE_CODE(SW_OK, sw_step_begin(attempt, NTS("undo"), ABSENT, &cleanup, &step, ERR));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("3"), ERR));
    sw_step_free(step);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(attempt, NTS("4"), ERR));
    CHECK_STATE("cancelled", store, id.text);
    CHECK_INT(3, value_in(value_read(history_text(store, id.text)), "steps")->count);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(every_end_of_a_cancelled_attempt_makes_its_run_cancelled) {
    for (int way = 0; way < 3; way++) {
        sw_store *store = store_in_memory();
        struct run_id id = submit(store, "w", NULL);
        sw_attempt *attempt = claim(store);
        CHECK_CODE(SW_OK, cancel(store, id, NULL));
        for (int repeat = 0; repeat < 2; repeat++) {
            int32_t code = way == 0   ? CODE_OF(sw_attempt_complete(attempt, NTS("1"), ERR))
                           : way == 1 ? CODE_OF(sw_attempt_fail(attempt, NTS("1"), NULL, ERR))
                                      : CODE_OF(sw_attempt_release(attempt, 0, ERR));
            CHECK_INT(SW_ERR_CANCELLED, code);
        }
        sw_attempt_free(attempt);
        CHECK_STATE("cancelled", store, id.text);
        CHECK_NOTHING_TO_CLAIM(store);
        sw_store_close(store);
    }
}

TEST(a_cancelled_attempt_that_is_lost_ends_its_run_as_cancelled) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_OK, cancel(store, id, NULL));
    advance(store, 3600000);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_STATE("cancelled", store, id.text);
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_check(attempt, ERR));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* ---- Trees -------------------------------------------------------------------------------- */

static struct run_id child_of(sw_attempt *attempt, const char *name, int32_t expected) {
    struct run_id id = {""};
    CHECK_CODE(expected, sw_child_submit(attempt, NTS(name), NTS("kid"), ABSENT, NULL, id.text,
                                         sizeof id.text, ERR));
    return id;
}

static const char *await_child(sw_attempt *attempt, struct run_id id, int32_t expected) {
    sw_text *text = NULL;
    CHECK_CODE(expected, sw_child_await(attempt, NTS(id.text), SW_FOREVER, &text, ERR));
    return text == NULL ? NULL : take_text(text);
}

static void release(sw_attempt *attempt) {
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
}

TEST(a_cancel_reaches_grandchildren_also_below_a_child_that_had_completed) {
    sw_store *store = store_in_memory();
    struct run_id top = submit(store, "w", NULL);
    sw_attempt *of_top = claim(store);
    struct run_id middle = child_of(of_top, "c", SW_OK);
    sw_attempt *of_middle = claim(store);
    struct run_id low = child_of(of_middle, "c", SW_OK), waiting = child_of(of_middle, "d", SW_OK);
    finish(of_middle, "1");
    sw_attempt *of_low = claim(store);
    CHECK_TEXT(low.text, sw_attempt_run_id(of_low, NULL));
    CHECK_CODE(SW_OK, cancel(store, top, NULL));
    CHECK_STATE("cancelled", store, waiting.text);
    CHECK_STATE("completed", store, middle.text);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_check(of_low, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(of_low, ABSENT, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(of_top, ABSENT, ERR));
    CHECK_NOTHING_TO_CLAIM(store);
    sw_attempt_free(of_low);
    sw_attempt_free(of_top);
    sw_store_close(store);
}

TEST(a_parent_and_a_child_that_was_cancelled_with_it_are_retried_each_by_itself) {
    sw_store *store = store_in_memory();
    struct run_id parent = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id child = child_of(attempt, "c", SW_OK);
    await_child(attempt, child, SW_SUSPEND);
    release(attempt);
    CHECK_CODE(SW_OK, cancel(store, parent, NULL));
    CHECK_CODE(SW_OK, act(sw_run_retry, store, parent));
    attempt = claim(store);
    child_of(attempt, "c", SW_REPLAYED);
    await_child(attempt, child, SW_FAILED);
    sw_fail_options terminal = fail_options(SW_FAIL_TERMINAL, 0);
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, ABSENT, &terminal, ERR));
    sw_attempt_free(attempt);

    CHECK_CODE(SW_OK, act(sw_run_retry, store, child));
    finish(claim(store), "7");
    CHECK_CODE(SW_OK, act(sw_run_retry, store, parent));
    attempt = claim(store);
    CHECK_TEXT("7", await_child(attempt, child, SW_OK));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_fork_awaits_the_children_it_replays_and_does_not_cancel_them) {
    sw_store *store = store_in_memory();
    struct run_id first = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id child = child_of(attempt, "c", SW_OK);
    do_step(attempt, "cut", "1");
    finish(attempt, "1");
    sw_attempt *of_child = claim(store);
    struct run_id forks[2] = {fork_run(store, first, "cut"), fork_run(store, first, "cut")};
    for (int i = 0; i < 2; i++) {
        attempt = claim(store);
        CHECK_TEXT(child.text, child_of(attempt, "c", SW_REPLAYED).text);
        await_child(attempt, child, SW_SUSPEND);
        CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
        sw_attempt_free(attempt);
    }
    CHECK_STATE("waiting", store, forks[0].text);
    CHECK_CODE(SW_OK, cancel(store, forks[0], NULL));
    CHECK_CODE(SW_OK, sw_attempt_check(of_child, ERR));
    finish(of_child, "7");
    attempt = claim(store);
    CHECK_TEXT(forks[1].text, sw_attempt_run_id(attempt, NULL));
    CHECK_TEXT("7", await_child(attempt, child, SW_OK));
    finish(attempt, "1");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

/* ---- In other processes ------------------------------------------------------------------- */

/* Works on one run until it is told to end; says what told it. */
ROLE(work_until_told) {
    REQUIRE(argc == 1);
    sw_store *store = store_open(argv[0], 0);
    sw_attempt *attempt = claim_soon(store);
    tell("running");
    int32_t code = SW_OK;
    for (int i = 0; code == SW_OK; i++) {
        sw_step *step = NULL;
        code = CODE_OF(begin_code(attempt, lend_format("s%d", i), &step));
        if (code == SW_OK) CHECK_CODE(SW_OK, sw_step_complete(step, NTS("1"), ERR));
        sw_step_free(step);
    }
    CHECK_INT(SW_ERR_CANCELLED, code);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    tell("told");
    sw_store_close(store);
    return 0;
}

TEST(workers_in_other_processes_learn_of_a_cancel_of_their_run_or_its_parent) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0);
    struct run_id id = submit(store, "w", NULL);
    struct child *child = child_start("work_until_told", path, NULL);
    CHECK_TEXT("running", child_line(child));
    CHECK_CODE(SW_OK, cancel(store, id, NULL));
    CHECK_TEXT("told", child_line(child));
    child_finish(child);
    CHECK_STATE("cancelled", store, id.text);
    struct run_id parent = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    id = child_of(attempt, "c", SW_OK);
    child = child_start("work_until_told", path, NULL);
    CHECK_TEXT("running", child_line(child));
    CHECK_CODE(SW_OK, cancel(store, parent, NULL));
    CHECK_TEXT("told", child_line(child));
    child_finish(child);
    CHECK_STATE("cancelled", store, id.text);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(attempt, ABSENT, ERR));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

ROLE(cancel_and_say_so) {
    REQUIRE(argc == 2);
    sw_store *store = store_open(argv[0], 0);
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(argv[1]), ABSENT, ERR));
    tell("cancelled");
    wait_for_the_end();
    return 0;
}

TEST(a_cancel_outlives_the_process_that_asked_for_it) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0);
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct child *child = child_start("cancel_and_say_so", path, id.text, NULL);
    CHECK_TEXT("cancelled", child_line(child));
    child_kill(child);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_check(attempt, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(attempt, ABSENT, ERR));
    sw_attempt_free(attempt);
    CHECK_STATE("cancelled", store, id.text);
    sw_store_close(store);
}

/* ---- Pause, resume ------------------------------------------------------------------------ */

TEST(a_paused_run_waits_for_its_resume) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    CHECK_CODE(SW_OK, act(sw_run_resume, store, id));
    for (int i = 0; i < 2; i++) CHECK_CODE(SW_OK, act(sw_run_pause, store, id));
    CHECK_STATE("paused", store, id.text);
    CHECK_NOTHING_TO_CLAIM(store);
    for (int i = 0; i < 2; i++) CHECK_CODE(SW_OK, act(sw_run_resume, store, id));
    CHECK_STATE("pending", store, id.text);
    finish(claim(store), "1");
    CHECK_CODE(SW_ERR_CONFLICT, act(sw_run_pause, store, id));
    CHECK_CODE(SW_ERR_CONFLICT, act(sw_run_resume, store, id));
    sw_store_close(store);
}

TEST(a_delay_goes_on_through_a_pause) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.run_at_ms = sw_store_now_ms(store) + 1000;
    struct run_id id = submit_with(store, "w", &options);
    CHECK_CODE(SW_OK, act(sw_run_pause, store, id));
    CHECK_CODE(SW_OK, act(sw_run_resume, store, id));
    advance(store, 999);
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 1);
    finish(claim(store), "1");
    sw_store_close(store);
}

TEST(a_pause_of_a_running_run_takes_effect_when_its_attempt_gives_it_back) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_OK, act(sw_run_pause, store, id));
    CHECK_STATE("running", store, id.text);
    CHECK_CODE(SW_OK, sw_attempt_check(attempt, ERR));
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    CHECK_STATE("paused", store, id.text);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_CODE(SW_OK, act(sw_run_resume, store, id));
    finish(claim(store), "1");
    sw_store_close(store);
}

TEST(a_paused_run_is_cancelled_and_times_out_like_another) {
    sw_store *store = store_in_memory();
    struct run_id cancelled = submit(store, "w", NULL);
    sw_submit_options options = submit_options();
    options.timeout_ms = 1000;
    struct run_id late = submit_with(store, "w", &options);
    CHECK_CODE(SW_OK, act(sw_run_pause, store, cancelled));
    CHECK_CODE(SW_OK, act(sw_run_pause, store, late));
    CHECK_CODE(SW_OK, cancel(store, cancelled, NULL));
    CHECK_STATE("cancelled", store, cancelled.text);
    advance(store, 1000);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_STATE("failed", store, late.text);
    sw_store_close(store);
}

TEST(a_waiting_run_that_was_paused_loses_nothing_it_waits_for) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_text *text = NULL;
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), 1000, ERR));
    CHECK_CODE(SW_SUSPEND, sw_signal_await(attempt, NTS("go"), SW_FOREVER, &text, ERR));
    CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    sw_attempt_free(attempt);
    CHECK_STATE("waiting", store, id.text);
    CHECK_CODE(SW_OK, act(sw_run_pause, store, id));
    CHECK_STATE("paused", store, id.text);
    CHECK_CODE(SW_OK, sw_signal_send(store, NTS(id.text), NTS("go"), NTS("7"), ABSENT, ERR));
    advance(store, 999);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_CODE(SW_OK, act(sw_run_resume, store, id));
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_signal_await(attempt, NTS("go"), SW_FOREVER, &text, ERR));
    CHECK_TEXT("7", take_text(text));
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), 1000, ERR));
    CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    sw_attempt_free(attempt);
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 1);
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("nap"), 1000, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_pause_of_a_running_run_takes_effect_when_its_attempt_parks) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), 1000, ERR));
    CHECK_CODE(SW_OK, act(sw_run_pause, store, id));
    CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
    sw_attempt_free(attempt);
    CHECK_STATE("paused", store, id.text);
    advance(store, 1000);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_CODE(SW_OK, act(sw_run_resume, store, id));
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("nap"), 1000, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

/* ---- Retry -------------------------------------------------------------------------------- */

TEST(a_retried_run_replays_results_and_runs_failed_steps_anew) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.max_tries = 1;
    options.timeout_ms = 1000;
    struct run_id id = submit_with(store, "w", &options);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_ERR_CONFLICT, act(sw_run_retry, store, id));
    do_step(attempt, "good", "\"kept\"");
    sw_step *step = begin(attempt, "bad");
    sw_fail_options terminal = fail_options(SW_FAIL_TERMINAL, 0);
    CHECK_CODE(SW_FAILED, sw_step_fail(step, NTS("1"), &terminal, ERR));
    sw_step_free(step);
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS("2"), NULL, ERR));
    sw_attempt_free(attempt);
    advance(store, 5000);

    CHECK_CODE(SW_OK, act(sw_run_retry, store, id));

    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("pending", run, "state");
    CHECK(is_null_in(run, "error") && is_null_in(run, "finished_at_ms"));
    attempt = claim(store);
    CHECK_INT(2, sw_attempt_number(attempt));
    CHECK_CODE(SW_REPLAYED, begin_code(attempt, "good", &step));
    CHECK_TEXT("\"kept\"", sw_step_result(step, NULL));
    sw_step_free(step);
    do_step(attempt, "bad", "3");
    advance(store, 999);
    finish(attempt, "4");
    CHECK_STATE("completed", store, id.text);
    CHECK_CODE(SW_ERR_CONFLICT, act(sw_run_retry, store, id));
    sw_store_close(store);
}

TEST(a_cancelled_run_may_be_retried) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    CHECK_CODE(SW_OK, cancel(store, id, NULL));
    CHECK_CODE(SW_OK, act(sw_run_retry, store, id));
    finish(claim(store), "1");
    CHECK_STATE("completed", store, id.text);
    sw_store_close(store);
}

TEST(a_run_that_was_submitted_local_is_open_to_all_when_retried) {
    const char *path = temp_path("a.db");
    sw_store *store = store_manual(path), *other = store_manual(path);
    sw_submit_options options = submit_options();
    options.flags = SW_SUBMIT_LOCAL;
    struct run_id id = submit_with(store, "w", &options);
    CHECK_NOTHING_TO_CLAIM(other);
    CHECK_CODE(SW_OK, cancel(store, id, NULL));
    CHECK_CODE(SW_OK, act(sw_run_retry, store, id));
    finish(claim(other), "1");
    sw_store_close(other);
    sw_store_close(store);
}

/* ---- Fork --------------------------------------------------------------------------------- */

TEST(a_fork_replays_what_stands_before_a_step_and_goes_its_own_way) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.idempotency_key = "k";
    options.idempotency_key_len = 1;
    options.metadata = "{\"m\":1}";
    options.metadata_len = SW_NTS;
    struct run_id first = submit_with(store, "w", &options);
    sw_attempt *attempt = claim(store);
    do_step(attempt, "a", "\"of a\"");
    do_step(attempt, "b", "1");
    sw_step *step = begin(attempt, "b");
    const char *second_b = lend_format("%s", sw_step_id(step, NULL));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("2"), ERR));
    sw_step_free(step);
    finish(attempt, "1");

    const char *from[] = {"b", second_b, NULL};
    int32_t codes[][3] = {{SW_REPLAYED, SW_OK, 0}, {SW_REPLAYED, SW_REPLAYED, SW_OK}, {SW_OK}};
    for (size_t i = 0; i < COUNT_OF(from); i++) {
        struct run_id id = fork_run(store, first, from[i]);
        attempt = claim(store);
        CHECK_TEXT(id.text, sw_attempt_run_id(attempt, NULL));
        CHECK_TEXT(id.text, sw_attempt_root_run_id(attempt, NULL));
        const struct value *run = value_read(run_text(store, id.text));
        CHECK_INT_IN(1, value_in(run, "metadata"), "m");
        static const char *const names[] = {"a", "b", "b"};
        for (size_t at = 0; at < 3; at++) {
            CHECK_CODE(codes[i][at], begin_code(attempt, names[at], &step));
            bool is_last = codes[i][at] == SW_OK;
            sw_step_free(step);
            if (is_last) break;
        }
        finish(attempt, "2");
    }
    CHECK_STATE("completed", store, first.text);
    sw_store_close(store);
}

TEST(a_fork_from_a_step_that_was_not_recorded_is_not_found) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct run_id id = id_of(attempt);
    char fork[SW_ID_CAP] = "untouched";
    CHECK_CODE(SW_ERR_NOT_FOUND,
               sw_run_fork(store, NTS(id.text), NTS("s"), fork, sizeof fork, ERR));
    CHECK_TEXT("untouched", fork);
    CHECK_NOTHING_TO_CLAIM(store);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_fork_of_large_args_has_them_although_the_first_run_ends) {
    sw_store *store = store_in_memory();
    char *args = lend(100001);
    memset(args, '7', 100000);
    struct run_id first = submit(store, "w", args);
    fork_run(store, first, NULL);
    finish(claim(store), "1");
    sw_attempt *attempt = claim(store);
    CHECK_TEXT(args, sw_attempt_args(attempt, NULL));
    finish(attempt, "1");
    sw_store_close(store);
}
