/* Claiming: order, due times, filters, queues, waits, stops, and what an attempt tells. */
#include "support.h"

#include <time.h>

/* ---- What a claim gives ------------------------------------------------------------------- */

static void check_view(const char *expected, const char *view, size_t len) {
    CHECK_BYTES(expected, strlen(expected) + 1, view, len + 1);
}

TEST(an_attempt_tells_its_run_workflow_queue_and_args) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.queue = "mail";
    options.queue_len = SW_NTS;
    options.code_version = "v7";
    options.code_version_len = SW_NTS;
    options.metadata = " {\"trace\": \"t\"} ";
    options.metadata_len = SW_NTS;
    char id[SW_ID_CAP];
    CHECK_CODE(SW_OK, sw_run_submit(store, NTS("greet"), NTS(" {\"a\" : 1} "), &options, id,
                                    sizeof id, ERR));
    sw_attempt *attempt = claim_with(store, "mail", NULL);
    size_t len = 77;
    CHECK(strncmp(sw_attempt_id(attempt, NULL), "attempt_", 8) == 0);
    const char *view = sw_attempt_id(attempt, &len);
    CHECK_INT(34, len);
    view = sw_attempt_run_id(attempt, &len);
    check_view(id, view, len);
    view = sw_attempt_root_run_id(attempt, &len);
    check_view(id, view, len);
    view = sw_attempt_workflow(attempt, &len);
    check_view("greet", view, len);
    view = sw_attempt_queue(attempt, &len);
    check_view("mail", view, len);
    view = sw_attempt_args(attempt, &len);
    check_view(" {\"a\" : 1} ", view, len);
    view = sw_attempt_code_version(attempt, &len);
    check_view("v7", view, len);
    view = sw_attempt_metadata(attempt, &len);
    check_view(" {\"trace\": \"t\"} ", view, len);
    CHECK(sw_attempt_parent_run_id(attempt, &len) == NULL);
    CHECK_INT(0, len);
    CHECK_INT(1, sw_attempt_number(attempt));
    CHECK_INT(sw_store_now_ms(store) + 30000, sw_attempt_lease_expires_at_ms(attempt));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(an_attempt_of_a_run_without_version_and_metadata_has_none) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    size_t len = 77;
    CHECK(sw_attempt_code_version(attempt, &len) == NULL);
    CHECK_INT(0, len);
    len = 77;
    CHECK(sw_attempt_metadata(attempt, &len) == NULL);
    CHECK_INT(0, len);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(an_empty_queue_answers_none) {
    sw_store *store = store_in_memory();
    CHECK_NOTHING_TO_CLAIM(store);
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_NOTHING_TO_CLAIM(store);
    finish(attempt, "1");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

/* ---- Order -------------------------------------------------------------------------------- */

static struct run_id submit_at(sw_store *store, int32_t priority, int64_t delay_ms) {
    sw_submit_options options = submit_options();
    options.priority = priority;
    options.run_at_ms = delay_ms == 0 ? 0 : sw_store_now_ms(store) + delay_ms;
    return submit_with(store, "w", &options);
}

static void check_next(sw_store *store, struct run_id expected, int line) {
    sw_attempt *attempt = claim(store);
    check_text(__FILE__, line, "run_id", expected.text, sw_attempt_run_id(attempt, NULL));
    finish(attempt, "1");
}

#define CHECK_NEXT(store, id) check_next((store), (id), __LINE__)

TEST(runs_are_claimed_by_priority_then_due_time_then_submission) {
    sw_store *store = store_in_memory();
    struct run_id late = submit_at(store, 0, 2000), soon = submit_at(store, 0, 1000);
    struct run_id now = submit_at(store, 0, 0), then = submit_at(store, 0, 0);
    struct run_id last = submit_at(store, 5, 0), first = submit_at(store, -5, 3000);
    struct run_id also_soon = submit_at(store, 0, 1000);
    advance(store, 5000);
    CHECK_NEXT(store, first);
    CHECK_NEXT(store, now);
    CHECK_NEXT(store, then);
    CHECK_NEXT(store, soon);
    CHECK_NEXT(store, also_soon);
    CHECK_NEXT(store, late);
    CHECK_NEXT(store, last);
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(priority_goes_before_due_time_across_workflows_and_versions) {
    sw_store *store = store_in_memory();
    struct run_id ids[6];
    for (int i = 0; i < 6; i++) {
        sw_submit_options options = submit_options();
        options.priority = -i;
        options.code_version = i % 2 == 0 ? "v1" : NULL;
        options.code_version_len = SW_NTS;
        ids[i] = submit_with(store, lend_format("w%d", i % 3), &options);
    }
    for (int i = 5; i >= 0; i--) CHECK_NEXT(store, ids[i]);
    sw_store_close(store);
}

TEST(a_delayed_run_is_claimable_when_it_is_due_and_not_before) {
    sw_store *store = store_in_memory();
    struct run_id id = submit_at(store, 0, 30LL * 86400000);
    CHECK_STATE("pending", store, id.text);
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 30LL * 86400000 - 1);
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 1);
    CHECK_NEXT(store, id);
    sw_store_close(store);
}

