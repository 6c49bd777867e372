/* The log: appended by attempts, read by anybody, numbered in the order of commits. */
#include "support.h"

#include "reader.h"

static int32_t append_code(sw_attempt *attempt, const char *type, const char *payload,
                           const char *key) {
    return sw_event_append(attempt, NTS(type), payload, payload == NULL ? 0 : SW_NTS, key,
                           key == NULL ? 0 : SW_NTS, ERR);
}

static struct value *events(sw_store *store, int64_t after, const char *run_id, uint32_t limit) {
    sw_text *text = NULL;
    REQUIRE_CODE(
        SW_OK, sw_event_read(store, after, run_id, run_id == NULL ? 0 : SW_NTS, limit, &text, ERR));
    struct value *document = value_read(lend_format("%s", sw_text_data(text, NULL)));
    sw_text_free(text);
    REQUIRE(document != NULL);
    CHECK_KEYS(document, "items", "first_seq", "last_seq");
    return document;
}

TEST(events_are_numbered_in_order_and_read_from_any_number) {
    sw_store *store = store_in_memory();
    struct value *none = events(store, 0, NULL, 0);
    CHECK_INT(0, value_in(none, "items")->count);
    CHECK_INT_IN(0, none, "first_seq");
    CHECK_INT_IN(0, none, "last_seq");
    struct run_id first = submit(store, "w", NULL), second = submit(store, "w", NULL);
    sw_attempt *one = claim(store), *two = claim(store);
    CHECK_CODE(SW_OK, append_code(one, "said", "{\"n\" : 1}", NULL));
    CHECK_CODE(SW_OK, append_code(two, "said", NULL, NULL));
    CHECK_CODE(SW_OK, append_code(one, "heard", "3", NULL));
    struct value *all = events(store, 0, NULL, 0);
    CHECK_INT_IN(1, all, "first_seq");
    CHECK_INT_IN(3, all, "last_seq");
    REQUIRE(value_in(all, "items")->count == 3);
    struct value *event = value_at(value_in(all, "items"), 0);
    CHECK_KEYS(event, "seq", "run_id", "type", "payload", "at_ms");
    CHECK_INT_IN(1, event, "seq");
    CHECK_TEXT_IN(first.text, event, "run_id");
    CHECK_TEXT_IN("said", event, "type");
    CHECK_RAW_IN("{\"n\" : 1}", event, "payload");
    CHECK_INT_IN(sw_store_now_ms(store), event, "at_ms");
    CHECK(is_null_in(value_at(value_in(all, "items"), 1), "payload"));
    struct value *page = value_in(events(store, 1, NULL, 1), "items");
    REQUIRE(page->count == 1);
    CHECK_INT_IN(2, value_at(page, 0), "seq");
    page = value_in(events(store, 0, first.text, 0), "items");
    REQUIRE(page->count == 2);
    CHECK_INT_IN(3, value_at(page, 1), "seq");
    CHECK_INT(0, value_in(events(store, 2, second.text, 0), "items")->count);
    finish(one, "1");
    finish(two, "1");
    sw_store_close(store);
}

TEST(a_key_appends_once_in_a_run) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    submit(store, "w", NULL);
    sw_attempt *one = claim(store), *two = claim(store);
    CHECK_CODE(SW_OK, append_code(one, "a", "1", "k"));
    CHECK_CODE(SW_EXISTS, append_code(one, "b", "2", "k"));
    CHECK_CODE(SW_OK, append_code(two, "a", "3", "k"));
    CHECK_CODE(SW_OK, sw_attempt_release(one, 0, ERR));
    sw_attempt_free(one);
    one = claim(store);
    CHECK_CODE(SW_EXISTS, append_code(one, "a", "1", "k"));
    CHECK_INT(2, value_in(events(store, 0, NULL, 0), "items")->count);
    finish(one, "1");
    finish(two, "1");
    sw_store_close(store);
}

