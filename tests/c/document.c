/* The documents of a run and its history: exactly the keys of the contract, with true values. */
#include "support.h"

#include "reader.h"

#define CHECK_RUN_KEYS(run)                                                                        \
    CHECK_KEYS((run), "run_id", "task_id", "root_run_id", "parent_run_id", "workflow", "queue",    \
               "state", "priority", "args", "result", "error", "attempts", "tries", "max_tries",   \
               "run_at_ms", "created_at_ms", "updated_at_ms", "finished_at_ms", "metadata",        \
               "code_version", "waiting_for", "cancel_asked", "pause_asked", "last_error",         \
               "due_at_ms")

static const struct value *run_of(sw_store *store, struct run_id id) {
    const struct value *run = value_read(run_text(store, id.text));
    REQUIRE(run != NULL);
    CHECK_RUN_KEYS(run);
    CHECK_TEXT_IN(id.text, run, "run_id");
    return run;
}

static const struct value *history_of(sw_store *store, struct run_id id) {
    const struct value *history = value_read(history_text(store, id.text));
    REQUIRE(history != NULL);
    CHECK_KEYS(history, "run", "attempts", "steps", "signals", "children", "events", "next");
    CHECK_RUN_KEYS(value_in(history, "run"));
    return history;
}

/* ---- A run -------------------------------------------------------------------------------- */

TEST(the_document_of_a_pending_run_tells_how_it_was_submitted) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.queue = "mail";
    options.queue_len = SW_NTS;
    options.priority = -3;
    options.max_tries = 7;
    options.metadata = "{\"a\":[1]}";
    options.metadata_len = SW_NTS;
    options.code_version = "v1";
    options.code_version_len = SW_NTS;
    options.run_at_ms = sw_store_now_ms(store) + 5000;
    const struct value *run = run_of(store, submit_with(store, "greet", &options));
    CHECK_TEXT_IN("greet", run, "workflow");
    CHECK_TEXT_IN("mail", run, "queue");
    CHECK_TEXT_IN("pending", run, "state");
    CHECK_INT_IN(-3, run, "priority");
    CHECK_INT_IN(7, run, "max_tries");
    CHECK_RAW_IN("{\"a\":[1]}", run, "metadata");
    CHECK_TEXT_IN("v1", run, "code_version");
    CHECK_INT_IN(options.run_at_ms, run, "run_at_ms");
    CHECK_INT_IN(options.run_at_ms, run, "due_at_ms");
    CHECK_INT_IN(sw_store_now_ms(store), run, "created_at_ms");
    sw_store_close(store);
}

TEST(what_was_not_given_or_is_not_yet_is_null) {
    sw_store *store = store_in_memory();
    const struct value *run = run_of(store, submit(store, "w", NULL));
    static const char *const absent[] = {"parent_run_id", "args",        "result",
                                         "error",         "metadata",    "finished_at_ms",
                                         "code_version",  "waiting_for", "last_error"};
    for (size_t i = 0; i < COUNT_OF(absent); i++) {
        if (!is_null_in(run, absent[i])) fail_at(__FILE__, __LINE__, "%s is not null", absent[i]);
    }
    CHECK_TEXT_IN("default", run, "queue");
    CHECK_INT_IN(0, run, "priority");
    CHECK_INT_IN(0, run, "attempts");
    CHECK_INT_IN(0, run, "tries");
    CHECK_INT_IN(3, run, "max_tries");
    CHECK_INT_IN(sw_store_now_ms(store), run, "run_at_ms");
    CHECK(text_in(run, "root_run_id") != NULL);
    CHECK_TEXT_IN(text_in(run, "run_id"), run, "root_run_id");
    REQUIRE(text_in(run, "task_id") != NULL);
    CHECK(strncmp(text_in(run, "task_id"), "task_", 5) == 0 &&
          strlen(text_in(run, "task_id")) == 31);
    sw_store_close(store);
}