TEST(a_run_due_in_the_past_is_claimable_at_once) {
    sw_store *store = store_in_memory();
    struct run_id now = submit_at(store, 0, 0), past = submit_at(store, 0, -60000);
    CHECK_NEXT(store, past);
    CHECK_NEXT(store, now);
    sw_store_close(store);
}

TEST(more_delayed_runs_than_one_sweep_moves_all_become_claimable) {
    sw_store *store = store_in_memory();
    for (int i = 0; i < 600; i++) submit_at(store, 0, 1000 + i);
    advance(store, 10000);
    int64_t claimed = 0;
    for (sw_attempt *attempt = NULL; CODE_OF(claim_code(store, &attempt)) == SW_OK; claimed++) {
        finish(attempt, "1");
    }
    CHECK_INT(600, claimed);
    sw_store_close(store);
}

/* ---- Queues and filters ------------------------------------------------------------------- */

TEST(queues_are_apart_and_an_absent_one_is_default) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.queue = "mail";
    options.queue_len = SW_NTS;
    struct run_id mail = submit_with(store, "w", &options);
    CHECK_NOTHING_TO_CLAIM(store);
    struct run_id plain = submit(store, "w", NULL);
    sw_attempt *attempt = claim_with(store, "default", NULL);
    CHECK_TEXT(plain.text, sw_attempt_run_id(attempt, NULL));
    CHECK_TEXT("default", sw_attempt_queue(attempt, NULL));
    finish(attempt, "1");
    attempt = claim_with(store, "mail", NULL);
    CHECK_TEXT(mail.text, sw_attempt_run_id(attempt, NULL));
    finish(attempt, "1");
    sw_store_close(store);
}

static sw_claim_options filter(const char *workflows, const char *code_versions) {
    sw_claim_options options = claim_options();
    options.workflows = workflows;
    options.workflows_len = SW_NTS;
    options.code_versions = code_versions;
    options.code_versions_len = SW_NTS;
    return options;
}

static int32_t claim_filtered(sw_store *store, const char *workflows, const char *code_versions,
                              sw_attempt **out) {
    sw_claim_options options = filter(workflows, code_versions);
    return sw_run_claim(store, ABSENT, &options, out, ERR);
}

TEST(a_claim_takes_only_the_workflows_it_names) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = NULL;
    struct run_id a = submit(store, "a", NULL), b = submit(store, "b", NULL);
    struct run_id c = submit(store, "c", NULL);
    CHECK_CODE(SW_NONE, claim_filtered(store, "[\"d\"]", NULL, &attempt));
    CHECK_CODE(SW_NONE, claim_filtered(store, "[\"A\"]", NULL, &attempt));
    REQUIRE_CODE(SW_OK, claim_filtered(store, "[\"c\", \"b\"]", NULL, &attempt));
    CHECK_TEXT(b.text, sw_attempt_run_id(attempt, NULL));
    finish(attempt, "1");
    REQUIRE_CODE(SW_OK, claim_filtered(store, "[\"c\", \"\\u0062\"]", NULL, &attempt));
    CHECK_TEXT(c.text, sw_attempt_run_id(attempt, NULL));
    finish(attempt, "1");
    CHECK_CODE(SW_NONE, claim_filtered(store, "[\"b\",\"c\"]", NULL, &attempt));
    CHECK(attempt == NULL);
    CHECK_NEXT(store, a);
    sw_store_close(store);
}

