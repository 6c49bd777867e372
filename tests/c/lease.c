/* Who holds the fence: lapse, takeover, stale attempts, closing, killed processes. */
#include "support.h"

#include "reader.h"

#include <signal.h>

/* Two handles on one file; `late` has a clock on which the lease of `holder` has lapsed. */
struct takeover {
    sw_store *early, *late;
    struct run_id id;
    sw_attempt *stale, *fresh;
    sw_step *stale_step;
};

static struct takeover take_over(void) {
    struct takeover all = {.early = NULL};
    const char *path = temp_path("new.db");
    all.early = store_manual(path);
    all.id = submit(all.early, "w", NULL);
    all.stale = claim(all.early);
    do_step(all.stale, "done", "\"by the first\"");
    all.stale_step = begin(all.stale, "open");
    all.late = store_manual(path);
    CHECK_NOTHING_TO_CLAIM(all.late);
    advance(all.late, 15000);
    CHECK_NOTHING_TO_CLAIM(all.late);
    advance(all.late, 61000);
    all.fresh = claim(all.late);
    CHECK_TEXT(all.id.text, sw_attempt_run_id(all.fresh, NULL));
    return all;
}

static void end_takeover(struct takeover *all) {
    sw_step_free(all->stale_step);
    sw_attempt_free(all->stale);
    sw_store_close(all->early);
    sw_store_close(all->late);
}

TEST(a_lapsed_lease_is_claimed_by_the_next_worker) {
    struct takeover all = take_over();
    CHECK_INT(1, sw_attempt_number(all.stale));
    CHECK_INT(2, sw_attempt_number(all.fresh));
    CHECK(strcmp(sw_attempt_id(all.stale, NULL), sw_attempt_id(all.fresh, NULL)) != 0);
    finish(all.fresh, "\"by the second\"");
    CHECK_TEXT_IN("by the second", value_read(run_text(all.late, all.id.text)), "result");
    end_takeover(&all);
}

static void use_stale(const struct takeover *all) {
    sw_step *step = POISON(sw_step);
    sw_fail_options terminal = fail_options(SW_FAIL_TERMINAL, 0);
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_heartbeat(all->stale, 0, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_heartbeat(all->stale, 3600000, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_check(all->stale, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, begin_code(all->stale, "another", &step));
    CHECK(step == NULL);
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_step_complete(all->stale_step, NTS("1"), ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_step_fail(all->stale_step, NTS("1"), NULL, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_step_fail(all->stale_step, NTS("1"), &terminal, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_complete(all->stale, NTS("1"), ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_fail(all->stale, NTS("1"), NULL, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_fail(all->stale, NTS("1"), &terminal, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_release(all->stale, 0, ERR));
}

TEST(a_stale_attempt_has_lost_its_lease_everywhere_and_changes_nothing) {
    struct takeover all = take_over();
    const char *run = run_text(all.late, all.id.text);
    const char *history = history_text(all.late, all.id.text);
    use_stale(&all);
    CHECK_TEXT(run, run_text(all.late, all.id.text));
    CHECK_TEXT(history, history_text(all.late, all.id.text));
    finish(all.fresh, "1");
    run = run_text(all.late, all.id.text);
    use_stale(&all);
    CHECK_TEXT(run, run_text(all.late, all.id.text));
    end_takeover(&all);
}

TEST(the_next_attempt_replays_what_the_lapsed_one_recorded) {
    struct takeover all = take_over();
    sw_step *step = NULL;
    CHECK_CODE(SW_REPLAYED, begin_code(all.fresh, "done", &step));
    CHECK_TEXT("\"by the first\"", sw_step_result(step, NULL));
    sw_step_free(step);
    do_step(all.fresh, "open", "\"by the second\"");
    finish(all.fresh, "1");
    end_takeover(&all);
}

TEST(a_lapsed_lease_that_nobody_took_over_still_works) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    advance(store, 3600000);
    CHECK_CODE(SW_OK, sw_attempt_check(attempt, ERR));
    do_step(attempt, "s", "1");
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 3600000);
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 0, ERR));
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 3600000);
    finish(attempt, "1");
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(a_handle_takes_over_its_own_lapsed_run) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *first = claim(store);
    advance(store, 29999);
    CHECK_NOTHING_TO_CLAIM(store);
    advance(store, 1001);
    sw_attempt *second = claim(store);
    CHECK_INT(2, sw_attempt_number(second));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_complete(first, ABSENT, ERR));
    finish(second, "1");
    sw_attempt_free(first);
    sw_store_close(store);
}

/* ---- Losses ------------------------------------------------------------------------------- */

TEST(a_run_that_loses_every_attempt_ends_as_failed_by_the_engine) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    for (int i = 0; i < 3; i++) {
        sw_attempt_free(claim(store));
        advance(store, 3600000);
    }
    CHECK_NOTHING_TO_CLAIM(store);
    const struct value *run = value_read(run_text(store, id.text));
    CHECK_TEXT_IN("failed", run, "state");
    CHECK_TEXT_IN("tries", value_in(run, "error"), "$smolwf");
    CHECK(text_in(value_in(run, "error"), "message") != NULL);
    sw_store_close(store);
}

