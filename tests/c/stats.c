/* Looking at a store as a whole: counts, queues, owners, the file. */
#include "support.h"

#include "reader.h"

static struct value *stats(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_store_stats(store, &text, ERR));
    struct value *document = value_read(take_text(text));
    REQUIRE(document != NULL);
    CHECK_KEYS(document, "at_ms", "runs", "oldest_ready_at_ms", "oldest_ready_for_ms",
               "next_due_at_ms", "queues", "full", "owners", "file", "writer");
    return document;
}

static struct value *queues(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_queue_list(store, &text, ERR));
    struct value *list = value_read(take_text(text));
    REQUIRE(list != NULL && list->kind == VALUE_ARRAY);
    return list;
}

static struct value *owners(sw_store *store) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_owner_list(store, &text, ERR));
    struct value *list = value_read(take_text(text));
    REQUIRE(list != NULL && list->kind == VALUE_ARRAY);
    return list;
}

static struct value *queue_named(sw_store *store, const char *name) {
    struct value *list = queues(store);
    for (size_t i = 0; i < list->count; i++) {
        struct value *queue = value_at(list, i);
        CHECK_KEYS(queue, "queue", "concurrency", "concurrency_per_key", "paused", "running",
                   "ready", "delayed", "waiting", "blocked", "oldest_ready_at_ms",
                   "last_claimed_at_ms", "at_least");
        if (strcmp(text_in(queue, "queue"), name) == 0) return queue;
    }
    fail_at(__FILE__, __LINE__, "no queue %s", name);
    return NULL;
}

static void set_queue(sw_store *store, const char *queue, const char *settings) {
    REQUIRE_CODE(SW_OK, sw_queue_set(store, NTS(queue), NTS(settings), ERR));
}

TEST(an_empty_store_has_nothing_to_tell) {
    sw_store *store = store_in_memory();
    struct value *document = stats(store);
    CHECK_INT_IN(0, value_in(document, "runs"), "total");
    CHECK_INT(0, value_in(document, "queues")->count);
    CHECK_INT(0, value_in(document, "owners")->count);
    CHECK(is_null_in(document, "oldest_ready_at_ms") && is_null_in(document, "next_due_at_ms"));
    CHECK_INT_IN(0, value_in(document, "file"), "log_bytes");
    CHECK_INT(0, queues(store)->count);
    CHECK_INT(0, owners(store)->count);
    sw_store_close(store);
}