TEST(the_document_follows_the_run_through_its_states) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", "{\"x\":[1,{\"y\":null}]}");
    int64_t created = sw_store_now_ms(store);
    const char *task_id = text_in(run_of(store, id), "task_id");
    advance(store, 1000);
    sw_attempt *attempt = claim(store);
    const struct value *run = run_of(store, id);
    CHECK_TEXT_IN("running", run, "state");
    CHECK_INT_IN(1, run, "attempts");
    CHECK_INT_IN(0, run, "tries");
    CHECK_TEXT_IN(task_id, run, "task_id");
    advance(store, 1000);
    finish(attempt, "{\"done\":true}");
    advance(store, 1000);
    run = run_of(store, id);
    CHECK_TEXT_IN("completed", run, "state");
    CHECK_RAW_IN("{\"done\":true}", run, "result");
    CHECK_RAW_IN("{\"x\":[1,{\"y\":null}]}", run, "args");
    CHECK_INT_IN(created, run, "created_at_ms");
    CHECK_INT_IN(created + 2000, run, "finished_at_ms");
    CHECK_INT_IN(created + 2000, run, "updated_at_ms");
    CHECK_TEXT_IN(task_id, run, "task_id");
    CHECK_INT_IN(1, run, "attempts");
    sw_store_close(store);
}

TEST(a_failed_try_shows_in_the_document) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, NTS("\"why\""), NULL, ERR));
    sw_attempt_free(attempt);
    const struct value *run = run_of(store, id);
    CHECK_TEXT_IN("pending", run, "state");
    CHECK_INT_IN(1, run, "tries");
    CHECK_INT_IN(1, run, "attempts");
    CHECK(is_null_in(run, "finished_at_ms"));
    CHECK(is_null_in(run, "error"));
    CHECK_RAW_IN("\"why\"", run, "last_error");
    sw_store_close(store);
}

static void fail_next(sw_store *store, const char *error) {
    advance(store, 3600 * 1000);
    sw_attempt *attempt = claim(store);
    CHECK(sw_attempt_fail(attempt, NTS(error), NULL, ERR) >= 0);
    sw_attempt_free(attempt);
}

TEST(the_last_error_of_an_open_run_stays_until_a_newer_one_or_its_end) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    fail_next(store, "\"first\"");
    advance(store, 3600 * 1000);
    sw_attempt *attempt = claim(store);
    CHECK_RAW_IN("\"first\"", run_of(store, id), "last_error");
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    CHECK_CODE(SW_OK, sw_run_pause(store, NTS(id.text), ERR));
    CHECK_RAW_IN("\"first\"", run_of(store, id), "last_error");
    CHECK_CODE(SW_OK, sw_run_resume(store, NTS(id.text), ERR));
    fail_next(store, "{\"n\":2}");
    CHECK_RAW_IN("{\"n\":2}", run_of(store, id), "last_error");
    fail_next(store, "3");
    CHECK_TEXT_IN("failed", run_of(store, id), "state");
    CHECK(is_null_in(run_of(store, id), "last_error"));
    CHECK_RAW_IN("3", run_of(store, id), "error");
    CHECK_CODE(SW_OK, sw_run_retry(store, NTS(id.text), ERR));
    CHECK(is_null_in(run_of(store, id), "error"));
    CHECK_RAW_IN("3", run_of(store, id), "last_error");
    finish(claim(store), "1");
    CHECK(is_null_in(run_of(store, id), "last_error"));
    sw_store_close(store);
}

TEST(an_attempt_that_was_lost_leaves_the_librarys_error_as_the_last) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *lost = claim(store);
    advance(store, 31 * 1000);
    sw_attempt *attempt = claim(store);
    CHECK_TEXT_IN("lapsed", value_in(run_of(store, id), "last_error"), "$smolwf");
    finish(attempt, "1");
    sw_attempt_free(lost);
    sw_store_close(store);
}

