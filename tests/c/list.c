/* Lists of runs: found by what they are, counted, annotated, acted on many at once. */
#include "support.h"

#include "reader.h"

static struct value *document(int32_t code, sw_text *text) {
    REQUIRE(code == SW_OK);
    struct value *document = value_read(take_text(text));
    REQUIRE(document != NULL);
    return document;
}

static int32_t list_code(sw_store *store, const char *filter, const char *cursor, uint32_t limit,
                         sw_text **out) {
    return sw_run_list(store, filter, filter == NULL ? 0 : SW_NTS, cursor,
                       cursor == NULL ? 0 : SW_NTS, limit, out, ERR);
}

static struct value *page(sw_store *store, const char *filter, const char *cursor, uint32_t limit) {
    sw_text *text = NULL;
    int32_t code = CODE_OF(list_code(store, filter, cursor, limit, &text));
    struct value *page = document(code, text);
    CHECK_KEYS(page, "items", "next", "looked_at");
    return page;
}

static void refuse_list(sw_store *store, const char *filter, const char *cursor, uint32_t limit,
                        const char *says) {
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_INVALID, list_code(store, filter, cursor, limit, &text));
    CHECK_SAYS(says);
    CHECK(text == NULL);
}

static uint64_t count(sw_store *store, const char *filter, uint64_t at_most) {
    uint64_t count = 77;
    REQUIRE_CODE(SW_OK,
                 sw_run_count(store, filter, filter == NULL ? 0 : SW_NTS, at_most, &count, ERR));
    return count;
}

static struct value *act(sw_store *store, const char *action, const char *filter, uint32_t limit) {
    sw_text *text = NULL;
    int32_t code = CODE_OF(sw_run_act_many(store, NTS(action), filter, filter == NULL ? 0 : SW_NTS,
                                           limit, &text, ERR));
    struct value *answer = document(code, text);
    CHECK_KEYS(answer, "matched", "done", "refused", "more");
    return answer;
}

static int32_t annotate(sw_store *store, struct run_id run, const char *patch) {
    return sw_run_annotate(store, NTS(run.text), NTS(patch), ERR);
}

#define CHECK_ITEM(expected, page, index)                                                          \
    CHECK_TEXT((expected).text, text_in(value_at(value_in((page), "items"), (index)), "run_id"))

TEST(a_list_shows_the_newest_runs_first_page_by_page_and_none_of_their_payloads) {
    sw_store *store = store_in_memory();
    struct run_id runs[5];
    for (int i = 0; i < 5; i++) runs[i] = submit(store, "w", "[1]");
    struct value *first = page(store, NULL, NULL, 3);
    REQUIRE(value_in(first, "items")->count == 3);
    CHECK_ITEM(runs[4], first, 0);
    CHECK_ITEM(runs[2], first, 2);
    CHECK_KEYS(value_at(value_in(first, "items"), 0), "run_id", "task_id", "root_run_id",
               "parent_run_id", "workflow", "queue", "state", "priority", "attempts", "tries",
               "max_tries", "run_at_ms", "created_at_ms", "updated_at_ms", "finished_at_ms",
               "code_version", "cancel_asked", "pause_asked", "due_at_ms");
    submit(store, "later", NULL);
    struct value *second = page(store, "{}", text_in(first, "next"), 3);
    REQUIRE(value_in(second, "items")->count == 2);
    CHECK_ITEM(runs[1], second, 0);
    CHECK_ITEM(runs[0], second, 1);
    CHECK(is_null_in(second, "next"));
    struct value *oldest =
        page(store, "{\"order\":\"oldest\",\"include\":[\"args\",\"error\"]}", NULL, 1);
    CHECK_ITEM(runs[0], oldest, 0);
    struct value *item = value_at(value_in(oldest, "items"), 0);
    CHECK_RAW_IN("[1]", item, "args");
    CHECK(is_null_in(item, "error") && is_null_in(item, "last_error"));
    CHECK(value_in(item, "result") == NULL);
    sw_store_close(store);
}

