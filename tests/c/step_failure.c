/* Steps that fail: backoff, final failures, tracked starts, interruptions. */
#include "support.h"

#include "reader.h"

static sw_attempt *submit_and_claim(sw_store *store) {
    submit(store, "w", NULL);
    return claim(store);
}

static int32_t begin_at(sw_attempt *attempt, const char *name, uint32_t occurrence, sw_step **out) {
    sw_step_options options = step_options();
    options.occurrence = occurrence;
    return sw_step_begin(attempt, NTS(name), ABSENT, &options, out, ERR);
}

static void check_failed(sw_attempt *attempt, const char *name, uint32_t occurrence,
                         const char *error, int line) {
    sw_step *step = NULL;
    check_code(__FILE__, line, "sw_step_begin", SW_FAILED,
               CODE_OF(begin_at(attempt, name, occurrence, &step)));
    if (step == NULL) abandon();
    check_text(__FILE__, line, "error", error, sw_step_error(step, NULL));
    CHECK(sw_step_result(step, NULL) == NULL);
    sw_step_free(step);
}

#define CHECK_FAILED(attempt, name, occurrence, error)                                             \
    check_failed((attempt), (name), (occurrence), (error), __LINE__)

/* ---- Backoff ------------------------------------------------------------------------------ */

TEST(a_failed_step_backs_off_doubling_until_its_tries_are_used_up) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    static const int64_t delays[] = {1000, 2000};
    sw_step *step = begin(attempt, "s"), *waiting = POISON(sw_step);
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        uint32_t tries = sw_step_tries(step);
        CHECK_CODE(SW_SUSPEND, sw_step_fail(step, NTS("\"again\""), NULL, ERR));
        int64_t delay = sw_step_retry_at_ms(step) - sw_store_now_ms(store);
        CHECK_BETWEEN(delays[i] * 9 / 10, delays[i] * 11 / 10, delay);
        sw_step_free(step);
        CHECK_CODE(SW_SUSPEND, begin_code(attempt, "s", &waiting));
        CHECK(waiting == NULL);
        advance(store, delay - 1);
        CHECK_CODE(SW_SUSPEND, begin_code(attempt, "s", &waiting));
        advance(store, 1);
        step = begin(attempt, "s");
        CHECK_INT(1, sw_step_occurrence(step));
        CHECK_INT(tries + 1, sw_step_tries(step));
    }
    CHECK_CODE(SW_FAILED, sw_step_fail(step, NTS("{\"last\" : 1}"), NULL, ERR));
    sw_step_free(step);
    CHECK_FAILED(attempt, "s", 1, "{\"last\" : 1}");
    attempt = next_attempt(store, attempt);
    CHECK_FAILED(attempt, "s", 0, "{\"last\" : 1}");
    step = begin(attempt, "s");
    CHECK_INT(2, sw_step_occurrence(step));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_step_backs_off_across_attempts_and_keeps_its_tries) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = begin(attempt, "s");
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, ABSENT, NULL, ERR));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    CHECK_CODE(SW_SUSPEND, begin_code(attempt, "s", &step));
    advance(store, 1100);
    step = begin(attempt, "s");
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, ABSENT, NULL, ERR));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    advance(store, 2200);
    step = begin(attempt, "s");
    CHECK_CODE(SW_FAILED, sw_step_fail(step, NTS("3"), NULL, ERR));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    CHECK_FAILED(attempt, "s", 0, "3");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_step_that_failed_and_then_succeeded_replays_its_result) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = begin(attempt, "s");
    const char *id = lend_format("%s", sw_step_id(step, NULL));
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, NTS("1"), NULL, ERR));
    sw_step_free(step);
    advance(store, 1100);
    do_step(attempt, "s", "\"good\"");
    attempt = next_attempt(store, attempt);
    CHECK_CODE(SW_REPLAYED, begin_code(attempt, "s", &step));
    CHECK_TEXT("\"good\"", sw_step_result(step, NULL));
    CHECK_TEXT(id, sw_step_id(step, NULL));
    CHECK(sw_step_error(step, NULL) == NULL);
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(the_backoff_and_tries_of_a_step_are_as_asked) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step_options options = step_options();
    options.max_tries = 4;
    options.backoff_initial_ms = 100;
    options.backoff_max_ms = 150;
    static const int64_t delays[] = {100, 150, 150};
    sw_step *step = NULL;
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        REQUIRE_CODE(SW_OK, sw_step_begin(attempt, NTS("s"), ABSENT, &options, &step, ERR));
        CHECK_CODE(SW_SUSPEND, sw_step_fail(step, ABSENT, NULL, ERR));
        CHECK_BETWEEN(delays[i] * 9 / 10, delays[i] * 11 / 10,
                      sw_step_retry_at_ms(step) - sw_store_now_ms(store));
        sw_step_free(step);
        advance(store, 165);
    }
    REQUIRE_CODE(SW_OK, sw_step_begin(attempt, NTS("s"), ABSENT, &options, &step, ERR));
    CHECK_CODE(SW_FAILED, sw_step_fail(step, ABSENT, NULL, ERR));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(retry_after_fixes_the_next_try_of_a_step) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_fail_options options = fail_options(0, 5000);
    sw_step *step = begin(attempt, "s");
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, ABSENT, &options, ERR));
    CHECK_BETWEEN(5000, 5500, sw_step_retry_at_ms(step) - sw_store_now_ms(store));
    sw_step_free(step);
    advance(store, 4999);
    CHECK_CODE(SW_SUSPEND, begin_code(attempt, "s", &step));
    advance(store, 501);
    do_step(attempt, "s", "1");
    finish(attempt, "1");
    sw_store_close(store);
}