TEST(a_history_shows_the_events_of_its_run_page_by_page) {
    sw_store *store = store_in_memory();
    struct run_id run = submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    for (int i = 0; i < 5; i++) CHECK_CODE(SW_OK, append_code(attempt, "said", "1", NULL));
    struct value *history = value_read(history_text(store, run.text));
    CHECK_INT(5, value_in(history, "events")->count);
    CHECK_KEYS(value_at(value_in(history, "events"), 0), "seq", "run_id", "type", "payload",
               "at_ms");
    char cursor[128] = "";
    int64_t seen = 0;
    do {
        sw_text *text = NULL;
        REQUIRE_CODE(SW_OK, sw_run_history(store, NTS(run.text), cursor[0] == 0 ? NULL : cursor,
                                           cursor[0] == 0 ? 0 : SW_NTS, 2, &text, ERR));
        struct value *page = value_read(lend_format("%s", sw_text_data(text, NULL)));
        sw_text_free(text);
        struct value *list = value_in(page, "events");
        for (size_t i = 0; i < list->count; i++) CHECK_INT_IN(++seen, value_at(list, i), "seq");
        snprintf(cursor, sizeof cursor, "%s",
                 is_null_in(page, "next") ? "" : text_in(page, "next"));
    } while (cursor[0] != 0);
    CHECK_INT(5, seen);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_budget_that_comes_to_its_level_is_told_once) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.budget = "{\"tokens\":{\"limit\":100,\"warn\":80}}";
    options.budget_len = SW_NTS;
    struct run_id run = submit_with(store, "w", &options);
    sw_attempt *attempt = claim(store);
    char id[SW_ID_CAP];
    for (int i = 0; i < 10; i++) {
        CHECK_CODE(SW_OK, sw_budget_reserve(attempt, NULL, NTS("{\"tokens\":10}"), ABSENT, id,
                                            sizeof id, ERR));
        CHECK_INT(i < 7 ? 0 : 1, value_in(events(store, 0, NULL, 0), "items")->count);
    }
    struct value *event = value_at(value_in(events(store, 0, run.text, 0), "items"), 0);
    CHECK_TEXT_IN("budget.warning", event, "type");
    CHECK_RAW_IN("{\"unit\":\"tokens\",\"limit\":100,\"warn\":80,\"spent\":0,\"reserved\":80}",
                 event, "payload");
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(what_may_not_append_does_not) {
    sw_store *store = store_in_memory();
    struct run_id run = submit(store, "w", NULL);
    sw_attempt *stale = claim(store);
    advance(store, 60000);
    sw_attempt *fresh = claim(store);
    CHECK_CODE(SW_ERR_LEASE_LOST, append_code(stale, "said", NULL, NULL));
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(run.text), ABSENT, ERR));
    CHECK_CODE(SW_ERR_CANCELLED, append_code(fresh, "said", NULL, NULL));
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_INVALID, sw_event_read(store, -1, ABSENT, 0, &text, ERR));
    CHECK_CODE(SW_ERR_INVALID, sw_event_read(store, 0, ABSENT, 10001, &text, ERR));
    CHECK_CODE(SW_ERR_NOT_FOUND, sw_event_read(store, 0, NTS("run_x"), 0, &text, ERR));
    CHECK(text == NULL);
    CHECK_INT(0, value_in(events(store, 0, NULL, 0), "items")->count);
    sw_attempt_free(stale);
    sw_attempt_free(fresh);
    sw_store_close(store);
}

struct speakers {
    sw_attempt *attempt;
    sw_store *store;
};

static void speak(int index, void *shared) {
    struct speakers *speakers = shared;
    if (index == 0) {
        /* P32: once a number is readable no smaller one appears, and none is missing. */
        int64_t seen = 0;
        while (seen < 700) {
            struct value *page = value_in(events(speakers->store, seen, NULL, 0), "items");
            for (size_t i = 0; i < page->count; i++) CHECK_INT_IN(++seen, value_at(page, i), "seq");
        }
        return;
    }
    for (int i = 0; i < 100; i++)
        CHECK_CODE(SW_OK, append_code(speakers->attempt, "said", NULL, NULL));
}