TEST(runs_are_found_by_state_names_and_metadata_together) {
    sw_store *store = store_in_memory();
    sw_submit_options options = submit_options();
    options.metadata = "{\"tenant\":\"acme\",\"n\":1}";
    options.metadata_len = SW_NTS;
    struct run_id mine = submit_with(store, "invoice", &options);
    submit(store, "invoice", NULL);
    struct run_id other = submit_with(store, "greet", &options);
    const char *both = "{\"workflow\":\"invoice\",\"metadata\":{\"tenant\":\"acme\"}}";
    struct value *found = page(store, both, NULL, 0);
    REQUIRE(value_in(found, "items")->count == 1);
    CHECK_ITEM(mine, found, 0);
    CHECK_INT(2, count(store, "{\"metadata\":{\"n\":1.0}}", 0));
    CHECK_INT(0, count(store, "{\"metadata\":{\"n\":\"1\"}}", 0));
    CHECK_CODE(SW_OK, sw_run_cancel(store, NTS(other.text), ABSENT, ERR));
    CHECK_INT(1, count(store, "{\"state\":\"cancelled\"}", 0));
    CHECK_INT(2, count(store, "{\"state\":[\"pending\",\"running\"]}", 0));
    CHECK_INT(3, count(store, NULL, 0));
    CHECK_INT(2, count(store, NULL, 2));
    sw_store_close(store);
}

TEST(what_is_no_filter_no_cursor_or_no_limit_is_named) {
    sw_store *store = store_in_memory();
    submit(store, "w", NULL);
    submit(store, "w", NULL);
    refuse_list(store, "{\"status\":\"failed\"}", NULL, 0, "unknown key \"status\"");
    refuse_list(store, "{\"state\":\"done\"}", NULL, 0, "\"pending\"");
    refuse_list(store, "{\"queue\":\"a\",\"queue\":\"b\"}", NULL, 0, "\"queue\" comes twice");
    refuse_list(store, "[]", NULL, 0, "expected an object");
    refuse_list(store, NULL, NULL, 1001, "1001");
    refuse_list(store, NULL, "next", 0, "sw_run_list");
    const char *next = text_in(page(store, NULL, NULL, 1), "next");
    refuse_list(store, "{\"workflow\":\"w\"}", next, 1, "another filter");
    sw_store *stranger = store_in_memory();
    refuse_list(stranger, NULL, next, 1, "store");
    uint64_t number = 77;
    CHECK_CODE(SW_ERR_INVALID, sw_run_count(store, ABSENT, UINT64_MAX, &number, ERR));
    CHECK_SAYS("1000000000");
    CHECK_CODE(SW_ERR_INVALID, sw_run_count(store, NTS("{\"x\":1}"), 0, &number, ERR));
    CHECK_INT(77, number);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(
        SW_ERR_NOT_FOUND,
        list_code(store, "{\"parent_run_id\":\"run_00000000000000000000000000\"}", NULL, 0, &text));
    CHECK(text == NULL);
    sw_store_close(stranger);
    sw_store_close(store);
}

TEST(metadata_is_merged_whatever_the_state_and_found_at_once) {
    sw_store *store = store_in_memory();
    struct run_id run = submit(store, "w", NULL);
    CHECK_CODE(SW_OK, annotate(store, run, "{\"ticket\":7,\"o\":{\"a\":1,\"b\":2}}"));
    CHECK_INT(1, count(store, "{\"metadata\":{\"ticket\":7}}", 0));
    sw_attempt *attempt = claim(store);
    finish(attempt, "1");
    CHECK_CODE(SW_OK, annotate(store, run, "{\"ticket\":null,\"o\":{\"a\":null},\"by\":\"me\"}"));
    CHECK_RAW_IN("{\"o\":{\"b\":2},\"by\":\"me\"}", value_read(run_text(store, run.text)),
                 "metadata");
    CHECK_INT(0, count(store, "{\"metadata\":{\"ticket\":7}}", 0));
    CHECK_INT(1, count(store, "{\"metadata\":{\"by\":\"me\"},\"state\":\"completed\"}", 0));
    CHECK_CODE(SW_ERR_INVALID, annotate(store, run, "[]"));
    CHECK_CODE(SW_ERR_INVALID, sw_run_annotate(store, NTS(run.text), ABSENT, ERR));
    struct run_id none = {"run_00000000000000000000000000"};
    CHECK_CODE(SW_ERR_NOT_FOUND, annotate(store, none, "{}"));
    char *large = lend(SW_METADATA_BYTES_MAX + 32);
    memset(large, 'x', SW_METADATA_BYTES_MAX + 16);
    memcpy(large, "{\"l\":\"", 6);
    memcpy(large + SW_METADATA_BYTES_MAX, "\"}", 3);
    CHECK_CODE(SW_ERR_TOO_BIG, annotate(store, run, large));
    CHECK_SAYS("65536");
    sw_store_close(store);
}