static struct run_id submit_version(sw_store *store, const char *code_version) {
    sw_submit_options options = submit_options();
    options.code_version = code_version;
    options.code_version_len = SW_NTS;
    return submit_with(store, "w", &options);
}

TEST(a_claim_with_code_versions_also_takes_runs_without_one) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = NULL;
    struct run_id second = submit_version(store, "v2"), first = submit_version(store, "v1");
    struct run_id none = submit(store, "w", NULL);
    REQUIRE_CODE(SW_OK, claim_filtered(store, NULL, "[\"v1\"]", &attempt));
    CHECK_TEXT(first.text, sw_attempt_run_id(attempt, NULL));
    finish(attempt, "1");
    REQUIRE_CODE(SW_OK, claim_filtered(store, NULL, "[\"v1\"]", &attempt));
    CHECK_TEXT(none.text, sw_attempt_run_id(attempt, NULL));
    finish(attempt, "1");
    CHECK_CODE(SW_NONE, claim_filtered(store, NULL, "[\"v1\"]", &attempt));
    CHECK_NEXT(store, second);
    sw_store_close(store);
}

TEST(a_filter_that_is_no_array_of_names_is_refused) {
    sw_store *store = store_in_memory();
    submit(store, "a", NULL);
    static const char *const wrong[] = {"\"a\"", "{\"a\":1}", "[1]", "[\"a\",]", "[null]", "", "a"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        sw_attempt *attempt = POISON(sw_attempt);
        CHECK_CODE(SW_ERR_INVALID, claim_filtered(store, wrong[i], NULL, &attempt));
        CHECK_CODE(SW_ERR_INVALID, claim_filtered(store, NULL, wrong[i], &attempt));
        CHECK(attempt == NULL);
    }
    finish(claim(store), "1");
    sw_store_close(store);
}

TEST(a_local_run_is_claimed_by_its_own_handle_until_that_closes) {
    const char *path = temp_path("new.db");
    sw_store *own = store_open(path, 0), *other = store_open(path, 0);
    sw_submit_options options = submit_options();
    options.flags = SW_SUBMIT_LOCAL;
    struct run_id first = submit_with(own, "w", &options);
    struct run_id second = submit_with(own, "w", &options);
    CHECK_NOTHING_TO_CLAIM(other);
    CHECK_NEXT(own, first);
    CHECK_NOTHING_TO_CLAIM(other);
    sw_store_close(own);
    CHECK_NEXT(other, second);
    sw_store_close(other);
}

/* ---- Leases and workers ------------------------------------------------------------------- */

