/* Ending an attempt: complete, fail, release, what a repeat answers; heartbeats and checks. */
#include "support.h"

#include "reader.h"

static sw_attempt *submit_and_claim(sw_store *store, struct run_id *id) {
    struct run_id submitted = submit(store, "w", "[1]");
    if (id != NULL) *id = submitted;
    return claim(store);
}

/* Nothing at `least - 1` milliseconds from now, a claim at `most`; answers that claim. */
static sw_attempt *claim_between(sw_store *store, int64_t least, int64_t most, int line) {
    advance(store, least - 1);
    check_nothing_to_claim(__FILE__, line, store);
    advance(store, most - (least - 1));
    return claim(store);
}

#define CLAIM_BETWEEN(store, least, most) claim_between((store), (least), (most), __LINE__)

/* ---- Complete ----------------------------------------------------------------------------- */

TEST(a_completed_run_keeps_its_result_and_is_not_claimed_again) {
    sw_store *store = store_in_memory();
    struct run_id id;
    sw_attempt *attempt = submit_and_claim(store, &id);
    CHECK_STATE("running", store, id.text);
    CHECK_CODE(SW_OK, sw_attempt_complete(attempt, NTS("{\"answer\": 42}"), ERR));
    CHECK_NOTHING_TO_CLAIM(store);
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("completed", run, "state");
    CHECK_INT_IN(42, value_in(run, "result"), "answer");
    CHECK(is_null_in(run, "error"));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(repeating_a_complete_answers_the_same_for_the_same_bytes_only) {
    sw_store *store = store_in_memory();
    struct run_id id;
    sw_attempt *attempt = submit_and_claim(store, &id);
    for (int i = 0; i < 3; i++) {
        CHECK_CODE(SW_OK, sw_attempt_complete(attempt, NTS("{\"a\":1}"), ERR));
    }
    const char *before = run_text(store, id.text);
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_complete(attempt, NTS("{\"a\": 1}"), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_complete(attempt, NTS("{\"a\":2}"), ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_complete(attempt, ABSENT, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_fail(attempt, NTS("{\"a\":1}"), NULL, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_release(attempt, 0, ERR));
    CHECK_TEXT(before, run_text(store, id.text));
    CHECK_CODE(SW_OK, sw_attempt_complete(attempt, NTS("{\"a\":1}"), ERR));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(an_ended_attempt_takes_no_more_work) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store, NULL);
    sw_step *step = POISON(sw_step);
    CHECK_CODE(SW_OK, sw_attempt_complete(attempt, ABSENT, ERR));
    CHECK_CODE_IN(sw_attempt_heartbeat(attempt, 0, ERR), SW_ERR_LEASE_LOST, SW_ERR_CONFLICT);
    CHECK_CODE_IN(sw_attempt_check(attempt, ERR), SW_ERR_LEASE_LOST, SW_ERR_CONFLICT);
    CHECK_CODE_IN(begin_code(attempt, "s", &step), SW_ERR_LEASE_LOST, SW_ERR_CONFLICT);
    CHECK(step == NULL);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* ---- Fail --------------------------------------------------------------------------------- */

TEST(a_failed_attempt_backs_off_doubling_until_the_tries_are_used_up) {
    sw_store *store = store_in_memory();
    struct run_id id;
    sw_attempt *attempt = submit_and_claim(store, &id);
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, NTS("\"first\""), NULL, ERR));
    CHECK_STATE("pending", store, id.text);
    sw_attempt_free(attempt);
    attempt = CLAIM_BETWEEN(store, 900, 1100);
    CHECK_INT(2, sw_attempt_number(attempt));
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, NTS("\"second\""), NULL, ERR));
    sw_attempt_free(attempt);
    attempt = CLAIM_BETWEEN(store, 1800, 2200);
    CHECK_INT(3, sw_attempt_number(attempt));
    CHECK_TEXT("[1]", sw_attempt_args(attempt, NULL));
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS("{\"why\":\"third\"}"), NULL, ERR));
    sw_attempt_free(attempt);
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("failed", run, "state");
    CHECK_TEXT_IN("third", value_in(run, "error"), "why");
    CHECK_INT_IN(3, run, "tries");
    CHECK_INT_IN(3, run, "attempts");
    advance(store, 86400000);
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(the_backoff_grows_as_asked_up_to_its_maximum) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.backoff_initial_ms = 100;
    options.backoff_percent = 300;
    options.backoff_max_ms = 500;
    options.max_tries = 5;
    submit_with(store, "w", &options);
    sw_attempt *attempt = claim(store);
    static const int64_t delays[] = {100, 300, 500, 500};
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, ABSENT, NULL, ERR));
        sw_attempt_free(attempt);
        attempt = CLAIM_BETWEEN(store, delays[i] * 9 / 10, delays[i] * 11 / 10);
    }
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, ABSENT, NULL, ERR));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* Eighty-seven tries at ten percent lead from a second to an hour. */
TEST(a_slow_backoff_goes_on_growing_until_it_is_at_its_maximum) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.backoff_percent = 110;
    options.max_tries = 1000;
    submit_with(store, "w", &options);
    sw_attempt *attempt = claim(store);
    for (int failures = 1; failures < 100; failures++) {
        CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, ABSENT, NULL, ERR));
        sw_attempt_free(attempt);
        advance(store, 3600 * 1000);
        attempt = claim(store);
    }
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, ABSENT, NULL, ERR));
    sw_attempt_free(attempt);
    attempt = CLAIM_BETWEEN(store, 3240 * 1000, 3600 * 1000);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_run_with_one_try_fails_for_good_at_once) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.max_tries = 1;
    struct run_id id = submit_with(store, "w", &options);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS("1"), NULL, ERR));
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS("1"), NULL, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_fail(attempt, NTS("2"), NULL, ERR));
    CHECK_STATE("failed", store, id.text);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(a_terminal_failure_ends_the_run_whatever_tries_are_left) {
    sw_store *store = store_in_memory();
    struct run_id id;
    sw_attempt *attempt = submit_and_claim(store, &id);
    sw_fail_options options = fail_options(SW_FAIL_TERMINAL, 0);
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS("\"no such user\""), &options, ERR));
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("failed", run, "state");
    CHECK_TEXT_IN("no such user", run, "error");
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(an_error_may_be_plain_text_and_is_stored_as_a_json_string) {
    sw_store *store = store_in_memory();
    struct run_id id;
    sw_attempt *attempt = submit_and_claim(store, &id);
    sw_fail_options options = fail_options(SW_FAIL_TERMINAL | SW_FAIL_TEXT, 0);
    const char *text = "it \"broke\"\nat C:\\x { \xe2\x82\xac";
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS(text), &options, ERR));
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS(text), &options, ERR));
    CHECK_TEXT_IN(text, value_read(run_text(store, id.text)), "error");
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(an_error_that_is_not_json_is_refused_without_the_text_flag) {
    sw_store *store = store_in_memory();
    struct run_id id;
    sw_attempt *attempt = submit_and_claim(store, &id);
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_fail(attempt, NTS("it broke"), NULL, ERR));
    CHECK_STATE("running", store, id.text);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(retry_after_fixes_the_time_of_the_next_try) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store, NULL);
    sw_fail_options options = fail_options(0, 5000);
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, ABSENT, &options, ERR));
    sw_attempt_free(attempt);
    attempt = CLAIM_BETWEEN(store, 5000, 5500);
    options.retry_after_ms = -1;
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_fail(attempt, ABSENT, &options, ERR));
    options.retry_after_ms = INT64_MAX;
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_fail(attempt, ABSENT, &options, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(the_options_of_a_failure_are_sized_and_flagged) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store, NULL);
    struct {
        sw_fail_options known;
        uint64_t unknown;
    } options = {.known = fail_options(0, 0), .unknown = 1};
    options.known.struct_size = 4;
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_fail(attempt, ABSENT, &options.known, ERR));
    options.known.struct_size = sizeof options;
    CHECK_CODE(SW_ERR_UNSUPPORTED, sw_attempt_fail(attempt, ABSENT, &options.known, ERR));
    options.known = fail_options(1u << 31, 0);
    CHECK_CODE(SW_ERR_UNSUPPORTED, sw_attempt_fail(attempt, ABSENT, &options.known, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(repeating_a_failure_answers_the_same_even_after_the_next_attempt_began) {
    sw_store *store = store_in_memory();
    struct run_id id;
    sw_attempt *first = submit_and_claim(store, &id);
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(first, NTS("\"e\""), NULL, ERR));
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(first, NTS("\"e\""), NULL, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_fail(first, NTS("\"f\""), NULL, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_complete(first, NTS("\"e\""), ERR));
    advance(store, 1100);
    sw_attempt *second = claim(store);
    const char *before = run_text(store, id.text);
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(first, NTS("\"e\""), NULL, ERR));
    CHECK_TEXT(before, run_text(store, id.text));
    finish(second, "1");
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(first, NTS("\"e\""), NULL, ERR));
    CHECK_STATE("completed", store, id.text);
    sw_attempt_free(first);
    sw_store_close(store);
}

