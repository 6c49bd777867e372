/* Many threads and processes on one store: each run is done exactly once. */
#include "support.h"

#include "reader.h"

#include <pthread.h>

#define RUNS 200
#define THREADS 8

struct tally {
    sw_store *store;
    pthread_mutex_t lock;
    struct run_id submitted[RUNS];
    struct run_id done[RUNS * 2];
    _Atomic int submitted_count;
    _Atomic int done_count;
};

static void note_done(struct tally *tally, const char *run_id) {
    pthread_mutex_lock(&tally->lock);
    if (tally->done_count < RUNS * 2) strcpy(tally->done[tally->done_count++].text, run_id);
    pthread_mutex_unlock(&tally->lock);
}

static int compare_ids(const void *left, const void *right) {
    return strcmp(((const struct run_id *)left)->text, ((const struct run_id *)right)->text);
}

static void check_each_done_once(struct tally *tally) {
    CHECK_INT(RUNS, tally->done_count);
    qsort(tally->submitted, RUNS, sizeof tally->submitted[0], compare_ids);
    qsort(tally->done, (size_t)tally->done_count, sizeof tally->done[0], compare_ids);
    for (int i = 0; i < RUNS && i < tally->done_count; i++) {
        CHECK_TEXT(tally->submitted[i].text, tally->done[i].text);
    }
}

/* A run's result is its own args, found again through a step. */
static void work_on(sw_attempt *attempt) {
    sw_step *step = begin(attempt, "echo");
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS(sw_attempt_args(attempt, NULL)), ERR));
    sw_step_free(step);
    do_step(attempt, "echo", "2");
    CHECK_CODE(SW_OK, sw_attempt_heartbeat(attempt, 0, ERR));
    finish(attempt, sw_attempt_args(attempt, NULL));
}

static void check_results(sw_store *store, struct tally *tally) {
    for (int i = 0; i < RUNS; i++) {
        const struct value *run = value_read(run_text(store, tally->submitted[i].text));
        const struct value *args = value_in(run, "args");
        CHECK_TEXT_IN("completed", run, "state");
        CHECK_INT_IN(1, run, "attempts");
        if (CHECK(args != NULL)) CHECK_INT_IN(args->integer, run, "result");
    }
}

/* ---- Threads ------------------------------------------------------------------------------ */

static void submit_and_work(int index, void *shared) {
    struct tally *tally = shared;
    sw_attempt *attempt = NULL;
    for (int i = 0; i < RUNS / THREADS; i++) {
        int at = index * (RUNS / THREADS) + i;
        tally->submitted[at] = submit(tally->store, "w", lend_format("%d", at));
        tally->submitted_count++;
        if (CODE_OF(claim_code(tally->store, &attempt)) != SW_OK) continue;
        note_done(tally, sw_attempt_run_id(attempt, NULL));
        work_on(attempt);
    }
    while (tally->submitted_count < RUNS) pause_ms(1);
    while (CODE_OF(claim_code(tally->store, &attempt)) == SW_OK) {
        note_done(tally, sw_attempt_run_id(attempt, NULL));
        work_on(attempt);
    }
    CHECK(last_error == NULL && attempt == NULL);
}

static void in_eight_threads(sw_store *store) {
    struct tally *tally = lend(sizeof *tally);
    tally->store = store;
    pthread_mutex_init(&tally->lock, NULL);
    in_threads(THREADS, submit_and_work, tally);
    check_each_done_once(tally);
    check_results(store, tally);
    CHECK_NOTHING_TO_CLAIM(store);
}

TEST(eight_threads_do_each_run_of_a_file_exactly_once) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    in_eight_threads(store);
    sw_store_close(store);
}

TEST(eight_threads_do_each_run_in_memory_exactly_once) {
    sw_store *store = store_in_memory();
    in_eight_threads(store);
    sw_store_close(store);
}

static void wait_and_work(int index, void *shared) {
    struct tally *tally = shared;
    (void)index;
    sw_claim_options options = claim_options();
    options.wait_ms = 2000;
    sw_attempt *attempt = NULL;
    while (CODE_OF(sw_run_claim(tally->store, ABSENT, &options, &attempt, ERR)) == SW_OK) {
        note_done(tally, sw_attempt_run_id(attempt, NULL));
        work_on(attempt);
        if (tally->done_count >= RUNS) options.wait_ms = 0;
    }
    CHECK(last_error == NULL);
}

