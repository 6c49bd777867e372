/* Limits of queues: in all, per key, paused; across handles and processes. */
#include "support.h"

#include "reader.h"

static void set_limits(sw_store *store, const char *settings) {
    REQUIRE_CODE(SW_OK, sw_queue_set(store, ABSENT, NTS(settings), ERR));
}

static struct run_id submit_keyed(sw_store *store, const char *key) {
    sw_submit_options options = submit_options();
    options.concurrency_key = key;
    options.concurrency_key_len = key == NULL ? 0 : SW_NTS;
    return submit_with(store, "w", &options);
}

TEST(a_queue_gives_out_no_more_runs_than_its_limit) {
    sw_store *store = store_in_memory();
    for (int i = 0; i < 3; i++) submit(store, "w", NULL);
    set_limits(store, "{\"concurrency\":1}");
    sw_attempt *attempt = claim(store);
    CHECK_NOTHING_TO_CLAIM(store);
    finish(attempt, "1");
    attempt = claim(store);
    set_limits(store, "{\"concurrency\":2}");
    sw_attempt *second = claim(store);
    set_limits(store, "{\"concurrency\":1}");
    finish(attempt, "1");
    CHECK_NOTHING_TO_CLAIM(store);
    finish(second, "1");
    sw_store_close(store);
}

TEST(a_key_lets_one_after_the_other_through_and_others_pass) {
    sw_store *store = store_in_memory();
    set_limits(store, "{\"concurrency_per_key\":1}");
    struct run_id first = submit_keyed(store, "a"), next = submit_keyed(store, "a");
    struct run_id other = submit_keyed(store, "b"), free = submit_keyed(store, NULL);
    sw_attempt *attempt = claim(store);
    CHECK_TEXT(first.text, sw_attempt_run_id(attempt, NULL));
    const char *passing[] = {other.text, free.text};
    for (size_t i = 0; i < COUNT_OF(passing); i++) {
        sw_attempt *one = claim(store);
        CHECK_TEXT(passing[i], sw_attempt_run_id(one, NULL));
        finish(one, "1");
    }
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_STATE("pending", store, next.text);
    finish(attempt, "1");
    finish(claim(store), "1");
    CHECK_STATE("completed", store, next.text);
    sw_store_close(store);
}

TEST(a_key_stays_open_when_the_next_in_line_is_cancelled_or_paused) {
    sw_store *store = store_in_memory();
    set_limits(store, "{\"concurrency_per_key\":1}");
    struct run_id ids[4];
    for (int i = 0; i < 4; i++) ids[i] = submit_keyed(store, "a");
    sw_attempt *attempt = claim(store);
    CHECK_NOTHING_TO_CLAIM(store);
    finish(attempt, "1");
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(ids[1].text), ABSENT, ERR));
    CHECK_CODE(SW_OK, sw_run_pause(store, NTS(ids[2].text), ERR));
    attempt = claim(store);
    CHECK_TEXT(ids[3].text, sw_attempt_run_id(attempt, NULL));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_paused_queue_gives_out_nothing_and_others_go_on) {
    sw_store *store = store_in_memory();
    CHECK_CODE(SW_OK, sw_queue_set(store, NTS("q"), NTS("{\"paused\":true}"), ERR));
    sw_submit_options options = submit_options();
    options.queue = "q";
    options.queue_len = 1;
    submit_with(store, "w", &options);
    submit(store, "w", NULL);
    sw_attempt *attempt = NULL;
    CHECK_CODE(SW_NONE, sw_run_claim(store, NTS("q"), NULL, &attempt, ERR));
    finish(claim(store), "1");
    CHECK_CODE(SW_OK, sw_queue_set(store, NTS("q"), NTS("{}"), ERR));
    finish(claim_with(store, "q", NULL), "1");
    sw_store_close(store);
}

TEST(settings_that_are_none_are_invalid_and_change_nothing) {
    sw_store *store = store_in_memory();
    static const char *const wrong[] = {"{\"concurrency\":0}",
                                        "{\"concurrency\":-1}",
                                        "{\"concurrency\":1.5}",
                                        "{\"concurrency\":4294967296}",
                                        "{\"paused\":1}",
                                        "{\"limit\":1}",
                                        "[]",
                                        "null",
                                        "{\"paused\":true,\"paused\":true}"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        CHECK_CODE(SW_ERR_INVALID, sw_queue_set(store, ABSENT, NTS(wrong[i]), ERR));
    }
    CHECK_CODE(SW_ERR_INVALID, sw_queue_set(store, ABSENT, NTS("{\"limit\":1}"), ERR));
    CHECK_SAYS("limit");
    submit(store, "w", NULL);
    finish(claim(store), "1");
    sw_store_close(store);
}

/* ---- Processes ---------------------------------------------------------------------------- */

/* Claims what it gets and keeps it. */
ROLE(hold_runs) {
    REQUIRE(argc == 1);
    sw_store *store = store_open(argv[0], 0);
    sw_attempt *attempt = NULL;
    int held = 0;
    while (CODE_OF(claim_code(store, &attempt)) == SW_OK) {
        sw_attempt_free(attempt);
        held++;
    }
    tell("%d", held);
    wait_for_the_end();
    sw_store_close(store);
    return 0;
}

TEST(a_limit_counts_the_runs_of_every_process_and_not_those_of_the_dead) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0);
    for (int i = 0; i < 5; i++) submit_keyed(store, i < 3 ? "a" : NULL);
    set_limits(store, "{\"concurrency\":3,\"concurrency_per_key\":2}");
    sw_attempt *mine = claim(store);
    struct child *child = child_start("hold_runs", path, NULL);
    CHECK_TEXT("2", child_line(child));
    CHECK_NOTHING_TO_CLAIM(store);
    child_kill(child);
    sw_attempt *taken[2] = {claim_soon(store), claim_soon(store)};
    CHECK_NOTHING_TO_CLAIM(store);
    finish(mine, "1");
    for (int i = 0; i < 2; i++) finish(taken[i], "1");
    child = child_start("hold_runs", path, NULL);
    CHECK_TEXT("2", child_line(child));
    child_finish(child);
    for (int i = 0; i < 2; i++) finish(claim(store), "1");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}
