/* Waiting for runs to end, and for the store to change. */
#include "support.h"

#include "reader.h"

#include <pthread.h>

/* Reached only when a test fails. */
#define LONG_MS 120000

static int32_t wait_for_run(sw_store *store, struct run_id id, int64_t timeout_ms, sw_stop *stop,
                            const char **out) {
    sw_text *text = POISON(sw_text);
    int32_t code = CODE_OF(sw_run_wait(store, NTS(id.text), timeout_ms, stop, &text, ERR));
    if (code != SW_OK) CHECK(text == NULL);
    if (code == SW_OK && out != NULL) *out = lend_format("%s", sw_text_data(text, NULL));
    if (code == SW_OK) sw_text_free(text);
    return code;
}

/* The change counter now, waiting for nothing. */
static uint64_t counter(sw_store *store) {
    uint64_t now = 0;
    int32_t code = CODE_OF(sw_store_wait(store, 0, 0, NULL, &now, ERR));
    CHECK(code == SW_OK || code == SW_TIMEOUT);
    return now;
}

/* ---- One run ------------------------------------------------------------------------------ */

TEST(a_run_that_has_ended_is_answered_at_once) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    const char *document = NULL;
    CHECK_INT(SW_TIMEOUT, wait_for_run(store, id, 0, NULL, NULL));
    finish(claim(store), "7");
    CHECK_INT(SW_OK, wait_for_run(store, id, 0, NULL, &document));
    CHECK_TEXT(run_text(store, id.text), document);
    CHECK_INT_IN(7, value_read(document), "result");
    struct run_id nobody = {"run_00000000000000000000000000"};
    CHECK_INT(SW_ERR_NOT_FOUND, wait_for_run(store, nobody, SW_FOREVER, NULL, NULL));
    CHECK_INT(SW_ERR_INVALID, wait_for_run(store, id, -2, NULL, NULL));
    sw_store_close(store);
}

struct wait {
    sw_store *store;
    struct run_id id;
    sw_stop *stop;
    int32_t code;
    const char *state;
};

static void wait_long(void *shared) {
    struct wait *wait = shared;
    const char *document = NULL;
    wait->code = wait_for_run(wait->store, wait->id, LONG_MS, wait->stop, &document);
    if (wait->code == SW_OK) wait->state = text_in(value_read(document), "state");
}

static void check_wait_ends(struct wait *wait, void (*end)(struct wait *), int32_t code,
                            const char *state) {
    struct companion *waiter = thread_start(wait_long, wait);
    pause_ms(5); /* so that it most likely sleeps; it must end either way */
    end(wait);
    thread_join(waiter);
    CHECK_INT(code, wait->code);
    if (state != NULL) CHECK_TEXT(state, wait->state);
}

static void complete_it(struct wait *wait) { finish(claim(wait->store), "1"); }

static void cancel_it(struct wait *wait) {
    CHECK_CODE(SW_OK, sw_run_cancel(wait->store, NTS(wait->id.text), ABSENT, ERR));
}

static void advance_an_hour(struct wait *wait) { advance(wait->store, 3600000); }

static void fire_it(struct wait *wait) { sw_stop_fire(wait->stop); }

static void shut_it_down(struct wait *wait) { sw_store_shutdown(wait->store); }

TEST(a_wait_for_a_run_ends_with_the_run_the_stop_or_the_store) {
    struct wait wait = {.store = store_in_memory()};
    wait.id = submit(wait.store, "w", NULL);
    check_wait_ends(&wait, complete_it, SW_OK, "completed");
    wait.id = submit(wait.store, "w", NULL);
    check_wait_ends(&wait, cancel_it, SW_OK, "cancelled");
    sw_submit_options options = submit_options();
    options.timeout_ms = 1000;
    wait.id = submit_with(wait.store, "w", &options);
    check_wait_ends(&wait, advance_an_hour, SW_OK, "failed");
    wait.id = submit(wait.store, "w", NULL);
    REQUIRE_CODE(SW_OK, sw_stop_new(&wait.stop, ERR));
    check_wait_ends(&wait, fire_it, SW_TIMEOUT, NULL);
    CHECK_INT(SW_TIMEOUT, wait_for_run(wait.store, wait.id, LONG_MS, wait.stop, NULL));
    sw_stop_free(wait.stop);
    wait.stop = NULL;
    check_wait_ends(&wait, shut_it_down, SW_ERR_CLOSED, NULL);
    sw_store_close(wait.store);
}