TEST(a_tail_sees_every_number_once_and_in_order) {
    struct speakers speakers = {.store = store_open(temp_path("new.db"), 0)};
    submit(speakers.store, "w", NULL);
    speakers.attempt = claim(speakers.store);
    in_threads(8, speak, &speakers);
    finish(speakers.attempt, "1");
    sw_store_close(speakers.store);
}

/* ---- Waiting ------------------------------------------------------------------------------ */

/* Reached only when a test fails. */
#define LONG_MS 120000

static struct value *wait_for_events(sw_store *store, int64_t after, const char *filter,
                                     uint32_t limit, int64_t timeout_ms) {
    sw_text *text = NULL;
    REQUIRE_CODE(SW_OK, sw_event_wait(store, after, filter, filter == NULL ? 0 : SW_NTS, limit,
                                      timeout_ms, NULL, &text, ERR));
    struct value *document = value_read(take_text(text));
    REQUIRE(document != NULL);
    CHECK_KEYS(document, "items", "first_seq", "last_seq", "next_seq");
    return document;
}

static int32_t wait_code(sw_store *store, int64_t after, const char *filter, int64_t timeout_ms,
                         sw_stop *stop) {
    sw_text *text = POISON(sw_text);
    int32_t code = CODE_OF(sw_event_wait(store, after, filter, filter == NULL ? 0 : SW_NTS, 0,
                                         timeout_ms, stop, &text, ERR));
    if (code != SW_OK) CHECK(text == NULL);
    if (code == SW_OK) sw_text_free(text);
    return code;
}

TEST(what_is_there_is_answered_at_once_and_says_where_to_go_on) {
    sw_store *store = store_in_memory();
    struct run_id run = submit(store, "w", NULL), other = submit(store, "w", NULL);
    sw_attempt *one = claim(store), *two = claim(store);
    CHECK_INT(SW_TIMEOUT, wait_code(store, 0, NULL, 0, NULL));
    const char *types[] = {"a", "b", "a", "c"};
    for (int i = 0; i < 4; i++) {
        CHECK_CODE(SW_OK, append_code(i % 2 == 0 ? one : two, types[i], "1", NULL));
    }
    struct value *page = wait_for_events(store, 0, NULL, 0, LONG_MS);
    CHECK_INT(4, value_in(page, "items")->count);
    CHECK_INT_IN(4, page, "next_seq");
    CHECK_INT(SW_TIMEOUT, wait_code(store, 4, NULL, 0, NULL));
    page = wait_for_events(store, 1, NULL, 2, LONG_MS);
    CHECK_INT(2, value_in(page, "items")->count);
    CHECK_INT_IN(3, page, "next_seq");
    CHECK_INT_IN(4, page, "last_seq");
    page = wait_for_events(store, 0, "{\"type\":\"a\"}", 0, LONG_MS);
    CHECK_INT(2, value_in(page, "items")->count);
    CHECK_INT_IN(4, page, "next_seq");
    page = wait_for_events(store, 0, "{\"type\":[\"b\",\"c\"]}", 1, LONG_MS);
    CHECK_INT(1, value_in(page, "items")->count);
    CHECK_INT_IN(2, page, "next_seq");
    const char *of_run = lend_format("{\"run_id\":\"%s\",\"type\":\"c\"}", other.text);
    page = wait_for_events(store, 0, of_run, 0, LONG_MS);
    CHECK_INT_IN(4, value_at(value_in(page, "items"), 0), "seq");
    CHECK_TEXT_IN(other.text, value_at(value_in(page, "items"), 0), "run_id");
    of_run = lend_format("{\"run_id\":\"%s\",\"type\":\"c\"}", run.text);
    CHECK_INT(SW_TIMEOUT, wait_code(store, 0, of_run, 0, NULL));
    finish(one, "1");
    finish(two, "1");
    sw_store_close(store);
}

