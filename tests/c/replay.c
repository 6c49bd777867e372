/*
 * Looking whether code replays what was recorded: strict attempts, attempts that run nothing, forks
 * from the end, and processes that die at a commit of their choice.
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>

static sw_attempt *claim_flags(sw_store *store, uint32_t flags) {
    sw_claim_options options = claim_options();
    options.flags = flags;
    return claim_with(store, NULL, &options);
}

static sw_attempt *claim_of_w(sw_store *store, uint32_t flags) {
    sw_claim_options options = claim_options();
    options.flags = flags;
    options.workflows = "[\"w\"]";
    options.workflows_len = SW_NTS;
    return claim_with(store, NULL, &options);
}

/* A run of one step, one sleep that is over and one child, which stands before its end. */
static struct run_id recorded(sw_store *store) {
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim_of_w(store, 0);
    char child[SW_ID_CAP];
    do_step(attempt, "charge", "1");
    REQUIRE_CODE(SW_SUSPEND, sw_sleep(attempt, NTS("pause"), 10, ERR));
    advance(store, 10);
    REQUIRE_CODE(SW_OK, sw_sleep(attempt, NTS("pause"), 10, ERR));
    REQUIRE_CODE(SW_OK, sw_child_submit(attempt, NTS("part"), NTS("other"), ABSENT, NULL, child,
                                        sizeof child, ERR));
    REQUIRE_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    return id;
}

static void replay_step(sw_attempt *attempt, const char *name) {
    sw_step *step = NULL;
    REQUIRE_CODE(SW_REPLAYED, begin_code(attempt, name, &step));
    sw_step_free(step);
}

TEST(a_strict_attempt_completes_once_it_has_asked_for_all_that_is_recorded) {
    sw_store *store = store_manual(temp_path("db"));
    struct run_id id = recorded(store);
    sw_attempt *attempt = claim_of_w(store, SW_CLAIM_STRICT);
    CHECK_CODE(SW_ERR_NONDETERMINISM, sw_attempt_complete(attempt, NTS("1"), ERR));
    CHECK_SAYS("step \"charge\" occurrence 1");
    replay_step(attempt, "charge");
    CHECK_CODE(SW_ERR_NONDETERMINISM, sw_attempt_complete(attempt, NTS("1"), ERR));
    CHECK_SAYS("sleep \"pause\"");
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("pause"), 10, ERR));
    CHECK_CODE(SW_ERR_NONDETERMINISM, sw_attempt_complete(attempt, NTS("1"), ERR));
    CHECK_SAYS("child \"part\"");
    CHECK_STATE("running", store, id.text);
    char child[SW_ID_CAP];
    CHECK_CODE(SW_REPLAYED, sw_child_submit(attempt, NTS("part"), NTS("other"), ABSENT, NULL, child,
                                            sizeof child, ERR));
    do_step(attempt, "new", "2"); /* what this attempt itself records it has asked for */
    CHECK_CODE(SW_OK, sw_attempt_complete(attempt, NTS("1"), ERR));
    CHECK_STATE("completed", store, id.text);
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(a_strict_attempt_that_lost_its_run_is_told_that_and_nothing_of_what_is_recorded) {
    sw_store *store = store_manual(temp_path("db"));
    recorded(store);
    sw_claim_options options = claim_options();
    options.flags = SW_CLAIM_STRICT;
    options.lease_ms = SW_LEASE_MS_MIN;
    options.workflows = "[\"w\"]";
    options.workflows_len = SW_NTS;
    sw_attempt *stale = claim_with(store, NULL, &options);
    advance(store, SW_LEASE_MS_MIN + 1);
    sw_attempt *attempt = claim_of_w(store, 0);
    const char *end = "[{\"attempt_complete\":{\"result\":1}}]";
    sw_text *out = NULL;
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_tx_run(store, stale, NULL, NTS(end), &out, ERR));
    CHECK_CODE(SW_ERR_LEASE_LOST, sw_attempt_complete(stale, NTS("1"), ERR));
    sw_attempt_free(stale);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_script_ends_a_strict_attempt_by_the_same_rule) {
    sw_store *store = store_manual(temp_path("db"));
    recorded(store);
    sw_attempt *attempt = claim_of_w(store, SW_CLAIM_STRICT);
    const char *end = "[{\"attempt_complete\":{\"result\":1}}]";
    sw_text *out = NULL;
    CHECK_CODE(SW_ERR_NONDETERMINISM, sw_tx_run(store, attempt, NULL, NTS(end), &out, ERR));
    CHECK_SAYS("step \"charge\"");
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(an_attempt_that_is_not_strict_or_fails_or_was_cancelled_ends_as_ever) {
    sw_store *store = store_manual(temp_path("db"));
    recorded(store);
    sw_attempt *attempt = claim_of_w(store, 0);
    CHECK_CODE(SW_OK, sw_attempt_complete(attempt, NTS("1"), ERR));
    sw_attempt_free(attempt);
    recorded(store);
    attempt = claim_of_w(store, SW_CLAIM_STRICT);
    sw_fail_options terminal = fail_options(SW_FAIL_TERMINAL, 0);
    CHECK_CODE_IN(sw_attempt_fail(attempt, NTS("1"), &terminal, ERR), SW_OK, SW_FAILED);
    sw_attempt_free(attempt);
    struct run_id id = recorded(store);
    attempt = claim_of_w(store, SW_CLAIM_STRICT);
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(sw_attempt_run_id(attempt, NULL)), ABSENT, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(attempt, NTS("1"), ERR));
    sw_attempt_free(attempt);
    CHECK_STATE("cancelled", store, id.text);
    sw_store_close(store);
}