TEST(progress_starts_the_count_of_losses_anew) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.max_tries = 2;
    submit_with(store, "w", &options);
    for (int i = 0; i < 6; i++) {
        sw_attempt *attempt = claim(store);
        do_step(attempt, lend_format("s%d", i), "1");
        sw_attempt_free(attempt);
        advance(store, 3600000);
    }
    finish(claim(store), "1");
    sw_store_close(store);
}

/* ---- While alive, and an orderly close ---------------------------------------------------- */

TEST(a_lease_while_alive_holds_until_its_store_closes) {
    const char *path = temp_path("new.db");
    sw_store *holder = store_manual(path), *other = store_manual(path);
    struct run_id id = submit(holder, "w", NULL);
    sw_claim_options options = claim_options();
    options.lease_ms = SW_LEASE_WHILE_ALIVE;
    sw_attempt *attempt = claim_with(holder, NULL, &options);
    advance(other, 10LL * 86400000);
    CHECK_NOTHING_TO_CLAIM(other);
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 0, ERR));
    do_step(attempt, "s", "1");
    advance(other, 10LL * 86400000);
    CHECK_NOTHING_TO_CLAIM(other);
    sw_store_close(holder);
    sw_attempt *next = claim(other);
    CHECK_TEXT(id.text, sw_attempt_run_id(next, NULL));
    finish(next, "1");
    sw_attempt_free(attempt);
    sw_store_close(other);
}

TEST(a_heartbeat_may_turn_a_lease_into_one_while_alive) {
    const char *path = temp_path("new.db");
    sw_store *holder = store_manual(path), *other = store_manual(path);
    submit(holder, "w", NULL);
    sw_attempt *attempt = claim(holder);
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, SW_LEASE_WHILE_ALIVE, ERR));
    advance(other, 10LL * 86400000);
    CHECK_NOTHING_TO_CLAIM(other);
    finish(attempt, "1");
    sw_store_close(holder);
    sw_store_close(other);
}

TEST(closing_a_store_gives_its_attempts_back_at_once_and_charges_nothing) {
    const char *path = temp_path("new.db");
    sw_store *other = store_open(path, 0);
    sw_submit_options options = submit_options();
    options.max_tries = 1;
    struct run_id id = submit_with(other, "w", &options);
    for (uint32_t i = 1; i <= 5; i++) {
        sw_store *store = store_open(path, 0);
        sw_attempt *attempt = claim(store);
        CHECK_INT(i, sw_attempt_number(attempt));
        CHECK_NOTHING_TO_CLAIM(other);
        sw_store_close(store);
        CHECK_CODE(SW_ERR_CLOSED, sw_attempt_complete(attempt, ABSENT, ERR));
        sw_attempt_free(attempt);
        CHECK_STATE("pending", other, id.text);
    }
    CHECK_INT_IN(0, value_read(run_text(other, id.text)), "tries");
    finish(claim(other), "1");
    sw_store_close(other);
}

TEST(freeing_an_attempt_does_not_give_its_run_back) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt_free(claim(store));
    CHECK_NOTHING_TO_CLAIM(store);
    CHECK_STATE("running", store, id.text);
    advance(store, 31000);
    finish(claim(store), "1");
    sw_store_close(store);
}