TEST(a_change_of_metadata_is_told_to_who_watches) {
    sw_store *store = store_in_memory();
    struct run_id run = submit(store, "w", NULL);
    uint64_t seen = 0, now = 0;
    (void)CODE_OF(sw_store_wait(store, UINT64_MAX, 0, NULL, &seen, ERR));
    CHECK_CODE(SW_OK, annotate(store, run, "{\"a\":1}"));
    CHECK_CODE(SW_OK, sw_store_wait(store, seen, 0, NULL, &now, ERR));
    CHECK_CODE(SW_OK, annotate(store, run, "{\"a\":1}"));
    CHECK_CODE(SW_TIMEOUT, sw_store_wait(store, now, 0, NULL, &seen, ERR));
    sw_store_close(store);
}

TEST(an_act_on_many_does_what_the_call_on_one_does_until_nothing_is_left) {
    sw_store *store = store_in_memory();
    for (int i = 0; i < 5; i++) submit(store, "w", NULL);
    struct run_id other = submit(store, "other", NULL);
    const char *rehearsal = "{\"workflow\":\"w\",\"dry_run\":true}";
    struct value *answer = act(store, "pause", rehearsal, 3);
    CHECK_INT_IN(3, answer, "matched");
    CHECK_INT_IN(0, answer, "done");
    CHECK_RAW_IN("true", answer, "more");
    CHECK_INT(0, count(store, "{\"state\":\"paused\"}", 0));
    answer = act(store, "pause", "{\"workflow\":\"w\"}", 3);
    CHECK_INT_IN(3, answer, "done");
    CHECK_RAW_IN("true", answer, "more");
    answer = act(store, "pause", "{\"workflow\":\"w\"}", 3);
    CHECK_INT_IN(2, answer, "done");
    CHECK_RAW_IN("false", answer, "more");
    CHECK_INT(5, count(store, "{\"state\":\"paused\"}", 0));
    CHECK_INT_IN(5, act(store, "resume", NULL, 0), "done");
    CHECK_INT_IN(5, act(store, "cancel", "{\"workflow\":\"w\"}", 0), "done");
    CHECK_INT_IN(0, act(store, "cancel", "{\"workflow\":\"w\"}", 0), "matched");
    CHECK_INT_IN(5, act(store, "retry", NULL, 1000), "done");
    CHECK_STATE("pending", store, other.text);
    sw_store_close(store);
}

TEST(an_act_tells_which_runs_of_a_named_state_it_is_not_for) {
    sw_store *store = store_in_memory();
    struct run_id done = submit(store, "w", NULL);
    finish(claim(store), "1");
    struct run_id open = submit(store, "w", NULL);
    struct value *answer = act(store, "cancel", "{\"state\":[\"completed\",\"pending\"]}", 0);
    CHECK_INT_IN(2, answer, "matched");
    CHECK_INT_IN(1, answer, "done");
    struct value *refused = value_at(value_in(answer, "refused"), 0);
    CHECK_KEYS(refused, "run_id", "code");
    CHECK_TEXT_IN(done.text, refused, "run_id");
    CHECK_INT_IN(SW_ERR_CONFLICT, refused, "code");
    CHECK_STATE("cancelled", store, open.text);
    CHECK_STATE("completed", store, done.text);
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_INVALID, sw_run_act_many(store, NTS("stop"), ABSENT, 0, &text, ERR));
    CHECK_SAYS("\"stop\"");
    CHECK(text == NULL);
    CHECK_CODE(SW_ERR_INVALID, sw_run_act_many(store, NTS("cancel"), ABSENT, 1001, &text, ERR));
    CHECK_SAYS("1001");
    sw_store_close(store);
}

TEST(a_handle_that_only_reads_lists_counts_and_rehearses) {
    const char *path = temp_path("db");
    sw_store *store = store_open(path, 0);
    struct run_id run = submit(store, "w", NULL);
    sw_store_options options = {.struct_size = sizeof options, .flags = SW_OPEN_READ_ONLY};
    sw_store *reader = NULL;
    REQUIRE_CODE(SW_OK, sw_store_open(path, &options, &reader, ERR));
    CHECK_ITEM(run, page(reader, NULL, NULL, 0), 0);
    CHECK_INT(1, count(reader, NULL, 0));
    CHECK_INT_IN(1, act(reader, "cancel", "{\"dry_run\":true}", 0), "matched");
    sw_text *text = POISON(sw_text);
    CHECK_CODE(SW_ERR_READONLY, sw_run_act_many(reader, NTS("cancel"), ABSENT, 0, &text, ERR));
    CHECK_CODE(SW_ERR_READONLY, annotate(reader, run, "{\"a\":1}"));
    sw_store_close(reader);
    sw_store_close(store);
}