TEST(runs_are_counted_by_state_and_by_queue) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.queue = "q";
    options.queue_len = 1;
    for (int i = 0; i < 3; i++) submit_with(store, "w", &options);
    options.run_at_ms = sw_store_now_ms(store) + 5000;
    submit_with(store, "w", &options);
    int64_t begun = sw_store_now_ms(store);
    advance(store, 10);
    for (int i = 0; i < 5; i++) submit(store, "w", NULL);
    struct run_id aside = submit(store, "w", NULL);
    CHECK_CODE(SW_OK, sw_run_pause(store, NTS(aside.text), ERR));
    finish(claim(store), "1");
    sw_attempt *attempt = claim(store);
    CHECK_CODE(SW_FAILED, sw_attempt_fail(attempt, NTS("1"),
                                          &(sw_fail_options){.struct_size = sizeof(sw_fail_options),
                                                             .flags = SW_FAIL_TERMINAL},
                                          ERR));
    sw_attempt_free(attempt);
    attempt = claim(store);
    sw_text *none = NULL;
    CHECK_CODE(SW_SUSPEND, sw_signal_await(attempt, NTS("go"), SW_FOREVER, &none, ERR));
    park(attempt);
    attempt = claim(store);
    advance(store, 7);
    struct value *document = stats(store), *runs = value_in(document, "runs");
    CHECK_KEYS(runs, "total", "pending", "running", "waiting", "paused", "completed", "failed",
               "cancelled", "at_least", "at_most");
    CHECK_INT_IN(10, runs, "total");
    CHECK_INT_IN(5, runs, "pending");
    CHECK_INT_IN(1, runs, "running");
    CHECK_INT_IN(1, runs, "waiting");
    CHECK_INT_IN(1, runs, "paused");
    CHECK_INT_IN(1, runs, "completed");
    CHECK_INT_IN(1, runs, "failed");
    CHECK_INT_IN(0, runs, "cancelled");
    CHECK_INT(0, value_in(runs, "at_least")->count);
    CHECK_INT(0, value_in(runs, "at_most")->count);
    CHECK_INT_IN(begun, document, "oldest_ready_at_ms");
    CHECK_INT_IN(17, document, "oldest_ready_for_ms");
    CHECK_INT_IN(begun + 5000, document, "next_due_at_ms");
    struct value *queue = queue_named(store, "q");
    CHECK_INT_IN(3, queue, "ready");
    CHECK_INT_IN(1, queue, "delayed");
    CHECK_INT_IN(begun, queue, "oldest_ready_at_ms");
    CHECK(is_null_in(queue, "last_claimed_at_ms") && is_null_in(queue, "concurrency"));
    queue = queue_named(store, "default");
    CHECK_INT_IN(1, queue, "ready");
    CHECK_INT_IN(1, queue, "running");
    CHECK_INT_IN(1, queue, "waiting");
    CHECK_INT_IN(begun + 10, queue, "last_claimed_at_ms");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(limits_that_are_reached_name_who_fills_them) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.concurrency_key = "k";
    options.concurrency_key_len = 1;
    set_queue(store, "default", "{\"concurrency\":2,\"concurrency_per_key\":1}");
    set_queue(store, "idle", "{\"paused\":true}");
    struct run_id first = submit_with(store, "w", &options);
    submit_with(store, "w", &options);
    submit(store, "w", NULL);
    sw_attempt *one = claim(store), *two = claim(store);
    struct value *full = value_in(stats(store), "full");
    REQUIRE(full->count == 2);
    CHECK_KEYS(value_at(full, 0), "queue", "concurrency_key", "limit", "running", "run_ids");
    CHECK(is_null_in(value_at(full, 0), "concurrency_key"));
    CHECK_INT_IN(2, value_at(full, 0), "limit");
    CHECK_INT(2, value_in(value_at(full, 0), "run_ids")->count);
    CHECK_TEXT_IN("k", value_at(full, 1), "concurrency_key");
    CHECK_INT_IN(1, value_at(full, 1), "running");
    CHECK_TEXT(first.text, value_at(value_in(value_at(full, 1), "run_ids"), 0)->text);
    struct value *queue = queue_named(store, "default");
    CHECK_INT_IN(1, queue, "blocked");
    CHECK_INT_IN(2, queue, "concurrency");
    queue = queue_named(store, "idle");
    CHECK(value_in(queue, "paused")->kind == VALUE_TRUE);
    finish(one, "1");
    finish(two, "1");
    CHECK_INT(0, value_in(stats(store), "full")->count);
    sw_store_close(store);
}

ROLE(hold_two) {
    REQUIRE(argc == 1);
    sw_store *store = store_open(argv[0], 0);
    claim_soon(store);
    claim_soon(store);
    tell("%d", (int)getpid());
    wait_for_the_end();
    return 0;
}

TEST(owners_are_told_with_what_they_hold_and_whether_they_live) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0), *reader = NULL;
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    for (int i = 0; i < 3; i++) submit(store, "w", NULL);
    struct child *child = child_start("hold_two", path, NULL);
    long long pid = strtoll(child_line(child), NULL, 10);
    sw_attempt *attempt = claim(store);
    sw_store *both[] = {store, reader};
    for (int i = 0; i < 2; i++) {
        struct value *list = owners(both[i]);
        REQUIRE(list->count == 2);
        struct value *other = value_at(list, 0), *own = value_at(list, 1);
        CHECK_KEYS(other, "owner_id", "pid", "alive", "opened_at_ms", "running",
                   "oldest_lease_at_ms");
        CHECK_INT_IN(pid, other, "pid");
        CHECK_INT_IN(2, other, "running");
        CHECK_INT_IN(1, own, "running");
        CHECK_INT_IN((long long)getpid(), own, "pid");
        CHECK(value_in(other, "alive")->kind == VALUE_TRUE);
        CHECK(value_in(own, "alive")->kind == VALUE_TRUE);
    }
    child_kill(child);
    for (int i = 0; i < 2; i++) {
        CHECK(value_in(value_at(owners(both[i]), 0), "alive")->kind == VALUE_FALSE);
    }
    finish(attempt, "1");
    sw_store_close(reader);
    sw_store_close(store);
}