TEST(closing_a_store_also_gives_back_attempts_that_were_freed) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0), *other = store_open(path, 0);
    submit(store, "w", NULL);
    sw_attempt_free(claim(store));
    CHECK_NOTHING_TO_CLAIM(other);
    sw_store_close(store);
    finish(claim(other), "1");
    sw_store_close(other);
}

/* ---- Killed processes --------------------------------------------------------------------- */

/* Claims `count` runs with a lease of `lease_ms`, records a step in each, tells, and waits. */
ROLE(hold_claims) {
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    sw_claim_options options = claim_options();
    options.lease_ms = (uint32_t)strtoul(argv[2], NULL, 10);
    for (int i = 0; i < atoi(argv[1]); i++) {
        sw_attempt *attempt = claim_with(store, NULL, &options);
        do_step(attempt, "kept", "\"by the dead\"");
        sw_attempt_free(attempt);
    }
    tell("claimed");
    wait_for_the_end();
    sw_store_close(store);
    return 0;
}

static void take_from_killed(const char *lease_ms) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    for (int i = 0; i < 3; i++) submit(store, "w", NULL);
    struct child *child = child_start("hold_claims", path, "3", lease_ms, NULL);
    REQUIRE(check_text(__FILE__, __LINE__, "child", "claimed", child_line(child)));
    CHECK_NOTHING_TO_CLAIM(store);
    child_kill(child);
    int64_t start = steady_ms();
    for (int i = 0; i < 3; i++) {
        sw_step *step = NULL;
        sw_attempt *attempt = claim_soon(store);
        CHECK_INT(2, sw_attempt_number(attempt));
        CHECK_CODE(SW_REPLAYED, begin_code(attempt, "kept", &step));
        CHECK_TEXT("\"by the dead\"", sw_step_result(step, NULL));
        sw_step_free(step);
        finish(attempt, "1");
    }
    CHECK_BETWEEN(0, 1500, steady_ms() - start);
    CHECK_NOTHING_TO_CLAIM(store);
    sw_store_close(store);
}

TEST(the_runs_of_a_killed_process_are_claimable_within_a_second) { take_from_killed("3600000"); }

TEST(a_lease_while_alive_ends_with_a_killed_process) {
    take_from_killed(lend_format("%u", SW_LEASE_WHILE_ALIVE));
}

static void claim_from_dead(void *shared) { finish(claim_soon(shared), "1"); }

TEST(a_claim_that_already_waits_takes_the_run_of_a_process_killed_meanwhile) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    submit(store, "w", NULL);
    struct child *child = child_start("hold_claims", path, "1", "3600000", NULL);
    REQUIRE(check_text(__FILE__, __LINE__, "child", "claimed", child_line(child)));
    struct companion *companion = thread_start(claim_from_dead, store);
    pause_ms(300);
    int64_t start = steady_ms();
    child_kill(child);
    thread_join(companion);
    CHECK_BETWEEN(0, 2000, steady_ms() - start);
    sw_store_close(store);
}

TEST(a_stopped_process_keeps_its_claims_while_its_lease_runs) {
    const char *path = temp_path("new.db");
    sw_store *store = store_open(path, 0);
    submit(store, "w", NULL);
    struct child *child = child_start("hold_claims", path, "1", "3600000", NULL);
    REQUIRE(check_text(__FILE__, __LINE__, "child", "claimed", child_line(child)));
    kill(child->pid, SIGSTOP);
    sw_claim_options options = claim_options();
    sw_attempt *attempt = NULL;
    options.wait_ms = 1500;
    CHECK_CODE(SW_NONE, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    kill(child->pid, SIGCONT);
    child_finish(child);
    finish(claim(store), "1");
    sw_store_close(store);
}

TEST(what_a_killed_process_submitted_is_there) {
    const char *path = temp_path("new.db");
    for (int round = 0; round < 3; round++) {
        struct child *child = child_start("submit_for_ever", path, NULL);
        const char *acknowledged[200];
        for (size_t i = 0; i < COUNT_OF(acknowledged); i++) acknowledged[i] = child_line(child);
        child_kill(child);
        sw_store *store = store_open(path, 0);
        for (size_t i = 0; i < COUNT_OF(acknowledged); i++) {
            CHECK_STATE("pending", store, acknowledged[i]);
        }
        sw_store_close(store);
    }
}

ROLE(submit_for_ever) {
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    for (;;) tell("%s", submit(store, "w", NULL).text);
    return 0;
}