TEST(a_cancel_or_pause_that_is_not_heard_yet_shows_in_the_document) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    CHECK_RAW_IN("false", run_of(store, id), "cancel_asked");
    CHECK_RAW_IN("false", run_of(store, id), "pause_asked");
    CHECK_CODE(SW_OK, sw_run_pause(store, NTS(id.text), ERR));
    CHECK_RAW_IN("true", run_of(store, id), "pause_asked");
    CHECK_TEXT_IN("running", run_of(store, id), "state");
    CHECK_CODE(SW_OK, sw_attempt_release(attempt, 0, ERR));
    sw_attempt_free(attempt);
    CHECK_TEXT_IN("paused", run_of(store, id), "state");
    CHECK_RAW_IN("false", run_of(store, id), "pause_asked");
    CHECK_CODE(SW_OK, sw_run_resume(store, NTS(id.text), ERR));
    attempt = claim(store);
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(id.text), ABSENT, ERR));
    CHECK_TEXT_IN("running", run_of(store, id), "state");
    CHECK_RAW_IN("true", run_of(store, id), "cancel_asked");
    CHECK(is_null_in(run_of(store, id), "last_error"));
    CHECK_CODE(SW_ERR_CANCELLED, sw_attempt_complete(attempt, NTS("1"), ERR));
    sw_attempt_free(attempt);
    CHECK_TEXT_IN("cancelled", run_of(store, id), "state");
    CHECK_RAW_IN("false", run_of(store, id), "cancel_asked");
    sw_store_close(store);
}

TEST(a_run_that_is_not_there_is_not_found) {
    sw_store *store = store_in_memory();
    char id[SW_ID_CAP];
    CHECK_CODE(SW_OK, sw_new_id(NTS("run"), id, sizeof id, ERR));
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_NOT_FOUND, sw_run_get(store, NTS(id), &text, ERR));
    CHECK_SAYS(id);
    CHECK_CODE(SW_ERR_NOT_FOUND, sw_run_history(store, NTS(id), ABSENT, 0, &text, ERR));
    CHECK(text == NULL);
    sw_store_close(store);
}

TEST(text_that_is_no_run_id_is_refused) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL), upper = id, task = id;
    for (char *c = upper.text + 4; *c != '\0'; c++) *c = (char)(*c >= 'a' ? *c - 32 : *c);
    memcpy(task.text, "tas_", 4);
    const char *wrong[] = {"x",
                           "run_",
                           upper.text,
                           task.text,
                           lend_format("%sx", id.text),
                           lend_format(" %s", id.text),
                           "run_zzzzzzzzzzzzzzzzzzzzzzzzzz"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        sw_text *text = POISON(sw_text);
        CHECK_CODE_IN(sw_run_get(store, NTS(wrong[i]), &text, ERR), SW_ERR_INVALID,
                      SW_ERR_NOT_FOUND);
        CHECK_CODE_IN(sw_run_history(store, NTS(wrong[i]), ABSENT, 0, &text, ERR), SW_ERR_INVALID,
                      SW_ERR_NOT_FOUND);
        CHECK(text == NULL);
    }
    sw_store_close(store);
}

/* ---- A history ---------------------------------------------------------------------------- */

TEST(the_history_of_a_fresh_run_is_empty) {
    sw_store *store = store_in_memory();
    const struct value *history = history_of(store, submit(store, "w", NULL));
    static const char *const lists[] = {"attempts", "steps", "signals", "children"};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct value *list = value_in(history, lists[i]);
        if (CHECK(list != NULL && list->kind == VALUE_ARRAY)) CHECK_INT(0, list->count);
    }
    CHECK(is_null_in(history, "next"));
    sw_store_close(store);
}

static sw_attempt *claim_as(sw_store *store, const char *worker) {
    sw_claim_options options = claim_options();
    options.worker = worker;
    options.worker_len = SW_NTS;
    return claim_with(store, NULL, &options);
}