TEST(a_claim_may_name_its_lease) {
    sw_store *store = store_in_memory();
    sw_claim_options options = claim_options();
    sw_attempt *attempt = POISON(sw_attempt);
    submit(store, "w", NULL);
    options.lease_ms = 999;
    CHECK_CODE(SW_ERR_INVALID, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    CHECK_SAYS("999");
    options.lease_ms = 3600001;
    CHECK_CODE(SW_ERR_INVALID, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    CHECK(attempt == NULL);
    options.lease_ms = 3600000;
    attempt = claim_with(store, NULL, &options);
    CHECK_INT(sw_store_now_ms(store) + 3600000, sw_attempt_lease_expires_at_ms(attempt));
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    options.lease_ms = 1000;
    attempt = claim_with(store, NULL, &options);
    CHECK_INT(sw_store_now_ms(store) + 1000, sw_attempt_lease_expires_at_ms(attempt));
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(the_options_of_a_claim_are_sized_and_flagged) {
    sw_store *store = store_in_memory();
    sw_attempt *attempt = POISON(sw_attempt);
    submit(store, "w", NULL);
    sw_claim_options options = {.struct_size = 7};
    CHECK_CODE(SW_ERR_INVALID, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    options = claim_options();
    options.flags = 1u << 31;
    CHECK_CODE(SW_ERR_UNSUPPORTED, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    options = claim_options();
    options.reserved = 1;
    CHECK_CODE_IN(sw_run_claim(store, ABSENT, &options, &attempt, ERR), SW_ERR_INVALID,
                  SW_ERR_UNSUPPORTED);
    CHECK(attempt == NULL);
    options = (sw_claim_options){.struct_size = 8, .wait_ms = -99, .lease_ms = 1};
    attempt = claim_with(store, NULL, &options);
    finish(attempt, "1");
    sw_store_close(store);
}

/* ---- Waiting ------------------------------------------------------------------------------ */

TEST(a_wait_that_finds_nothing_ends_with_none_after_its_time) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    sw_claim_options options = claim_options();
    sw_attempt *attempt = POISON(sw_attempt);
    options.wait_ms = 80;
    int64_t start = steady_ms();
    CHECK_CODE(SW_NONE, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    CHECK_BETWEEN(79, 2000, steady_ms() - start);
    CHECK(attempt == NULL);
    options.wait_ms = -2;
    CHECK_CODE(SW_ERR_INVALID, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    options.wait_ms = INT64_MIN;
    CHECK_CODE(SW_ERR_INVALID, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    sw_store_close(store);
}

struct waiter {
    sw_store *store;
    sw_stop *stop;
    int64_t wait_ms;
    int32_t code;
    _Atomic bool is_waiting;
    int64_t woken_at;
    struct run_id id;
};

static void wait_for_a_run(void *shared) {
    struct waiter *waiter = shared;
    sw_claim_options options = claim_options();
    sw_attempt *attempt = NULL;
    options.wait_ms = waiter->wait_ms;
    options.stop = waiter->stop;
    waiter->is_waiting = true;
    waiter->code = sw_run_claim(waiter->store, ABSENT, &options, &attempt, NULL);
    waiter->woken_at = steady_ms();
    if (waiter->code == SW_OK) {
        strcpy(waiter->id.text, sw_attempt_run_id(attempt, NULL));
        finish(attempt, "1");
    }
}

/* The thread is in its wait, or so near to it that what follows wakes it all the same. */
static struct companion *start_waiting(struct waiter *waiter) {
    struct companion *companion = thread_start(wait_for_a_run, waiter);
    while (!waiter->is_waiting) pause_ms(1);
    pause_ms(100);
    return companion;
}

/* Well under the second after which a waiter looks without having been woken. */
#define WAKE_MS_MAX 500

TEST(a_submit_wakes_a_waiting_claim) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0), *other = store_open(path, 0);
    sw_store *const submitters[] = {store, other};
    for (int i = 0; i < 2; i++) {
        struct waiter waiter = {.store = store, .wait_ms = SW_FOREVER};
        struct companion *companion = start_waiting(&waiter);
        int64_t start = steady_ms();
        struct run_id id = submit(submitters[i], "w", NULL);
        thread_join(companion);
        CHECK_INT(SW_OK, waiter.code);
        CHECK_TEXT(id.text, waiter.id.text);
        CHECK_BETWEEN(0, WAKE_MS_MAX, waiter.woken_at - start);
    }
    sw_store_close(other);
    sw_store_close(store);
}

ROLE(submit_when_asked) {
    char line[16];
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    tell("ready");
    while (fgets(line, sizeof line, stdin) != NULL) tell("%s", submit(store, "w", NULL).text);
    sw_store_close(store);
    return 0;
}

TEST(a_submit_of_another_process_wakes_a_waiting_claim) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    struct child *child = child_start("submit_when_asked", path, NULL);
    CHECK_TEXT("ready", child_line(child));
    struct waiter waiter = {.store = store, .wait_ms = 20000};
    struct companion *companion = start_waiting(&waiter);
    int64_t start = steady_ms();
    fprintf(child->to, "now\n");
    fflush(child->to);
    const char *id = child_line(child);
    thread_join(companion);
    CHECK_INT(SW_OK, waiter.code);
    CHECK_TEXT(id, waiter.id.text);
    CHECK_BETWEEN(0, WAKE_MS_MAX, waiter.woken_at - start);
    child_finish(child);
    sw_store_close(store);
}

TEST(an_advance_that_makes_a_run_due_wakes_a_waiting_claim) {
    sw_store *store = store_in_memory();
    struct run_id id = submit_at(store, 0, 86400000);
    struct waiter waiter = {.store = store, .wait_ms = SW_FOREVER};
    struct companion *companion = start_waiting(&waiter);
    int64_t start = steady_ms();
    advance(store, 86400000);
    thread_join(companion);
    CHECK_INT(SW_OK, waiter.code);
    CHECK_TEXT(id.text, waiter.id.text);
    CHECK_BETWEEN(0, WAKE_MS_MAX, waiter.woken_at - start);
    sw_store_close(store);
}

TEST(a_waiting_claim_takes_a_run_when_it_falls_due) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    struct run_id id = submit_at(store, 0, 300);
    int64_t start = steady_ms();
    struct waiter waiter = {.store = store, .wait_ms = 20000};
    thread_join(start_waiting(&waiter));
    CHECK_TEXT(id.text, waiter.id.text);
    CHECK_BETWEEN(250, 300 + WAKE_MS_MAX, waiter.woken_at - start);
    sw_store_close(store);
}

TEST(a_release_wakes_a_waiting_claim) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct waiter waiter = {.store = store, .wait_ms = SW_FOREVER};
    struct companion *companion = start_waiting(&waiter);
    int64_t start = steady_ms();
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    thread_join(companion);
    CHECK_INT(SW_OK, waiter.code);
    CHECK_BETWEEN(0, WAKE_MS_MAX, waiter.woken_at - start);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(a_fired_stop_ends_present_and_later_waits) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    struct waiter waiter = {.store = store, .wait_ms = SW_FOREVER};
    REQUIRE_CODE(SW_OK, sw_stop_new(&waiter.stop, ERR));
    struct companion *companion = start_waiting(&waiter);
    int64_t start = steady_ms();
    sw_stop_fire(waiter.stop);
    thread_join(companion);
    CHECK_INT(SW_NONE, waiter.code);
    CHECK_BETWEEN(0, WAKE_MS_MAX, waiter.woken_at - start);
    sw_stop_fire(waiter.stop);
    start = steady_ms();
    wait_for_a_run(&waiter);
    CHECK_INT(SW_NONE, waiter.code);
    CHECK_BETWEEN(0, WAKE_MS_MAX, waiter.woken_at - start);
    sw_stop_free(waiter.stop);
    sw_store_close(store);
}

TEST(a_claim_whose_stop_has_fired_takes_nothing) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    struct run_id id = submit(store, "w", NULL);
    struct waiter waiter = {.store = store, .wait_ms = SW_FOREVER};
    REQUIRE_CODE(SW_OK, sw_stop_new(&waiter.stop, ERR));
    sw_stop_fire(waiter.stop);
    wait_for_a_run(&waiter);
    CHECK_INT(SW_NONE, waiter.code);
    sw_attempt *attempt = claim(store);
    CHECK_TEXT(id.text, sw_attempt_run_id(attempt, NULL));
    CHECK_INT(1, sw_attempt_number(attempt));
    sw_attempt_free(attempt);
    sw_stop_free(waiter.stop);
    sw_store_close(store);
}

TEST(a_stop_ends_the_waits_of_several_stores_and_no_others) {
    sw_store *stores[2] = {store_in_memory(), store_open(temp_path("new.db"), 0)};
    struct waiter stopped[2] = {{.store = stores[0]}, {.store = stores[1]}};
    struct waiter other = {.store = stores[1], .wait_ms = SW_FOREVER};
    struct companion *companions[2];
    sw_stop *stop = NULL;
    REQUIRE_CODE(SW_OK, sw_stop_new(&stop, ERR));
    for (int i = 0; i < 2; i++) {
        stopped[i].stop = stop;
        stopped[i].wait_ms = SW_FOREVER;
        companions[i] = start_waiting(&stopped[i]);
    }
    struct companion *unstopped = start_waiting(&other);
    sw_stop_fire(stop);
    for (int i = 0; i < 2; i++) thread_join(companions[i]);
    CHECK_INT(SW_NONE, stopped[0].code);
    CHECK_INT(SW_NONE, stopped[1].code);
    struct run_id id = submit(stores[1], "w", NULL);
    thread_join(unstopped);
    CHECK_TEXT(id.text, other.id.text);
    sw_stop_free(stop);
    sw_store_close(stores[0]);
    sw_store_close(stores[1]);
}

TEST(a_waiting_claim_burns_no_processor_time) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    struct waiter waiter = {.store = store, .wait_ms = 1500};
    clock_t start = clock();
    wait_for_a_run(&waiter);
    CHECK_INT(SW_NONE, waiter.code);
    CHECK_BETWEEN(0, 150, (clock() - start) * 1000 / CLOCKS_PER_SEC);
    sw_store_close(store);
}