/* ---- Final failures ----------------------------------------------------------------------- */

TEST(a_terminal_failure_of_a_step_is_memoised) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_fail_options options = fail_options(SW_FAIL_TERMINAL, 0);
    sw_step *step = begin(attempt, "s");
    CHECK_CODE(SW_FAILED, sw_step_fail(step, NTS("{ \"no\" : true }"), &options, ERR));
    CHECK_CODE(SW_FAILED, sw_step_fail(step, NTS("{ \"no\" : true }"), &options, ERR));
    sw_step_free(step);
    step = begin(attempt, "s");
    CHECK_INT(2, sw_step_occurrence(step));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    CHECK_FAILED(attempt, "s", 0, "{ \"no\" : true }");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(the_error_of_a_step_may_be_plain_text) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_fail_options options = fail_options(SW_FAIL_TERMINAL | SW_FAIL_TEXT, 0);
    sw_step *step = begin(attempt, "s");
    CHECK_CODE(SW_FAILED, sw_step_fail(step, NTS("no \"way\""), &options, ERR));
    sw_step_free(step);
    CHECK_FAILED(attempt, "s", 1, "\"no \\\"way\\\"\"");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(repeating_a_step_failure_answers_the_same_for_the_same_bytes_only) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = begin(attempt, "s");
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, NTS("1"), NULL, ERR));
    int64_t retry_at_ms = sw_step_retry_at_ms(step);
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, NTS("1"), NULL, ERR));
    CHECK_INT(retry_at_ms, sw_step_retry_at_ms(step));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_fail(step, NTS("2"), NULL, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_step_complete(step, NTS("1"), ERR));
    CHECK_INT(retry_at_ms, sw_step_retry_at_ms(step));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_retryable_failure_keeps_the_run_running) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "s");
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, NTS("1"), NULL, ERR));
    sw_step_free(step);
    CHECK_STATE("running", store, id.text);
    CHECK_INT_IN(0, value_read(run_text(store, id.text)), "tries");
    do_step(attempt, "another", "1");
    finish(attempt, "1");
    sw_store_close(store);
}

/* ---- Tracked steps ------------------------------------------------------------------------ */

static int32_t begin_tracked(sw_attempt *attempt, uint32_t max_tries, sw_step **out) {
    sw_step_options options = step_options();
    options.flags = SW_STEP_TRACK;
    options.max_tries = max_tries;
    return sw_step_begin(attempt, NTS("pay"), ABSENT, &options, out, ERR);
}