static const struct value *check_attempt(const struct value *history, size_t index,
                                         const char *worker, const char *error) {
    const struct value *attempt = value_at(value_in(history, "attempts"), index);
    CHECK_KEYS(attempt, "attempt_id", "number", "worker", "state", "started_at_ms", "ended_at_ms",
               "error");
    CHECK_INT_IN((int64_t)index + 1, attempt, "number");
    CHECK_RAW_IN(worker, attempt, "worker");
    CHECK_RAW_IN(error, attempt, "error");
    CHECK(text_in(attempt, "state") != NULL);
    return attempt;
}

TEST(the_history_lists_each_attempt_with_its_worker_times_and_error) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    int64_t start = sw_store_now_ms(store);
    sw_attempt *attempt = claim_as(store, "worker 1");
    const char *first_id = lend_format("%s", sw_attempt_id(attempt, NULL));
    advance(store, 500);
    CHECK_CODE(SW_SUSPEND, sw_attempt_fail(attempt, NTS("{\"e\":1}"), NULL, ERR));
    sw_attempt_free(attempt);
    advance(store, 1500);
    attempt = claim(store);
    const struct value *history = history_of(store, id);
    CHECK_INT(2, value_in(history, "attempts")->count);
    const struct value *first = check_attempt(history, 0, "\"worker 1\"", "{\"e\":1}");
    CHECK_TEXT_IN(first_id, first, "attempt_id");
    CHECK_INT_IN(start, first, "started_at_ms");
    CHECK_INT_IN(start + 500, first, "ended_at_ms");
    const struct value *second = check_attempt(history, 1, "null", "null");
    CHECK_TEXT_IN(sw_attempt_id(attempt, NULL), second, "attempt_id");
    CHECK_TEXT_IN("running", second, "state");
    CHECK_INT_IN(start + 2000, second, "started_at_ms");
    CHECK(is_null_in(second, "ended_at_ms"));
    finish(attempt, "1");
    second = check_attempt(history_of(store, id), 1, "null", "null");
    CHECK_TEXT_IN("completed", second, "state");
    CHECK_INT_IN(start + 2000, second, "ended_at_ms");
    sw_store_close(store);
}

static const struct value *check_step(const struct value *history, size_t index, const char *name) {
    const struct value *step = value_at(value_in(history, "steps"), index);
    CHECK_KEYS(step, "step_id", "name", "occurrence", "kind", "state", "tries", "input_hash",
               "result", "error", "started_at_ms", "ended_at_ms");
    CHECK_TEXT_IN(name, step, "name");
    CHECK(text_in(step, "state") != NULL);
    return step;
}

/* A step of kind "agent" with an input, begun now and completed 250 ms later. */
static const char *do_agent_step(sw_store *store, sw_attempt *attempt) {
    sw_step_options options = step_options();
    sw_step *step = NULL;
    options.kind = "agent";
    options.kind_len = SW_NTS;
    REQUIRE_CODE(SW_OK, sw_step_begin(attempt, NTS("ask"), NTS("{\"q\":1}"), &options, &step, ERR));
    const char *id = lend_format("%s", sw_step_id(step, NULL));
    advance(store, 250);
    CHECK_CODE(SW_OK, sw_step_complete(step, NTS("[1, 2]"), ERR));
    sw_step_free(step);
    return id;
}