static void submit_all(void *shared) {
    struct tally *tally = shared;
    for (int i = 0; i < RUNS; i++) {
        tally->submitted[i] = submit(tally->store, "w", lend_format("%d", i));
    }
}

TEST(waiting_workers_share_what_is_submitted_meanwhile) {
    struct tally *tally = lend(sizeof *tally);
    tally->store = store_open(temp_path("new.db"), 0);
    pthread_mutex_init(&tally->lock, NULL);
    struct companion *submitter = thread_start(submit_all, tally);
    in_threads(THREADS, wait_and_work, tally);
    thread_join(submitter);
    check_each_done_once(tally);
    check_results(tally->store, tally);
    sw_store_close(tally->store);
}

struct shared_attempt {
    sw_attempt *attempt;
    _Atomic int conflicts;
};

static void do_own_steps(int index, void *shared) {
    struct shared_attempt *all = shared;
    for (int i = 0; i < 20; i++) do_step(all->attempt, lend_format("thread %d", index), "1");
}

TEST(threads_may_run_the_steps_of_one_attempt_side_by_side) {
    sw_store *store = store_open(temp_path("new.db"), 0);
    struct run_id id = submit(store, "w", NULL);
    struct shared_attempt all = {.attempt = claim(store)};
    in_threads(THREADS, do_own_steps, &all);
    finish(all.attempt, "1");
    const struct value *steps = value_in(value_read(history_text(store, id.text)), "steps");
    CHECK_INT(THREADS * 20, steps == NULL ? 0 : steps->count);
    sw_store_close(store);
}

static void complete_same(int index, void *shared) {
    struct shared_attempt *all = shared;
    const char *result = lend_format("%d", index % 2);
    int32_t code = CODE_OF(sw_attempt_complete(all->attempt, NTS(result), ERR));
    CHECK(code == SW_OK || code == SW_ERR_CONFLICT);
    all->conflicts += code == SW_ERR_CONFLICT;
}

TEST(of_two_results_raced_by_eight_threads_one_is_stored) {
    sw_store *store = store_in_memory();
    for (int round = 0; round < 20; round++) {
        submit(store, "w", NULL);
        struct shared_attempt all = {.attempt = claim(store)};
        in_threads(THREADS, complete_same, &all);
        CHECK_INT(THREADS / 2, all.conflicts);
        sw_attempt_free(all.attempt);
    }
    sw_store_close(store);
}

/* ---- Processes ---------------------------------------------------------------------------- */

/* Does runs of argv[0] until there are none and tells the id of each. */
ROLE(do_all_runs) {
    (void)argc;
    sw_store *store = store_open(argv[0], 0);
    sw_attempt *attempt = NULL;
    tell("ready");
    wait_for_the_end();
    while (CODE_OF(claim_code(store, &attempt)) == SW_OK) {
        tell("%s", sw_attempt_run_id(attempt, NULL));
        work_on(attempt);
    }
    CHECK(last_error == NULL);
    sw_store_close(store);
    return 0;
}

TEST(four_processes_do_each_run_exactly_once) {
    const char *path = temp_path("new.db");
    struct tally *tally = lend(sizeof *tally);
    tally->store = store_open(path, 0);
    pthread_mutex_init(&tally->lock, NULL);
    submit_all(tally);
    struct child *children[4];
    for (int i = 0; i < 4; i++) children[i] = child_start("do_all_runs", path, NULL);
    for (int i = 0; i < 4; i++) CHECK_TEXT("ready", child_line(children[i]));
    for (int i = 0; i < 4; i++) child_close_input(children[i]);
    for (int i = 0; i < 4; i++) {
        for (const char *id = child_line(children[i]); id[0] != '\0';
             id = child_line(children[i])) {
            note_done(tally, id);
        }
        child_finish(children[i]);
    }
    check_each_done_once(tally);
    check_results(tally->store, tally);
    sw_store_close(tally->store);
}