TEST(a_filter_that_is_none_is_refused_by_name) {
    sw_store *store = store_in_memory();
    const char *bad[] = {"{\"kind\":\"a\"}", "[]", "{\"type\":[]}", "{\"type\":7}",
                         "{\"run_id\":\"\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_INT(SW_ERR_INVALID, wait_code(store, 0, bad[i], 0, NULL));
    }
    const char *nobody = "{\"run_id\":\"run_00000000000000000000000000\"}";
    CHECK_INT(SW_ERR_NOT_FOUND, wait_code(store, 0, nobody, 0, NULL));
    CHECK_INT(SW_ERR_INVALID, wait_code(store, -1, NULL, 0, NULL));
    CHECK_INT(SW_ERR_INVALID, wait_code(store, 0, NULL, -2, NULL));
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_INVALID, sw_event_wait(store, 0, ABSENT, 10001, 0, NULL, &text, ERR));
    CHECK(text == NULL);
    sw_store_close(store);
}

struct tail {
    sw_store *store;
    const char *filter;
    sw_stop *stop;
    int64_t after;
    int32_t code;
};

static void wait_long(void *shared) {
    struct tail *tail = shared;
    tail->code = wait_code(tail->store, tail->after, tail->filter, LONG_MS, tail->stop);
}

static void check_tail_ends(struct tail *tail, sw_attempt *attempt, int32_t code) {
    struct companion *waiter = thread_start(wait_long, tail);
    pause_ms(5); /* so that it most likely sleeps; it must end either way */
    if (attempt != NULL) {
        CHECK_CODE(SW_OK, append_code(attempt, "other", "1", NULL));
        CHECK_CODE(SW_OK, append_code(attempt, "said", "1", NULL));
    } else if (tail->stop != NULL) {
        sw_stop_fire(tail->stop);
    } else {
        sw_store_shutdown(tail->store);
    }
    thread_join(waiter);
    CHECK_INT(code, tail->code);
}

TEST(a_wait_ends_with_an_event_that_is_asked_for_with_the_stop_and_with_the_store) {
    const char *path = temp_path("a.db");
    sw_store *store = store_open(path, 0), *reader = NULL;
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    struct tail tail = {.store = store, .filter = "{\"type\":\"said\"}"};
    check_tail_ends(&tail, attempt, SW_OK);
    tail.after = 2;
    tail.store = reader;
    check_tail_ends(&tail, attempt, SW_OK);
    tail.after = 4;
    REQUIRE_CODE(SW_OK, sw_stop_new(&tail.stop, ERR));
    check_tail_ends(&tail, NULL, SW_TIMEOUT);
    CHECK_INT(SW_OK, wait_code(reader, 3, tail.filter, LONG_MS, tail.stop));
    sw_stop_free(tail.stop);
    tail.stop = NULL;
    check_tail_ends(&tail, NULL, SW_ERR_CLOSED);
    sw_store_close(reader);
    finish(attempt, "1");
    sw_store_close(store);
}

TEST(a_wait_for_a_seldom_kind_passes_over_a_bounded_number_of_others) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    sw_attempt *attempt = claim(store);
    for (int i = 0; i < SW_EVENTS_LOOKED_MAX + 1; i++) {
        REQUIRE_CODE(SW_OK, append_code(attempt, "noise", "1", NULL));
    }
    const char *filter = "{\"type\":\"said\"}";
    struct value *page = wait_for_events(store, 0, filter, 0, LONG_MS);
    CHECK_INT(0, value_in(page, "items")->count);
    CHECK_INT_IN(SW_EVENTS_LOOKED_MAX, page, "next_seq");
    CHECK_INT(SW_TIMEOUT, wait_code(store, SW_EVENTS_LOOKED_MAX, filter, 0, NULL));
    finish(attempt, "1");
    sw_store_close(store);
}