TEST(the_history_lists_each_step_in_the_order_of_recording) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    int64_t start = sw_store_now_ms(store);
    const char *step_id = do_agent_step(store, attempt);
    sw_step *failing = begin(attempt, "fail");
    sw_fail_options terminal = fail_options(SW_FAIL_TERMINAL, 0);
    CHECK_CODE(SW_FAILED, sw_step_fail(failing, NTS("{\"no\":1}"), &terminal, ERR));
    sw_step_free(failing);
    do_step(attempt, "ask", NULL);
    const struct value *history = history_of(store, id);
    CHECK_INT(3, value_in(history, "steps")->count);
    const struct value *step = check_step(history, 0, "ask");
    CHECK_TEXT_IN(step_id, step, "step_id");
    CHECK_INT_IN(1, step, "occurrence");
    CHECK_TEXT_IN("agent", step, "kind");
    CHECK_TEXT_IN("completed", step, "state");
    CHECK_RAW_IN("[1, 2]", step, "result");
    CHECK_RAW_IN("null", step, "error");
    CHECK_INT_IN(start, step, "started_at_ms");
    CHECK_INT_IN(start + 250, step, "ended_at_ms");
    const char *hash = text_in(step, "input_hash");
    CHECK(hash != NULL && strlen(hash) == 32 && strspn(hash, "0123456789abcdef") == 32);
    step = check_step(history, 1, "fail");
    CHECK_TEXT_IN("failed", step, "state");
    CHECK_RAW_IN("{\"no\":1}", step, "error");
    CHECK_RAW_IN("null", step, "result");
    CHECK_INT_IN(1, step, "tries");
    step = check_step(history, 2, "ask");
    CHECK_INT_IN(2, step, "occurrence");
    CHECK(is_null_in(step, "input_hash"));
    CHECK_RAW_IN("null", step, "result");
    finish(attempt, "1");
    sw_store_close(store);
}

/* Reads a history page by page and marks the steps it saw; answers the number of pages. */
static int read_pages(sw_store *store, struct run_id id, uint32_t limit, int *seen, int count) {
    const char *cursor = NULL;
    int pages = 0;
    do {
        sw_text *text = NULL;
        REQUIRE_CODE(SW_OK, sw_run_history(store, NTS(id.text), NTS(cursor), limit, &text, ERR));
        const struct value *page = value_read(lend_format("%s", sw_text_data(text, NULL)));
        sw_text_free(text);
        const struct value *steps = value_in(page, "steps");
        REQUIRE(steps != NULL);
        for (size_t i = 0; i < steps->count; i++) {
            int number = -1;
            CHECK(sscanf(text_in(value_at(steps, i), "name"), "s%d", &number) == 1);
            if (CHECK(number >= 0 && number < count)) seen[number]++;
        }
        CHECK(is_null_in(page, "next") || text_in(page, "next") != NULL);
        cursor = text_in(page, "next");
    } while (++pages < 1000 && cursor != NULL);
    return pages;
}

TEST(a_long_history_is_read_in_pages_without_gap_or_repeat) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    for (int i = 0; i < 25; i++) do_step(attempt, lend_format("s%d", i), "1");
    static const uint32_t limits[] = {0, 1, 10, 25, 10000};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        int *seen = lend(25 * sizeof *seen);
        int pages = read_pages(store, id, limits[i], seen, 25);
        for (int j = 0; j < 25; j++) CHECK_INT(1, seen[j]);
        CHECK(pages < 100);
        if (limits[i] == 10) CHECK(pages >= 3);
        if (limits[i] == 0) CHECK_INT(1, pages);
    }
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_history_cursor_or_limit_that_cannot_be_is_refused) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    static const char *const wrong[] = {"", "nonsense", "-1", "99999999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        sw_text *text = POISON(sw_text);
        CHECK_CODE(SW_ERR_INVALID,
                   sw_run_history(store, NTS(id.text), NTS(wrong[i]), 0, &text, ERR));
        CHECK(text == NULL);
    }
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_INVALID, sw_run_history(store, NTS(id.text), ABSENT, 10001, &text, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_run_history(store, NTS(id.text), ABSENT, UINT32_MAX, &text, ERR));
    CHECK(text == NULL);
    sw_store_close(store);
}

TEST(a_document_stays_as_it_was_when_the_run_goes_on) {
    sw_store *store = store_in_memory();
    struct run_id id = submit(store, "w", NULL);
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_run_get(store, NTS(id.text), &text, ERR));
    const char *view = sw_text_data(text, NULL), *copy = lend_format("%s", view);
    finish(claim(store), "1");
    sw_store_close(store);
    CHECK_TEXT(copy, view);
    sw_text_free(text);
}