/* ---- Release ------------------------------------------------------------------------------ */

TEST(a_released_run_is_claimable_after_its_delay) {
    sw_store *store = store_in_memory();
    struct run_id id;
    sw_attempt *attempt = submit_and_claim(store, &id);
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_release(attempt, -1, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_release(attempt, INT64_MAX, ERR));
    CHECK_STATE("running", store, id.text);
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 60000, ERR));
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 60000, ERR));
    CHECK_CODE(SW_ERR_CONFLICT, sw_attempt_release(attempt, 60001, ERR));
    CHECK_STATE("pending", store, id.text);
    sw_attempt_free(attempt);
    attempt = CLAIM_BETWEEN(store, 60000, 60000);
    CHECK_INT(2, sw_attempt_number(attempt));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(releasing_charges_no_try) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.max_tries = 1;
    struct run_id id = submit_with(store, "w", &options);
    for (uint32_t i = 1; i <= 20; i++) {
        sw_attempt *attempt = claim(store);
        CHECK_INT(i, sw_attempt_number(attempt));
        CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
        sw_attempt_free(attempt);
    }
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_INT_IN(0, run, "tries");
    CHECK_INT_IN(20, run, "attempts");
    finish(claim(store), "1");
    sw_store_close(store);
}

/* ---- Heartbeat and check ------------------------------------------------------------------ */