TEST(a_wait_that_finds_a_lapsed_last_try_ends_the_run_itself) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.max_tries = 1;
    struct run_id id = submit_with(store, "w", &options);
    sw_attempt *attempt = claim(store);
    advance(store, 3600000);
    CHECK_INT(SW_OK, wait_for_run(store, id, 0, NULL, NULL));
    CHECK_STATE("failed", store, id.text);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

/* ---- The counter -------------------------------------------------------------------------- */

TEST(the_counter_moves_for_runs_and_never_for_steps_or_heartbeats) {
    sw_store *store = store_in_memory();
    uint64_t before = counter(store), now = 0;
    struct run_id id = submit(store, "w", NULL);
    CHECK((now = counter(store)) > before);
    sw_attempt *attempt = claim(store);
    before = counter(store);
    do_step(attempt, "s", "1");
    sw_step *step = begin(attempt, "t");
    sw_step_options tracked = step_options();
    tracked.flags = SW_STEP_TRACK;
    sw_step *other = NULL;
    CHECK_CODE(SW_OK, sw_step_begin(attempt, NTS("u"), ABSENT, &tracked, &other, ERR));
    CHECK_CODE(SW_SUSPEND, sw_step_fail(step, ABSENT, NULL, ERR));
    sw_step_free(step);
    sw_step_free(other);
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 60000, ERR));
    CHECK_CODE(SW_OK, sw_attempt_check(attempt, ERR));
    CHECK_CODE(SW_OK, sw_run_pause(store, NTS(id.text), ERR));
    CHECK_CODE(SW_OK, sw_run_resume(store, NTS(id.text), ERR));
    CHECK_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("nap"), 1000, ERR));
    CHECK_CODE(SW_OK, sw_signal_send(store, NTS(id.text), NTS("go"), ABSENT, ABSENT, ERR));
    CHECK_INT(before, counter(store));
    CHECK_CODE(SW_TIMEOUT, sw_store_wait(store, before, 1, NULL, &now, ERR));
    CHECK_INT(before, now);
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    CHECK((now = counter(store)) > before);
    before = now;
    finish(claim(store), "1");
    CHECK((now = counter(store)) > before);
    before = now;
    id = submit(store, "w", NULL);
    CHECK((now = counter(store)) > before);
    before = now;
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(id.text), ABSENT, ERR));
    CHECK((now = counter(store)) > before);
    sw_store_close(store);
}

TEST(the_counter_moves_when_time_makes_a_run_claimable) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.run_at_ms = sw_store_now_ms(store) + 1000;
    submit_with(store, "w", &options);
    uint64_t before = counter(store), now = 0;
    advance(store, 999);
    CHECK_CODE(SW_TIMEOUT, sw_store_wait(store, before, 0, NULL, &now, ERR));
    advance(store, 1);
    CHECK_CODE(SW_OK, sw_store_wait(store, before, 0, NULL, &now, ERR));
    sw_attempt *attempt = claim(store);
    before = counter(store);
    advance(store, 3600000);
    CHECK_CODE(SW_OK, sw_store_wait(store, before, 0, NULL, &now, ERR));
    CHECK(now > before);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

struct change {
    sw_store *store;
    sw_stop *stop;
    uint64_t seen, now;
    int32_t code;
};

static void wait_for_change(void *shared) {
    struct change *change = shared;
    change->code = CODE_OF(
        sw_store_wait(change->store, change->seen, LONG_MS, change->stop, &change->now, ERR));
}

static void check_change_ends(struct change *change, void (*end)(struct change *), int32_t code) {
    change->seen = counter(change->store);
    struct companion *waiter = thread_start(wait_for_change, change);
    pause_ms(5); /* so that it most likely sleeps; it must end either way */
    end(change);
    thread_join(waiter);
    CHECK_INT(code, change->code);
    if (code == SW_OK) CHECK(change->now != change->seen);
}

static void submit_one(struct change *change) { submit(change->store, "w", NULL); }

static void advance_a_day(struct change *change) { advance(change->store, 86400000); }

static void fire_stop(struct change *change) { sw_stop_fire(change->stop); }

static void shut_down(struct change *change) { sw_store_shutdown(change->store); }