TEST(a_fork_from_the_end_replays_all_and_runs_nothing_new) {
    sw_store *store = store_manual(temp_path("db"));
    struct run_id id = recorded(store);
    char fork[SW_ID_CAP];
    CHECK_CODE(SW_OK, sw_run_fork(store, NTS(id.text), "", 0, fork, sizeof fork, ERR));
    finish(claim_of_w(store, 0), "1"); /* the first of the two */
    sw_attempt *attempt = claim_of_w(store, SW_CLAIM_STRICT | SW_CLAIM_REPLAY_ONLY);
    CHECK_TEXT(fork, sw_attempt_run_id(attempt, NULL));
    sw_step *step = NULL;
    CHECK_CODE(SW_ERR_NONDETERMINISM, begin_code(attempt, "charge_card", &step));
    CHECK_SAYS("step \"charge_card\" occurrence 1");
    CHECK(step == NULL);
    replay_step(attempt, "charge");
    CHECK_CODE(SW_ERR_NONDETERMINISM, begin_code(attempt, "charge", &step)); /* a second time */
    CHECK_CODE(SW_OK, sw_sleep(attempt, NTS("pause"), 10, ERR));
    char child[SW_ID_CAP];
    CHECK_CODE(SW_REPLAYED, sw_child_submit(attempt, NTS("part"), NTS("other"), ABSENT, NULL, child,
                                            sizeof child, ERR));
    CHECK_CODE(SW_OK, sw_attempt_complete(attempt, NTS("1"), ERR));
    sw_attempt_free(attempt);
    sw_store_close(store);
}

TEST(a_flag_of_a_claim_that_is_none_is_refused) {
    sw_store *store = store_in_memory();
    sw_claim_options options = claim_options();
    sw_attempt *attempt = NULL;
    options.flags = 4;
    CHECK_CODE(SW_ERR_UNSUPPORTED, sw_run_claim(store, ABSENT, &options, &attempt, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_kill_at(store, -1, SW_KILL_AFTER_COMMIT, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_kill_at(store, 1, 0, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_store_kill_at(store, 1, 3, ERR));
    submit(store, "w", NULL); /* none of them was taken */
    attempt = claim_flags(store, SW_CLAIM_STRICT | SW_CLAIM_REPLAY_ONLY);
    finish(attempt, "1"); /* nothing is recorded */
    sw_store_close(store);
}

/* ---- A process that dies at a commit ------------------------------------------------------- */

ROLE(submit_and_die) {
    if (argc < 3) return 2;
    sw_store *store = store_open(argv[0], 0);
    REQUIRE_CODE(SW_OK, sw_store_kill_at(store, 1, SW_KILL_BEFORE_COMMIT, ERR));
    REQUIRE_CODE(SW_OK, sw_store_kill_at(store, 0, SW_KILL_AFTER_COMMIT, ERR)); /* it lives */
    submit(store, "none", NULL);
    REQUIRE_CODE(SW_OK, sw_store_kill_at(store, atoll(argv[1]), atoi(argv[2]), ERR));
    for (int i = 1; i <= 3; i++) {
        submit(store, "w", NULL);
        tell("%d", i);
    }
    tell("alive");
    sw_store_close(store);
    return 0;
}

static long long runs_of(sw_store *store, const char *workflow) {
    uint64_t count = 0;
    const char *filter = lend_format("{\"workflow\":\"%s\"}", workflow);
    REQUIRE_CODE(SW_OK, sw_run_count(store, NTS(filter), 0, &count, ERR));
    return count;
}

TEST(a_process_dies_at_the_commit_that_was_named_before_or_after_it) {
    for (int commit = 1; commit <= 4; commit++) {
        for (int when = SW_KILL_BEFORE_COMMIT; when <= SW_KILL_AFTER_COMMIT; when++) {
            const char *path = temp_path(lend_format("db%d%d", commit, when));
            sw_store *store = store_open(path, 0);
            struct child *child = child_start("submit_and_die", path, lend_format("%d", commit),
                                              lend_format("%d", when), NULL);
            for (int i = 1; i < commit && i <= 3; i++) {
                CHECK_TEXT(lend_format("%d", i), child_line(child));
            }
            CHECK_TEXT(commit > 3 ? "alive" : "", child_line(child));
            if (commit > 3) {
                child_finish(child);
            } else {
                int status = 0;
                REQUIRE(waitpid(child->pid, &status, 0) == child->pid);
                CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
            }
            long long there = commit > 3 ? 3 : commit - (when == SW_KILL_BEFORE_COMMIT);
            CHECK_INT(there, runs_of(store, "w"));
            CHECK_INT(1, runs_of(store, "none"));
            sw_store_close(store);
        }
    }
}

TEST(a_store_that_is_only_read_kills_nobody) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    sw_store_close(store);
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &store, ERR));
    CHECK_CODE(SW_ERR_READONLY, sw_store_kill_at(store, 1, SW_KILL_AFTER_COMMIT, ERR));
    sw_store_close(store);
}
