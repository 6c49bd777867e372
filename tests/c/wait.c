/* Waiting: sleeps, and parking a run on what its attempt asked for. */
#include "support.h"

#include "reader.h"

#define HOUR_MS 3600000

TEST(a_sleep_is_over_when_its_first_call_said) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), HOUR_MS, ERR));
    advance(store, 1000);
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), 1, ERR));
    park(attempt);
    CHECK_STATE("waiting", store, id.text);
    advance(store, HOUR_MS - 1001);
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 1);
    attempt = claim(store);
    CHECK_INT(2, sw_attempt_number(attempt));
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("nap"), 100 * HOUR_MS, ERR));
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), HOUR_MS, ERR));
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("another"), 1, ERR));
    park(attempt);
    advance(store, 1);
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("another"), HOUR_MS, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_sleep_of_thirty_days_outlives_its_process) {
    const int64_t days = 30LL * 24 * HOUR_MS;
    const char *path = temp_path("new.db");
    sw_store *store = store_manual(path);
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("month"), days, ERR));
    park(attempt);
    int64_t began = sw_store_now_ms(store);
    sw_store_close(store);
    store = store_manual(path);
    advance(store, began + days - 1 - sw_store_now_ms(store));
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_STATE("waiting", store, id.text);
    advance(store, 1);
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("month"), days, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_sleep_of_no_time_is_over_at_once) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("nap"), 0, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_sleep(attempt, NTS("nap"), -1, ERR));
    CHECK_SAYS("duration_ms is -1");
    CHECK_CODE(SW_ERR_INVALID, sw_sleep(attempt, NTS("nap"), INT64_MAX, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_suspend(attempt, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_park_needs_something_to_wait_for_and_no_open_step) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_suspend(attempt, ERR));
    CHECK_SAYS("nothing to wait for");
    sw_step *step = begin(attempt, "open");
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), 5, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_suspend(attempt, ERR));
    CHECK_SAYS("a step is begun");
    CHECK_CODE(SW_OK, sw_attempt_check(attempt, ERR));
    sw_step_free(step);
    for (int repeat = 0; repeat < 2; repeat++) {
        CHECK_CODE(SW_OK, sw_attempt_suspend(attempt, ERR));
        CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_complete(attempt, NTS("1"), ERR));
    }
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_sleep(attempt, NTS("nap"), 5, ERR));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* Of a stale attempt the fence is what it hears of, whatever else is wrong. */
TEST(a_stale_attempt_neither_sleeps_nor_parks) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *stale = claim(store);
    sw_step *step = begin(stale, "open");
    advance(store, 31000);
    sw_attempt *fresh = claim(store);
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_sleep(stale, NTS("nap"), 5, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_suspend(stale, ERR));
    sw_step_free(step);
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_suspend(stale, ERR));
    CHECK_CODE(SW_SUSPEND, sw_sleep(fresh, NTS("nap"), 5, ERR));
    park(fresh);
    sw_attempt_free(stale);
    sw_store_close(store);
}

TEST(a_run_that_parks_a_hundred_times_uses_up_no_try) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.max_tries = 1;
    struct run_id id = submit_with(store, "w", &options);
    for (int naps = 0; naps < 100; naps++) {
        sw_attempt *attempt = claim(store);
        for (int nap = 0; nap < naps; nap++) {
            CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("nap"), 1000, ERR));
        }
        CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), 1000, ERR));
        park(attempt);
        advance(store, 1000);
    }
    finish(claim(store), "1");
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("completed", run, "state");
    CHECK_INT_IN(0, run, "tries");
    CHECK_INT_IN(101, run, "attempts");
    sw_store_close(store);
}

TEST(a_step_that_backs_off_wakes_its_run) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_step *step = begin(attempt, "s");
    sw_fail_options later = fail_options(0, 5000);
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, NTS("1"), &later, ERR));
    sw_step_free(step);
    park(attempt);
    advance(store, 4999);
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 1);
    attempt = claim(store);
    do_step(attempt, "s", "1");
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_suspend(attempt, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_parked_run_that_times_out_fails) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.timeout_ms = 10000;
    struct run_id id = submit_with(store, "w", &options);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), HOUR_MS, ERR));
    park(attempt);
    advance(store, 10001);
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_STATE("failed", store, id.text);
    sw_store_close(store);
}

TEST(a_run_shows_what_it_waits_for) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), HOUR_MS, ERR));
    CHECK_CODE(SW_SUSPEND, sw_signal_await(attempt, NTS("go"), SW_FOREVER, &text, ERR));
    CHECK(is_null_in(value_read(run_text(store, id.text)), "waiting_for"));
    int64_t due = sw_store_now_ms(store) + HOUR_MS;
    park(attempt);
    const struct value *waits = value_in(value_read(run_text(store, id.text)), "waiting_for");
    CHECK_TEXT_IN("go", value_at(waits, 0), "signal");
    CHECK_INT_IN(due, value_at(waits, 1), "until_ms");
    const struct value *nap =
        value_at(value_in(value_read(history_text(store, id.text)), "steps"), 0);
    CHECK_TEXT_IN("nap", nap, "name");
    CHECK_TEXT_IN("sleep", nap, "kind");
    CHECK_TEXT_IN("waiting", nap, "state");
    sw_store_close(store);
}