TEST(a_heartbeat_extends_the_lease_from_now) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store, NULL);
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 60000, ERR));
    CHECK_INT(sw_store_now_ms(store) + 60000, sw_attempt_lease_expires_at_ms(attempt));
    advance(store, 50000);
    CHECK_CODE(SW_OK, sw_attempt_check(attempt, ERR));
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 60000, ERR));
    CHECK_INT(sw_store_now_ms(store) + 60000, sw_attempt_lease_expires_at_ms(attempt));
    advance(store, 59999);
    CHECK_NOTHING_TO_CLAIM(store);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_heartbeat_of_zero_keeps_the_length_of_the_claim) {
    sw_store *store = store_in_memory();
    sw_claim_options options = claim_options();
    options.lease_ms = 7000;
    submit(store, "w", NULL);
    sw_attempt *attempt = claim_with(store, NULL, &options);
    advance(store, 5000);
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 0, ERR));
    CHECK_INT(sw_store_now_ms(store) + 7000, sw_attempt_lease_expires_at_ms(attempt));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_heartbeat_does_not_shorten_the_lease) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store, NULL);
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 1000, ERR));
    advance(store, 29000);
    CHECK_NOTHING_TO_CLAIM(store);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_lease_outside_its_range_is_refused) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store, NULL);
    int64_t expires = sw_attempt_lease_expires_at_ms(attempt);
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_heartbeat(attempt, 1, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_heartbeat(attempt, 999, ERR));
    CHECK_SAYS("999");
    CHECK_SAYS("1000");
    CHECK_CODE(SW_ERR_INVALID, sw_attempt_heartbeat(attempt, 3600001, ERR));
    CHECK_SAYS("3600000");
    CHECK_INT(expires, sw_attempt_lease_expires_at_ms(attempt));
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 1000, ERR));
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 3600000, ERR));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(every_successful_write_keeps_at_least_half_the_lease_ahead) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = submit_and_claim(store, NULL);
    for (int i = 0; i < 10; i++) {
        advance(store, 14000);
        do_step(attempt, "s", "1");
        CHECK(sw_attempt_lease_expires_at_ms(attempt) - sw_store_now_ms(store) >= 15000);
        CHECK_NOTHING_TO_CLAIM(store);
    }
    CHECK_INT(1, sw_attempt_number(attempt));
    finish(attempt, "1");
    sw_store_close(store);
}