TEST(a_tracked_step_is_seen_running) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = NULL, *untracked = begin(attempt, "quiet");
    REQUIRE_CODE(SW_OK, begin_tracked(attempt, 0, &step));
    const struct value *steps = value_in(value_read(history_text(store, id.text)), "steps");
    CHECK_INT(1, steps == NULL ? 0 : steps->count);
    CHECK_TEXT_IN("pay", value_at(steps, 0), "name");
    CHECK_TEXT_IN("running", value_at(steps, 0), "state");
    CHECK(is_null_in(value_at(steps, 0), "ended_at_ms"));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("1"), ERR));
    steps = value_in(value_read(history_text(store, id.text)), "steps");
    CHECK_TEXT_IN("completed", value_at(steps, 0), "state");
    sw_step_free(step);
    sw_step_free(untracked);
    finish(attempt, "1");
    sw_store_close(store);
}

/* Begins the step with tries argv[1], tells its tries, and waits to be killed. */
ROLE(start_and_die) {
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    sw_attempt *attempt = claim_soon(store);
    sw_step *step = NULL;
    int32_t code = CODE_OF(begin_tracked(attempt, (uint32_t)strtoul(argv[1], NULL, 10), &step));
    tell("%s %u", sw_code_name(code), step == NULL ? 0 : sw_step_tries(step));
    wait_for_the_end();
    return 1;
}

static const char *start_in_killed_process(const char *path, const char *max_tries) {
    struct child *child = child_start("start_and_die", path, max_tries, NULL);
    const char *line = child_line(child);
    child_kill(child);
    return line;
}

static void check_interrupted(sw_step *step) {
    REQUIRE(step != NULL);
    const struct value *error = value_read(lend_format("%s", sw_step_error(step, NULL)));
    CHECK_TEXT_IN("interrupted", error, "$smolwf");
    CHECK(text_in(error, "message") != NULL);
}

TEST(a_tracked_step_with_one_try_runs_at_most_once) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    submit(store, "w", NULL);
    CHECK(strncmp(start_in_killed_process(path, "1"), "SW_OK", 5) == 0);
    sw_attempt *attempt = claim_soon(store);
    for (int i = 0; i < 2; i++) {
        sw_step *step = NULL;
        CHECK_CODE(SW_FAILED, begin_tracked(attempt, 1, &step));
        check_interrupted(step);
        sw_step_free(step);
        attempt = next_attempt(store, attempt);
    }
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(each_interrupted_start_of_a_tracked_step_counts_as_a_try) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    submit(store, "w", NULL);
    unsigned first = 0, second = 0;
    CHECK(sscanf(start_in_killed_process(path, "2"), "SW_OK %u", &first) == 1);
    CHECK(sscanf(start_in_killed_process(path, "2"), "SW_OK %u", &second) == 1);
    CHECK_INT(first + 1, second);
    sw_attempt *attempt = claim_soon(store);
    sw_step *step = NULL;
    CHECK_CODE(SW_FAILED, begin_tracked(attempt, 2, &step));
    check_interrupted(step);
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_tracked_step_that_ended_well_is_not_interrupted) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store);
    sw_step *step = NULL;
    REQUIRE_CODE(SW_OK, begin_tracked(attempt, 1, &step));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("\"paid\""), ERR));
    sw_step_free(step);
    attempt = next_attempt(store, attempt);
    CHECK_CODE(SW_REPLAYED, begin_tracked(attempt, 1, &step));
    CHECK_TEXT("\"paid\"", sw_step_result(step, NULL));
    sw_step_free(step);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_lapsed_attempt_interrupts_its_tracked_step) {
    sw_store *store = store_in_memory();
    sw_attempt *stale = submit_and_claim(store);
    sw_step *stale_step = NULL, *step = NULL;
    REQUIRE_CODE(SW_OK, begin_tracked(stale, 1, &stale_step));
    advance(store, 60000);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_FAILED, begin_tracked(attempt, 1, &step));
    check_interrupted(step);
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_step_complete(stale_step, NTS("1"), ERR));
    sw_step_free(step);
    sw_step_free(stale_step);
    sw_attempt_free(stale);
    finish(attempt, "1");
    sw_store_close(store);
}
