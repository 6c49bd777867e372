/* The time-out of a run: what it ends, what it still lets through. */
#include "support.h"

#include "reader.h"

#define TIMEOUT_MS 10000

static struct run_id submit_timed(sw_store *store, int64_t delay_ms) {
    sw_submit_options options = submit_options();
    options.timeout_ms = TIMEOUT_MS;
    if (delay_ms > 0) options.run_at_ms = sw_store_now_ms(store) + delay_ms;
    return submit_with(store, "w", &options);
}

static void check_timed_out(sw_store *store, struct run_id id) {
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("failed", run, "state");
    CHECK_TEXT_IN("timeout", value_in(run, "error"), "$smolwf");
    CHECK(text_in(value_in(run, "error"), "message") != NULL);
    CHECK(is_null_in(run, "result"));
}

TEST(a_run_nobody_claimed_in_time_fails) {
    sw_store *store = store_in_memory();
    struct run_id id = submit_timed(store, 0);
    advance(store, TIMEOUT_MS + 1);
    CHECK_NOTHING_TO_CLAIM(store);
    check_timed_out(store, id);
    sw_store_close(store);
}

TEST(the_timeout_of_a_delayed_run_counts_from_its_due_time) {
    sw_store *store = store_in_memory();
    struct run_id id = submit_timed(store, 60000);
    advance(store, 60000 + TIMEOUT_MS - 1);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    advance(store, 2);
    CHECK_NOTHING_TO_CLAIM(store);
    check_timed_out(store, id);
    sw_store_close(store);
}

TEST(a_run_that_ends_in_time_keeps_its_end) {
    sw_store *store = store_in_memory();
    struct run_id id = submit_timed(store, 0);
    advance(store, TIMEOUT_MS - 1);
    finish(claim(store), "\"in time\"");
    advance(store, 86400000);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_TEXT_IN("in time", value_read(run_text(store, id.text)), "result");
    sw_store_close(store);
}

TEST(a_running_attempt_learns_of_the_timeout_and_its_run_ends_as_failed) {
    sw_store *store = store_in_memory();
    struct run_id id = submit_timed(store, 0);
    sw_attempt *attempt = claim(store);
    sw_step *step = POISON(sw_step);
    advance(store, TIMEOUT_MS + 1);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_heartbeat(attempt, 0, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_check(attempt, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, begin_code(attempt, "s", &step));
    CHECK(step == NULL);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(attempt, NTS("1"), ERR));
    check_timed_out(store, id);
    CHECK_NOTHING_TO_CLAIM(store);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(every_end_of_an_attempt_past_the_timeout_is_cancelled) {
    for (int way = 0; way < 3; way++) {
        sw_store *store = store_in_memory();
        struct run_id id = submit_timed(store, 0);
        sw_attempt *attempt = claim(store);
        advance(store, TIMEOUT_MS + 1);
        for (int repeat = 0; repeat < 2; repeat++) {
            int32_t code = way == 0   ? CODE_OF(sw_attempt_complete(attempt, NTS("1"), ERR))
                           : way == 1 ? CODE_OF(sw_attempt_fail(attempt, NTS("1"), NULL, ERR))
                                      : CODE_OF(sw_attempt_release(attempt, 0, ERR));
            CHECK_INT(SW_ERR_CANCELLED, code);
        }
        check_timed_out(store, id);
        CHECK_NOTHING_TO_CLAIM(store);
        sw_attempt_free(attempt);
        sw_store_close(store);
    }
}

TEST(past_the_timeout_finished_work_is_recorded_and_replays) {
    sw_store *store = store_in_memory();
    struct run_id id = submit_timed(store, 0);
    sw_attempt *attempt = claim(store);
    do_step(attempt, "early", "1");
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    attempt = claim(store);
    sw_step *late = begin(attempt, "late"), *replayed = NULL;
    advance(store, TIMEOUT_MS + 1);
    CHECK_CODE(SW_OK, sw_step_complete(late, NTS("\"finished\""), ERR));
    CHECK_CODE(SW_REPLAYED, begin_code(attempt, "early", &replayed));
    CHECK_TEXT("1", sw_step_result(replayed, NULL));
    sw_step_free(replayed);
    sw_step_free(late);
    const struct value *steps = value_in(value_read(history_text(store, id.text)), "steps");
    CHECK_INT(2, steps == NULL ? 0 : steps->count);
    CHECK_TEXT_IN("finished", value_at(steps, 1), "result");
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(attempt, ABSENT, ERR));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(past_the_timeout_cleanup_steps_may_begin) {
    sw_store *store = store_in_memory();
    submit_timed(store, 0);
    sw_attempt *attempt = claim(store);
    advance(store, TIMEOUT_MS + 1);
    sw_step_options options = step_options();
    options.flags = SW_STEP_CLEANUP;
    sw_step *step = NULL;
    REQUIRE_CODE(SW_OK, sw_step_begin(attempt, NTS("undo"), ABSENT, &options, &step, ERR));
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("1"), ERR));
    sw_step_free(step);
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(attempt, ABSENT, ERR));
    sw_attempt_free(attempt);
    sw_store_close(store);
}