TEST(a_wait_for_a_change_ends_with_one_with_time_with_the_stop_and_with_the_store) {
    struct change change = {.store = store_in_memory()};
    check_change_ends(&change, submit_one, SW_OK);
    sw_submit_options options = submit_options();
    options.run_at_ms = sw_store_now_ms(change.store) + 86400000;
    submit_with(change.store, "w", &options);
    check_change_ends(&change, advance_a_day, SW_OK);
    REQUIRE_CODE(SW_OK, sw_stop_new(&change.stop, ERR));
    check_change_ends(&change, fire_stop, SW_TIMEOUT);
    sw_stop_free(change.stop);
    change.stop = NULL;
    check_change_ends(&change, shut_down, SW_ERR_CLOSED);
    sw_store_close(change.store);
}

/* ---- Processes ---------------------------------------------------------------------------- */

ROLE(do_one_run) {
    REQUIRE(argc == 1);
    sw_store *store = store_open(argv[0], 0);
    finish(claim_soon(store), "7");
    sw_store_close(store);
    return 0;
}

TEST(a_run_that_another_process_ends_ends_the_wait_and_moves_the_counter) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0);
    struct run_id id = submit(store, "w", NULL);
    uint64_t before = counter(store), now = 0;
    struct child *child = child_start("do_one_run", path, NULL);
    CHECK_INT(SW_OK, wait_for_run(store, id, LONG_MS, NULL, NULL));
    CHECK_CODE(SW_OK, sw_store_wait(store, before, LONG_MS, NULL, &now, ERR));
    child_finish(child);
    sw_store_close(store);
}

ROLE(take_and_die) {
    REQUIRE(argc == 1);
    sw_store *store = store_open(argv[0], 0);
    claim_soon(store);
    tell("taken");
    wait_for_the_end();
    return 0;
}

TEST(the_death_of_a_worker_moves_the_counter_of_who_waits) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0);
    submit(store, "w", NULL);
    struct child *child = child_start("take_and_die", path, NULL);
    CHECK_TEXT("taken", child_line(child));
    uint64_t before = counter(store), now = 0;
    child_kill(child);
    CHECK_CODE(SW_OK, sw_store_wait(store, before, LONG_MS, NULL, &now, ERR));
    finish(claim(store), "1");
    sw_store_close(store);
}

static sw_store *open_reader(const char *path) {
    sw_store *reader = NULL;
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    return reader;
}

TEST(a_handle_that_only_reads_waits_for_runs_and_changes_as_others_do) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0), *reader = open_reader(path);
    CHECK_INT(counter(store), counter(reader));
    struct run_id id = submit(store, "w", NULL);
    struct change change = {.store = reader, .seen = counter(reader)};
    CHECK_INT(counter(store), change.seen);
    struct companion *waiter = thread_start(wait_for_change, &change);
    struct wait wait = {.store = reader, .id = id};
    struct companion *other = thread_start(wait_long, &wait);
    finish(claim(store), "1");
    thread_join(waiter);
    thread_join(other);
    CHECK_INT(SW_OK, change.code);
    CHECK_INT(SW_OK, wait.code);
    CHECK_INT(counter(store), change.now);
    sw_store_close(reader);
    sw_store_close(store);
}

TEST(a_handle_that_only_reads_is_shut_down_in_its_wait) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0);
    struct change change = {.store = open_reader(path)};
    REQUIRE_CODE(SW_OK, sw_stop_new(&change.stop, ERR));
    check_change_ends(&change, fire_stop, SW_TIMEOUT);
    sw_stop_free(change.stop);
    change.stop = NULL;
    check_change_ends(&change, shut_down, SW_ERR_CLOSED);
    sw_store_close(change.store);
    sw_store_close(store);
}

TEST(a_handle_that_only_reads_hears_of_the_first_who_writes_after_it_was_opened) {
    const char *path = temp_path("a.db");
    sw_store_close(store_open(path, 0));
    REQUIRE(remove(lend_format("%s-smolwf", path)) == 0);
    sw_store *reader = open_reader(path);
    uint64_t now = 77;
    CHECK_CODE(SW_TIMEOUT, sw_store_wait(reader, 0, 0, NULL, &now, ERR));
    CHECK_INT(0, now);
    sw_store *store = store_open(path, 0);
    submit(store, "w", NULL);
    CHECK_CODE(SW_OK, sw_store_wait(reader, 0, LONG_MS, NULL, &now, ERR));
    CHECK(now > 0);
    sw_store_close(reader);
    sw_store_close(store);
}