// What a writer says of the writes of one function; NULL where there were none.
static struct value *call_in(struct value *writer, const char *name) {
    struct value *calls = value_in(writer, "calls");
    for (size_t i = 0; i < calls->count; i++) {
        struct value *call = value_at(calls, i);
        if (strcmp(value_in(call, "call")->text, name) == 0) return call;
    }
    return NULL;
}

TEST(the_file_and_what_was_written_are_told) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0), *reader = NULL;
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    for (int i = 0; i < 3; i++) submit(store, "w", NULL);
    struct value *document = stats(store), *file = value_in(document, "file");
    CHECK_KEYS(file, "page_bytes", "pages", "bytes", "free_bytes", "log_bytes");
    CHECK_INT(value_in(file, "page_bytes")->integer * value_in(file, "pages")->integer,
              value_in(file, "bytes")->integer);
    CHECK_INT(file_read(lend_format("%s-wal", path)).len, value_in(file, "log_bytes")->integer);
    struct value *writer = value_in(document, "writer");
    CHECK_KEYS(writer, "commits", "writes", "largest_batch", "batches", "syncs", "syncs_shared",
               "turn_waits", "turn_wait_ms", "calls");
    CHECK(value_in(writer, "commits")->integer >= 4);
    CHECK_INT(value_in(writer, "commits")->integer, value_in(writer, "writes")->integer);
    CHECK_INT_IN(1, writer, "largest_batch");
    CHECK_KEYS(value_in(writer, "batches"), "1", "2_7", "8_63", "64_up");
    CHECK_INT_IN(value_in(writer, "commits")->integer, value_in(writer, "batches"), "1");
    CHECK(value_in(writer, "syncs")->integer >= 4);
    struct value *submits = call_in(writer, "sw_run_submit");
    CHECK_KEYS(submits, "call", "writes", "took_ms", "longest_ms");
    CHECK_INT_IN(3, submits, "writes");
    CHECK(value_in(submits, "longest_ms")->integer <= value_in(submits, "took_ms")->integer);
    CHECK_INT_IN(1, call_in(writer, "sw_store_init"), "writes");
    CHECK(call_in(writer, "sw_run_claim") == NULL);
    CHECK(is_null_in(stats(reader), "writer"));
    sw_store_close(reader);
    sw_store_close(store);
}

TEST(counts_stop_at_their_bound_and_say_so) {
    sw_store *store = store_in_memory();
    char *items = lend(SW_MANY_MAX * 32 + 3), *at = items;
    sw_text *text = NULL;
    *at++ = '[';
    for (int i = 0; i < SW_MANY_MAX; i++) at += sprintf(at, "%s{\"workflow\":\"w\"}", i ? "," : "");
    strcpy(at, "]");
    REQUIRE_CODE(SW_OK, sw_run_submit_many(store, NTS(items), &text, ERR));
    sw_text_free(text);
    struct value *runs = value_in(stats(store), "runs");
    CHECK_INT_IN(SW_TASKS_COUNTED_MAX, runs, "pending");
    CHECK_TEXT("pending", value_at(value_in(runs, "at_least"), 0)->text);
    CHECK_TEXT("completed", value_at(value_in(runs, "at_most"), 0)->text);
    CHECK_TEXT("ready", value_at(value_in(queue_named(store, "default"), "at_least"), 0)->text);
    sw_store_close(store);
}
